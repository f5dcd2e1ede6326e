"""Thousands of collected tests stay until the end: looking through them for garbage again and again finds nothing."""

from __future__ import annotations

import gc

import pytest

gc.disable()


def pytest_sessionstart(session: pytest.Session) -> None:
    """The process that hands tests out to others collects none."""
    if session.config.getoption("dist", "no") != "no" and not hasattr(session.config, "workerinput"):
        gc.enable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()
