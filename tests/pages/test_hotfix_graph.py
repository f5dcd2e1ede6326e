"""Where the branch graph draws a tag: on the line of the commit that carries it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from releases.policies.flow import FlowPolicy
from releases.views.graph.data import Dot, Graph, TargetLane
from releases.views.graph.lying import lying
from releases.views.graph.standing import standing
from tests.hotfixes.playing import look
from tests.pages.hotfix_scene import BRANCH, Scene, main_words, make_scene, ok

pytestmark = pytest.mark.django_db
OWED = TargetLane("develop", (Dot("efa5678"),), owed=True, says=("merge-back", "owed 2 h"))


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path, settings: Any) -> None:
    settings.MIRROR_DIR = tmp_path / "mirrors"
    settings.EVIDENCE_DIR = tmp_path / "evidence"


def released(scene: Scene, *, more: bool) -> Graph:
    """A hotfix finished by the button, with something unreleased on main or without; the graph of its page."""
    scene.opened()
    ok(scene.as_(scene.engineer).post(scene.act("choose-way"), {"way": "cut", "why": "Only this may ship."}))
    ok(scene.as_(scene.engineer).post(scene.act("cut"), {"tag": "v1.0.1"}))
    scene.work()
    head = scene.fix()
    if more:
        scene.repo.commit({"unreleased.py": "1\n"}, "Not released yet", branch="main")
    look(scene.project)
    ok(scene.as_(scene.reviewer).post(scene.act("review"), {"says": "approve", "text": "", "head": head}))
    ok(scene.as_(scene.manager).post(scene.act("finish"), {"tag": "v1.0.2", "message": ""}))
    scene.work()
    response = scene.as_(scene.manager).get(scene.url())
    found = response.context["page"].graph
    assert isinstance(found, Graph)
    return found


def test_a_tagged_tip_is_on_the_line_of_the_hotfix(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    graph = released(scene, more=True)
    tip, merge = scene.repo.sha(BRANCH), scene.repo.sha("main")
    assert graph.tagged == Dot(tip[:7], "v1.0.2")
    assert graph.shipped == Dot(merge[:7])
    assert f"The tag v1.0.2 is on its own commit {tip[:7]}. It is in main as {merge[:7]}." in graph.describes


def test_a_tagged_merge_is_on_the_line_of_production(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    graph = released(scene, more=False)
    assert graph.tagged is None
    assert graph.shipped == Dot(scene.repo.sha("main")[:7], "v1.0.2")


def test_where_tags_are_production_nothing_leads_back_to_a_line(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, policy=FlowPolicy(production=("tags:v*",)))
    graph = released(scene, more=False)
    assert graph.shipped is None
    assert graph.tagged == Dot(scene.repo.sha(BRANCH)[:7], "v1.0.2")
    assert graph.by_tag
    assert graph.production == "version tags"
    assert "tags:v*" not in main_words(scene.as_(scene.engineer).get(scene.url()))
    for svg in (lying(graph), standing(graph)):
        assert 'class="g-todo"' not in svg
        assert "not in production yet" not in svg
        assert "in production since" in svg
    assert "It is in production by its tag." in graph.describes


def test_a_tag_that_is_not_on_the_line_yet_is_production_nowhere(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    scene.opened()
    scene.repo.branch(BRANCH, "v1.0.1")
    scene.fix()
    scene.repo.tag("v1.0.2", BRANCH, message="1.0.2")
    look(scene.project)
    response = scene.as_(scene.engineer).get(scene.url())
    graph = response.context["page"].graph
    assert not graph.by_tag
    assert graph.shipped is None
    assert "It is not in main yet." in graph.describes
    assert "in production since" not in main_words(response)


def test_the_tag_is_drawn_below_its_commit() -> None:
    graph = Graph(
        "TICKET-7", "main", BRANCH, Dot("abc1234", "v1.2.2"), commits=(Dot("bcd2345", "fix"),),
        shipped=Dot("def4567"), tagged=Dot("bcd2345", "v1.2.3"), targets=(OWED,),
    )  # fmt: skip
    wide = lying(graph)
    assert wide.count('class="g-tag"') == 2
    assert wide.rindex("v1.2.3") > wide.rindex("abc1234")
    assert ">tag v1.2.3</text>" in standing(graph)
    assert "The edge from bcd2345" not in graph.describes
