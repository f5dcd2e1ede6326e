"""A remote that may be changed now: its refs as they are, and the one way to move them."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from . import mirror_refs, runner
from .errors import classify
from .mirror_work import Listing, Work
from .push import NotForward, RefUpdate, parse_porcelain, push_arguments, push_error
from .repository import ref_text
from .values import RefName, Sha, shown

_STEPS = 200
"""Commits that a forward move is followed through without asking git."""


class Session:
    """Made by `Mirror.changing`; good as long as its block lasts, in which nobody else writes to the mirror."""

    def __init__(self, git_dir: Path, listing: Listing, work: Work, timeout: float) -> None:
        self.git_dir = git_dir
        self._listed = dict(listing.refs)
        self.refs: dict[str, str] = {ref_text(name): sha for name, sha in listing.refs.items()}
        """Full name → object id of every branch and tag, on the remote when the session began."""
        self.head = listing.head
        """The branch that the remote's HEAD names."""
        self._work = work
        self._timeout = timeout

    def ask(self, names: Iterable[str]) -> dict[str, str]:
        """What these refs (full names) are on the remote at this moment; one that is not there is left out."""
        wanted = [RefName.existing(name) for name in names]
        if not wanted:
            return {}
        listed = self._work.list_remote(*wanted).refs
        found = {ref_text(name): sha for name, sha in listed.items()}
        return {name: found[name] for name in wanted if name in found}

    def push(self, updates: Sequence[RefUpdate]) -> None:
        """Move all these refs or none, each only from its `old`.

        Raises LeaseLost, PushRefused, HookRefused, NotForward, and what any conversation with a remote can raise.
        After HalfAnswered, TimedOut and Unreachable it is not known whether the remote took the change: `ask`.
        """
        arguments = push_arguments(self._work.checked.url, updates)
        for update in updates:
            if update.name.startswith("refs/heads/") and update.old and update.new:
                self._check_forward(update)
        done = self._work.push(arguments, self.git_dir, self._timeout)
        failed = [status for status in parse_porcelain(done.text) if not status.done]
        if done.code or failed:
            secrets = self._work.loan.secrets
            raise push_error(done.text, done.stderr, classify(done.code, done.stderr, secrets=secrets), secrets)
        self._note(updates)

    def _check_forward(self, update: RefUpdate) -> None:
        """Raise NotForward unless the new tip has the old one in its history."""
        if _follows(self.git_dir, update.new, update.old):
            return
        args = ["merge-base", "--is-ancestor", Sha.parse(update.old), Sha.parse(update.new)]
        if runner.run(args, git_dir=self.git_dir, ok_codes=(0, 1)).code:
            name = update.name.removeprefix("refs/heads/")
            raise NotForward(f"{shown(name)} would lose commits, which is never done from here.")

    def _note(self, updates: Sequence[RefUpdate]) -> None:
        """Write down what the remote has now: all of it is here, so that the next session need not fetch."""
        for update in updates:
            name = update.name.encode("utf-8", "surrogateescape")
            self._listed.pop(name, None)
            self.refs.pop(update.name, None)
            if update.new:
                self._listed[name] = self.refs[update.name] = update.new
        mirror_refs.note_listing(self.git_dir, self._listed)


def _follows(git_dir: Path, new: str, old: str) -> bool:
    """Whether first parents lead from `new` to `old` through commits that were just written here.

    Saves a process for every ordinary merge; False only means that git has to be asked.
    """
    for _step in range(_STEPS):
        if new == old:
            return True
        try:
            raw = zlib.decompress((git_dir / "objects" / new[:2] / new[2:]).read_bytes())
        except (OSError, zlib.error):
            return False
        header, _, body = raw.partition(b"\0")
        lines = body.split(b"\n", 2)
        if not header.startswith(b"commit ") or len(lines) < 2 or not lines[1].startswith(b"parent "):
            return False
        new = os.fsdecode(lines[1].removeprefix(b"parent "))
    return False
