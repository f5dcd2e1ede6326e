"""Reading a table of TOML strictly: what is of the wrong kind, or not known, is a sentence that says where. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, time
from difflib import get_close_matches
from typing import Any


class TableReader:
    """One table. Each value is asked for by name; `done` then names what nobody asked for."""

    def __init__(self, data: Mapping[str, Any], where: str, problems: list[str]) -> None:
        self.data = data
        self.where = where
        self.problems = problems
        self._asked: list[str] = []

    def has(self, name: str) -> bool:
        self._asked.append(name)
        return name in self.data

    def wrong(self, name: str, said: str) -> None:
        self.problems.append(f"{self.where}: {name}: {said}" if self.where else f"{name}: {said}")

    def _get(self, name: str, kinds: type | tuple[type, ...], otherwise: Any, called: str) -> Any:
        self._asked.append(name)
        if name not in self.data:
            return otherwise
        value = self.data[name]
        wanted = kinds if isinstance(kinds, tuple) else (kinds,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in wanted):
            self.wrong(name, f"{called} is wanted here.")
            return otherwise
        return value

    def text(self, name: str, otherwise: str = "") -> str:
        return str(self._get(name, str, otherwise, "a text"))

    def flag(self, name: str, otherwise: bool) -> bool:
        return bool(self._get(name, bool, otherwise, "true or false"))

    def whole(self, name: str, otherwise: int) -> int:
        return int(self._get(name, int, otherwise, "a whole number"))

    def number(self, name: str, otherwise: float) -> float:
        return float(self._get(name, (int, float), otherwise, "a number"))

    def choice(self, name: str, known: Iterable[str], otherwise: str) -> str:
        value = self.text(name, otherwise)
        names = list(known)
        if value in names:
            return value
        self.wrong(name, f"choose one of {', '.join(names)}.")
        return otherwise

    def texts(self, name: str, otherwise: tuple[str, ...] = ()) -> tuple[str, ...]:
        value = self._get(name, list, list(otherwise), "a list of texts")
        if all(isinstance(item, str) for item in value):
            return tuple(value)
        self.wrong(name, "a list of texts is wanted here.")
        return otherwise

    def mapping(self, name: str) -> dict[str, str]:
        """Names and texts."""
        value = self._get(name, dict, {}, "a table")
        if all(isinstance(item, str) for item in value.values()):
            return dict(value)
        self.wrong(name, "each value is a text, in quotes.")
        return {}

    def moment(self, name: str) -> datetime | None:
        value: datetime | None = self._get(name, datetime, None, "a date with a time")
        return value

    def clock(self, name: str) -> time | None:
        value: time | None = self._get(name, time, None, "a time like 16:00:00")
        return value

    def table(self, name: str) -> dict[str, Any]:
        """A table to be read by somebody else."""
        return dict(self._get(name, dict, {}, "a table"))

    def tables(self, name: str) -> list[dict[str, Any]]:
        value = self._get(name, list, [], f"a list of tables, each under [[{name}]],")
        if all(isinstance(item, dict) for item in value):
            return list(value)
        self.wrong(name, f"a list of tables, each under [[{name}]], is wanted here.")
        return []

    def done(self) -> None:
        """Name every key that is not known, with the one it may have been meant to be."""
        for name in self.data:
            if name not in self._asked:
                near = get_close_matches(name, self._asked, 1)
                self.wrong(name, f"this is not known{f'; is it {near[0]}?' if near else '.'}")
