"""An answer that goes on from an earlier one is the answer that judging from nothing gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from .pushes import Story, differing, judge


@pytest.mark.sample(4)
@pytest.mark.parametrize("seed", range(12))
def test_random_pushes_are_answered_as_from_nothing(tmp_path: Path, seed: int) -> None:
    story = Story(tmp_path, seed)
    store = tmp_path / "facts.sqlite3"
    groups = 1 + seed % 3
    judge(story.repo, store, groups=groups)
    for _push in range(10):
        for _ in range(story.dice.choice([1, 1, 2])):
            story.happen()
        warm = judge(story.repo, store, groups=groups)
        cold = judge(story.repo, None, groups=groups)
        assert differing(warm, cold, story.repo) == [], f"after {story.told}"
