"""The page on which people decide: what it shows, who may press what, and what is answered to whom."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from hotfixdash.accounts.models import User
from releases.deploys.approving import approve, runs_expire
from releases.deploys.binding import binding_key, binding_of
from releases.deploys.deciding import Picture
from releases.deploys.gates import environment_lock
from releases.deploys.models import Approval, Environment, FollowUp, Freeze, Run
from releases.projects.models import Release
from releases.views import links
from tests.deploys.asking import Shop, make_shop
from tests.factories import make_step, make_user
from tests.pages.hotfix_scene import main_words

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(tmp_path: Path, settings: Any, db: None) -> Shop:
    return make_shop(tmp_path, settings, approvals=2)


def as_(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def url(run: Run, verb: str = "approval") -> str:
    return f"/projects/{run.project.slug}/deploys/{run.pk}/{verb}/"


def form(run: Run, says: str = "approve", comment: str = "") -> dict[str, str]:
    return {"says": says, "comment": comment, "binding": binding_key(binding_of(run))}


def test_it_shows_what_changes_and_why_it_is_safe(shop: Shop) -> None:
    run = shop.request()
    assert run.build is not None
    make_step(run.build, "critical tests", "check", state="done", facts={"passed": "186"})
    words = main_words(as_(shop.person()).get(url(run)))
    for part in (
        f"Ship {shop.project.name} v1.0.1 to production?", "Replaces v1.0.0", "v1.0.0..v1.0.1", "Commits 1",
        "Lines +1 −1", "TICKET-7", "2 lines in 1 file", "app.py", "line seven", run.digest, "critical tests",
        "passed 186", "You can give the first approval", "0 of 2 approvals", "brings v1.0.0 back",
        "nothing to undo, no migration",
    ):  # fmt: skip
        assert part in words, part


def test_two_people_approve_and_it_is_queued(shop: Shop) -> None:
    run = shop.request()
    first, second = as_(shop.person(username="nora")), as_(shop.person())
    assert first.post(url(run), form(run, comment="Checked by hand.")).status_code == 302
    run.refresh_from_db()
    assert run.state == Run.State.ASKED
    words = main_words(second.get(url(run)))
    assert "nora approved" in words
    assert "“Checked by hand.”" in words
    assert "Approve and deploy" in words
    assert second.post(url(run), form(run)).status_code == 302
    run.refresh_from_db()
    assert run.state == Run.State.QUEUED
    assert "Follow the deployment" in main_words(second.get(url(run)))


def test_a_second_voice_of_the_same_person_is_a_conflict(shop: Shop) -> None:
    run, nora = shop.request(), shop.person()
    as_(nora).post(url(run), form(run))
    answer = as_(nora).post(url(run), form(run))
    assert answer.status_code == 409
    assert "You have spoken on this request already" in main_words(answer)
    assert Approval.objects.count() == 1


def test_a_stale_yes_is_a_conflict_that_says_what_changed(shop: Shop) -> None:
    run, nora = shop.request(), as_(shop.person())
    shown = form(run)
    Release.objects.filter(pk=run.release_id).update(commit="f" * 40)
    answer = nora.post(url(run), shown)
    assert answer.status_code == 409
    words = main_words(answer)
    assert "The tag v1.0.1 was moved" in words
    assert "fffffff" in words
    assert not Approval.objects.exists()
    assert "Approve" not in nora.get(url(run)).content.decode().partition("<main")[2].partition("Break")[0].replace(
        "approvals", ""
    ).replace("Approval", "").replace("approval", "")


def test_a_form_that_was_shown_for_other_facts_is_a_conflict(shop: Shop) -> None:
    run, nora = shop.request(), as_(shop.person())
    assert nora.post(url(run), form(run) | {"binding": "0" * 64}).status_code == 409
    assert nora.post(url(run), {"says": "approve"}).status_code == 422
    assert not Approval.objects.exists()


def test_a_no_needs_a_reason_and_ends_it(shop: Shop) -> None:
    run, nora = shop.request(), as_(shop.person(username="nora"))
    answer = nora.post(url(run), form(run, "reject", "  "))
    assert answer.status_code == 422
    assert "Say why" in main_words(answer)
    # On a phone the field is far below the button that was pressed.
    assert 'aria-describedby="id_comment-err" autofocus' in answer.content.decode()
    assert nora.post(url(run), form(run, "reject", "The sum is wrong.")).status_code == 302
    run.refresh_from_db()
    assert run.state == Run.State.REJECTED
    assert "The sum is wrong." in main_words(nora.get(url(run)))


def test_the_reason_that_was_given_is_shown_and_who_said_what_is_told(shop: Shop) -> None:
    run, nora = shop.request(why="Payments <b>fail</b>; staging takes too long."), as_(shop.person(username="nora"))
    words = main_words(nora.get(url(run)))
    assert "The reason given: Payments <b>fail</b>; staging takes too long." in words
    assert nora.post(url(run), form(run)).status_code == 302
    assert "nora approved it." in main_words(nora.get(links.run(shop.project.slug, run.pk)))


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("engineer", 403), ("release-manager", 302)])
def test_the_role_decides(shop: Shop, role: str, status: int) -> None:
    run = shop.request()
    client = as_(shop.person(role))
    assert client.get(url(run)).status_code == 200
    assert client.post(url(run), form(run)).status_code == status
    assert Approval.objects.count() == (status == 302)


def test_who_asked_is_told_why_not_and_refused(shop: Shop) -> None:
    nora = shop.person()
    run = shop.request(asked_by=nora)
    page = as_(nora).get(url(run))
    assert "You asked for it; somebody else approves." in main_words(page)
    assert 'value="approve"' not in page.content.decode()
    assert as_(nora).post(url(run), form(run)).status_code == 403


def test_the_author_is_refused(shop: Shop) -> None:
    run = shop.request()
    mira = shop.person(username="mira", email="mira@example.com")
    answer = as_(mira).post(url(run), form(run))
    assert answer.status_code == 403
    assert not Approval.objects.exists()
    assert "Mira wrote it" in main_words(as_(shop.person()).get(url(run)))


def test_strangers_and_visitors_learn_nothing(shop: Shop) -> None:
    run = shop.request()
    stranger = as_(make_user("stranger", "administrator"))
    assert stranger.get(url(run)).status_code == 404
    assert stranger.post(url(run), form(run)).status_code == 404
    assert Client().get(url(run)).status_code == 302
    assert Client().post(url(run), form(run)).status_code == 302


def test_an_expired_session_approves_nothing(shop: Shop) -> None:
    run, client = shop.request(), as_(shop.person())
    client.session.flush()
    answer = client.post(url(run), form(run))
    assert answer.status_code == 302
    assert "/accounts/login/" in answer["Location"]
    assert not Approval.objects.exists()


def test_a_forged_form_approves_nothing(shop: Shop) -> None:
    run = shop.request()
    client = Client(enforce_csrf_checks=True)
    client.force_login(shop.person())
    assert client.post(url(run), form(run)).status_code == 403
    assert client.post(url(run, "approve"), form(run)).status_code == 403
    assert not Approval.objects.exists()


def test_one_s_own_yes_is_taken_back(shop: Shop) -> None:
    run, nora = shop.request(), shop.person()
    as_(nora).post(url(run), form(run))
    assert "Take my approval back" in main_words(as_(nora).get(url(run)))
    assert as_(nora).post(url(run, "withdraw")).status_code == 302
    assert Approval.objects.exclude(withdrawn_at=None).count() == 1
    assert as_(nora).post(url(run, "withdraw")).status_code == 409


def test_the_questions_of_a_phone_say_what_the_page_showed(shop: Shop) -> None:
    run, nora = shop.request(), as_(shop.person())
    body = nora.get(url(run)).content.decode()
    key = binding_key(binding_of(run))
    assert f'href="{url(run, "approve")}?binding={key}' in body
    question = nora.get(f"{url(run, 'approve')}?binding={key}").content.decode()
    assert f'value="{key}"' in question
    stale = nora.post(url(run, "approve"), {"binding": "0" * 64})
    assert stale.status_code == 409
    assert nora.post(url(run, "reject"), {"binding": key}).status_code == 422
    assert nora.post(url(run, "approve"), {"binding": key}).status_code == 302
    assert Approval.objects.count() == 1


def test_the_glass_is_broken_by_few_with_a_reason_and_shouted_everywhere(shop: Shop) -> None:
    run = shop.request()
    manager, boss = shop.person(), shop.person("administrator", username="boss")
    assert "Break the glass" not in main_words(as_(manager).get(url(run)))
    assert as_(manager).get(url(run, "glass")).status_code == 403
    assert "Break the glass" in main_words(as_(boss).get(url(run)))
    assert as_(boss).post(url(run, "glass"), {"why": "short"}).status_code == 422
    assert as_(boss).post(url(run, "glass"), {"why": "Payments are down for everybody."}).status_code == 302
    run.refresh_from_db()
    assert run.state == Run.State.QUEUED
    told = main_words(as_(manager).get(links.run(shop.project.slug, run.pk)))
    assert "boss broke the glass: “Payments are down for everybody.”" in told
    for path in ("/", "/projects/", f"/projects/{shop.project.slug}/releases/", "/search/"):
        page = as_(manager).get(path).content.decode()
        assert "boss broke the glass" in page, path
        assert "Payments are down for everybody." in page, path
    assert "broke the glass" not in as_(make_user("stranger", "engineer")).get("/projects/").content.decode()


def test_a_second_person_looks_at_broken_glass(shop: Shop) -> None:
    boss, other = shop.person("administrator"), shop.person()
    run = shop.request(state="queued", glass_by=boss, glass_why="Payments are down for everybody.")
    FollowUp.objects.create(run=run)
    assert as_(boss).post(url(run, "reviewed"), {"note": "Fine."}).status_code == 403
    assert as_(other).post(url(run, "reviewed"), {"note": "It was right; the alarm was real."}).status_code == 302
    assert "broke the glass" not in as_(other).get("/projects/").content.decode()
    assert "It was right" in main_words(as_(other).get(f"/projects/{shop.project.slug}/deploys/{run.pk}/"))
    assert as_(other).get(url(run, "reviewed")).status_code == 409


def test_hostile_text_stays_text(shop: Shop) -> None:
    evil = "<script>alert(1)</script>\u202e"
    shop.repo.commit({"<img src=x onerror=alert(1)>.py": "</td><script>x</script>\n"}, evil, author="mira")
    shop.repo.tag("v1.0.2", message=evil)
    run = shop.request("v1.0.2", why=evil)
    Environment.objects.filter(pk=shop.place.pk).update(seen=evil, probe={"kind": "http-text"}, probe_error=evil)
    nora = shop.person()
    approve(Run.objects.get(pk=run.pk), nora, evil, binding=binding_of(run))
    body = as_(shop.person()).get(url(run)).content.decode().partition("<main")[2]
    assert "<script>" not in body
    assert "<img src=x" not in body
    assert "\u202e" not in body


def test_without_the_mirror_it_says_what_it_cannot_tell(shop: Shop, settings: Any, tmp_path: Path) -> None:
    run = shop.request()
    settings.MIRROR_DIR = tmp_path / "nowhere"
    words = main_words(as_(shop.person()).get(url(run)))
    assert "What would change could not be told." in words


@pytest.mark.parametrize("more", [0, 12])
def test_the_number_of_queries_does_not_grow(shop: Shop, more: int, django_assert_max_num_queries: Any) -> None:
    run = shop.request()
    assert run.build is not None
    for number in range(more):
        make_step(run.build, f"check {number}", "check", state="done", started_at=timezone.now())
    client = as_(shop.person())
    client.get(url(run))
    with django_assert_max_num_queries(60):
        client.get(url(run))


def test_until_when_a_freeze_or_a_lock_holds_it_is_said(shop: Shop) -> None:
    run, now = shop.request(), timezone.now()
    Environment.objects.filter(pk=shop.place.pk).update(time_zone="Asia/Tokyo", approvals=1)
    person = as_(shop.person())
    assert "Approve and deploy" in main_words(person.get(url(run)))
    ends = now + timedelta(days=2)
    Freeze.objects.create(environment=shop.place, why="Quarter end", starts_at=now, ends_at=ends)
    at = ends.astimezone(ZoneInfo("Asia/Tokyo"))
    said = f"production is frozen until {at:%a} {at.day} {at:%b}, {at:%H:%M} (Asia/Tokyo): Quarter end"
    words = main_words(person.get(url(run)))
    assert said in words
    assert "Approve and deploy" not in words
    assert "It starts once nothing holds it." in words
    assert said in main_words(person.get(f"/projects/{run.project.slug}/deploys/{run.pk}/"))
    person.post(url(run), form(run))
    assert Run.objects.get(pk=run.pk).state == "queued"
    assert said in main_words(person.get(f"/projects/{run.project.slug}/deploys/{run.pk}/"))
    environment_lock(shop.place, None, "Moving house.")
    assert "production is locked by the operator until somebody unlocks it: Moving house." in main_words(
        person.get(url(run))
    )


def moved_on(shop: Shop) -> None:
    """Something else runs in production by now."""
    shop.repo.commit({"other.py": "other\n"}, "Something else", author="jonas")
    shop.repo.tag("v1.0.2", message="Version 1.0.2")
    shop.runs("v1.0.2")


def test_what_was_shown_at_the_decision_stays_on_the_page(shop: Shop) -> None:
    run, client = shop.request(), as_(shop.person(username="nora"))
    before = main_words(client.get(url(run)))
    client.post(url(run), form(run, "reject", "Not on a Friday."))
    moved_on(shop)
    words = main_words(client.get(url(run)))
    assert "This is what was to be seen when nora said no," in words
    for part in (
        "v1.0.0..v1.0.1",
        "Commits 1",
        "Files 1",
        "Lines +1 −1",
        "[HOTFIX] TICKET-7: Mend it",
        "brings v1.0.0 back",
    ):
        assert part in before, part
        assert part in words, part
    assert "v1.0.2" not in words
    (kept,) = run.shown.all()
    picture = Picture.from_data(kept.data)
    assert picture.as_data() == kept.data
    assert picture.delta.base.commit == shop.repo.sha("v1.0.0^{commit}")
    assert picture.risks


def test_what_ended_without_a_decision_keeps_what_there_was_to_decide(
    shop: Shop, django_capture_on_commit_callbacks: Any
) -> None:
    run, client = shop.request(), as_(shop.person())
    with django_capture_on_commit_callbacks(execute=True):
        runs_expire(timezone.now() + timedelta(days=2))
    moved_on(shop)
    words = main_words(client.get(url(run)))
    assert "This is what was to be seen when it was decided, or ended," in words
    assert "v1.0.0..v1.0.1" in words
    assert "v1.0.0 was brought there last" in words


def test_while_it_waits_the_page_shows_what_is_so_now(shop: Shop) -> None:
    run, client = shop.request(), as_(shop.person())
    client.post(url(run), form(run))
    moved_on(shop)
    words = main_words(client.get(url(run)))
    assert "This is what was to be seen" not in words
    assert "v1.0.2..v1.0.1" in words
