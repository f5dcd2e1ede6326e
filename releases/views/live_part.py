"""Pages say which topics they show, and at which version, so that the stream tells them only what is newer."""

from __future__ import annotations

from releases import live


def stamped(*topics: str) -> str:
    """`overview@12 project:3@7`, for `data-live`. Call it before reading rows: a change in between is then told."""
    return " ".join(f"{topic}@{version}" for topic, version in live.versions(topics).items())


def of_project(pk: int) -> str:
    return stamped(live.project_topic(pk))
