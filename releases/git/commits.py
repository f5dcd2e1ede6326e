"""Writing commits and tags: who, when, and words that cannot break an object."""

from __future__ import annotations

import re
from dataclasses import dataclass

MESSAGE_LIMIT = 100_000
"""Characters of a message that are kept."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_NOT_IN_NAME = re.compile(r"[\x00-\x1f\x7f<>]")
_CRUFT = " .,:;'\"\\"


@dataclass(frozen=True, slots=True)
class Person:
    """Who writes a commit or tag, and when: `at` in Unix seconds, written as UTC."""

    name: str
    email: str
    at: int

    def line(self) -> bytes:
        """As it stands in an object: never empty, without anything that could end it early."""
        name = _NOT_IN_NAME.sub(" ", self.name).strip(_CRUFT)[:200] or "Unknown"
        email = _NOT_IN_NAME.sub("", self.email).strip(_CRUFT)[:254] or "unknown"
        return f"{name} <{email}> {max(0, int(self.at))} +0000".encode("utf-8", "replace")
