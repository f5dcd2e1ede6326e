"""What a fetch changed: the difference between the references shown and those that have just come in.

Git fetches into `refs/incoming/`, which nobody reads. What readers see (`refs/heads`, `refs/tags`) then moves in two
short transactions. A worker may be killed anywhere: the next fetch finds the same difference again. Tips that would
be lost (deleted or rewritten references) are kept under `refs/hotfixdash/kept/`, so that evidence stays readable.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from . import runner
from .errors import GitError
from .repository import ref_text

INCOMING = "refs/incoming/"
KEPT = "refs/hotfixdash/kept/"
_SHOWN = ("refs/heads", "refs/tags")
_NOTE = "hotfixdash-listing"
"""File in the mirror: a digest of the remote's references as of when all they lead to was known to be here."""


class Moved(StrEnum):
    """How a reference changed."""

    NEW = "new"
    FORWARD = "forward"
    FORCED = "forced"
    DELETED = "deleted"
    TAG_MOVED = "tag-moved"


@dataclass(frozen=True, slots=True)
class RefChange:
    """One reference that changed; `old` and `new` are object ids, empty where there was or is none."""

    name: str
    """Full name: refs/heads/main."""
    old: str
    new: str
    kind: Moved

    @property
    def loses_history(self) -> bool:
        """Whether something that was reachable through this name no longer is."""
        return self.kind in (Moved.FORCED, Moved.DELETED, Moved.TAG_MOVED)


Refs = dict[bytes, str]
"""Object ids by name; names stay bytes, as git has them."""


def read_refs(git_dir: Path, *prefixes: str, max_output: int = runner.MAX_OUTPUT) -> Refs:
    """The references below these prefixes."""
    args = ["for-each-ref", "--format=%(objectname) %(refname)", *prefixes]
    listed = runner.run(args, git_dir=git_dir, max_output=max_output)
    found: Refs = {}
    for line in listed.stdout.splitlines():
        sha, _, name = line.partition(b" ")
        found[name] = sha.decode("ascii")
    return found


def shown_refs(git_dir: Path) -> Refs:
    return read_refs(git_dir, *_SHOWN)


def incoming_refs(git_dir: Path) -> Refs:
    """What the last fetch brought, under the names that it will be shown by."""
    return _as_shown(read_refs(git_dir, INCOMING))


def both_refs(git_dir: Path) -> tuple[Refs, Refs]:
    """What is shown, and what the last fetch brought."""
    refs = read_refs(git_dir, *_SHOWN, INCOMING, max_output=2 * runner.MAX_OUTPUT)
    incoming = {name: sha for name, sha in refs.items() if name.startswith(INCOMING.encode())}
    return {name: sha for name, sha in refs.items() if name not in incoming}, _as_shown(incoming)


def _as_shown(incoming: Refs) -> Refs:
    return {b"refs/" + name.removeprefix(INCOMING.encode()): sha for name, sha in incoming.items()}


def note_listing(git_dir: Path, refs: Refs) -> None:
    """Write down that everything which the remote listed is here. Only with the mirror's lock held."""
    if not is_noted(git_dir, refs):
        draft = git_dir / f"{_NOTE}.lock"
        draft.write_text(_digest(refs))
        os.replace(draft, git_dir / _NOTE)


def is_noted(git_dir: Path, refs: Refs) -> bool:
    """Whether that was written down of exactly this listing."""
    try:
        return (git_dir / _NOTE).read_text("ascii", "replace") == _digest(refs)
    except OSError:
        return False


def _digest(refs: Refs) -> str:
    text = b"".join(b"%s %s\n" % (sha.encode(), name) for name, sha in sorted(refs.items()))
    return hashlib.sha256(text).hexdigest()


def compare(git_dir: Path, old: Refs, new: Refs) -> list[RefChange]:
    """Every difference, in order of name."""
    changes = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name, ""), new.get(name, "")
        if before != after:
            changes.append(RefChange(ref_text(name), before, after, _kind(git_dir, name, before, after)))
    return changes


def _kind(git_dir: Path, name: bytes, before: str, after: str) -> Moved:
    if not before:
        return Moved.NEW
    if not after:
        return Moved.DELETED
    if name.startswith(b"refs/tags/"):
        return Moved.TAG_MOVED
    try:
        done = runner.run(["merge-base", "--is-ancestor", before, after], git_dir=git_dir, ok_codes=(0, 1))
    except GitError:
        return Moved.FORCED  # the old tip cannot be read: nothing proves that it is still there
    return Moved.FORWARD if done.code == 0 else Moved.FORCED


def publish(git_dir: Path, old: Refs, new: Refs, changes: Iterable[RefChange], pass_fds: tuple[int, ...] = ()) -> None:
    """Move the shown references from `old` to `new`, keeping the tips that would be lost.

    Deletions come first: a branch `a` may have made room for `a/b`.
    """
    lost = {change.old for change in changes if change.loses_history}
    readable = _readable(git_dir, lost)
    first = [b"update %s%s\0%s\0\0" % (KEPT.encode(), sha.encode(), sha.encode()) for sha in sorted(readable)]
    first += [b"delete %s\0%s\0" % (name, sha.encode()) for name, sha in old.items() if name not in new]
    second = [
        b"update %s\0%s\0%s\0" % (name, sha.encode(), old.get(name, "0" * len(sha)).encode())
        for name, sha in new.items()
        if old.get(name) != sha
    ]
    for commands in (first, second):
        if commands:
            runner.run(
                ["update-ref", "--no-deref", "-z", "--stdin"], git_dir=git_dir, stdin=b"".join(commands),
                guarded=True, pass_fds=pass_fds, timeout=600,
            )  # fmt: skip


def _readable(git_dir: Path, shas: set[str]) -> set[str]:
    if not shas:
        return set()
    text = "".join(f"{sha}\n" for sha in sorted(shas)).encode()
    done = runner.run(["cat-file", "--batch-check=%(objectname)"], git_dir=git_dir, stdin=text)
    return {line for line in done.text.splitlines() if " " not in line}
