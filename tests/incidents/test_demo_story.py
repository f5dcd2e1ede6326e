"""What the demo tells of incidents: true to git, told once, and without a name on the page for people outside."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from hotfixdash.accounts.demo import LOGINS
from hotfixdash.supervisor import prepare
from incidents.demo import story
from incidents.postmortems.library import postmortems_of
from incidents.postmortems.models import ActionItem, PostMortem
from incidents.postmortems.reviewing import readiness
from incidents.postmortems.timeline import entries
from incidents.response.facts import timeline
from incidents.response.models import Component, Health, Impact, Incident, Maintenance, Update
from incidents.status import copies as room
from incidents.status.copies import Copies
from incidents.status.models import StatusPage
from incidents.status.services import page_save
from incidents.tasks import sweep_now
from releases.demo import install
from releases.demo.build import CATALOGUE
from releases.demo.install import demo_folder, demo_projects
from releases.demo.others import public_pages
from releases.demo.story import PEOPLE
from releases.hotfixes.models import Hotfix
from releases.ledger.models import Event
from releases.projects.models import Project
from tests.factories import make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def demo(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> Iterator[Path]:
    """Built as on the first start, of the projects that it tells of and one more."""
    wanted = {*story.COMPONENTS, "identity"}
    monkeypatch.setattr(install, "CATALOGUE", [entry for entry in CATALOGUE if entry.app.name in wanted])
    settings.DATA_DIR = tmp_path
    settings.MIRROR_DIR = tmp_path / "mirrors"
    settings.EVIDENCE_DIR = tmp_path / "evidence"
    settings.GIT_ALLOWED_ROOTS = [str(tmp_path / "demo")]
    # In tests there is one connection and one thread: looks happen at once.
    monkeypatch.setattr(Copies, "_look_soon", lambda self, slug, copy: self._look(slug, copy))
    monkeypatch.setattr(room, "connection", type("Open", (), {"close": staticmethod(lambda: None)}))
    monkeypatch.setattr(room, "LOOK_EVERY", -1.0)
    with django_capture_on_commit_callbacks(execute=True):
        call_command("demo", verbosity=0)
    yield tmp_path
    room.copies().forget(story.SLUG)


def counted() -> dict[str, int]:
    kinds = (Incident, Update, Impact, Component, Maintenance, PostMortem, ActionItem, StatusPage, Hotfix, Event)
    return {kind.__name__: kind.objects.count() for kind in kinds}


def git(name: str, *args: str) -> str:
    remote = demo_folder() / f"{name}.git"
    return subprocess.run(["git", "-C", str(remote), *args], capture_output=True, text=True, check=True).stdout


def test_what_is_told_is_true_to_git_and_told_once(demo: Path, client: Client) -> None:
    both_incidents_hang_on_git()
    the_timelines_are_made_of_facts_in_the_order_of_git()
    what_was_learned_is_published_and_acted_upon_by_a_commit()
    its_timeline_says_of_develop_what_git_says()
    everybody_reads_the_status_page_and_finds_no_name_there(client)
    told_once()


def both_incidents_hang_on_git() -> None:
    going_on = Incident.objects.get(hotfixes__key=story.OPEN)
    assert going_on.state == Incident.State.IDENTIFIED
    assert going_on.project.name == "ledger"
    assert set(going_on.updates.values_list("public", flat=True)) == {True, False}
    assert going_on.chat_url.startswith("https://")
    assert set(going_on.impacts.values_list("health", "until")) == {(Health.PARTIAL, None), (Health.DEGRADED, None)}
    over = Incident.objects.get(hotfixes__key=story.OVER)
    assert over.state == Incident.State.RESOLVED
    assert not over.impacts.filter(until=None).exists()
    for incident in (going_on, over):
        times = (incident.detected_at, incident.declared_at, incident.told_at)
        assert all(moment is not None and moment < timezone.now() for moment in times)
    assert Incident.objects.count() == 2
    assert set(Incident.objects.values_list("number", flat=True)) == {1, 2}


def the_timelines_are_made_of_facts_in_the_order_of_git() -> None:
    told = [fact.text for fact in reversed(timeline(Incident.objects.get(hotfixes__key=story.OVER)))]
    whole = "\n".join(told)
    steps = ("was declared", "fix written", "is identified", "tagged (v2.9.3)", "is monitoring", "is resolved")
    places = [whole.index(step) for step in steps]
    assert places == sorted(places)
    tagged = int(git("invoice-web", "log", "-1", "--format=%ct", "v2.9.3"))
    live = next(f for f in timeline(Incident.objects.get(hotfixes__key=story.OVER)) if "live in production" in f.text)
    assert abs((live.at - datetime.fromtimestamp(tagged, UTC)).total_seconds()) < 600
    going_on = timeline(Incident.objects.get(hotfixes__key=story.OPEN))
    texts = [fact.text for fact in reversed(going_on) if fact.kind == "git"]
    assert texts == [f"{story.OPEN}: branch cut.", f"{story.OPEN}: fix written."]
    said = next(fact for fact in going_on if fact.text.startswith("We found the cause"))
    assert said.at > next(fact.at for fact in going_on if "fix written" in fact.text)


def what_was_learned_is_published_and_acted_upon_by_a_commit() -> None:
    postmortem = PostMortem.objects.get()
    assert postmortem.state == PostMortem.State.PUBLISHED
    assert readiness(postmortem).ready
    assert postmortem.factors.filter(parent__parent__isnull=False).exists()
    assert list(postmortems_of(postmortem.owner, drafts=False)) == [postmortem]
    states = dict(postmortem.actions.values_list("number", "state"))
    assert states == {1: "open", 2: "done", 3: "open"}
    assert postmortem.actions.get(number=1).due_on > timezone.localdate()
    done = postmortem.actions.get(number=2).done_by
    assert f"Action: {postmortem.key}-2" in git("invoice-web", "log", "-1", "--format=%B", done)
    assert "main" in git("invoice-web", "branch", "--contains", done)


def its_timeline_says_of_develop_what_git_says() -> None:
    shown = {entry.text.partition(":")[0].rstrip("."): entry.at for entry in entries(PostMortem.objects.get())}
    subject = "Escape customer names in PDF invoices"
    rows = git("invoice-web", "log", "--format=%ct %s", "v2.9.0..develop").splitlines()
    at = {text: datetime.fromtimestamp(int(when), UTC) for when, _, text in (row.partition(" ") for row in rows)}
    close = timedelta(minutes=1)
    assert abs(shown["develop takes the fix over"] - at[subject]) < close
    assert abs(shown["develop takes it back"] - at[f'Revert "{subject}"']) < close


def told_once() -> None:
    before = counted()
    call_command("demo", verbosity=0)
    assert counted() == before
    story.story_tell(demo_projects())
    assert counted() == before


@pytest.mark.long
def test_nothing_is_opened_a_second_time_by_the_sweep(demo: Path) -> None:
    sweep_now()
    assert PostMortem.objects.filter(incident__isnull=False).count() == 1
    assert not PostMortem.objects.filter(hotfix__key=story.OVER).exclude(incident__isnull=False).exists()


def everybody_reads_the_status_page_and_finds_no_name_there(client: Client) -> None:
    answer = client.get(f"/status/{story.SLUG}/")
    assert answer.status_code == 200
    text = answer.content.decode()
    for said in ("Bank payouts", "Invoices", "We found the cause", "New storage for statements", "escaped now"):
        assert said in text
    names = [person.name for person in PEOPLE] + [login.username for login in LOGINS]
    seen = re.sub(r"<(script|style)[^>]*>.*?</\1>|<[^>]+>", " ", text, flags=re.S)
    assert [name for name in names if re.search(rf"\b{name}\b", seen)] == []
    for internal in (story.OPEN, story.OVER, "The next batch is held", "chat.example.org", "hotfix/", "ledger"):
        assert internal not in text


@pytest.mark.long
def test_its_address_is_printed(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert public_pages() == [("Status page", "/status/demo/")]
    assert "Status page, for everybody: http://here/status/demo/" in prepare.greeting("http://here")
    call_command("demo")
    assert "/status/demo/" in capsys.readouterr().out
    StatusPage.objects.update(visibility=StatusPage.Visibility.HIDDEN)
    assert public_pages() == []
    assert "/status/" not in prepare.greeting("http://here")


@pytest.mark.long
def test_other_projects_of_the_demo_are_left_as_they_are(demo: Path) -> None:
    others = Project.objects.exclude(name__in=story.COMPONENTS)
    assert others.count() == len(demo_projects()) - 2 == 1
    for kind in (Incident, Component, PostMortem, Maintenance):
        assert not kind.objects.filter(project__in=others).exists()


@pytest.mark.long
def test_built_anew_it_is_told_anew_on_the_same_page(demo: Path) -> None:
    page = StatusPage.objects.get()
    call_command("demo", "--reset", verbosity=0)
    assert StatusPage.objects.get().pk == page.pk
    assert page.projects.count() == page.components.values("project").distinct().count() == 2
    assert Incident.objects.count() == 2


@pytest.mark.long
def test_a_page_of_somebody_else_at_its_address_stays(demo: Path) -> None:
    for kind in (Incident, PostMortem, Component, StatusPage):
        kind.objects.all().delete()
    shop = make_project("shop")
    page_save(story.SLUG, "Ours", "hidden", [shop])
    story.story_tell(demo_projects())
    assert StatusPage.objects.get().title == "Ours"
    assert list(StatusPage.objects.get().projects.all()) == [shop]


@pytest.mark.long
def test_without_log_ins_the_incidents_are_told_and_nobody_is_made_to_have_learned(
    tmp_path: Path, settings: Any
) -> None:
    settings.DATA_DIR = tmp_path
    settings.MIRROR_DIR, settings.EVIDENCE_DIR = tmp_path / "mirrors", tmp_path / "evidence"
    settings.GIT_ALLOWED_ROOTS = [str(tmp_path / "demo")]
    settings.DEMO_LOGINS_ALLOWED = False
    call_command("demo", verbosity=0)
    assert Incident.objects.count() == 2
    assert not PostMortem.objects.exists()
