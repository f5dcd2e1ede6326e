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
