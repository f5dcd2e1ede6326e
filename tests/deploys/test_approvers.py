"""Who may speak on a deployment: the role, the names, and nobody about their own work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hotfixdash.accounts.models import User
from hotfixdash.accounts.roles import Role
from releases.deploys.approving import approve, break_glass, reject, withdraw
from releases.deploys.binding import binding_of
from releases.deploys.errors import DeployRefused
from releases.deploys.inbox import follow_up_close, glass_open
from releases.deploys.models import Approval, Environment, FollowUp, Run
from releases.deploys.persons import may_approve, may_break
from releases.operations.models import Operation
from releases.projects.models import ProjectAccess
from releases.projects.services.mirrors import mirror_folder
from tests.factories import make_operation, make_user

from .asking import Shop, make_shop

pytestmark = pytest.mark.django_db
WHY = "Card payments are declined everywhere."


@pytest.fixture
def shop(tmp_path: Path, settings: Any) -> Shop:
    return make_shop(tmp_path, settings)


def refused(run: Run, person: User) -> str:
    """The code of the refusal that this person's yes and no meet; nothing is kept of either."""
    codes = set()
    for speak in (approve, reject):
        with pytest.raises(DeployRefused) as caught:
            speak(run, person, "Because.", binding=binding_of(run))
        codes.add(caught.value.code)
    assert not Approval.objects.filter(person=person, run=run).exists()
    assert Run.objects.get(pk=run.pk).state == Run.State.ASKED
    return codes.pop() if len(codes) == 1 else ", ".join(sorted(codes))


# --- role, names, access ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["viewer", "engineer"])
def test_a_role_that_approves_nothing_is_refused(shop: Shop, role: str) -> None:
    assert refused(shop.request(), shop.person(role)) == "role"


def test_a_stricter_environment_asks_for_more_than_the_role_that_approves_elsewhere(shop: Shop) -> None:
    Environment.objects.filter(pk=shop.place.pk).update(approver_role=Role.ADMINISTRATOR.value)
    run = shop.request()
    assert refused(run, shop.person("release-manager")) == "role"
    assert may_approve(run, shop.person("administrator")) == ""


def test_when_people_are_named_nobody_else_counts(shop: Shop) -> None:
    named, other = shop.person(), shop.person("administrator")
    shop.place.approvers.add(named)
    run = shop.request()
    assert refused(run, other) == "role"
    assert may_approve(run, named) == ""


def test_being_named_does_not_stand_in_for_the_role(shop: Shop) -> None:
    engineer = shop.person("engineer")
    shop.place.approvers.add(engineer)
    assert refused(shop.request(), engineer) == "role"


def test_a_project_that_somebody_cannot_see_does_not_exist_for_them(shop: Shop) -> None:
    run, stranger = shop.request(), make_user(role="release-manager")
    assert refused(run, stranger) == "unseen"
    for act in (lambda: withdraw(run, stranger), lambda: break_glass(run, stranger, WHY)):
        with pytest.raises(DeployRefused) as caught:
            act()
        assert caught.value.code == "unseen"


def test_access_that_ended_and_accounts_that_are_switched_off_count_no_more(shop: Shop) -> None:
    run, former, off = shop.request(), shop.person(), shop.person(is_active=False)
    ProjectAccess.objects.filter(user=former).delete()
    assert refused(run, former) == "unseen"
    assert refused(run, off) == "unseen"


# --- their own work --------------------------------------------------------------------------------------------------


def test_who_asked_does_not_approve(shop: Shop) -> None:
    person = shop.person()
    assert refused(shop.request(asked_by=person), person) == "own"


@pytest.mark.parametrize(
    "person",
    [
        {"email": "MIRA@example.org"},
        {"username": "mira"},
        {"username": "m1", "first_name": "Mira"},
    ],
    ids=["address", "log-in", "name"],
)
def test_an_author_does_not_approve_by_whichever_name(shop: Shop, person: dict[str, str]) -> None:
    assert refused(shop.request(), shop.person(**person)) == "own"


def test_the_author_of_any_commit_in_it_does_not_approve(shop: Shop) -> None:
    shop.repo.commit({"b.py": "b\n"}, "Somebody's", author="jonas")
    shop.repo.commit({"c.py": "c\n"}, "Somebody else's", author="lena")
    shop.repo.tag("v1.0.2", message="Version 1.0.2")
    run = shop.request("v1.0.2")
    assert [refused(run, shop.person(username=name)) for name in ("mira", "jonas", "lena")] == ["own"] * 3
    assert may_approve(run, shop.person(username="robin")) == ""  # wrote only what runs there already


def test_a_co_author_does_not_approve(shop: Shop) -> None:
    message = "Pair on it\n\nCo-authored-by: Lena <lena@example.org>\nCo-Authored-By: Tomas <tomas@example.org>\n"
    shop.repo.commit({"b.py": "b\n"}, message, author="jonas")
    shop.repo.tag("v1.0.2", message="Version 1.0.2")
    run = shop.request("v1.0.2")
    assert [refused(run, shop.person(email=f"{name}@example.org")) for name in ("lena", "tomas")] == ["own"] * 2


def test_a_mailmap_hides_nobody(shop: Shop) -> None:
    lines = "Somebody Else <else@example.org> Jonas <jonas@example.org>\n"
    shop.repo.commit({".mailmap": lines, "b.py": "b\n"}, "Change", author="jonas")
    shop.repo.tag("v1.0.2", message="Version 1.0.2")
    run = shop.request("v1.0.2")
    assert refused(run, shop.person(email="jonas@example.org")) == "own"
    assert refused(run, shop.person(email="else@example.org")) == "own"


def test_who_committed_it_last_does_not_approve(shop: Shop) -> None:
    shop.repo.commit({"b.py": "b\n"}, "Change", author="jonas", committer="lena")
    shop.repo.tag("v1.0.2", message="Version 1.0.2")
    assert refused(shop.request("v1.0.2"), shop.person(username="lena")) == "own"


def test_who_tagged_it_does_not_approve(shop: Shop) -> None:
    assert refused(shop.request(), shop.person(email="morgan@example.org")) == "own"


def test_who_finished_it_here_does_not_approve(shop: Shop) -> None:
    person = shop.person()
    make_operation(
        shop.project, "finish", actor=person, state=Operation.State.DONE, params={"tag": "v1.0.1"}, key="finish:v1.0.1"
    )
    assert refused(shop.request(), person) == "own"


def test_who_had_main_tagged_here_does_not_approve(shop: Shop) -> None:
    person = shop.person()
    make_operation(
        shop.project, "tag", actor=person, state=Operation.State.DONE, params={"tag": ""}, outcome={"tag": "v1.0.1"}
    )
    assert refused(shop.request(), person) == "own"


def test_who_cut_the_branch_here_does_not_approve(shop: Shop) -> None:
    person = shop.person()
    shop.project.hotfixes.create(key="TICKET-7", title="Mend it", tag="v1.0.1")
    make_operation(shop.project, "cut", actor=person, state=Operation.State.DONE, subject="hotfix:TICKET-7")
    assert refused(shop.request(), person) == "own"


def test_who_cut_from_that_release_or_failed_to_finish_it_may_approve(shop: Shop) -> None:
    person = shop.person()
    make_operation(
        shop.project, "cut", actor=person, state=Operation.State.DONE, subject="hotfix:TICKET-9",
        params={"tag": "v1.0.1"},
    )  # fmt: skip
    make_operation(shop.project, "finish", actor=person, state=Operation.State.FAILED, params={"tag": "v1.0.1"})
    assert may_approve(shop.request(), person) == ""


def test_nobody_approves_while_git_cannot_say_who_wrote_it(shop: Shop) -> None:
    run = shop.request()
    mirror_folder(shop.project).rename(mirror_folder(shop.project).with_suffix(".away"))
    person = shop.person()
    assert refused(run, person) == "own"
    assert "cannot be told" in may_approve(run, person)


def test_what_lies_between_is_measured_from_what_runs_there_not_from_the_tag_before(shop: Shop) -> None:
    shop.repo.commit({"b.py": "b\n"}, "Another", author="jonas")
    shop.repo.tag("v1.0.2", message="Version 1.0.2")
    shop.release("v1.0.1")
    run = shop.request("v1.0.2")
    assert run.release is not None
    assert run.release.previous is not None
    assert run.release.previous.tag == "v1.0.1"
    assert refused(run, shop.person(username="mira")) == "own"  # of v1.0.1, which never ran there


# --- the glass -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("role", "may"), [("viewer", False), ("engineer", False), ("release-manager", False),
                                           ("administrator", True)])  # fmt: skip
def test_only_the_named_role_breaks_the_glass(shop: Shop, role: str, may: bool) -> None:
    run, person = shop.request(), shop.person(role)
    assert (may_break(run, person) == "") is may
    if not may:
        with pytest.raises(DeployRefused) as caught:
            break_glass(run, person, WHY)
        assert caught.value.code == "role"
        assert not FollowUp.objects.exists()


def test_the_follow_up_is_closed_by_a_second_person_alone(shop: Shop) -> None:
    run, admin = shop.request(), shop.person("administrator")
    break_glass(run, admin, WHY)
    follow_up = FollowUp.objects.get()
    second = shop.person()
    attempts = [
        (admin, "I looked.", "own"), (shop.person("engineer"), "Fine.", "role"), (second, " ", "comment"),
        (make_user(role="administrator"), "Fine.", "unseen"),
    ]  # fmt: skip
    for person, note, code in attempts:
        with pytest.raises(DeployRefused) as caught:
            follow_up_close(follow_up, person, note)
        assert caught.value.code == code
    assert [item.run for item in glass_open()] == [run]
    follow_up_close(follow_up, second, "Read the diff and the log; all is well.")
    assert (follow_up.closed_by, list(glass_open())) == (second, [])
    with pytest.raises(DeployRefused, match="already"):
        follow_up_close(follow_up, second, "Again.")


def test_the_banner_tells_only_those_who_may_see_the_project(shop: Shop) -> None:
    run = shop.request()
    break_glass(run, shop.person("administrator"), WHY)
    assert [item.run for item in glass_open(shop.person("viewer"))] == [run]
    assert list(glass_open(make_user())) == []


def test_nobody_sheds_their_own_work_by_another_name_or_address(shop: Shop) -> None:
    person = shop.person(email="mira@example.org", first_name="Mira")
    run = shop.request()
    assert refused(run, person) == "own"
    for name, address in (("M.", "m@example.net"), ("Somebody", "")):
        person = User.objects.get(pk=person.pk)
        person.first_name, person.email = name, address
        person.save()
        assert refused(run, User.objects.get(pk=person.pk)) == "own"
    assert "mira@example.org" in User.objects.get(pk=person.pk).known_as
