"""Moving refs on a remote: all of them or none, each only from the value it is known to have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .errors import GitError, InvalidValue, Refused, Unreachable, scrub
from .values import RefName, Sha, shown

WORDS = 1500
"""Characters of the remote's own words that are kept."""
MAX_UPDATES = 100
"""Refs that one push may move."""


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """One ref of the remote, from `old` to `new`; empty means that it does not exist there."""

    name: str
    """Full name: refs/heads/develop."""
    old: str
    new: str


class LeaseLost(GitError):
    """A ref on the remote is no longer what it was planned from. Nothing was changed."""

    code = "moved"
    default = "Somebody pushed in between, so nothing was changed. It is planned anew from what is there now."
    retry = True


class PushRefused(Refused):
    """The remote does not let this account move the ref. `detail` holds its own words. Nothing was changed."""

    code = "protected"
    default = (
        "The server does not let this account change the branch or tag. Push to a branch of its own instead, or let "
        "the account through where the branch is protected."
    )


class HookRefused(PushRefused):
    """A hook on the remote said no. `detail` holds its own words. Nothing was changed."""

    code = "hook"
    default = "A check on the server refused the push, so nothing was changed. Its own words are below."


class HalfAnswered(Unreachable):
    """The remote broke off while it was being written to: whether it took the change is not known."""

    code = "half-answered"
    default = (
        "The server broke off in the middle of the push. Whether it took the change is looked up before anything is "
        "tried again."
    )


class NotForward(GitError):
    """A branch would lose commits. Nothing was sent."""

    code = "not-forward"
    default = "This would take commits away from a branch, which is never done from here."


def push_arguments(url: str, updates: Sequence[RefUpdate]) -> list[str]:
    """The whole command; every name and id is checked. Raises InvalidValue."""
    if not updates or len(updates) > MAX_UPDATES:
        raise InvalidValue(f"A push moves between 1 and {MAX_UPDATES} branches and tags.")
    leases, specs = [], []
    for update in updates:
        name = RefName.existing(update.name)
        if not (name.is_branch or name.is_tag):
            raise InvalidValue(f"{shown(update.name)} is neither a branch nor a tag.")
        old, new = (Sha.parse(value) if value else "" for value in (update.old, update.new))
        if old == new:
            raise InvalidValue(f"{shown(update.name)} would stay where it is.")
        leases.append(f"--force-with-lease={name}:{old}")
        specs.append(f"{new}:{name}")
    if len({update.name for update in updates}) < len(updates):
        raise InvalidValue("A push names every branch and tag once.")
    quiet = ["--no-verify", "--no-follow-tags", "--recurse-submodules=no", "--no-signed", "--no-progress"]
    return ["push", "--porcelain", "--atomic", *quiet, *leases, "--", url, *specs]


_LATE = re.compile(
    r"stale info|fetch first|non-fast-forward|already exists|incorrect old value|reference already exists|"
    r"is at [0-9a-f]{40,64} but expected|unable to resolve reference|remote ref updated since checkout",
    re.IGNORECASE,
)
_RACE = re.compile(r"failed to (?:update|lock)|cannot lock ref|couldn't set", re.IGNORECASE)
_HOOK = re.compile(r"hook declined", re.IGNORECASE)
_BYSTANDER = re.compile(r"atomic (?:push|transaction) fail|atomic push failed", re.IGNORECASE)
_DENIED = re.compile(
    r"permission .*denied|denied to|not allowed|read.?only|forbidden|protected|returned error: 403|write access|"
    r"not permitted|deploy key",
    re.IGNORECASE,
)
_FOREIGN = re.compile(r"dubious ownership")
_OTHER_ACCOUNT = (
    "The repository belongs to another account of this machine, and its hooks would run as this one. Give its folder "
    "to the account that runs the dashboard, or let the project's address go through ssh or https."
)
_BROKEN = re.compile(
    r"unexpected disconnect|early eof|hung up|bad (?:pack|line)|unpack status|protocol error|rpc failed|"
    r"broken pipe|connection (?:reset|closed)|expected .* got|send-pack.*error|malformed|failed to read",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class RefStatus:
    """What the remote said about one ref: `flag` as in git's porcelain output, and its summary."""

    flag: str
    name: str
    summary: str

    @property
    def done(self) -> bool:
        return self.flag != "!"


def parse_porcelain(text: str) -> list[RefStatus]:
    """The lines of `git push --porcelain` that speak of refs."""
    found = []
    for line in text.split("\n"):
        parts = line.split("\t")
        if len(parts) >= 3 and len(parts[0]) == 1:
            found.append(RefStatus(parts[0], parts[1].rpartition(":")[2], parts[2]))
    return found


def remote_words(stderr: str, secrets: Iterable[str] = ()) -> str:
    """What the remote itself said, without git's own lines; fit to show and bounded."""
    lines = [line[len("remote:") :].strip() for line in re.split(r"[\r\n]", stderr) if line.startswith("remote:")]
    text = "\n".join(line for line in lines if line and not line.startswith("error: cannot lock ref"))
    return scrub(text, secrets)[:WORDS]


def push_error(stdout: str, stderr: str, otherwise: GitError, secrets: Iterable[str] = ()) -> GitError:
    """The named error of a push that failed. `otherwise` is what git's words mean for any call."""
    refused = [status for status in parse_porcelain(stdout) if not status.done]
    words = remote_words(stderr, secrets)
    if refused:
        return _refusal(refused, stderr, words)
    own = "\n".join(line for line in stderr.split("\n") if not line.startswith("remote:"))
    if _FOREIGN.search(own):
        return PushRefused(_OTHER_ACCOUNT, scrub(own, secrets)[:WORDS])
    if _DENIED.search(own) or _DENIED.search(words) or isinstance(otherwise, Refused):
        return PushRefused(detail=words or scrub(own, secrets)[:WORDS])
    if isinstance(otherwise, Unreachable) and _BROKEN.search(own):
        return HalfAnswered(detail=otherwise.detail)
    return otherwise


def _refusal(refused: Sequence[RefStatus], stderr: str, words: str) -> GitError:
    """The error behind the refs that did not move: what happened to the others follows from the first."""
    telling = [status for status in refused if not _BYSTANDER.search(status.summary)]
    said = " ".join(status.summary for status in telling)
    detail = words or scrub(said)[:WORDS]
    raced = _RACE.search(said or stderr)
    if _LATE.search(said) or (raced and (_LATE.search(stderr) or not _DENIED.search(words))):
        names = ", ".join(dict.fromkeys(shown(_short(status.name)) for status in (telling or refused)[:5]))
        return LeaseLost(detail=f"{names}: {scrub(said) or words}"[:WORDS])
    if _HOOK.search(said):
        return HookRefused(detail=detail)
    if "failed to report status" in said:
        return HalfAnswered(detail=detail)
    return PushRefused(detail=detail)


def _short(name: str) -> str:
    return name.removeprefix("refs/heads/").removeprefix("refs/tags/")
