from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache

from incidents.drills import preparing
from tests.drills.playing import folders


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, settings: Any) -> None:
    folders(tmp_path, settings)
    cache.clear()


@pytest.fixture(autouse=True)
def _signs_of_life(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a test commits nothing, a thread with a connection of its own sees no drill to give signs of life of."""
    marker = request.node.get_closest_marker("django_db")
    if marker is None or not marker.kwargs.get("transaction"):
        monkeypatch.setattr(preparing, "_beat", lambda drill: True)


@pytest.fixture(scope="session")
def demo_repositories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Real small histories of every way of working, built once; only read."""
    from releases.demo.build import CATALOGUE, build

    folder = tmp_path_factory.mktemp("ways")
    return {entry.app.name: build(entry, folder, 1_790_000_000) for entry in CATALOGUE}
