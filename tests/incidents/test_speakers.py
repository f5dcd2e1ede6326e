"""Who is named on timelines for what a hotfix went through."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from incidents.postmortems.opening import postmortem_open
from incidents.postmortems.timeline import entries, role_of
from incidents.response.facts import hotfix_facts
from incidents.response.services import incident_link
from releases.deploys.models import Approval, Run
from releases.hotfixes.models import Hotfix, Review
from releases.hotfixes.observing import _behind
from releases.hotfixes.stages import Stage, StageKey, StageState
from releases.ledger.services import event_write
from releases.projects.models import Project
from tests.factories import make_environment, make_project, make_shipment, make_user
from tests.incidents.making import make_hotfix, make_incident

pytestmark = pytest.mark.django_db
HEAD = "a" * 40


@pytest.fixture
def project() -> Project:
    return make_project("shop")


def seen(hotfix: Hotfix, stage: str, **fields: Any) -> None:
    """The row that is written when the dashboard saw it, as rows were before people were named in them."""
    event_write(
        "hotfix.stage", project_id=hotfix.project_id, actor_name="git", subject=f"hotfix:{hotfix.key}", target=stage,
        **({"new": "done", "evidence": {"head": HEAD, "tag": "v1.0.1"}} | fields),
    )  # fmt: skip


def who(hotfix: Hotfix) -> list[str]:
    return [fact.who for fact in sorted(hotfix_facts(hotfix), key=lambda fact: fact.at)]


def shipped(project: Project, **fields: Any) -> Run:
    place = make_environment(project, "production", kind="production", approvals=2)
    before = timezone.now() - timedelta(minutes=5)
    return make_shipment(place, **({"tag": "v1.0.1", "approved_at": before} | fields))


def test_who_reviewed_is_named_and_not_who_wrote_it(project: Project) -> None:
    author = make_user("aiko", "engineer", email="aiko@example.org")
    hotfix = make_hotfix(project, commits=[{"author_email": "aiko@example.org", "author_name": "Aiko"}])
    for person, head, says in (
        (author, HEAD, "approve"), (make_user("tom"), "b" * 40, "approve"), (make_user("bo"), HEAD, "changes"),
        (make_user("nora"), HEAD, "approve"),
    ):  # fmt: skip
        Review.objects.create(hotfix=hotfix, reviewer=person, head=head, says=says, text="")
    seen(hotfix, "review")
    assert who(hotfix) == ["nora"]


def test_who_approved_is_named_and_not_who_took_it_back(project: Project) -> None:
    hotfix, run = make_hotfix(project), shipped(project)
    for name, gone in (("nora", None), ("bo", timezone.now()), ("rob", None)):
        Approval.objects.create(run=run, person=make_user(name), says="approve", binding={}, withdrawn_at=gone)
    seen(hotfix, "approval")
    assert who(hotfix) == ["nora, rob"]


def test_who_broke_the_glass_is_named(project: Project) -> None:
    hotfix = make_hotfix(project)
    shipped(project, glass_by=make_user("lea"), glass_why="Now.")
    seen(hotfix, "approval")
    assert who(hotfix) == ["lea"]


def test_what_nobody_said_stays_with_what_saw_it(project: Project) -> None:
    hotfix = make_hotfix(project)
    seen(hotfix, "branch")
    seen(hotfix, "approval")
    assert who(hotfix) == ["git", "git"]
    Project.objects.filter(pk=project.pk).update(stages_told=["approval", "production"])
    hotfix.project.refresh_from_db()
    seen(hotfix, "production")
    assert who(hotfix) == ["git", "worker", "worker"]


def test_a_post_mortem_says_roles_of_all_who_approved(project: Project) -> None:
    lead, nora, rob = make_user("lea"), make_user("nora"), make_user("rob")
    incident, hotfix, run = make_incident(project, lead=lead), make_hotfix(project), shipped(project)
    incident_link(incident, hotfix)
    for person in (nora, lead, rob):
        Approval.objects.create(run=run, person=person, says="approve", binding={})
    seen(hotfix, "approval")
    document = postmortem_open(project, "Cards", severity=2, owner=lead, incident=incident)
    (entry,) = [entry for entry in entries(document) if "approved" in entry.text]
    assert entry.who == "incident lead, 2 colleagues"
    assert role_of(document, "nora") == "a colleague"
    assert role_of(document, "git") == "git"


@pytest.mark.parametrize(
    ("key", "state", "detail", "named"),
    [
        ("review", "done", "by nora, rob and 1 more", "nora, rob and 1 more"),
        ("approval", "done", "by nora", "nora"),
        ("approval", "done", "glass broken by lea", "lea"),
        ("approval", "waiting", "for production", "worker"),
        ("review", "waiting", "0 of 1", "git"),
        ("tag", "done", "v1.0.1", "git"),
        ("verify", "done", "", "worker"),
    ],
)
def test_new_rows_name_who_is_behind_them(key: str, state: str, detail: str, named: str) -> None:
    assert _behind(Stage(StageKey(key), StageState(state), 1.0, detail=detail)) == named
