"""A copy of some of a mirror's history, to be changed and thrown away: nothing leads from it to where it came from.

It borrows no object, names no remote, runs no hook, and holds nothing but what the chosen references reach: what was
left out is not in it under any name.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from . import objects, runner
from .environment import serving_config
from .values import RefName, Sha

COPY_TIMEOUT = 900.0
"""Seconds for one copy."""
Change = Callable[[Path, dict[str, str]], Mapping[str, str]]
"""Gets the copy in the making and its references; gives those that are to name something else."""


def newest_without(git_dir: Path, tip: str, traces: Sequence[str], until: int) -> str:
    """The newest commit on the branch of `tip` itself that was made by `until` and has none of `traces` behind it.

    `until` in Unix seconds. Empty when the branch has no such commit.
    """
    tainted = set(traces)
    for trace in traces:
        if objects.is_ancestor(git_dir, trace, tip):
            tainted.update(objects.walk(git_dir, [tip, f"^{trace}"], "--ancestry-path"))
    for line in objects.walk(git_dir, [tip], "--first-parent", "--timestamp"):
        moment, _, commit = line.partition(" ")
        if int(moment) <= until and commit not in tainted:
            return commit
    return ""


def throw_away_copy(
    source: Path, folder: Path, refs: Mapping[str, str], *, head: str, change: Change | None = None
) -> dict[str, str]:
    """Make the bare repository `folder` with exactly these references (full name → object id); gives them as they are.

    It appears whole or not at all; what a killed worker left is begun anew. `change` may write more history before it
    appears. `head` is the branch that its HEAD names. Raises the named GitErrors.
    """
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    branch = RefName.existing(f"refs/heads/{head}").removeprefix("refs/heads/")
    sha256 = any(len(sha) == 64 for sha in refs.values())
    kind = ["--object-format=sha256"] if sha256 else []
    runner.run(["init", "--quiet", "--bare", "--template=", f"--initial-branch={branch}", *kind, "--", str(draft)])
    _fetch(source, draft, refs)
    standing = dict(refs)
    if change is not None:
        moved = change(draft, dict(standing))
        _move(draft, moved)
        standing |= moved
    # Whoever finds a way to write into this folder still gets no hook run by the dashboard's pushes.
    for name, value in (("core.hooksPath", os.devnull), ("gc.auto", "0"), ("receive.denyNonFastForwards", "false")):
        runner.run(["config", "--file", str(draft / "config"), name, value])
    shutil.rmtree(folder, ignore_errors=True)
    os.rename(draft, folder)
    return standing


def _fetch(source: Path, draft: Path, refs: Mapping[str, str]) -> None:
    lines = [f"+{Sha.parse(sha)}:{RefName.existing(name)}\n" for name, sha in refs.items()]
    quiet = ["--quiet", "--no-tags", "--no-auto-maintenance", "--no-write-fetch-head", "--update-shallow", "--stdin"]
    runner.run(
        ["fetch", *quiet, "--", str(source)], git_dir=draft, stdin="".join(lines).encode("utf-8", "surrogateescape"),
        timeout=COPY_TIMEOUT, protocols=["file"], env={"GIT_CONFIG_GLOBAL": serving_config()}, guarded=True,
        config=[("fetch.unpackLimit", "1")],
    )  # fmt: skip


def _move(draft: Path, moved: Mapping[str, str]) -> None:
    for name, sha in moved.items():
        runner.run(["update-ref", "--end-of-options", RefName.existing(name), Sha.parse(sha)], git_dir=draft)
