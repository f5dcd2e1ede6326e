"""What is typed after `make run` reaches the command as it was typed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings


@pytest.mark.parametrize(
    "typed", ["/srv/plain.git", "/srv/with a space.git", """/srv/it's "here".git""", "/srv/`id`;id|x.git", "--help"]
)
def test_the_repository_is_passed_on_as_typed(tmp_path: Path, typed: str) -> None:
    shutil.copy(settings.BASE_DIR / "Makefile", tmp_path)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nfor word in "$@"; do printf \'<%s>\' "$word"; done\n')
    python.chmod(0o755)
    said = subprocess.run(
        ["make", "--silent", "run", "PYTHON=true", f"REPO={typed}"], cwd=tmp_path, capture_output=True, text=True,
        check=True, env={key: value for key, value in os.environ.items() if not key.startswith("MAKE")},
    ).stdout  # fmt: skip
    assert said == f"<manage.py><serve><--track={typed}>"


def test_without_a_repository_nothing_is_tracked() -> None:
    said = subprocess.run(
        ["make", "--dry-run", "run", "PYTHON=true"], cwd=settings.BASE_DIR, capture_output=True, text=True, check=True,
        env={key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "REPO"))},
    ).stdout  # fmt: skip
    assert "--track" not in said
