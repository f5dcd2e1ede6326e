"""Environments, pipelines, runs, approvals: bringing a release to where it runs. See docs/decisions/0009."""
