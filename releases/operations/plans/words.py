"""The messages that operations write, and the commands shown to people who rather type."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from releases.git.reader import CommitObject
from releases.policies.wording import harmless

_REVERT = re.compile(r'^Revert "(?P<subject>.*)"$', re.DOTALL)
_LONGEST = 300
"""Characters of somebody's subject that are quoted in a message."""


def merge_subject(source: str, into: str) -> str:
    return f"Merge {source} into {into}"


def source_words(refs: Mapping[str, str], tip: str, branch: str = "") -> str:
    """How a merged commit is called: `branch 'hotfix/1'`, `tag 'v1.2.1'` or `commit 'abc'`."""
    if branch:
        return f"branch '{branch}'"
    for prefix, kind in (("refs/heads/hotfix", "branch"), ("refs/tags/", "tag"), ("refs/heads/", "branch")):
        for name, sha in sorted(refs.items()):
            if sha == tip and name.startswith(prefix):
                return f"{kind} '{name.split('/', 2)[2]}'"
    return f"commit '{tip[:12]}'"


def with_ticket(message: str, ticket: str) -> str:
    """The message, with the ticket as a trailer unless it is named somewhere."""
    ticket = " ".join(ticket.split())
    return message if not ticket or ticket in message else f"{message.rstrip()}\n\nTicket: {ticket}\n"


def revert_message(undone: CommitObject, ticket: str) -> str:
    """As git words it, so that everybody's tools recognise it."""
    return with_ticket(f'Revert "{_quoted(undone.subject)}"\n\n{_reverts(undone)}', ticket)


def reapply_message(undone: CommitObject, ticket: str) -> str:
    """The same for what takes back a revert."""
    said = _REVERT.match(undone.subject)
    subject = f'Reapply "{_quoted(said["subject"])}"' if said else f'Revert "{_quoted(undone.subject)}"'
    return with_ticket(f"{subject}\n\n{_reverts(undone)}", ticket)


def _quoted(subject: str) -> str:
    return subject if len(subject) <= _LONGEST else subject[: _LONGEST - 1] + "…"


def _reverts(undone: CommitObject) -> str:
    if len(undone.parents) > 1:
        return f"This reverts commit {undone.sha}, reversing\nchanges made to {undone.parents[0]}."
    return f"This reverts commit {undone.sha}."


def named(commit: CommitObject) -> str:
    """A commit in a sentence: short id and subject, made harmless."""
    subject = harmless(commit.subject)
    return f"{commit.sha[:9]} “{subject if len(subject) <= 80 else subject[:79] + '…'}”"


def listed(things: Sequence[str], most: int = 3) -> str:
    """`a, b and 4 more`."""
    if len(things) <= most:
        return " and ".join([", ".join(things[:-1]), things[-1]] if len(things) > 1 else things)
    return f"{', '.join(things[:most])} and {len(things) - most:,} more"


def shell(*words: str) -> str:
    """A command line that can be copied: whatever a name holds, the shell takes it as one word."""
    return shlex.join(words)


def by_hand(start: str, work: str, steps: Sequence[str], onto: str) -> tuple[str, ...]:
    """The commands that do it by hand: from the remote's `start`, on a branch `work`, pushed to `onto`."""
    return (
        shell("git", "fetch", "origin"),
        shell("git", "switch", "-c", work, f"origin/{start}"),
        *steps,
        shell("git", "push", "origin", f"HEAD:refs/heads/{onto}"),
    )
