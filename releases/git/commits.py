"""Writing commits and tags: who, when, and words that cannot break an object."""

from __future__ import annotations

import re
from dataclasses import dataclass

MESSAGE_LIMIT = 100_000
"""Characters of a message that are kept."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_NOT_IN_NAME = re.compile(r"[\x00-\x1f\x7f<>]")
_TRAILER = re.compile(rb"[A-Za-z][A-Za-z0-9-]*: |\(cherry picked from commit ")
_CRUFT = " .,:;'\"\\"

MADE_UP = b"t <t@t> 1 +0000"
"""Author of commits that only stand for a merge base in a trial and are thrown away."""


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


def message_bytes(text: str) -> bytes:
    """A message as git would store it: no control characters, no blank edges, one newline at the end, bounded."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")[:MESSAGE_LIMIT].split("\n")
    kept = "\n".join(_CONTROL.sub("\ufffd", line).rstrip() for line in lines).strip("\n")
    return (kept or "No message").encode("utf-8", "replace") + b"\n"


def with_trailer(message: bytes, trailer: bytes) -> bytes:
    """A message of any encoding with one more line at its end, beside the trailers that stand there."""
    body = message.rstrip()
    last = body.rpartition(b"\n\n")[2] if b"\n\n" in body else b""
    beside = bool(last) and all(_TRAILER.match(line) for line in last.split(b"\n"))
    return body + (b"\n" if beside else b"\n\n") + trailer + b"\n"


def commit_object(
    tree: str, parents: tuple[str, ...], author: bytes, committer: bytes, message: bytes, encoding: bytes = b""
) -> bytes:
    """A commit's content; `author` and `committer` are whole lines without their first word."""
    lines = [f"tree {tree}".encode(), *(f"parent {parent}".encode() for parent in parents)]
    lines += [b"author " + author, b"committer " + committer]
    if encoding:
        lines.append(b"encoding " + encoding)
    return b"\n".join([*lines, b"", message])


def tag_object(name: str, commit: str, tagger: bytes, message: bytes) -> bytes:
    """An annotated tag's content."""
    head = f"object {commit}\ntype commit\ntag {name}\n".encode("utf-8", "surrogateescape")
    return head + b"tagger " + tagger + b"\n\n" + message
