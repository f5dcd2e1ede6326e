"""What stood before a test began is not what the test left behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.git import processes


@pytest.fixture(autouse=True)
def _standing_processes() -> Iterator[None]:
    processes.STANDING.clear()
    processes.STANDING.update(processes.children())
    yield
    processes.STANDING.clear()
