"""Measures the verdicts: how right they are, and what they cost beside `git cherry`."""
