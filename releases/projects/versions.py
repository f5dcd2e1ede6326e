"""Version tags: what kind of release a tag names, and a text that orders versions as SemVer does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_WIDTH = 14
"""Digits per number: wide enough for dates down to the second, which some projects use as versions."""
_WORD = 14
_LONGEST = 160
_NUMBERS = re.compile(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:\.(\d+))?", re.ASCII)
_PREFIX = re.compile(r"^(?:[^\d]*[^\d.])?(?=\d)", re.ASCII)
_AFTER = frozenset({"post", "p", "patch", "hotfix", "sp", "fix", "rev", "r"})
"""Words for something that came after the release they are attached to."""
_SAME = frozenset({"final", "ga", "release", "stable", "lts"})
_UNFINISHED = frozenset({"dev", "snapshot", "nightly"})
"""Words that stand below every other pre-release, alpha included."""


@dataclass(frozen=True, slots=True)
class TagVersion:
    """A tag read as a version. `sort_key` holds digits and lower-case letters only, so that every collation agrees."""

    version: str
    kind: str
    """major, minor, patch or pre (`Release.Kind`)."""
    sort_key: str

    @property
    def finished(self) -> bool:
        """Not a pre-release."""
        return self.kind != "pre"


def tag_version(tag: str) -> TagVersion | None:
    """Read `v1.2.1`, `1.2`, `1.2.3.4`, `release-1.26.0`, `3.9.0rc1`, `1.0.0-beta.2+build`; None when not a version."""
    text = tag.rpartition("/")[2]
    prefix = _PREFIX.match(text)
    if prefix is None:
        return None
    text = text[prefix.end() :]
    numbers = _NUMBERS.match(text)
    if numbers is None:
        return None
    parts = [int(part or 0) for part in numbers.groups()]
    if any(len(str(part)) > _WIDTH for part in parts):
        return None
    rank, words = _suffix(text[numbers.end() :].partition("+")[0])
    key = "".join(f"{part:0{_WIDTH}d}" for part in parts) + rank + "".join(_identifier(word) for word in words) + "0"
    return TagVersion(version=text[:120], kind=_kind(parts, rank), sort_key=key[:_LONGEST])


def _kind(parts: list[int], rank: str) -> str:
    if rank == "0":
        return "pre"
    _major, minor, patch, fourth = parts
    if patch or fourth or rank == "2":
        return "patch"
    return "minor" if minor else "major"


def _suffix(text: str) -> tuple[str, list[str]]:
    """What follows the numbers: "0" for a pre-release, "1" for nothing, "2" for an addition; and its identifiers."""
    text = text.lower().strip("-._~ ")
    if not text:
        return "1", []
    words = re.findall(r"\d+|[a-z]+", text)
    first = words[0] if words else ""
    if first in _SAME:
        return "1", []
    return ("2" if first in _AFTER else "0"), words


def _identifier(word: str) -> str:
    """One part of a pre-release: numbers stand below words, and a longer list above its own beginning."""
    if word.isdecimal():
        return "1" + f"{int(word):0{_WIDTH}d}"[:_WIDTH]
    low = "0" if word in _UNFINISHED else "1"
    return "2" + low + word[:_WORD].ljust(_WORD, "0")


def next_patch(tags: Iterable[str], base: str = "") -> str:
    """The tag for a hotfix of the release `base`, or of the highest finished version among the tags.

    The spelling is kept: folder, prefix, number of parts, zeros in front. Pre-releases and build metadata count for
    nothing, but a version that a finished tag has is passed over. Empty when there is no version to go from.
    """
    known = list(tags)
    start = base or _highest(known)
    version = tag_version(start) if start else None
    if version is None:
        return ""
    folder = start[: len(start) - len(start.rpartition("/")[2])]
    taken = {_key(tag) for tag in known if tag.startswith(folder) and (found := tag_version(tag)) and found.finished}
    stem, parts = _spelling(start)
    if version.finished:
        parts = _raised(parts)
    while _key(stem + ".".join(parts)) in taken:
        parts = _raised(parts)
    return stem + ".".join(parts)


def _highest(tags: Iterable[str]) -> str:
    versions = [(found.sort_key, tag) for tag in tags if (found := tag_version(tag)) and found.finished]
    return max(versions)[1] if versions else ""


def _spelling(tag: str) -> tuple[str, list[str]]:
    """What stands before the version, and its numbers as written, at least three."""
    folder, slash, text = tag.rpartition("/")
    prefix = _PREFIX.match(text)
    at = prefix.end() if prefix else 0
    numbers = _NUMBERS.match(text, at)
    parts = numbers[0].split(".") if numbers else ["0"]
    return f"{folder}{slash}{text[:at]}", parts + ["0"] * (3 - len(parts))


def _raised(parts: list[str]) -> list[str]:
    return [*parts[:-1], str(int(parts[-1]) + 1).zfill(len(parts[-1]))]


def _key(tag: str) -> str:
    """The version alone: equal for spellings of the same one."""
    found = tag_version(tag)
    return found.sort_key if found else ""
