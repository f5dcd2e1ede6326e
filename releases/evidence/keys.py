"""Keys under which facts about commits are found again: what two commits must share to have to do with each other.

Keys are numbers made with a fixed fingerprint, the same in every process. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from .facts import Facts
from .pool import LATE
from .undone import quoted_title

HEADER, AUTHOR, SUBJECT, REQUEST, HAND, CHANGE_ID, PATH, NAMES, UNDOES, QUOTES, BEGINS = b"hasmwcplrqi"
WRITTEN = 7
"""Characters of an object id that messages write at least."""


def key(kind: int, value: bytes | str) -> int:
    """A whole number of 64 bits with sign."""
    raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    return int.from_bytes(blake2b(raw, digest_size=8, person=bytes([kind])).digest(), "big", signed=True)


def author_key(facts: Facts) -> int:
    return key(AUTHOR, f"{facts.author_email}\0{facts.authored_at}")


def hand_key(facts: Facts, later: int = 0) -> int:
    """What one author made about the same time, or so many periods of LATE seconds later."""
    return key(HAND, f"{facts.author_email}\0{facts.authored_at // LATE + later}")


def hand_keys(facts: Facts) -> list[int]:
    """All that its author made within LATE of it, and some more."""
    return [hand_key(facts, later) for later in (-1, 0, 1)]


def keys_of(facts: Facts) -> list[int]:
    """Every key of a commit."""
    found = [key(BEGINS, facts.sha[:WRITTEN]), author_key(facts), hand_key(facts), key(SUBJECT, facts.key)]
    found += [key(REQUEST, number) for number in facts.requests]
    if facts.header:
        found.append(key(HEADER, facts.header))
    if facts.change_id:
        found.append(key(CHANGE_ID, facts.change_id))
    if not facts.wide:
        found += path_keys(facts.paths)
    found += [key(NAMES, written[:WRITTEN]) for written in facts.links]
    found += [key(UNDOES, written[:WRITTEN]) for written in facts.reverts]
    if quoted := quoted_title(facts):
        found.append(key(QUOTES, quoted))
    return list(dict.fromkeys(found))


def path_keys(paths: Iterable[str]) -> list[int]:
    return [key(PATH, path) for path in paths]
