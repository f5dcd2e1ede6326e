"""Guess a repository's flow policy from the names of its branches and tags. No git, no I/O."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from .flow import PRESETS, FlowPolicy, Preset
from .names import matches

DEVELOP = ("develop", "development", "dev", "devel", "next", "integration")
MAIN = ("main", "master", "trunk", "default")
PRODUCTION = ("main", "master", "production", "prod", "live", "stable", "release", "deploy", "trunk", "default")
LINES = 3
"""Maintenance lines taken as supported: the newest ones."""

_LINE = re.compile(
    r"^(?:(?P<prefix>stable|release|releases|rel|maint|maintenance|support|branch|series|unmaintained|lts|v)[-/_]?)?"
    r"v?(?P<version>\d+(?:[._-]\d+){0,2})(?:[._-](?:x|stable|maint|lts|release|fixes))*$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Guess:
    """A policy that fits the names found, and one sentence why."""

    policy: FlowPolicy
    why: str


def guess_policy(refs: Iterable[str], tags: Iterable[str], head: str | None = None) -> FlowPolicy:
    """The flow policy that the names of branches and tags suggest; see `guess` for the reason."""
    return guess(refs, tags, head).policy


def guess(refs: Iterable[str], tags: Iterable[str], head: str | None = None) -> Guess:
    """GitFlow when there is a develop branch, maintenance when there are version lines, else trunk.

    `refs` are branch names (short or full), `head` is the branch that HEAD names, if any.
    """
    branches = [re.sub(r"^refs/(?:heads|remotes/[^/]+)/", "", name) for name in refs]
    versions = [re.sub(r"^refs/tags/", "", name) for name in tags]
    head = re.sub(r"^refs/heads/", "", head) if head else None
    known = set(branches)
    develop = next((name for name in DEVELOP if name in known), None)
    main = next((name for name in (head, *MAIN) if name and name in known and name != develop), None)
    production = next((name for name in PRODUCTION if name in known), None)
    lines = _lines(branches)
    if develop and production:
        found = _gitflow(branches, develop, production)
    elif lines and (main or develop):
        found = _maintenance(lines, main or develop or "")
    else:
        found = _trunk(versions, main or develop or (branches[0] if branches else "main"))
    return replace(found, policy=replace(found.policy, tag_pattern=_tag_pattern(versions, found.policy.tag_pattern)))


def fitted(policy: FlowPolicy, branches: Sequence[str], tags: Sequence[str], head: str | None = None) -> Guess | None:
    """An untouched preset whose branches or tags are called otherwise here, with the names that are here.

    Its way of working stays. None for a policy that somebody wrote, for one that fits, and where nothing does.
    """
    if policy != PRESETS[policy.preset]:
        return None
    found = _same_way(policy, branches, tags, head)
    if found is None:
        return None
    pattern = _tag_pattern(tags, policy.tag_pattern)
    kept = found.policy if _lacks(policy, branches, tags) else policy
    changed = replace(kept, tag_pattern=pattern)
    return replace(found, policy=changed) if changed != policy else None


def _same_way(policy: FlowPolicy, branches: Sequence[str], tags: Sequence[str], head: str | None) -> Guess | None:
    """What the preset looks like with the names that are here; None where they do not give one."""
    known = set(branches)
    develop = next((name for name in DEVELOP if name in known), None)
    main = next((name for name in (head, *MAIN) if name and name in known and name != develop), None)
    production = next((name for name in PRODUCTION if name in known), None)
    lines = _lines(branches)
    if policy.preset == Preset.GITFLOW:
        return _gitflow(list(branches), develop, production) if develop and production else None
    if policy.preset == Preset.MAINTENANCE:
        return _maintenance(lines, main or develop or "") if lines and (main or develop) else None
    return _trunk(list(tags), main or develop or "") if main or develop else None


def _lacks(policy: FlowPolicy, branches: Sequence[str], tags: Sequence[str]) -> bool:
    """Whether nothing here is production, or a target that is named in full is not here."""
    there = [*branches, *(f"tags:{tag}" for tag in tags)]
    whole = {name for name in policy.targets if not re.search(r"[*?\[]", name)}
    return not any(matches(name, policy.production) for name in there) or not whole <= set(branches)


def is_line(name: str) -> bool:
    """Is this branch named like a version line: `stable/3.2.x`, `release/1.7`, `3.9`?"""
    line = _LINE.match(name)
    return bool(line and (line["prefix"] or re.search(r"[._-]", name)))


def line_patterns(lines: Sequence[str]) -> tuple[str, ...]:
    """Globs for lines that are named like these, those still to come included: `stable-1.30` gives `stable-[0-9]*`."""
    return tuple(dict.fromkeys(re.sub(r"\d+((?:[._-]\d+)+|(?=[._-]x))?", _numbers, name, count=1) for name in lines))


def _numbers(version: re.Match[str]) -> str:
    """A version as a glob. Where the name begins with it, its separator stays: `3.9` is a line, `3d-view` is not."""
    between = re.search(r"[._-](?=\d)", version[0]) if version.start() == 0 else None
    return f"[0-9]*{between[0]}[0-9]*" if between else "[0-9]*"


def _gitflow(branches: list[str], develop: str, production: str) -> Guess:
    base = PRESETS[Preset.GITFLOW]
    patterns = tuple(
        pattern for pattern in base.release_branches if any(matches(name, (pattern,)) for name in branches)
    )
    policy = replace(base, production=(production,), targets=(develop, *(patterns or base.targets[1:])))
    return Guess(policy, f"There is a {develop} branch beside {production}: GitFlow.")


def _lines(branches: Sequence[str]) -> list[str]:
    """Branches named like version lines, newest first; of mixed habits only the most common one."""
    found: list[tuple[tuple[int, ...], str]] = []
    prefixes: Counter[str] = Counter()
    for name in branches:
        line = _LINE.match(name)
        if line and is_line(name):
            prefixes[(line["prefix"] or "").lower()] += 1
            found.append((tuple(int(part) for part in re.split(r"[._-]", line["version"])), name))
    if not found:
        return []
    habit = prefixes.most_common(1)[0][0]
    kept = [(v, n) for v, n in found if ((m := _LINE.match(n)) and (m["prefix"] or "").lower() == habit)]
    return [name for _version, name in sorted(kept, reverse=True)]


def _maintenance(lines: list[str], main: str) -> Guess:
    newest, base = tuple(lines[:LINES]), PRESETS[Preset.MAINTENANCE]
    policy = replace(
        base, production=newest, targets=(main,),
        support_branches=tuple(dict.fromkeys([*line_patterns(lines), *base.support_branches])),
        release_branches=tuple(p for p in base.release_branches if not any(matches(name, (p,)) for name in lines)),
    )  # fmt: skip
    more = f", the newest {len(newest)} of {len(lines)}" if len(lines) > len(newest) else ""
    return Guess(policy, f"There are version lines ({_and(newest)}{more}) beside {main}: maintenance lines.")


def _tag_prefix(tags: Sequence[str]) -> str | None:
    """What most version tags begin with; None when there are none."""
    prefixes = Counter(found[1] for tag in tags if (found := re.match(r"^(\D*)\d+\.\d+", tag)))
    return prefixes.most_common(1)[0][0] if prefixes else None


def _tag_pattern(tags: Sequence[str], usual: str) -> str:
    prefix = _tag_prefix(tags)
    return usual if prefix in (None, "", "v") else rf"^{re.escape(prefix or '')}\d+(\.\d+){{1,3}}.*$"


def _trunk(tags: list[str], main: str) -> Guess:
    base = PRESETS[Preset.TRUNK]
    prefix = _tag_prefix(tags)
    versions = prefix is not None
    glob = f"{prefix}*" if prefix is not None else base.production[0].removeprefix("tags:")
    policy = replace(base, production=(f"tags:{glob}",), targets=(main,))
    what = f"version tags ({glob})" if versions else "no version tag yet"
    return Guess(policy, f"There is neither a develop branch nor version lines, only {main} and {what}: trunk.")


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
