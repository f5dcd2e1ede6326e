"""Facts kept between runs, by object id, in one SQLite file per repository."""

from __future__ import annotations

from pathlib import Path


class FactStore:
    """Opens (or makes) the file; a broken or outdated one is thrown away, for it costs only time."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def close(self) -> None:
        """Let go of the file."""
