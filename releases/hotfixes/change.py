"""How big a fix is, what it touches that a minimal one does not, and what to check again. No I/O."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import translate
from typing import Any

from releases.git.page_reads import FileCount
from releases.policies.flow import FlowPolicy
from releases.policies.wording import count

MOST_LISTED = 50
"""Paths of each sort that are kept."""


@dataclass(frozen=True, slots=True)
class Risk:
    """A touched path that a minimal fix leaves alone; `kind` as the policy calls it: migration, dependency, setting."""

    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class ChangeSize:
    """One fix measured against the project's limits."""

    files: int
    added: int
    removed: int
    max_files: int
    max_lines: int
    risks: tuple[Risk, ...] = ()
    paths: tuple[str, ...] = ()
    binary: int = 0
    """Files without lines to count."""
    retest: tuple[str, ...] = ()
    """What to check again, from the touched paths."""
    badly_named: tuple[str, ...] = ()
    """Object ids of commits whose subject does not follow the convention."""
    strays: int = 0
    """Other commits on the branch that are not in production."""

    @property
    def lines(self) -> int:
        return self.added + self.removed

    @property
    def faults(self) -> tuple[str, ...]:
        """Why it is not minimal, a sentence each; empty when it is."""
        said = []
        if self.files > self.max_files:
            said.append(f"It changes {count(self.files, 'file')}; {self.max_files:,} is the limit.")
        if self.lines > self.max_lines:
            said.append(f"It changes {count(self.lines, 'line')}; {self.max_lines:,} is the limit.")
        for kind in dict.fromkeys(risk.kind for risk in self.risks):
            paths = [risk.path for risk in self.risks if risk.kind == kind]
            more = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
            said.append(f"It touches a {kind}: {paths[0]}{more}.")
        return tuple(said)

    @property
    def minimal(self) -> bool:
        return not self.faults

    def as_data(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> ChangeSize | None:
        """What was stored; None when nothing was measured yet."""
        if "files" not in data:
            return None
        fields = dict(data)
        fields["risks"] = tuple(Risk(**risk) for risk in data["risks"])
        for name in ("paths", "retest", "badly_named"):
            fields[name] = tuple(data[name])
        return cls(**fields)


def measure(
    files: Sequence[FileCount], total: int, commits: Sequence[Mapping[str, Any]], policy: FlowPolicy, key: str,
    strays: int = 0,
) -> ChangeSize:  # fmt: skip
    """Measure a change: the files that differ (`total` of them, the first ones listed) and its commits."""
    rules = [_pair(rule) for rule in policy.risky_paths]
    risks = [
        Risk(kind, file.path) for file in files if (kind := next((k for k, glob in rules if fits(file.path, glob)), ""))
    ]
    checks = [_pair(rule) for rule in policy.retest]
    retest = [what for glob, what in checks if what and any(fits(file.path, glob) for file in files)]
    return ChangeSize(
        files=total,
        added=sum(file.added or 0 for file in files),
        removed=sum(file.removed or 0 for file in files),
        max_files=policy.max_files,
        max_lines=policy.max_lines,
        risks=tuple(risks[:MOST_LISTED]),
        paths=tuple(file.path for file in files[:MOST_LISTED]),
        binary=sum(file.added is None for file in files),
        retest=tuple(dict.fromkeys(retest)),
        badly_named=badly_named(commits, policy, key),
        strays=strays,
    )


def badly_named(commits: Sequence[Mapping[str, Any]], policy: FlowPolicy, key: str) -> tuple[str, ...]:
    """The commits whose subject does not follow the convention; reverts and merges have words of their own."""
    if not policy.commit_pattern:
        return ()
    try:
        wanted = re.compile(policy.commit_pattern.replace("{ticket}", re.escape(key)), re.IGNORECASE)
    except re.error:  # stored before patterns were checked
        return ()
    return tuple(
        str(commit["sha"])
        for commit in commits
        if not wanted.search(str(commit["subject"])) and not str(commit["subject"]).startswith(("Revert ", "Merge "))
    )


def convention(policy: FlowPolicy, key: str) -> str:
    """How a subject has to begin, in the words of an example: `[HOTFIX] TICKET-1234: …`."""
    shown = policy.commit_pattern.replace("{ticket}", key).removeprefix("^").removesuffix("$")
    return re.sub(r"\\(.)", r"\1", re.sub(r"\.[+*]$", "…", shown))


def fits(path: str, glob: str) -> bool:
    """Whether a glob means this path: without a slash it is about the file's name, `**/` may stand for nothing."""
    name = path.rpartition("/")[2]
    candidate = path if "/" in glob else name
    return bool(_pattern(glob).match(candidate)) or (
        glob.startswith("**/") and bool(_pattern(glob.removeprefix("**/")).match(path))
    )


@functools.lru_cache(maxsize=512)
def _pattern(glob: str) -> re.Pattern[str]:
    return re.compile(translate(glob.removeprefix("/").replace("**", "*")))


def _pair(rule: str) -> tuple[str, str]:
    """`migration=**/migrations/**` and `src/pay/**=Pay with every card`, split at the first sign of equality."""
    left, _, right = rule.partition("=")
    return left.strip(), right.strip()
