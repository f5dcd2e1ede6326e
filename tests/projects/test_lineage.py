"""Which release came before which, and how many commits lie between; git itself says what is right."""

from __future__ import annotations

import random

from releases.projects.lineage import TaggedCommit, lineage
from releases.projects.versions import tag_version


def tagged(tag: str, commit: str) -> TaggedCommit:
    version = tag_version(tag)
    assert version is not None
    return TaggedCommit(tag, commit, version.sort_key, version.finished)


def between(graph: dict[str, list[str]], new: str, old: str | None) -> int:
    """By the definition: everything `new` reaches that `old` does not."""

    def reach(start: str | None) -> set[str]:
        found: set[str] = set()
        pending = [start] if start else []
        while pending:
            here = pending.pop()
            if here not in found:
                found.add(here)
                pending += graph[here]
        return found

    return len(reach(new) - reach(old))


def test_gitflow() -> None:
    # a-b(v1.0.0)-h(v1.0.1) on production; develop goes b-d-m(merges h)-r(v1.1.0-rc1)-s(v1.1.0)
    rows = [("s", ["r"]), ("r", ["m"]), ("m", ["d", "h"]), ("h", ["b"]), ("d", ["b"]), ("b", ["a"]), ("a", [])]
    tags = [tagged("v1.0.0", "b"), tagged("v1.0.1", "h"), tagged("v1.1.0-rc1", "r"), tagged("v1.1.0", "s")]
    steps = lineage(rows, tags)
    assert {tag: (step.previous, step.commits) for tag, step in steps.items()} == {
        "v1.0.0": (None, 2),
        "v1.0.1": ("v1.0.0", 1),
        "v1.1.0-rc1": ("v1.0.1", 3),
        "v1.1.0": ("v1.0.1", 4),
    }


def test_two_tags_on_one_commit_and_a_tag_that_is_not_in_the_walk() -> None:
    rows = [("b", ["a"]), ("a", [])]
    steps = lineage(
        rows, [tagged("v1.0.0", "a"), tagged("v1.1.0", "b"), tagged("release-1.1.0", "b"), tagged("v9", "z")]
    )
    assert steps["v1.1.0"].previous == steps["release-1.1.0"].previous == "v1.0.0"
    assert "v9" not in steps


def test_a_shallow_history_counts_what_is_there() -> None:
    steps = lineage([("c", ["b"]), ("b", ["beyond"])], [tagged("v1.0.0", "c")])
    assert steps["v1.0.0"].commits == 2


def test_random_histories_agree_with_the_definition() -> None:
    for seed in range(40):
        chance = random.Random(seed)
        names = [f"c{n}" for n in range(40)]
        graph = {
            name: sorted(set(chance.sample(names[:n], min(n, chance.choice([1, 1, 1, 2])))))
            for n, name in enumerate(names)
        }
        tags = [tagged(f"v1.{n}.0", name) for n, name in enumerate(names) if chance.random() < 0.3]
        at = {tag.tag: tag.commit for tag in tags}
        steps = lineage([(name, graph[name]) for name in reversed(names)], tags)
        for tag, step in steps.items():
            assert step.commits == between(graph, at[tag], at[step.previous] if step.previous else None), (seed, tag)


def test_ten_thousand_releases_on_a_long_history() -> None:
    names = [f"{n:040x}" for n in range(100_000)]
    rows = [(names[n], [names[n - 1]] if n else []) for n in reversed(range(len(names)))]
    tags = [tagged(f"v1.{n}.0", names[n * 10 + 9]) for n in range(10_000)]
    steps = lineage(rows, tags)
    assert steps["v1.9999.0"].commits == 10
