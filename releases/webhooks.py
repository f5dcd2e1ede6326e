"""Signed webhooks in."""
