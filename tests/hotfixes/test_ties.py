"""What ties a ticket to git when the branch is deleted, squashed, rebased, rewritten, or named otherwise."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from releases.hotfixes.adopting import hotfix_adopt
from releases.hotfixes.errors import HotfixError
from releases.hotfixes.listing import untracked
from releases.hotfixes.models import Hotfix, Untracked
from releases.hotfixes.services import hotfix_open, hotfix_review
from releases.ledger.models import Event
from releases.policies.flow import FlowPolicy
from releases.projects.models import Project
from tests.factories import make_user
from tests.gitrepos import Repo, make_flow
from tests.hotfixes.playing import app, look, opened, stage, states, track

pytestmark = pytest.mark.django_db
BRANCH = "hotfix/TICKET-7"
MENDED = "amount_{0} = (price_{0} * quantity).quantize(CENT, rounding=ROUND_HALF_UP)  # cents stay whole"


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    repo = make_flow(tmp_path)
    repo.branch(BRANCH, "v1.0.0")
    return repo


@pytest.fixture
def project(repo: Repo) -> Project:
    return track(repo, FlowPolicy())


def mend(repo: Repo, *lines: int, **fields: Any) -> str:
    """One commit on the branch; names every line that is changed by then."""
    changes = [(line, MENDED.format(line)) for line in lines or (3,)]
    return repo.commit({"app.py": app(*changes)}, "[HOTFIX] TICKET-7: mended", branch=BRANCH, **fields)


def test_a_branch_in_other_letters_belongs_to_the_ticket(repo: Repo, project: Project) -> None:
    repo.branch("hotfix/ticket-9-mend-the-till", "v1.0.0")
    hotfix = opened(project, "TICKET-9")
    look(project)
    assert stage(hotfix, "branch").state == "done"
    assert hotfix.branch == "hotfix/ticket-9-mend-the-till"


def test_another_ticket_that_begins_alike_is_another(repo: Repo, project: Project) -> None:
    repo.branch("hotfix/TICKET-71", "v1.0.0")
    hotfix = opened(project)
    look(project)
    hotfix.refresh_from_db()
    assert hotfix.branch == BRANCH


def test_a_rewritten_branch_has_its_new_commits_and_voids_reviews(repo: Repo, project: Project) -> None:
    hotfix = opened(project)
    mend(repo)
    look(project)
    hotfix.refresh_from_db()
    hotfix_review(hotfix, "approve", "", hotfix.head, make_user("mira", "engineer"))
    assert stage(hotfix, "review").detail == "by mira"
    fresh = repo.commit(
        {"app.py": app((3, "better"))}, "[HOTFIX] TICKET-7: better", parents=[repo.sha("v1.0.0")], branch=BRANCH
    )
    look(project)
    review = stage(hotfix, "review")
    assert (review.state, review.detail) == ("waiting", "the branch moved since")
    assert [commit["sha"] for commit in hotfix.commits] == [fresh]
    told = Event.objects.filter(kind="hotfix.pushed").latest("pk")
    assert told.why == "hotfix/TICKET-7 was rewritten: 1 commit new, 1 gone."


def test_a_branch_deleted_before_it_went_out_needs_a_look(repo: Repo, project: Project) -> None:
    hotfix = opened(project)
    kept = mend(repo)
    look(project)
    repo.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    look(project)
    fix = stage(hotfix, "fix")
    assert (fix.state, fix.detail) == ("failed", "branch deleted before it went out")
    assert [commit["sha"] for commit in hotfix.commits] == [kept]
    repo.branch("hotfix/TICKET-7-again", kept)
    look(project)
    hotfix.refresh_from_db()
    assert hotfix.branch == "hotfix/TICKET-7-again"
    assert states(hotfix)["fix"] == "done"


@pytest.mark.parametrize("message", ["TICKET-7 mend it all", "Mend it all"])
def test_a_squashed_hotfix_is_recognised_with_and_without_its_key(repo: Repo, project: Project, message: str) -> None:
    hotfix = opened(project)
    mend(repo)
    mend(repo, 3, 5)
    look(project)
    squashed = repo.squash(BRANCH, "main", message=message)
    repo.tag("v1.0.1", "main", message="1.0.1")
    repo.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    look(project)
    found = states(hotfix)
    assert (found["fix"], found["tag"], found["production"], found["merge-back"]) == ("done", "done", "done", "owed")
    assert [fix.key for fix in hotfix.fixes.all()] == [squashed]
    assert len(hotfix.commits) == 2


def test_a_rebased_hotfix_is_recognised(repo: Repo, project: Project) -> None:
    hotfix = opened(project)
    fix = mend(repo)
    look(project)
    repo.commit({"README.md": "Other words.\n"}, "TICKET-8 words", branch="main")
    picked = repo.pick(fix, "main", message="Mend the till")
    repo.tag("v1.0.1", "main", message="1.0.1")
    look(project)
    assert states(hotfix)["production"] == "done"
    assert [fix.key for fix in hotfix.fixes.all()] == [picked]


def test_a_fix_made_straight_on_main_moves_the_ticket(repo: Repo, project: Project) -> None:
    hotfix = opened(project, "TICKET-12")
    repo.commit({"app.py": app((9, "mended"))}, "TICKET-12 mend on main", branch="main")
    repo.tag("v1.0.1", "main", message="1.0.1")
    look(project)
    found = states(hotfix)
    assert (found["branch"], found["fix"], found["tag"], found["merge-back"]) == ("skipped", "done", "done", "owed")
    assert found["clean-up"] == "skipped"


def test_a_merge_back_of_the_squash_alone_settles_it(repo: Repo, project: Project) -> None:
    hotfix = opened(project)
    mend(repo)
    mend(repo, 3, 5)
    repo.merge(BRANCH, "main")
    repo.tag("v1.0.1", "main", message="1.0.1")
    repo.squash(BRANCH, "develop", message="TICKET-7 all of it")
    look(project)
    assert states(hotfix)["merge-back"] == "done"


def test_a_branch_that_would_ship_more_than_the_fix_says_so(repo: Repo, project: Project) -> None:
    repo.branch("hotfix/TICKET-8", "develop")
    repo.commit({"app.py": app((3, "mended"))}, "[HOTFIX] TICKET-8: mend", branch="hotfix/TICKET-8")
    hotfix = opened(project, "TICKET-8")
    look(project)
    branch = stage(hotfix, "branch")
    assert (branch.state, branch.detail) == ("failed", "would ship 1 other commit")


def test_branches_and_patch_tags_without_a_ticket_are_named_and_adopted(repo: Repo, project: Project) -> None:
    mend(repo)
    repo.commit({"app.py": app((9, "mended"))}, "TICKET-12 mend on main", branch="main")
    repo.tag("v1.0.1", "main", message="1.0.1")
    look(project)
    assert [(row.kind, row.name, row.key) for row in untracked(project)] == [
        ("branch", BRANCH, "TICKET-7"), ("tag", "v1.0.1", "TICKET-12"),
    ]  # fmt: skip
    engineer = make_user("mira", "engineer")
    first = hotfix_adopt(project, BRANCH, engineer)
    assert (first.key, first.branch, first.owner, first.title) == (
        "TICKET-7", BRANCH, engineer, "[HOTFIX] TICKET-7: mended",
    )  # fmt: skip
    second = hotfix_adopt(project, "v1.0.1", engineer)
    assert (second.key, second.tag, second.stage) == ("TICKET-12", "v1.0.1", "merge-back")
    assert states(second)["merge-back"] == "owed"
    assert not Untracked.objects.exists()
    look(project)
    assert not Untracked.objects.exists()
    with pytest.raises(HotfixError, match="belongs to TICKET-7"):
        hotfix_adopt(project, BRANCH, engineer)


def test_everyday_fix_branches_are_no_hotfixes(repo: Repo, project: Project) -> None:
    repo.branch("fix/TICKET-30-colour", "develop")
    repo.commit({"feature.py": "feature = 2\n"}, "TICKET-30 colour", branch="fix/TICKET-30-colour")
    look(project)
    assert [row.name for row in untracked(project)] == [BRANCH]


def test_a_branch_without_a_ticket_in_its_name_can_be_adopted(repo: Repo, project: Project) -> None:
    repo.branch("hotfix/1.0.1", "v1.0.0")
    repo.commit({"app.py": app((9, "mended"))}, "Mend the till", branch="hotfix/1.0.1")
    look(project)
    hotfix = hotfix_adopt(project, "hotfix/1.0.1")
    assert (hotfix.key, len(hotfix.commits), hotfix.base_tag) == ("1.0.1", 1, "v1.0.0")
    with pytest.raises(HotfixError, match="no branch and no version tag"):
        hotfix_adopt(project, "hotfix/none")


def test_a_ticket_opened_late_finds_everything(repo: Repo, project: Project) -> None:
    mend(repo)
    repo.merge(BRANCH, "main")
    repo.tag("v1.0.1", "main", message="1.0.1")
    repo.merge(BRANCH, "develop")
    repo.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    look(project)
    hotfix = hotfix_open(project, "TICKET-7", "Mend the till")
    found = states(hotfix)
    assert (found["triage"], found["merge-back"], found["clean-up"]) == ("skipped", "done", "skipped")
    hotfix.refresh_from_db()
    assert hotfix.tag == "v1.0.1"
    assert hotfix.finished_at is not None


def test_without_a_mirror_what_was_known_stays(repo: Repo, project: Project, tmp_path: Path, settings: Any) -> None:
    from releases.hotfixes.observing import hotfixes_observe

    hotfix = opened(project)
    mend(repo)
    look(project)
    before = Hotfix.objects.get(pk=hotfix.pk)
    settings.MIRROR_DIR = tmp_path / "elsewhere"
    hotfixes_observe(project)
    after = Hotfix.objects.get(pk=hotfix.pk)
    assert (after.head, after.commits, after.stages) == (before.head, before.commits, before.stages)


def test_old_patch_tags_that_were_there_from_the_beginning_are_left_alone(tmp_path: Path) -> None:
    repo = make_flow(tmp_path)
    old, recent = int(time.time()) - 90 * 86_400, int(time.time()) - 3 * 86_400
    for number, date in ((1, old), (2, recent)):
        changed = {"app.py": app((number, MENDED.format(number)))}
        repo.commit(changed, f"TICKET-{number} mend", branch="main", date=date)
        repo.tag(f"v1.0.{number}", "main", message="Mended", date=date)
    project = track(repo, FlowPolicy())
    assert [row.name for row in untracked(project)] == ["v1.0.2"]
    repo.commit({"app.py": app((9, MENDED.format(9)))}, "TICKET-9 mend", branch="main", date=recent + 60)
    repo.tag("v1.0.3", "main", message="Mended", date=recent + 60)
    look(project)
    assert {row.name for row in untracked(project)} == {"v1.0.2", "v1.0.3"}
