"""Thousands of collected tests stay until the end: looking through them for garbage again and again finds nothing."""

from __future__ import annotations

import gc

gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()
