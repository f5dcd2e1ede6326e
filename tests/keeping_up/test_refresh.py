"""One fetch from a real remote to verdicts, releases and the ledger."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from releases.git import runner
from releases.ledger.models import Event
from releases.policies import keeping_up
from releases.policies.flow import PRESETS, Preset
from releases.policies.models import Fix, Target, Verdict
from releases.projects.models import FetchRun, Project, Ref, Release
from releases.projects.services import fetch_request, project_add, project_delete, project_update
from releases.projects.services.mirrors import facts_file, mirror_folder
from tests.gitrepos import Repo, make_flow, make_repo

pytestmark = pytest.mark.django_db


def refresh(project: Project) -> FetchRun:
    run = keeping_up.project_refresh(fetch_request(project, "command").pk, "test")
    assert run is not None
    project.refresh_from_db()
    return run


def track(repo: Repo, name: str = "shop", **fields: Any) -> Project:
    project, run = project_add(name, str(repo.path), operator=True, **fields)
    assert run.trigger == "first"
    refresh(project)
    return project


def hotfix(repo: Repo, version: str = "v1.0.1") -> str:
    """A fix on main, tagged; returns its commit."""
    sha = repo.commit({"app.py": repo.read("main", "app.py").replace("line 7\n", f"line 7 {version}\n")},
                      f"SHOP-7 fix rounding in {version}", branch="main")  # fmt: skip
    repo.tag(version, at=sha, message=f"Version {version}")
    return sha


@dataclass
class Work:
    """What was asked of the database and of git."""

    queries: int = 0
    processes: int = 0


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    counted = Work()
    start = runner._start

    def counting(*args: Any, **options: Any) -> Any:
        counted.processes += 1
        return start(*args, **options)

    def query(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        counted.queries += 1
        return execute(sql, params, many, context)

    monkeypatch.setattr(runner, "_start", counting)
    with connection.execute_wrapper(query):
        yield counted


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return make_flow(tmp_path)


def test_a_new_project_is_judged_by_a_guessed_policy(repo: Repo) -> None:
    fix = hotfix(repo)
    project = track(repo)
    assert project.policy["preset"] == "gitflow"
    assert Event.objects.filter(kind="policy.guessed").count() == 1
    assert project.fetched_at is not None
    assert project.judged_at is not None
    assert project.commit_count == 3
    assert project.mirror_bytes > 0
    assert set(Ref.objects.values_list("name", flat=True)) == {
        "refs/heads/main", "refs/heads/develop", "refs/tags/v1.0.0", "refs/tags/v1.0.1",
    }  # fmt: skip
    verdict = Verdict.objects.select_related("fix__release", "target").get()
    assert (verdict.code, verdict.owed, verdict.target.branch) == ("missing", True, "develop")
    assert verdict.fix.commits[0]["sha"] == fix
    assert (verdict.fix.shipped_in, verdict.fix.release) == ("v1.0.1", Release.objects.get(tag="v1.0.1"))
    assert verdict.preview is not None
    assert verdict.preview["clean"]
    assert project.production_release is not None
    assert project.production_release.tag == "v1.0.1"
    assert (project.production_release.commit_total, project.production_release.previous.tag) == (1, "v1.0.0")  # type: ignore[union-attr]


def test_a_preset_is_fitted_to_the_names_at_the_first_look_only(repo: Repo) -> None:
    repo.branch("master", "main")
    repo.delete("main")
    hotfix_on = repo.commit({"app.py": "line 7 mended\n"}, "SHOP-7 fix rounding", branch="master")
    repo.tag("v1.0.1", at=hotfix_on, message="Version 1.0.1")
    project = track(repo, policy=PRESETS[Preset.GITFLOW].as_data())
    assert (project.policy["preset"], project.policy["production"]) == ("gitflow", ["master"])
    assert project.error_text == ""
    assert Verdict.objects.get().target.branch == "develop"
    project_update(project, policy=PRESETS[Preset.GITFLOW].as_data())
    refresh(project)
    assert project.policy["production"] == ["main"]
    assert "There is no branch called" in project.error_text


def test_merging_back_settles_the_debt(repo: Repo) -> None:
    hotfix(repo)
    project = track(repo)
    repo.merge("main", into="develop")
    run = refresh(project)
    assert (run.state, run.refs_changed) == ("done", 1)
    verdict = Verdict.objects.get()
    assert (verdict.code, verdict.owed) == ("merged", False)
    assert verdict.settled_at is not None
    assert list(Event.objects.filter(kind__startswith="fix.").order_by("pk").values_list("kind", "new")) == [
        ("fix.owed", "missing"),
        ("fix.settled", "merged"),
    ]


def test_a_look_that_finds_nothing_new_judges_nothing(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    hotfix(repo)
    project = track(repo)
    before = project.judged_at

    def never(*_args: object, **_options: object) -> None:
        pytest.fail("nothing moved, so nothing is to be judged")

    monkeypatch.setattr(keeping_up, "answer", never)
    run = refresh(project)
    assert (run.state, run.refs_changed, run.verdicts_changed) == ("done", 0, 0)
    assert project.judged_at is not None
    assert before is not None
    assert project.judged_at > before


def test_another_policy_is_judged_at_the_next_look(repo: Repo) -> None:
    hotfix(repo)
    project = track(repo)
    repo.branch("support/1.x", at="v1.0.0")
    project_update(project, policy=project.policy | {"targets": ["develop", "support/1.x"]})
    assert FetchRun.objects.filter(project=project, state="queued").exists()
    refresh(project)
    assert set(Target.objects.values_list("branch", "kind")) == {("develop", "develop"), ("support/1.x", "support")}
    assert Verdict.objects.filter(owed=True).count() == 2


def test_verdicts_come_before_the_trial_merges(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    hotfix(repo)
    asked: list[tuple[bool, int]] = []
    true_answer = keeping_up.answer

    def watched(*args: Any, preview: bool, **options: Any) -> Any:
        asked.append((preview, Verdict.objects.count()))
        return true_answer(*args, preview=preview, **options)

    monkeypatch.setattr(keeping_up, "answer", watched)
    track(repo)
    assert asked == [(False, 0), (True, 1)]


def test_an_unreachable_remote_keeps_the_last_verdicts_and_says_why(repo: Repo) -> None:
    hotfix(repo)
    project = track(repo)
    judged = project.judged_at
    away = repo.path.rename(repo.path.with_name("away.git"))
    run = refresh(project)
    assert (run.state, run.error_code) == ("failed", "not-a-repository")
    assert project.failures == 1
    assert project.error_text.endswith(".")
    assert project.error_since is not None
    assert project.judged_at == judged
    assert Verdict.objects.filter(owed=True).count() == 1
    away.rename(repo.path)
    refresh(project)
    assert (project.failures, project.error_text) == (0, "")
    assert set(Event.objects.filter(kind__startswith="fetch.").values_list("kind", flat=True)) == {
        "fetch.failed",
        "fetch.recovered",
    }


def test_a_policy_that_names_no_branch_says_which(tmp_path: Path) -> None:
    repo = make_repo(tmp_path)
    repo.commit({"a": "1\n"}, "Start")
    project, _run = project_add("plain", str(repo.path), operator=True, policy={"preset": "gitflow"})
    run = refresh(project)
    assert (run.state, project.error_code, project.failures) == ("failed", "no-such-ref", 0)
    assert "“develop”" in project.error_text
    assert "flow policy" in project.error_text
    repo.branch("develop")
    assert refresh(project).state == "done"
    assert project.error_text == ""


def test_a_repository_without_commits_says_so(tmp_path: Path) -> None:
    repo = make_repo(tmp_path)
    project, _run = project_add("empty", str(repo.path), operator=True)
    run = refresh(project)
    assert (run.state, project.error_code, project.failures) == ("failed", "empty", 0)
    assert project.policy == {}
    repo.commit({"a": "1\n"}, "Start")
    repo.branch("develop")
    assert refresh(project).state == "done"
    assert project.policy["preset"] == "gitflow"


def test_a_repository_without_tags_is_judged(tmp_path: Path) -> None:
    repo = make_repo(tmp_path)
    repo.commit({"a": "1\n"}, "Start")
    repo.branch("develop")
    repo.commit({"b": "1\n"}, "Fix at night", branch="main")
    project = track(repo)
    assert not Release.objects.exists()
    assert project.production_release is None
    assert Verdict.objects.get().code == "missing"


def test_a_shallow_origin_is_judged_with_care(repo: Repo, tmp_path: Path) -> None:
    for version in ("v1.0.1", "v1.0.2", "v1.0.3"):
        hotfix(repo, version)
    repo.delete("refs/tags/v1.0.1")
    repo.delete("refs/tags/v1.0.2")
    shallow = tmp_path / "shallow.git"
    subprocess.run(
        ["git", "clone", "-q", "--bare", "--depth=1", "--no-single-branch", f"file://{repo.path}", str(shallow)],
        check=True,
    )
    project, _run = project_add("cut", str(shallow), operator=True)
    run = refresh(project)
    assert run.state == "done", run.error_text
    assert project.shallow
    assert not Verdict.objects.filter(code="merged").exists()


def test_a_forced_branch_is_told_even_when_the_worker_that_fetched_it_died(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    hotfix(repo)
    project = track(repo)
    old, base = repo.sha("develop"), repo.sha("v1.0.0")
    new = repo.raw_commit(repo.tree(base), [base], "Another beginning")
    repo.set_ref("refs/heads/develop", new)
    true_record = keeping_up.refs_record

    def dies(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(keeping_up, "refs_record", dies)
    with pytest.raises(KeyboardInterrupt):
        refresh(project)
    monkeypatch.setattr(keeping_up, "refs_record", true_record)
    FetchRun.objects.filter(state="running").update(state="lost", finished_at=timezone.now())
    assert refresh(project).state == "done"
    event = Event.objects.get(kind="ref.forced")
    assert (event.subject, event.old, event.new) == ("ref:refs/heads/develop", old, new)


def test_something_unexpected_is_one_sentence_and_tried_again(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    project = track(repo)
    repo.commit({"x": "1\n"}, "More", branch="main")
    monkeypatch.setattr(keeping_up, "answer", lambda *a, **o: 1 / 0)
    run = refresh(project)
    assert (run.state, run.error_code) == ("failed", "failed")
    assert "ZeroDivisionError" not in project.error_text
    monkeypatch.undo()
    assert refresh(project).state == "done"


def test_a_project_that_is_removed_during_its_fetch_leaves_nothing(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    project, run = project_add("shop", str(repo.path), operator=True)
    true_answer = keeping_up.answer

    def removed_meanwhile(*args: Any, **options: Any) -> Any:
        report = true_answer(*args, **options)
        project_delete(Project.objects.get(pk=project.pk))
        return report

    monkeypatch.setattr(keeping_up, "answer", removed_meanwhile)
    assert keeping_up.project_refresh(run.pk, "test") is None
    assert not Project.objects.exists()
    assert not Fix.objects.exists()


def test_removing_a_project_removes_its_mirror(repo: Repo, django_capture_on_commit_callbacks: Any) -> None:
    project = track(repo)
    folder, facts = mirror_folder(project), facts_file(project)
    assert folder.is_dir()
    assert facts.parent == Path(settings.EVIDENCE_DIR)
    with django_capture_on_commit_callbacks(execute=True):
        project_delete(project)
    assert not folder.exists()
    assert not list(facts.parent.glob(f"{facts.name}*"))


# It takes so long that its worker gives signs of life, by a connection that sees only what is committed.
COMMITTED = [pytest.mark.long, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("count", [1000, pytest.param(10_000, marks=COMMITTED)])
def test_thousands_of_tags_and_branches_are_taken_in_batches(repo: Repo, count: int, work: Work) -> None:
    """Neither a query nor a process of git per ref: what is slow does not depend on how busy the machine is."""
    repo.many_refs(count // 2)
    repo.many_refs(count // 2, prefix="refs/tags/v1.0.")
    project = track(repo)
    assert Ref.objects.count() >= count
    assert Release.objects.count() >= count // 2
    assert work.queries < 120 + count // 25
    assert work.processes < 40
    work.queries = work.processes = 0
    assert refresh(project).refs_changed == 0
    assert work.queries < 40
    assert work.processes < 20
