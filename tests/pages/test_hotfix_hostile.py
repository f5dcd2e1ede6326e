"""Names and texts that mean harm are refused with a sentence or shown harmlessly, on every hotfix page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from releases.hotfixes.models import Hotfix
from releases.views.graph.data import Dot, Graph, TargetLane
from releases.views.graph.lying import lying
from releases.views.graph.standing import standing
from tests.hotfixes.playing import look
from tests.pages.hotfix_scene import Scene, make_scene, ok

pytestmark = pytest.mark.django_db

HTML = "<script>alert(1)</script>"
BIDI = "\u202egnp.exe"


@pytest.fixture
def scene(tmp_path: Path, settings: Any) -> Scene:
    settings.MIRROR_DIR = tmp_path / "mirrors"
    settings.EVIDENCE_DIR = tmp_path / "evidence"
    return make_scene(tmp_path)


@pytest.mark.parametrize(
    "key",
    [
        "-rf",
        "..",
        "a..b",
        "a\nb",
        "a b",
        "$(reboot)",
        "a;b",
        "a`b`",
        HTML,
        "x" * 10_000,
        "a\u202eb",
        "a.lock",
        "refs/@{1}",
    ],
)
def test_keys_that_mean_harm_are_refused_with_a_sentence(scene: Scene, key: str) -> None:
    answer = scene.as_(scene.engineer).post(scene.act_new(), {"key": key, "title": "Payments fail", "severity": 2})
    assert answer.status_code == 422
    assert 'class="err"' in answer.content.decode()
    assert not Hotfix.objects.exists()


@pytest.mark.parametrize("text", [HTML, "a" * 200, "”“&amp;<b>"])
def test_titles_are_shown_as_typed(scene: Scene, text: str) -> None:
    client = scene.as_(scene.engineer)
    ok(client.post(scene.act_new(), {"key": "TICKET-7", "title": text, "severity": 2, "impact": text}))
    for url in (scene.url(), scene.list_url(), "/hotfixes/", "/", scene.act("edit"), scene.act("timeline")):
        html = client.get(url).content.decode()
        assert HTML not in html, url
        assert "<b>”" not in html


def test_commit_messages_and_branch_names_are_harmless(scene: Scene) -> None:
    scene.opened()
    branch = "hotfix/TICKET-7-<img>"
    scene.repo.branch(branch, "v1.0.1")
    scene.repo.commit({"a.py": "1\n"}, f"TICKET-7 {HTML} {BIDI}", branch=branch, author=f"Eve {HTML}"[:20])
    look(scene.project)
    html = scene.as_(scene.manager).get(scene.url()).content.decode()
    assert "hotfix/TICKET-7-&lt;img&gt;" in html
    assert "<script>alert" not in html
    assert "<img>" not in html
    assert "\u202e" not in html
    assert "&lt;script&gt;alert" in html or "&lt;script" in html


@pytest.mark.parametrize(
    "path", ["/hotfixes/%00/", "/hotfixes/..%2f..%2fetc/", "/hotfix/cut/%0a/", "/hotfix/%3Cb%3E/x/"]
)
def test_odd_addresses_find_nothing(scene: Scene, path: str) -> None:
    assert scene.as_(scene.manager).get(f"/projects/{scene.project.slug}{path}").status_code == 404


def test_every_text_in_the_graph_is_escaped() -> None:
    graph = Graph(
        key=HTML, production=HTML, branch=f"hotfix/{HTML}{BIDI}", base=Dot("abc1234", HTML),
        commits=(Dot("bcd2345", HTML), Dot("cde3456", BIDI)), shipped=Dot("def4567", HTML), shipped_says=HTML,
        targets=(TargetLane(HTML, (Dot("efa5678"),), owed=True, says=(HTML, BIDI)),
                 TargetLane("main" * 30, (Dot("fab6789"),), Dot("fab6789"), merged=True, says=(HTML,))),
    )  # fmt: skip
    for svg in (lying(graph), standing(graph)):
        assert "<script" not in svg
        assert "\u202e" not in svg
        assert svg.count("<svg") == svg.count("</svg>") == 1


def test_the_graph_tells_itself_in_sentences() -> None:
    lane = TargetLane("develop", (Dot("efa5678"),), owed=True, says=("merge-back", "owed 2 h"))
    graph = Graph(
        "TICKET-7", "main", "hotfix/TICKET-7", Dot("abc1234", "v1.2.2"), commits=(Dot("bcd2345", "fix"),),
        shipped=Dot("def4567", "v1.2.3"), targets=(lane, TargetLane("main", (), Dot("fab6789"), merged=True)),
    )  # fmt: skip
    assert graph.describes == (
        "hotfix/TICKET-7 left main at v1.2.2 and has 1 commit. It is in main as v1.2.3. "
        "The edge from v1.2.3 to develop is missing. main has it since fab6789."
    )
    for svg in (lying(graph), standing(graph)):
        assert svg.count('class="g-owed"') == 2
        assert 'class="g-todo"' not in svg
        assert "Branch graph of TICKET-7</title>" in svg


def test_what_is_not_there_is_dashed_and_nothing_else() -> None:
    graph = Graph("TICKET-7", "main", "hotfix/TICKET-7", Dot("abc1234", "v1.2.2"), cut=False)
    for svg in (lying(graph), standing(graph)):
        assert 'class="g-todo"' in svg
        assert 'class="g-fix"' not in svg
        assert "not made yet" in svg
    assert "is not there yet; it will leave main at v1.2.2." in graph.describes
