"""Which ticket keys are taken, and which branch belongs to which ticket. No I/O."""

from __future__ import annotations

import re

from releases.git.errors import InvalidValue
from releases.git.values import BranchName, shown
from releases.policies.flow import FlowPolicy
from releases.policies.names import matches
from releases.policies.tickets import ticket_in
from releases.policies.typed import typed

from .errors import HotfixError

LONGEST_KEY = 80
_KEY = re.compile(r"[^\W_]|[#\w][\w#./+-]*[\w#+]\Z")
_NEVER = ("mergeback/*", "revert/*")
"""Branches that the dashboard makes on a fix's way back; they carry a ticket's key but are not where it is made."""


def key_checked(text: str, policy: FlowPolicy, *, free: bool = False) -> str:
    """The key as it may stand in a branch name. Raises HotfixError.

    `free` takes a key that the project's pattern does not know, for a branch that was named otherwise.
    """
    key = typed(text, "key", "The ticket's key", LONGEST_KEY, error=HotfixError)
    if not _KEY.fullmatch(key):
        raise HotfixError(
            "key", f"{shown(key)} cannot be a key: letters, digits and # . / + - _ only, and a letter, "
            "a digit or # first.", "characters",
        )  # fmt: skip
    try:
        BranchName.parse(branch_for(policy, key))
    except InvalidValue as fault:
        raise HotfixError("key", f"No branch can be named after this key. {fault.sentence}", "branch") from None
    if not free and not fits(policy.ticket_pattern, key):
        raise HotfixError(
            "key",
            f"{shown(key)} does not look like a ticket of this project, which is {looks(policy.ticket_pattern)}.",
            "pattern",
        )
    return key


def fits(pattern: str, key: str) -> bool:
    """Whether the project's ticket pattern finds this key, alone or where the pattern wants words around it."""
    if not pattern:
        return True
    wordings = (key, f"fixes {key}", f"closes-bug: {key}")
    return any(ticket_in(pattern, (wording,)) == key for wording in wordings)


_EXAMPLES = ("TICKET-1234", "#1234", "1234", "ticket-1234", "TICKET_1234", "TICKET1234", "GH-1234", "T1234")
_RUNS = re.compile(r"(?P<upper>[A-Z]+)|(?P<lower>[a-z]+)|(?P<number>\d+)|(?P<mark>.)")
_NAMES = {"-": "a dash", "#": "#", "_": "an underscore"}


def looks(pattern: str) -> str:
    """A ticket pattern in words, by a key that it takes: `capital letters, a dash and a number, such as TICKET-1234`.

    A pattern that takes none of the usual shapes is told as it stands.
    """
    example = next((text for text in _EXAMPLES if fits(pattern, text)), "")
    if not example:
        return f"written by this pattern: {pattern}"
    kinds = {"upper": "capital letters", "lower": "small letters", "number": "a number"}
    words = [kinds.get(run.lastgroup or "", "") or _NAMES[run.group()] for run in _RUNS.finditer(example)]
    said = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    return f"{said}, such as {example}"


def branch_for(policy: FlowPolicy, key: str) -> str:
    """The name of a branch cut for this ticket."""
    return policy.hotfix_branch.replace("{ticket}", key)


def is_hotfix_branch(policy: FlowPolicy, branch: str) -> bool:
    """Whether a branch is named like one on which a hotfix is made."""
    if matches(branch, _NEVER):
        return False
    front, _, behind = policy.hotfix_branch.partition("{ticket}")
    fresh = bool(front) and branch.startswith(front) and branch.endswith(behind)
    return fresh or matches(branch, policy.hotfix_branches)


def holds_key(branch: str, key: str) -> bool:
    """Whether a branch's name carries this key as a word of its own, in any case: `hotfix/ticket-12-mend`."""
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(key)}(?![A-Za-z0-9])", branch, re.IGNORECASE) is not None


def key_in(policy: FlowPolicy, branch: str, *texts: str) -> str:
    """The key that a branch (and what its commits say) suggests: a ticket if one is named, else the branch's own."""
    ticket = ticket_in(policy.ticket_pattern, (branch, *texts))
    if ticket:
        return ticket
    front = policy.hotfix_branch.partition("{ticket}")[0]
    rest = branch.removeprefix(front) if front and branch.startswith(front) else branch.rpartition("/")[2]
    return re.sub(r"[^\w#./+-]+", "-", rest).strip("-./_")[:LONGEST_KEY]
