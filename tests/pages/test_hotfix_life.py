"""A hotfix from triage to cleaned up by buttons alone, another by git alone: both end on the same page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from releases.hotfixes.stages import StageKey
from releases.ledger.models import Event
from releases.operations.models import Operation
from tests.factories import make_user
from tests.hotfixes.playing import look, opened
from tests.pages.hotfix_scene import ANSWERS, BRANCH, Scene, main_words, make_scene, ok, words_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path, settings: Any) -> None:
    settings.MIRROR_DIR = tmp_path / "mirrors"
    settings.EVIDENCE_DIR = tmp_path / "evidence"


def by_buttons(scene: Scene) -> None:
    """Every step is a form that a page offers, posted as it stands; only the fix itself is pushed."""
    engineer, reviewer, manager = (scene.as_(who) for who in (scene.engineer, scene.reviewer, scene.manager))
    scene.opened()
    ok(engineer.post(scene.act("choose-way"), {"way": "cut", "why": "Only this may ship."}))
    ok(engineer.post(scene.act("cut"), {"tag": "v1.0.1"}))
    scene.work()
    assert scene.repo.sha(BRANCH) == scene.repo.sha("v1.0.1^{commit}")
    head = scene.fix()
    look(scene.project)
    ok(reviewer.post(scene.act("review"), {"says": "approve", "text": "Good.", "head": head}))
    ok(manager.post(scene.act("finish"), {"tag": "v1.0.2", "message": "Payments work again"}))
    scene.work()
    ok(engineer.post(scene.act("merge-back-all"), {}))
    scene.work()
    ok(engineer.post(scene.act("clean-up"), {}))
    scene.work()


def by_git(scene: Scene) -> None:
    """The same with git alone; the ticket is opened and triaged, everything else is observed."""
    repo = scene.repo
    opened(scene.project)
    repo.branch(BRANCH, "v1.0.1")
    look(scene.project)
    scene.fix()
    look(scene.project)
    repo.merge(BRANCH, "main")
    repo.tag("v1.0.2", "main", message="Payments work again")
    look(scene.project)
    for target in ("develop", "release/1.1"):
        repo.merge(BRANCH, target)
    look(scene.project)
    repo.delete(BRANCH)
    look(scene.project)


def steps_of(html: str) -> list[tuple[str, str]]:
    """Class and name of each step of the stepper."""
    stepper = html[html.index('class="stepper') :]
    stepper = stepper[: stepper.index("</ol>")]
    return re.findall(r'<li class="(is-[a-z]+)[^>]*>.*?<span class="lb">([^<]+)</span>', stepper, re.DOTALL)


def test_buttons_alone_and_git_alone_end_on_the_same_page(tmp_path: Path) -> None:
    one, two = make_scene(tmp_path, "one"), make_scene(tmp_path, "two")
    by_buttons(one)
    by_git(two)
    pages = []
    for scene in (one, two):
        page = scene.as_(scene.manager).get(scene.url()).content.decode()
        told = {name: css for css, name in steps_of(page)}
        assert len(told) == len(StageKey)
        assert scene.hotfix.finished_at is not None
        assert "Nothing is left to do" in page
        pages.append(told)
    # Who reviewed in the dashboard is the one thing that git cannot know.
    assert pages[0].pop("Review") == "is-done"
    assert pages[1].pop("Review") == "is-skip"
    assert pages[0] == pages[1]
    assert pages[0]["Clean-up"] == pages[0]["Merge-back"] == pages[0]["Production"] == "is-done"


def test_what_the_buttons_did_is_in_the_remote_once(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    by_buttons(scene)
    assert not scene.repo.exists(BRANCH)
    assert scene.repo.sha("v1.0.2^{commit}")
    assert scene.repo.git("rev-list", "--merges", "--count", "v1.0.1..main").strip() == "1"
    for target in ("develop", "release/1.1"):
        assert "mended" in scene.repo.read(target, "app.py")
    done = Event.objects.filter(kind="operation.done", subject="hotfix:TICKET-7")
    assert sorted(done.values_list("evidence__kind", flat=True)) == [
        "clean-up", "cut", "finish", "merge-back", "merge-back",
    ]  # fmt: skip
    assert not Operation.objects.exclude(state="done").exists()
    timeline = words_of(scene.as_(scene.manager).get(scene.act("timeline")))
    for told in (
        "TICKET-7 was opened",
        "Cut from the production tag: “Only this may ship.”",
        "approved: “Good.”",
        "v1.0.2",
    ):
        assert told in timeline


def test_whoever_pushed_can_have_git_looked_at_from_the_page(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    scene.opened()
    page = scene.as_(scene.engineer).get(scene.url())
    assert "Checked against git" in main_words(page)
    assert f'action="/projects/{scene.project.slug}/check/"' in page.content.decode()
    viewer = make_user("looks-on", "viewer", all_projects=True)
    assert "Check now" not in main_words(scene.as_(viewer).get(scene.url()))


@pytest.mark.long
def test_each_page_on_the_way_says_what_is_next(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    engineer, manager = scene.as_(scene.engineer), scene.as_(scene.manager)

    def said(client: Any = engineer) -> str:
        return main_words(client.get(scene.url()))

    ok(engineer.post(scene.act_new(), {"key": "TICKET-7", "title": "Payments fail", "severity": 2}))
    assert "Answer three questions" in said()
    ok(engineer.post(scene.act("triage"), ANSWERS))
    assert "Which way out?" in said()
    assert "It will owe develop and release/1.1" in said()
    ok(engineer.post(scene.act("choose-way"), {"way": "cut", "why": "Only this."}))
    assert "Cut hotfix/TICKET-7 from v1.0.1" in said()
    ok(engineer.post(scene.act("cut"), {"tag": "v1.0.1"}))
    assert "Waiting for its turn" in said()
    scene.work()
    assert "Make the fix on hotfix/TICKET-7" in said()
    head = scene.fix()
    look(scene.project)
    assert "Review the fix" in said()
    assert "1 of 5 allowed" in said()
    ok(scene.as_(scene.reviewer).post(scene.act("review"), {"says": "approve", "head": head}))
    assert "Merge to main and tag v1.0.2" in said(manager)
    ok(manager.post(scene.act("finish"), {"tag": "v1.0.2"}))
    scene.work()
    assert "Merge v1.0.2 back into develop" in said()
    assert "Also owed to release/1.1" in said()


def test_finishing_can_merge_back_with_the_same_push(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    scene.opened()
    scene.repo.branch(BRANCH, "v1.0.1")
    head = scene.fix()
    look(scene.project)
    ok(scene.as_(scene.reviewer).post(scene.act("review"), {"says": "approve", "head": head}))
    manager = scene.as_(scene.manager)
    page = main_words(manager.get(scene.url()))
    assert "[HOTFIX] TICKET-7: mend payments" in page
    assert "mended" in page
    asked = main_words(manager.get(scene.act("finish")))
    assert "Merge back with the same push, where it is clean develop release/1.1" in asked
    ok(manager.post(scene.act("finish"), {"tag": "v1.0.2", "also": ["develop", "release/1.1"]}))
    scene.work()
    assert Operation.objects.count() == 1
    assert "mended" in scene.repo.read("release/1.1", "app.py")
    assert "Delete hotfix/TICKET-7" in main_words(manager.get(scene.url()))


def test_the_change_is_what_the_remote_has_and_says_when_it_was_looked_at(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    scene.opened()
    scene.repo.branch(BRANCH, "v1.0.1")
    head = scene.fix()
    look(scene.project)
    words = main_words(scene.as_(scene.engineer).get(scene.url()))
    assert f"{BRANCH} as the remote has it at {head[:7]} , last looked at" in words
    assert "What is amended counts once it is pushed again." in words
