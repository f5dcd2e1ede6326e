"""Which branches and tags a repository has, and what the names that people type mean there."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from releases.evidence.store import FactStore
from releases.git import objects, runner
from releases.git.errors import GitError, InvalidValue
from releases.git.repository import Repository

from .flow import FlowPolicy
from .names import matches, version_in
from .question import QuestionError
from .versions import is_pre_release, version_key

TAGS = "tags:"
_TAGS_KEY = b"tags"
_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class TagRef:
    """A tag: the commit it leads to and when it was made (Unix seconds; 0 when it does not say)."""

    name: str
    commit: str
    made_at: int


@dataclass(slots=True)
class Refs:
    """A repository's names at one moment."""

    branches: dict[str, str] = field(default_factory=dict)
    """Short branch name → commit. Branches that only a remote has come under their short name too."""
    tags: dict[str, TagRef] = field(default_factory=dict)
    head: str | None = None
    """The branch that HEAD names; None when it is detached."""


@dataclass(frozen=True, slots=True)
class NamedTip:
    """A production or target ref: as typed, its short branch name (if it is one), and the commits it stands at."""

    name: str
    tips: tuple[str, ...]
    branch: str = ""


def read_refs(git_dir: Path, store: Path | None = None) -> Refs:
    """Read all branches and tags. What tags lead to is kept in the file `store`, if one is given. Raises GitError."""
    refs = Refs()
    listed = _rows(git_dir, "%(refname)%00%(objectname)", ["refs/heads", "refs/remotes/origin", "refs/tags"])
    for name, sha in listed:
        if name.startswith("refs/heads/"):
            refs.branches[name.removeprefix("refs/heads/")] = sha
    for name, sha in listed:
        short = name.removeprefix("refs/remotes/origin/")
        if short != name and short != "HEAD":
            refs.branches.setdefault(short, sha)
    tags = [(name.removeprefix("refs/tags/"), sha) for name, sha in listed if name.startswith("refs/tags/")]
    led = _led(git_dir, tags, store) if tags else {}
    for short, sha in tags:
        commit, made_at = led.get(sha, ("", 0))
        if commit:
            refs.tags[short] = TagRef(short, commit, made_at)
    refs.head = Repository(git_dir).head_branch()
    return refs


def _led(git_dir: Path, tags: Sequence[tuple[str, str]], store: Path | None) -> dict[str, tuple[str, int]]:
    """For each object that a tag names: the commit it leads to, and when it was made (0 when it does not say)."""
    kept = FactStore(store) if store is not None else None
    try:
        known = kept.judgement(_TAGS_KEY) if kept else None
        led: dict[str, tuple[str, int]] = known if isinstance(known, dict) else {}
        if any(sha not in led for _name, sha in tags):
            led, whole = _read_tags(git_dir)
            if kept and whole:
                kept.keep_judgement(_TAGS_KEY, lambda: led)
        return led
    finally:
        if kept:
            kept.close()


def _read_tags(git_dir: Path) -> tuple[dict[str, tuple[str, int]], bool]:
    """What tags lead to, and whether all of them could be read."""
    fields = "%(refname)%00%(objectname)%00%(objecttype)%00%(*objectname)%00%(*objecttype)%00%(creatordate:unix)"
    whole = True
    try:
        tags = _rows(git_dir, fields, ["refs/tags"])
    except GitError:
        # One unreadable object makes git refuse the whole list; names and ids alone need no objects.
        tags, whole = _tags_without_dates(git_dir), False
    led = {}
    for _name, sha, kind, peeled, peeled_kind, made in tags:
        commit = sha if kind == "commit" else peeled if peeled_kind == "commit" else ""
        led[sha] = (commit, int(made) if made.lstrip("-").isdigit() else 0)
    return led, whole


def _rows(git_dir: Path, form: str, prefixes: Sequence[str]) -> list[list[str]]:
    done = runner.run(["for-each-ref", f"--format={form}", *prefixes], git_dir=git_dir)
    return [line.split("\0") for line in done.text.split("\n") if line]


def _tags_without_dates(git_dir: Path) -> list[list[str]]:
    rows = _rows(git_dir, "%(refname)%00%(objectname)", ["refs/tags"])
    commits = objects.resolve_many(git_dir, [sha for _name, sha in rows])
    return [[name, sha, "tag", commits.get(sha, ""), "commit" if sha in commits else "", ""] for name, sha in rows]


def production_tips(
    refs: Refs, names: Sequence[str], policy: FlowPolicy, git_dir: Path, *, strict: bool
) -> list[NamedTip]:
    """What the production names mean; `tags:GLOB` is one ref with many tips. Raises QuestionError when `strict`."""
    found: list[NamedTip] = []
    for name in names:
        if name.startswith(TAGS):
            found.append(_tagged(refs, name, policy))
        else:
            found += _branches(refs, name, git_dir, strict=strict)
    return list({tip.name: tip for tip in found if tip.tips}.values())


def _tagged(refs: Refs, name: str, policy: FlowPolicy) -> NamedTip:
    """Final version tags, the newest version first."""
    glob, pattern = name.removeprefix(TAGS), re.compile(policy.tag_pattern)
    tags = [
        tag for tag in refs.tags.values()
        if fnmatchcase(tag.name, glob) and pattern.search(tag.name) and not is_pre_release(tag.name)
    ]  # fmt: skip
    tags.sort(key=lambda tag: (version_key(tag.name), tag.name), reverse=True)
    return NamedTip(name, tuple(dict.fromkeys(tag.commit for tag in tags)))


def target_tips(
    refs: Refs, names: Sequence[str], policy: FlowPolicy, production: Sequence[NamedTip], git_dir: Path, *, strict: bool
) -> list[NamedTip]:
    """What the target names mean. A glob stands for the branches that exist and are open (see `open_branches`).

    A line whose support has ended is no target, unless it is asked for by name.
    """
    found: list[NamedTip] = []
    today = datetime.now(UTC).date()
    for name in names:
        if _GLOB.search(name):
            wanted = {
                branch: sha
                for branch, sha in refs.branches.items()
                if fnmatchcase(branch, name) and policy.supported(branch, today)
            }
            found += [
                NamedTip(branch, (sha,), branch)
                for branch, sha in open_branches(refs, wanted, policy, production, git_dir)
            ]
        elif strict or policy.supported(name, today):
            found += _branches(refs, name, git_dir, strict=strict)
    live = {tip.name for tip in production}
    return list({tip.name: tip for tip in found if tip.name not in live or strict}.values())


def open_branches(
    refs: Refs, wanted: Mapping[str, str], policy: FlowPolicy, production: Sequence[NamedTip], git_dir: Path
) -> list[tuple[str, str]]:
    """Branches that still wait to be released, in order of version.

    A release branch is open as long as no final tag carries its version and production does not contain its tip.
    Other branches are open as long as they exist.
    """
    released = {version_key(tag)[:3] for tag in refs.tags if not is_pre_release(tag)}
    released |= {(*version, 0) for version in released if len(version) == 2}
    found = []
    for branch, sha in wanted.items():
        version = version_in(branch)
        if matches(branch, policy.release_branches) and (
            version in released or any(_contains(git_dir, item, sha) for item in production)
        ):
            continue
        found.append((branch, sha))
    return sorted(found, key=lambda item: (version_in(item[0]) or (0, 0, 0), item[0]))


def _contains(git_dir: Path, production: NamedTip, sha: str) -> bool:
    return any(objects.is_ancestor(git_dir, sha, tip) for tip in production.tips[:3])


def _branches(refs: Refs, name: str, git_dir: Path, *, strict: bool) -> list[NamedTip]:
    if _GLOB.search(name):
        return [NamedTip(branch, (sha,), branch) for branch, sha in refs.branches.items() if fnmatchcase(branch, name)]
    sha = resolve(refs, name, git_dir)
    if sha is None:
        if strict:
            raise no_such_ref(refs, name)
        return []
    short = name.removeprefix("refs/heads/").removeprefix("refs/remotes/").removeprefix("origin/")
    return [NamedTip(name, (sha,), name if name in refs.branches else short if short in refs.branches else "")]


def resolve(refs: Refs, name: str, git_dir: Path) -> str | None:
    """The commit that a branch, a tag, a whole reference name or an object id names; None when there is none."""
    if name in refs.branches:
        return refs.branches[name]
    if name in refs.tags:
        return refs.tags[name].commit
    try:
        return Repository(git_dir).resolve(name)
    except InvalidValue:
        return None


def no_such_ref(refs: Refs, name: str) -> QuestionError:
    if not refs.branches and not refs.tags:
        return QuestionError("empty", "This repository has no commits yet.", "Push something, then ask again.")
    near = difflib.get_close_matches(name, [*refs.branches, *refs.tags], n=3, cutoff=0.5)
    hint = f"Did you mean {_or(near)}?" if near else f"It has {_some(refs.branches)}."
    return QuestionError("no-such-ref", f"There is no branch, tag or commit “{name}” in this repository.", hint)


def _or(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " or " + names[-1]


def _some(names: Iterable[str]) -> str:
    known = list(names)
    more = f" and {len(known) - 6:,} more" if len(known) > 6 else ""
    return f"the branches {', '.join(known[:6])}{more}" if known else "no branches"
