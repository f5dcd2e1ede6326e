"""What the page of a release tells beside its commits: who looked at it, and what was in flux when it was tagged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from releases.deploys.models import Approval, Run
from releases.projects.models import Release
from tests.factories import make_build, make_environment, make_shipment, make_step, make_user
from tests.hotfixes.playing import app, look

from .hotfix_scene import BRANCH, Scene, main_words, make_scene, ok

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(tmp_path: Path, settings: Any) -> Scene:
    settings.MIRROR_DIR = tmp_path / "mirrors"
    settings.EVIDENCE_DIR = tmp_path / "evidence"
    return make_scene(tmp_path)


def shipped(scene: Scene) -> Release:
    """A reviewed hotfix, finished by the button and merged back, while develop went on."""
    scene.opened()
    scene.repo.branch(BRANCH, "v1.0.1")
    head = scene.repo.commit(
        {"app.py": app((3, "mended"))}, "[HOTFIX] TICKET-7: mend payments\n\nReviewed-by: Rita <rita@example.org>\n"
        "Tested-by: Tom <tom@example.org>", branch=BRANCH, author="jo",
    )  # fmt: skip
    look(scene.project)
    ok(
        scene.as_(scene.reviewer).post(
            scene.act("review"), {"says": "approve", "text": "Tried <b>it</b>.", "head": head}
        )
    )
    scene.repo.commit({"next.py": "next\n"}, "TICKET-12 what comes next", branch="develop")
    ok(scene.as_(scene.manager).post(scene.act("finish"), {"tag": "v1.0.2", "message": "Payments work again"}))
    scene.work()
    ok(scene.as_(scene.engineer).post(scene.act("merge-back-all"), {}))
    scene.work()
    return Release.objects.get(tag="v1.0.2")


def page(client: Client, tag: str = "v1.0.2") -> str:
    return main_words(client.get(f"/projects/shop/releases/{tag}/"))


def test_it_names_who_reviewed_in_the_dashboard_and_in_the_commits(scene: Scene) -> None:
    shipped(scene)
    said = page(scene.as_(scene.engineer)).partition("Who looked at it")[2].partition("People")[0]
    assert "shop-reviewer reviewed, " in said
    assert "TICKET-7 “Tried <b>it</b>.”" in said
    assert "Rita reviewed 1 commit by Reviewed-by" in said
    assert "Tom tested 1 commit by Tested-by" in said


def test_it_names_who_approved_and_what_was_tested_to_those_who_signed_in(scene: Scene) -> None:
    release = shipped(scene)
    build = make_build(scene.project, "v1.0.2", commit=release.commit)
    make_step(build, "critical tests", "check", state="done")
    place = make_environment(scene.project, "staging")
    run = make_shipment(place, "v1.0.2", commit=release.commit, state=Run.State.DONE)
    make_step(run, "Pay with a card", "manual", state="done", by=scene.engineer, why="Two cards.")
    Approval.objects.create(run=run, person=scene.manager, says="approve", comment="Go.", binding={})
    Approval.objects.create(
        run=make_shipment(place, "v1.0.2", commit="0" * 40), person=make_user("other"), says="approve", binding={}
    )
    said = page(scene.as_(scene.engineer)).partition("Who looked at it")[2].partition("People")[0]
    assert "shop-manager approved, " in said
    assert "for staging “Go.”" in said
    assert "The pipeline tested “critical tests” in the build" in said
    assert "shop-engineer confirmed “Pay with a card” in staging “Two cards.”" in said
    assert "other approved" not in said
    scene.project.visibility = "public"
    scene.project.save(update_fields=["visibility"])
    assert "shop-manager approved" not in page(Client())


def test_nobody_is_said_where_nobody_looked(scene: Scene) -> None:
    said = page(scene.as_(scene.engineer), "v1.0.1")
    assert "Nobody, as far as reviews here, the pipeline and the trailers of its commits tell." in said


def test_it_shows_what_was_in_flux_when_it_was_tagged_and_what_came_since(scene: Scene) -> None:
    shipped(scene)
    said = page(scene.as_(scene.engineer)).partition("In flux on develop")[2].partition("Files")[0]
    assert "2 commits made there before the tag are not in it." in said
    assert "TICKET-12 what comes next" in said
    assert "mend payments" not in said
    scene.repo.commit({"late.py": "late\n"}, "TICKET-13 after the tag", branch="develop", date=4_000_000_000)
    look(scene.project)
    said = page(scene.as_(scene.engineer)).partition("In flux on develop")[2].partition("Files")[0]
    assert "2 commits made there before the tag are not in it. 1 more came since." in said
    assert "TICKET-13" not in said
    link = "/projects/shop/compare/?from=v1.0.2&amp;to=develop"
    assert link in scene.as_(scene.engineer).get("/projects/shop/releases/v1.0.2/").content.decode()


def test_a_release_of_everything_says_so(scene: Scene) -> None:
    scene.repo.merge("develop", "main")
    scene.repo.tag("v1.1.0", "main", message="1.1.0")
    look(scene.project)
    said = page(scene.as_(scene.engineer), "v1.1.0")
    assert "Everything that was made there before the tag is in it." in said
