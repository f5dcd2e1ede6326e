from releases.policies.lines import mark_reachable
from releases.policies.versions import Tag, first_containing, is_patch, is_pre_release, version_key, version_tags

from .graphs import make_graph


def test_pre_releases_are_no_production():
    for name in ("v1.2.0-rc1", "3.2a1", "v3.9.0b5", "v2.4.0-beta.0", "1.0.0-SNAPSHOT", "2.0.0.0rc1"):
        assert is_pre_release(name), name
    for name in ("v1.2.3", "1.28.3", "release-1.9.9", "v1.2.3-hotfix.1", "v1.2.3+build", "v1.2.3-1"):
        assert not is_pre_release(name), name


def test_versions_are_ordered_by_number():
    assert version_key("v1.10.0") > version_key("v1.9.3")
    assert is_patch("v1.2.1")
    assert not is_patch("v1.2.0")


def test_tags_that_are_no_final_version_are_left_out():
    tags = [Tag("v1.1.0", 0, 30), Tag("nightly", 0, 10), Tag("v1.0.0", 1, 20), Tag("v1.1.0-rc1", 0, 25)]
    assert [tag.name for tag in version_tags(tags, r"^v?\d+(\.\d+){1,3}.*$")] == ["v1.0.0", "v1.1.0"]


def test_the_first_tag_that_contains_a_commit_is_found_in_one_walk():
    graph = make_graph(a="", b="a", c="b", d="c", side="b")
    on_production = mark_reachable(graph, [graph["d"]])
    tags = [
        Tag("v1", graph["a"], 1),
        Tag("v1-side", graph["side"], 2),
        Tag("v2", graph["c"], 3),
        Tag("v3", graph["d"], 4),
    ]
    found = first_containing(graph, tags, [graph[x] for x in ("a", "b", "c", "d", "side")], on_production)
    assert {commit: tag.name for commit, tag in found.items()} == {
        graph["a"]: "v1", graph["b"]: "v2", graph["c"]: "v2", graph["d"]: "v3",
    }  # fmt: skip
