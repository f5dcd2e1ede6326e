"""Who may do what on a hotfix, what cannot be done now, and asking twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from releases.hotfixes.models import Hotfix, Review
from releases.operations.models import Operation
from tests.factories import make_user
from tests.hotfixes.playing import look
from tests.pages.hotfix_scene import ANSWERS, BRANCH, Scene, main_words, make_scene, ok, words_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(tmp_path: Path, settings: Any) -> Scene:
    settings.MIRROR_DIR = tmp_path / "mirrors"
    settings.EVIDENCE_DIR = tmp_path / "evidence"
    return make_scene(tmp_path)


def cut(scene: Scene) -> None:
    scene.opened()
    scene.repo.branch(BRANCH, "v1.0.1")
    look(scene.project)


def test_a_viewer_reads_and_is_offered_nothing(scene: Scene) -> None:
    scene.opened()
    viewer = scene.as_(make_user("reader", "viewer", all_projects=True))
    said = viewer.get(scene.url())
    assert said.status_code == 200
    assert "data-dialog" not in said.content.decode()
    assert "This is for engineers; your role is viewer." in words_of(said)
    for verb in ("triage", "choose-way", "cut", "edit", "close", "split", "review"):
        refused = viewer.get(scene.act(verb))
        assert refused.status_code == 403
        assert "Your role, Viewer, does not include this." in words_of(refused)
        assert viewer.post(scene.act(verb), {}).status_code == 403
    assert viewer.get(scene.act_new()).status_code == 403


def test_finishing_is_for_release_managers(scene: Scene) -> None:
    cut(scene)
    engineer = scene.as_(scene.engineer)
    assert engineer.get(scene.act("finish")).status_code == 403
    assert engineer.post(scene.act("finish"), {"tag": "v1.0.2"}).status_code == 403
    assert engineer.post(scene.act("decide"), {"track": "regular", "why": "x"}).status_code == 403


def test_a_visitor_is_asked_to_sign_in(scene: Scene) -> None:
    scene.opened()
    for url in (scene.list_url(), scene.url(), scene.act("cut"), "/hotfixes/"):
        answer = Client().get(url)
        assert answer.status_code == 302
        assert "/login/" in answer["Location"]


def test_somebody_without_access_finds_nothing(scene: Scene) -> None:
    scene.opened()
    stranger = scene.as_(make_user("stranger", "engineer"))
    for url in (scene.list_url(), scene.url(), scene.act("cut"), scene.act("timeline")):
        assert stranger.get(url).status_code == 404
    assert "TICKET-7" not in words_of(stranger.get("/hotfixes/"))


def test_what_cannot_be_done_now_says_why(scene: Scene) -> None:
    scene.opened()
    manager = scene.as_(scene.manager)
    for verb, why in (
        ("finish", "There is no branch with a fix on it yet."),
        ("clean-up", "There is no branch (any more)."),
        ("merge-back-all", "No merge-back is clean"),
        ("re-apply", "Nothing has to be re-applied."),
        ("revert", "Choose this way out first"),
    ):
        for answer in (manager.get(scene.act(verb)), manager.post(scene.act(verb), {"tag": "v9"})):
            assert answer.status_code == 409, verb
            assert why in words_of(answer)
            assert "Nothing was changed." in words_of(answer)
    assert not Operation.objects.exists()


def test_the_branch_stays_while_something_is_owed(scene: Scene) -> None:
    cut(scene)
    scene.fix()
    scene.repo.merge(BRANCH, "main")
    scene.repo.tag("v1.0.2", "main", message="1.0.2")
    look(scene.project)
    refused = scene.as_(scene.engineer).post(scene.act("clean-up"), {})
    assert refused.status_code == 409
    assert "It is still owed to develop, release/1.1." in words_of(refused)


def test_two_people_at_the_same_moment_make_one_operation(scene: Scene) -> None:
    scene.opened()
    first, second = scene.as_(scene.engineer), scene.as_(scene.reviewer)
    ok(first.post(scene.act("cut"), {"tag": "v1.0.1"}))
    again = second.post(scene.act("cut"), {"tag": "v1.0.1"}, follow=True)
    assert Operation.objects.count() == 1
    assert "shop-engineer asked for the same already; it is under way." in words_of(again)
    for client in (first, second):
        assert "Cut hotfix/TICKET-7" in main_words(client.get(scene.url()))


def test_an_authors_own_review_does_not_count(scene: Scene) -> None:
    cut(scene)
    head = scene.repo.commit(
        {"app.py": "mended\n"}, "[HOTFIX] TICKET-7: mend", branch=BRANCH, author="shop-engineer"
    )  # fmt: skip
    look(scene.project)
    author = scene.as_(scene.engineer)
    assert "your own approval does not count" in words_of(author.get(scene.url()))
    ok(author.post(scene.act("review"), {"says": "approve", "head": head}))
    assert scene.hotfix.stage == "review"


def test_an_owners_review_of_commits_by_a_stranger_says_why_it_does_not_count(scene: Scene) -> None:
    cut(scene)
    Hotfix.objects.update(owner=scene.engineer)
    head = scene.fix()
    look(scene.project)
    owner = scene.as_(scene.engineer)
    ok(owner.post(scene.act("review"), {"says": "approve", "head": head}))
    told = main_words(owner.get(scene.url()))
    assert "It does not count: no account is known for an author, so the owner stands for them." in told
    assert "0 of 1 given" in told
    make_user("jo", "engineer", email="jo@example.com", all_projects=True)
    Hotfix.objects.update(commits=[{**row, "author_email": "jo@example.com"} for row in scene.hotfix.commits])
    told = main_words(owner.get(scene.url()))
    assert "It does not count" not in told
    assert "1 of 1 given" in told


def test_a_review_of_a_branch_that_moved_is_kept_and_refused(scene: Scene) -> None:
    cut(scene)
    head = scene.fix()
    look(scene.project)
    scene.fix("mended otherwise")
    look(scene.project)
    answer = scene.as_(scene.reviewer).post(
        scene.act("review"), {"says": "changes", "text": "Please name the constant.", "head": head}
    )
    assert answer.status_code == 422
    assert "The branch moved on to" in words_of(answer)
    assert "Please name the constant." in answer.content.decode()
    assert not Review.objects.exists()


def test_triage_asks_for_every_answer_and_keeps_what_was_said(scene: Scene) -> None:
    client = scene.as_(scene.engineer)
    ok(client.post(scene.act_new(), {"key": "TICKET-7", "title": "Payments fail", "severity": 2}))
    answer = client.post(scene.act("triage"), ANSWERS | {"t-no_workaround_why": ""})
    assert answer.status_code == 422
    assert "Payments fail." in answer.content.decode()
    assert not scene.hotfix.triage
    ok(client.post(scene.act("triage"), ANSWERS | {"t-no_workaround": "no"}))
    assert scene.hotfix.closed == Hotfix.Closed.DECLINED
    ok(scene.as_(scene.manager).post(scene.act("decide"), {"track": "hotfix", "why": "It got worse."}))
    said = words_of(client.get(scene.url()))
    assert "decided otherwise: “It got worse.”" in said


def test_closing_superseding_and_opening_again(scene: Scene) -> None:
    scene.opened()
    client = scene.as_(scene.engineer)
    unknown = client.post(scene.act("close"), {"how": "superseded", "by": "TICKET-99", "why": "Two in one."})
    assert unknown.status_code == 422
    assert "There is no hotfix TICKET-99 in this project." in words_of(unknown)
    ok(client.post(scene.act_new(), {"key": "TICKET-8", "title": "The same", "severity": 2}))
    ok(client.post(scene.act("close"), {"how": "superseded", "by": "ticket-8", "why": "Two in one."}))
    said = words_of(client.get(scene.url()))
    assert "Superseded by TICKET-8" in said
    assert "Two in one." in said
    ok(client.post(scene.act("reopen"), {"why": "It came back."}))
    assert not Hotfix.objects.get(key="TICKET-7").is_closed


def test_a_follow_up_is_split_off_and_everything_can_be_edited(scene: Scene) -> None:
    scene.opened()
    client = scene.as_(scene.engineer)
    answer = ok(client.post(scene.act("split"), {"title": "Rename the module", "key": "TICKET-70"}))
    assert answer["Location"].endswith("/hotfixes/TICKET-70/")
    data = {"title": "Payments fail at night", "severity": 1, "impact": "Night owls.", "owner": scene.reviewer.pk,
            "people": [scene.manager.pk]}  # fmt: skip
    ok(client.post(scene.act("edit"), data))
    said = words_of(client.get(scene.url()))
    for part in ("Payments fail at night", "SEV1", "Night owls.", "owned by shop-reviewer", "shop-manager"):
        assert part in said


def test_a_question_for_the_dialog_is_answered_with_a_toast(scene: Scene) -> None:
    scene.opened()
    client = scene.as_(scene.engineer)
    asked = client.get(scene.act("cut"), headers={"HX-Request": "true", "HX-Target": "dialog"})
    html = asked.content.decode()
    assert "<html" not in html
    assert 'hx-target="#dialog"' in html
    done = client.post(scene.act("cut"), {"tag": "v1.0.1"}, headers={"HX-Request": "true", "HX-Target": "dialog"})
    assert done.status_code == 200
    assert done["HX-Trigger"] == '{"answered": {}}'
    assert "Cutting hotfix/TICKET-7" in done.content.decode()


def test_next_never_leads_away(scene: Scene) -> None:
    scene.opened()
    answer = scene.as_(scene.engineer).post(scene.act("cut"), {"tag": "v1.0.1", "next": "https://evil.example.com/"})
    assert answer["Location"] == scene.url()


def test_a_release_manager_holds_the_next_release(scene: Scene) -> None:
    scene.opened()
    url = f"/projects/{scene.project.slug}/hotfix/releasable/"
    assert scene.as_(scene.engineer).get(url).status_code == 403
    manager = scene.as_(scene.manager)
    assert manager.post(url, {"why": ""}).status_code == 422
    ok(manager.post(url, {"why": "The audit is not through."}))
    said = main_words(manager.get(scene.url()))
    assert "shop-manager says that it must not ship: The audit is not through." in said
    assert "May it ship again?" in said
    ok(manager.post(url, {"why": "It is through."}))
    assert "The audit is not through." not in main_words(manager.get(scene.url()))
