"""The demo's repositories, built once for all tests that only read them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from releases.demo.build import CATALOGUE, build

NOW = 1_800_000_000


def git(repository: Path, *args: str) -> str:
    """What git says about a repository; the test fails when git does."""
    done = subprocess.run(["git", "-C", str(repository), *args], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("demo")
    return {entry.app.name: build(entry, folder, NOW) for entry in CATALOGUE}
