"""What the words of a merge say: which branch came in, and where it went. No git, no I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class MergeName:
    """A merge as its message tells it; empty where it does not say."""

    source: str = ""
    """The branch that was merged, without remote or owner: hotfix/1.2.1."""
    into: str = ""
    title: str = ""
    """The pull request's own title, when the forge wrote one."""


_REMOTE = r"(?:remotes/)?(?:origin/|upstream/)?"
_SUBJECTS = tuple(
    re.compile(pattern)
    for pattern in (
        r"^Merge pull request #?\d+ in \S+ from (?P<source>\S+) to (?P<into>\S+)$",
        r"^Merge pull request '(?P<title>.*)' \(#\d+\) from (?P<source>\S+) into (?P<into>\S+)$",
        r"^Merge pull request #?\d+ from (?P<owned>\S+)$",
        r"^Merged? in (?P<source>\S+)(?: \(pull request #\d+\))?$",
        r"^Merge (?:remote-tracking )?branch(?:es)? '(?P<source>[^']+)'(?:,? .*?)??(?: into '?(?P<into>[^']+?)'?)?$",
        r"^Merge tag '(?P<source>[^']+)'(?: of \S+)?(?: into '?(?P<into>[^']+?)'?)?$",
        r"^Merge \"(?P<title>.*)\"(?: into (?P<into>\S+))?$",
        r"^Merged PR \d+: (?P<title>.+)$",
        r"^Merge branch (?P<source>[^\s']+)(?: into (?P<into>\S+))?$",
        r"^Merge (?P<source>(?:hotfix|releases?|bugfix|fix|feature|support)[/-]\S+)(?: (?:in)?to (?P<into>\S+))?$",
    )
)
_BODY_FROM = re.compile(r"^Merge in \S+ from (?P<source>\S+) to (?P<into>\S+)$", re.MULTILINE)
_NOT_A_TITLE = re.compile(
    r"^(?:see merge request|approved-by|reviewed-by|signed-off-by|co-authored-by|change-id|\* |# |conflicts:|"
    r"cherry.picked|\(cherry picked)", re.IGNORECASE
)  # fmt: skip
_PULL_TITLE = re.compile(r"^Pull request #\d+: (?P<title>.+)$")


def merge_name(subject: str, body: str = "") -> MergeName:
    """Read the message of a merge, as git and the known forges write it.

    >>> merge_name("Merge branch 'hotfix/1.2.1' into main").source
    'hotfix/1.2.1'
    """
    for pattern in _SUBJECTS:
        found = pattern.match(subject)
        if found:
            said = {key: value or "" for key, value in found.groupdict().items()}
            if owned := said.get("owned"):
                said["source"] = owned.partition("/")[2] or owned
            title = said.get("title") or _first_line(body)
            return MergeName(_short(said.get("source", "")), _short(said.get("into", "")), title)
    pull = _PULL_TITLE.match(subject)
    inside = _BODY_FROM.search(body)
    if pull or inside:
        source, into = (inside["source"], inside["into"]) if inside else ("", "")
        return MergeName(_short(source), _short(into), pull["title"] if pull else "")
    return MergeName()


def _short(branch: str) -> str:
    return re.sub(rf"^(?:refs/heads/)?{_REMOTE}", "", branch)


def _first_line(body: str) -> str:
    """The title a forge puts first in a merge's body; empty when the body begins with anything else."""
    line = next((line.strip() for line in body.splitlines() if line.strip()), "")
    return "" if _NOT_A_TITLE.match(line) else line


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Does a short branch name match one of these globs?"""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


MERGEBACK = "mergeback/"
"""What such branches begin with."""


def mergeback_branch(ticket: str, fix_key: str, target: str) -> str:
    """The branch on which a fix waits to be merged into `target`, where that cannot be pushed to; needs no quoting."""
    return f"{MERGEBACK}{_slug(ticket or fix_key[:10])}-to-{_slug(target)}"


def _slug(text: str) -> str:
    """`text` as a part of a branch name that git accepts."""
    kept = re.sub(r"[^A-Za-z0-9._-]+", "-", text)
    return re.sub(r"\.{2,}|\.lock\Z", "-", kept).strip("-.")[:80] or "fix"


_VERSION = re.compile(r"(?:^|[/_.-]|\b)v?(\d+)\.(\d+)(?:\.(\d+))?(?![\d.])")


def version_in(name: str) -> tuple[int, int, int] | None:
    """The release version a branch or tag name carries: `release/1.3` → (1, 3, 0)."""
    found = list(_VERSION.finditer(name))
    return (int(found[-1][1]), int(found[-1][2]), int(found[-1][3] or 0)) if found else None
