"""Reviews bound to the tip: who counts, how many, and what voids them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from releases.hotfixes.errors import HotfixError
from releases.hotfixes.models import Hotfix, Review
from releases.hotfixes.services import hotfix_close, hotfix_review
from releases.ledger.models import Event
from releases.policies.flow import FlowPolicy
from tests.factories import make_user
from tests.gitrepos import Repo, make_flow
from tests.hotfixes.playing import app, look, opened, stage, track

pytestmark = pytest.mark.django_db
BRANCH = "hotfix/TICKET-7"


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    repo = make_flow(tmp_path)
    repo.branch(BRANCH, "v1.0.0")
    repo.commit({"app.py": app((3, "mended"))}, "[HOTFIX] TICKET-7: mend", branch=BRANCH, author="robin")
    return repo


def ticket(repo: Repo, policy: FlowPolicy | None = None, **fields: Any) -> Hotfix:
    return opened(track(repo, policy or FlowPolicy()), **fields)


def says(hotfix: Hotfix, person: Any, what: str = "approve", text: str = "Looked at it.") -> Review:
    hotfix.refresh_from_db()
    return hotfix_review(hotfix, what, text, hotfix.head, person)


def test_an_approval_by_somebody_else_counts_until_the_branch_moves(repo: Repo) -> None:
    hotfix = ticket(repo)
    says(hotfix, make_user("mira", "engineer"))
    assert (stage(hotfix, "review").state, stage(hotfix, "review").detail) == ("done", "by mira")
    repo.commit({"app.py": app((3, "mended"), (5, "too"))}, "[HOTFIX] TICKET-7: more", branch=BRANCH)
    look(hotfix.project)
    assert stage(hotfix, "review").detail == "the branch moved since"
    told = Event.objects.filter(kind="hotfix.stage", target="review").order_by("pk")
    assert [(event.old, event.new) for event in told] == [("waiting", "done"), ("done", "waiting")]


@pytest.mark.parametrize(
    "fields", [{"username": "robin"}, {"username": "rob", "email": "Robin@example.org"},
               {"username": "rob", "first_name": "Robin"}],
)  # fmt: skip
def test_the_authors_own_approval_does_not_count(repo: Repo, fields: dict[str, str]) -> None:
    hotfix = ticket(repo)
    author = make_user(role="release-manager", **fields)  # type: ignore[arg-type]
    says(hotfix, author)
    assert stage(hotfix, "review").state == "waiting"


def test_the_owner_counts_as_author_of_what_an_unknown_wrote(repo: Repo) -> None:
    owner = make_user("mira", "engineer")
    hotfix = ticket(repo, owner=owner)
    says(hotfix, owner)
    assert stage(hotfix, "review").state == "waiting"
    make_user("robin", "engineer", email="robin@example.org")
    look(hotfix.project)
    assert stage(hotfix, "review").detail == "by mira"


def test_sev1_takes_two(repo: Repo) -> None:
    hotfix = ticket(repo, severity=1)
    says(hotfix, make_user("mira", "engineer"))
    assert stage(hotfix, "review").detail == "1 of 2"
    says(hotfix, make_user("morgan", "engineer"))
    assert stage(hotfix, "review").detail == "by mira, morgan"


def test_one_person_is_not_two(repo: Repo) -> None:
    hotfix = ticket(repo, severity=1)
    mira = make_user("mira", "engineer")
    says(hotfix, mira)
    says(hotfix, mira)
    assert stage(hotfix, "review").detail == "1 of 2"


def test_asking_for_changes_stops_it_until_taken_back(repo: Repo) -> None:
    hotfix = ticket(repo)
    mira = make_user("mira", "engineer")
    says(hotfix, make_user("morgan", "engineer"))
    says(hotfix, mira, "changes", "The rounding is off.")
    assert stage(hotfix, "review").detail == "changes asked by mira"
    says(hotfix, mira, "comment", "I look again.")
    assert stage(hotfix, "review").state == "failed"
    says(hotfix, mira)
    assert stage(hotfix, "review").state == "done"


def test_a_project_may_need_none(repo: Repo) -> None:
    hotfix = ticket(repo, replace(FlowPolicy(), reviewers=0))
    assert stage(hotfix, "review").detail == "not required"


def test_a_review_of_another_tip_is_refused(repo: Repo) -> None:
    hotfix = ticket(repo)
    seen = hotfix.head
    repo.commit({"app.py": app((3, "other"))}, "[HOTFIX] TICKET-7: other", branch=BRANCH)
    look(hotfix.project)
    with pytest.raises(HotfixError, match="moved on") as refused:
        hotfix_review(hotfix, "approve", "", seen, make_user())
    assert refused.value.field == "head"
    assert not Review.objects.exists()


def test_remarks_need_words_and_closed_tickets_take_none(repo: Repo) -> None:
    hotfix = ticket(repo)
    with pytest.raises(HotfixError) as refused:
        says(hotfix, make_user(), "changes", " ")
    assert refused.value.field == "text"
    hotfix_close(hotfix, "abandoned", "Not needed.")
    with pytest.raises(HotfixError, match="Reopen it first"):
        says(hotfix, make_user())
