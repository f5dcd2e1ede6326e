"""The overview: the sentence, what is owed, the gates, and honest words about what is not known."""

from __future__ import annotations

import html
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from hotfixdash.accounts.models import User
from releases.evidence.verdicts import Code
from releases.policies.models import Target
from releases.projects.models import FetchRun, Project
from tests.factories import make_fix, make_project, make_release, make_run, make_target, make_user, make_verdict

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    cache.clear()


@pytest.fixture
def manager() -> User:
    return make_user("mara", "release-manager", all_projects=True)


def ago(**span: float) -> datetime:
    return timezone.now() - timedelta(**span)


def judged(name: str = "shop", **fields: Any) -> Project:
    seen = ago(seconds=40)
    return make_project(name, **({"fetched_at": seen, "judged_at": seen, "visibility": "signed-in"} | fields))


def owe(project: Project, target: Target, code: Code = Code.MISSING, *, subject: str = "Fix it", **fields: Any) -> None:
    since = fields.pop("since", ago(days=1))
    fix = make_fix(project, subject, live_since=since, **fields.pop("fix", {}))
    make_verdict(fix, target, code, **({"owed_since": since} | fields))


def text_of(client: Client, user: User | None, path: str = "/", **headers: str) -> str:
    """What the page says, without markup."""
    if user is not None:
        client.force_login(user)
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200
    body = re.sub(r"(?s)<(script|style|svg).*?</\1>", "", answer.content.decode())
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", body)).split())


def test_the_sentence_counts_what_is_owed_and_says_for_how_long(client: Client, manager: User) -> None:
    project = judged()
    develop = make_target(project)
    owe(project, develop, since=ago(days=9, hours=3))
    owe(project, develop, Code.PARTIAL, since=ago(hours=2))
    page = text_of(client, manager)
    assert "2 fixes live in production are missing from develop. The oldest has waited 9 days." in page


def test_one_fix_is_said_in_the_singular(client: Client, manager: User) -> None:
    project = judged()
    owe(project, make_target(project), since=ago(hours=5))
    page = text_of(client, manager)
    assert "1 fix live in production is missing from develop. It has waited 5 hours." in page


def test_all_clear_is_said_in_full(client: Client, manager: User) -> None:
    project = judged()
    make_verdict(make_fix(project), make_target(project), Code.MERGED)
    page = text_of(client, manager)
    assert "Every fix that is live in production is also in develop." in page
    assert "Nothing is owed to develop." in page


def test_a_release_that_ships_before_the_fix_is_there_is_named_with_its_day(client: Client, manager: User) -> None:
    project = judged("checkout")
    develop = make_target(project)
    release = make_target(
        project, "release/1.3", kind=Target.Kind.RELEASE, planned_version="v1.3.0",
        planned_for=timezone.now() + timedelta(days=1),
    )  # fmt: skip
    for target in (develop, release):
        owe(project, target, since=ago(hours=3))
    page = text_of(client, manager)
    assert "Shipping checkout v1.3.0 tomorrow would bring 1 bug back." in page
    assert "Closed: would reintroduce 1 fixed bug" in page


def test_a_gate_with_time_left_tells_when_it_closes(client: Client, manager: User) -> None:
    project = judged()
    develop = make_target(project)
    owe(project, develop, since=ago(hours=46))
    assert "1 fix owed, due in 1 h 59 m" in text_of(client, manager)


def test_a_gate_without_debt_is_open(client: Client, manager: User) -> None:
    make_target(judged())
    assert "Open: brings no bug back" in text_of(client, manager)


def test_the_project_s_own_limit_counts(client: Client, manager: User) -> None:
    project = judged(policy={"preset": "gitflow", "sla_hours": 4})
    owe(project, make_target(project), since=ago(hours=6, minutes=30))
    page = text_of(client, manager)
    assert "Limit for a merge-back: 4 h" in page
    assert "2 h 30 m over the limit" in page


def test_what_git_could_not_judge_is_neither_owed_nor_clear(client: Client, manager: User) -> None:
    project = judged()
    owe(project, make_target(project), Code.UNKNOWN, subject="Beyond the boundary")
    page = text_of(client, manager)
    assert "No fix is known to be missing from develop, but 1 fix could not be judged." in page
    assert "Beyond the boundary" in page


def test_what_is_only_likely_waits_for_a_look_and_is_not_counted_as_missing(client: Client, manager: User) -> None:
    project = judged()
    owe(project, make_target(project), Code.LIKELY, subject="Retry the bank", why="Same author and date.")
    page = text_of(client, manager)
    assert "No fix is known to be missing from develop. 1 fix needs a look." in page
    assert "Waiting for you 1" in page
    assert "Same author and date." in page


def test_chores_and_settled_fixes_are_not_owed(client: Client, manager: User) -> None:
    project = judged()
    develop = make_target(project)
    make_verdict(make_fix(project, "Bump version", chore=True), develop, Code.MISSING)
    make_verdict(make_fix(project, "Left out on purpose"), develop, Code.WAIVED)
    assert "Every fix that is live in production is also in develop." in text_of(client, manager)


def test_a_closed_branch_owes_nothing(client: Client, manager: User) -> None:
    project = judged()
    make_target(project)
    gone = make_target(project, "release/1.2", kind=Target.Kind.RELEASE)
    owe(project, gone)
    Target.objects.filter(pk=gone.pk).update(closed_at=timezone.now())
    page = text_of(client, manager)
    assert "Every fix that is live in production is also in develop." in page
    assert "release/1.2" not in page


def test_debts_of_other_branches_are_told_apart(client: Client, manager: User) -> None:
    project = judged()
    make_target(project)
    owe(project, make_target(project, "support/1.1", kind=Target.Kind.SUPPORT, position=2))
    page = text_of(client, manager)
    assert "Every fix that is live in production is also in develop." in page
    assert "Owed to other branches: 1 to support/1.1" in page


def test_a_silent_remote_keeps_its_verdicts_with_their_time(client: Client, manager: User) -> None:
    at = timezone.now().replace(hour=0, minute=31, second=0)
    project = judged(
        judged_at=at, error_text="The server did not answer.", error_code="unreachable", error_since=at, failures=3
    )
    owe(project, make_target(project))
    page = text_of(client, manager)
    assert "Git has not answered for shop since 00:31. The server did not answer. Verdicts are from 00:31." in page
    assert "1 fix live in production is missing" in page


def test_before_the_first_verdict_nothing_is_claimed(client: Client, manager: User) -> None:
    make_run(make_project("fresh"), state=FetchRun.State.RUNNING, stage="Cloning")
    page = text_of(client, manager)
    assert "1 project is being read. The answer follows." in page
    assert "Every fix" not in page


def test_without_a_project_an_administrator_is_led_to_adding_one(client: Client) -> None:
    page = text_of(client, make_user("ada", "administrator"))
    assert "No project yet." in page
    assert "Add a repository" in page


def test_without_a_project_others_are_told_who_can_help(client: Client) -> None:
    assert "No repository is open to you." in text_of(client, make_user("vic"))


def test_only_projects_that_one_may_see_are_counted(client: Client) -> None:
    mine, other = judged("mine", visibility="members"), judged("other", visibility="members")
    for project in (mine, other):
        owe(project, make_target(project))
    page = text_of(client, make_user("vic", projects=[mine]))
    assert "1 fix live in production is missing" in page
    assert "other" not in page


def test_a_project_taken_away_is_gone_at_once(client: Client) -> None:
    mine = judged("mine", visibility="members")
    person = make_user("vic", projects=[mine])
    assert "mine" in text_of(client, person)
    mine.access.all().delete()
    assert "mine" not in text_of(client, person)


def test_a_new_verdict_shows_at_once(client: Client, manager: User) -> None:
    project = judged()
    develop = make_target(project)
    assert "Every fix" in text_of(client, manager)
    owe(project, develop)
    Project.objects.filter(pk=project.pk).update(judged_at=timezone.now())
    assert "1 fix live in production is missing" in text_of(client, manager)


def test_a_public_project_is_shown_to_visitors_and_nothing_else(client: Client) -> None:
    project = judged("open", visibility="public")
    owe(project, make_target(project), subject="In the open")
    page = text_of(client, None, "/projects/open/")
    assert "In the open" in page
    assert "Check now" not in page
    assert client.get("/").status_code == 302
    judged("closed", visibility="members")
    assert client.get("/projects/closed/").status_code == 302


def test_the_scope_of_one_project(client: Client, manager: User) -> None:
    one, two = judged("one"), judged("two")
    owe(one, make_target(one), subject="Of one")
    owe(two, make_target(two), subject="Of two")
    page = text_of(client, manager, "/projects/one/")
    assert "Of one" in page
    assert "Of two" not in page


def test_the_longest_waiting_stands_first_unless_the_newest_is_asked_for(client: Client, manager: User) -> None:
    project = judged()
    develop = make_target(project)
    for days in (3, 9, 1):
        owe(project, develop, subject=f"After {days} days", since=ago(days=days))
    order = r"After (\d) days"
    page = text_of(client, manager)
    assert [*dict.fromkeys(re.findall(order, page))] == ["9", "3", "1"]
    newest = text_of(client, manager, "/?sort=newest")
    assert [*dict.fromkeys(re.findall(order, newest[: newest.index("Next release gate")]))] == ["1", "3", "9"]


def test_what_is_owed_comes_in_pages(client: Client, manager: User) -> None:
    project = judged()
    develop = make_target(project)
    for number in range(30):
        owe(project, develop, subject=f"Number {number:02}.", since=ago(hours=100 - number))
    first, second = text_of(client, manager), text_of(client, manager, "/?page=2")
    assert "1 to 25 of 30" in first
    assert "26 to 30 of 30" in second
    assert "Number 25." in second
    assert "26 to 30 of 30" in text_of(client, manager, "/?page=99")
    assert "1 to 25 of 30" in text_of(client, manager, "/?page=nonsense")


def test_names_from_git_cannot_forge_the_page(client: Client, manager: User) -> None:
    project = judged()
    owe(project, make_target(project), subject="<script>x</script> \u202egpj.exe \x07", fix={"ticket": "<b>T-1</b>"})
    client.force_login(manager)
    body = client.get("/").content.decode()
    assert "<script>x" not in body
    assert "<b>T-1" not in body
    assert "\u202e" not in body
    assert "⟨U+202E⟩gpj.exe ⟨U+0007⟩" in body


def test_the_live_part_alone_answers_a_fragment_request(client: Client, manager: User) -> None:
    owe(project := judged(), make_target(project))
    client.force_login(manager)
    answer = client.get("/", headers={"HX-Request": "true"})
    assert answer.content.decode().lstrip().startswith('<div id="overview"')
    assert "HX-Request" in answer["Vary"]


def test_what_is_in_production_says_since_when(client: Client, manager: User) -> None:
    project = judged()
    project.production_release = make_release(project, "v1.2.3", tagged_at=ago(days=2, hours=3))
    project.save()
    assert "v1.2.3 for 2 d 3 h" in text_of(client, manager)


def test_fixes_that_came_back_late_are_shown_with_their_lag(client: Client, manager: User) -> None:
    project = judged()
    fix = make_fix(project, "Mask card numbers")
    make_verdict(fix, make_target(project), Code.MERGED, settled_at=ago(days=1), lag_seconds=6 * 86400)
    page = text_of(client, manager)
    assert "Brought back lately" in page
    assert "after 6 d late" in page


def test_check_now_queues_one_fetch_and_says_so(client: Client) -> None:
    project = judged()
    client.force_login(make_user("jo", "engineer", all_projects=True))
    for _ in range(2):
        answer = client.post(f"/projects/{project.slug}/check/", follow=True)
    assert "Checking shop against git" in answer.content.decode()
    run = FetchRun.objects.get(project=project)
    assert (run.state, run.trigger, run.asked_by and run.asked_by.username) == ("queued", "person", "jo")


def test_check_now_for_all_projects(client: Client) -> None:
    for name in ("one", "two"):
        judged(name)
    client.force_login(make_user("jo", "engineer", all_projects=True))
    assert client.post("/check/").status_code == 302
    assert FetchRun.objects.count() == 2


def test_a_viewer_cannot_ask_for_a_check(client: Client) -> None:
    project = judged()
    client.force_login(make_user("vic"))
    assert client.post(f"/projects/{project.slug}/check/").status_code == 403
    assert client.post("/check/").status_code == 403
    assert "Check now" not in text_of(client, None)
    assert not FetchRun.objects.exists()


def test_a_check_does_not_send_the_person_to_another_site(client: Client) -> None:
    project = judged()
    client.force_login(make_user("jo", "engineer", all_projects=True))
    answer = client.post(f"/projects/{project.slug}/check/", {"next": "https://evil.example.org/"})
    assert answer["Location"] == f"/projects/{project.slug}/"
