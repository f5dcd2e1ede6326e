from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.hotfixes.playing import folder


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, settings: Any) -> None:
    folder(tmp_path, settings)
