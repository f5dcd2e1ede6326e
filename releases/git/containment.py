"""Which tags does a history contain?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from . import runner
from .repository import ref_text
from .values import Sha


def tags_merged(git_dir: Path, tips: Iterable[str]) -> set[str]:
    """Short names of the tags whose commit any of these commits contains; one walk for all of them."""
    wanted = [f"--merged={Sha.parse(tip)}" for tip in dict.fromkeys(tips)]
    if not wanted:
        return set()
    done = runner.run(["for-each-ref", "--format=%(refname)", *wanted, "refs/tags"], git_dir=git_dir)
    return {ref_text(line).removeprefix("refs/tags/") for line in done.stdout.splitlines()}


def refs_containing(git_dir: Path, sha: str) -> frozenset[str]:
    """Full names of the branches and tags whose history has this commit. Raises GitError when it is not here."""
    args = ["for-each-ref", "--format=%(refname)", f"--contains={Sha.parse(sha)}", "refs/heads", "refs/tags"]
    done = runner.run(args, git_dir=git_dir)
    return frozenset(ref_text(line) for line in done.stdout.splitlines())
