"""How two histories lie to each other: what each has alone, and where they parted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import objects, runner
from .reader import Reader
from .values import Sha

_FEW = 30
"""Commits that a hotfix has at most where it is looked at one by one."""


@dataclass(frozen=True, slots=True)
class Parting:
    """Two histories side by side; commits newest first, each with its parents."""

    left: dict[str, tuple[str, ...]]
    """Only in the first."""
    right: dict[str, tuple[str, ...]]
    """Only in the second."""
    bases: tuple[str, ...]
    """The best common commits; none when the histories are unrelated."""


def straight(reader: Reader, base: str, tip: str) -> Parting | None:
    """The parting of a tip that stands on the base by a few plain commits, as hotfixes do; None when it does not.

    Needs no walk of the history.
    """
    chain: dict[str, tuple[str, ...]] = {}
    at = tip
    while at != base and len(chain) < _FEW:
        parents = reader.commit(at).parents
        if len(parents) != 1:
            return None
        chain[at] = parents
        at = parents[0]
    return Parting({}, chain, (base,)) if at == base else None


def parting(git_dir: Path, left: str, right: str) -> Parting:
    """Compare two commits' histories; one process, a second one only for criss-cross histories."""
    sides: dict[str, dict[str, tuple[str, ...]]] = {"<": {}, ">": {}}
    edge: list[str] = []
    span = f"{Sha.parse(left)}...{Sha.parse(right)}"
    args = ["rev-list", "--left-right", "--boundary", "--parents", "--end-of-options", span]
    with runner.stream(args, git_dir=git_dir, timeout=600) as flow:
        for line in flow.stdout:
            mark, words = chr(line[0]), line[1:].decode("ascii").split()
            if mark == "-":
                edge.append(words[0])
            else:
                sides[mark][words[0]] = tuple(words[1:])
    if left == right:
        edge = [left]
    bases = edge if len(edge) <= 1 else objects.merge_bases(git_dir, [left, right])
    return Parting(sides["<"], sides[">"], tuple(bases))


def lacking(git_dir: Path, tip: str, shas: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Everything in the history of `shas` that `tip` has not: commit → parents, newest first."""
    wanted = [Sha.parse(sha) for sha in shas]
    if not wanted:
        return {}
    found = {}
    for line in objects.walk(git_dir, [*wanted, f"^{Sha.parse(tip)}"], "--parents"):
        sha, *parents = line.split()
        found[sha] = tuple(parents)
    return found
