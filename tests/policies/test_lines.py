from releases.policies.lines import chain, landings, mark_chains, mark_reachable, without_ancestors

from .graphs import make_graph


def test_a_merge_lands_what_was_not_there_before():
    graph = make_graph(a="", fix1="a", fix2="fix1", b="a", m="b fix2", c="m")
    found = landings(graph, list(chain(graph, graph["c"])), bytearray(len(graph)))
    assert [(graph.names([land.commit])[0], graph.names(land.side)) for land in found] == [
        ("a", []), ("b", []), ("m", ["fix2", "fix1"]), ("c", []),
    ]  # fmt: skip


def test_what_an_older_merge_brought_is_not_brought_again():
    graph = make_graph(a="", f1="a", m1="a f1", f2="f1", m2="m1 f2")
    found = landings(graph, list(chain(graph, graph["m2"])), bytearray(len(graph)))
    assert [graph.names(land.side) for land in found if land.merge] == [["f1"], ["f2"]]


def test_first_parents_make_the_line():
    graph = make_graph(a="", side="a", m="a side")
    marks = mark_chains(graph, [graph["m"]])
    assert [marks[graph[name]] for name in ("a", "side", "m")] == [1, 0, 1]
    assert sum(mark_reachable(graph, [graph["m"]])) == 3


def test_ancestors_inside_a_side_branch_are_taken_out():
    graph = make_graph(dev1="", dev2="dev1", fix="dev2")
    side = [graph["fix"], graph["dev2"], graph["dev1"]]
    assert graph.names(without_ancestors(graph, side, [graph["dev2"]])) == ["fix"]
