"""`manage.py project`, `fetch` and `sweep`, with and without workers."""

from __future__ import annotations

import io
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from releases.policies.models import Verdict
from releases.projects.models import FetchRun, Project
from releases.projects.services import fetch_claim, fetch_request, hook_secret
from tests.factories import make_project
from tests.gitrepos import Repo, make_flow
from tests.plugins.real import Worker


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    repo = make_flow(tmp_path)
    repo.commit({"app.py": "changed\n"}, "SHOP-7 fix at night", branch="main")
    repo.tag("v1.0.1", at="main", message="Version 1.0.1")
    return repo


def run(*args: Any, **options: Any) -> str:
    out = io.StringIO()
    call_command(*args, stdout=out, **options)
    return out.getvalue()


@pytest.mark.django_db
def test_add_and_fetch_without_any_server(repo: Repo) -> None:
    said = run("project", "add", str(repo.path), "--name", "shop")
    assert "shop is tracked" in said
    assert "manage.py fetch shop --wait" in said
    said = run("fetch", "shop", "--wait")
    assert "1 fix is owed" in said
    assert Verdict.objects.get().code == "missing"
    assert "0 refs and 0 verdicts changed" in run("fetch", "shop", "--wait")


@pytest.mark.django_db
def test_a_path_outside_the_allowed_roots_stays_allowed_for_who_typed_it(repo: Repo) -> None:
    run("project", "add", str(repo.path), "--name", "shop")
    assert Project.objects.get().operator_path
    run("fetch", "shop", "--wait")
    assert Project.objects.get().error_text == ""


@pytest.mark.django_db
@pytest.mark.parametrize("policy", ["trunk", "gitflow", "maintenance"])
def test_a_preset_as_policy(repo: Repo, policy: str) -> None:
    run("project", "add", str(repo.path), "--name", "shop", "--policy", policy)
    assert Project.objects.get().policy["preset"] == policy
    assert json.loads(run("project", "policy", "shop"))["preset"] == policy


@pytest.mark.django_db
def test_a_file_as_policy(repo: Repo, tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text(json.dumps({"preset": "gitflow", "targets": ["develop"], "sla_hours": 4}))
    run("project", "add", str(repo.path), "--name", "shop", "--policy", str(file))
    assert Project.objects.get().policy["sla_hours"] == 4
    file.write_text("[]")
    with pytest.raises(CommandError, match="not a flow policy"):
        run("project", "policy", "shop", "--policy", str(file))
    with pytest.raises(CommandError, match="neither a preset"):
        run("project", "policy", "shop", "--policy", str(tmp_path / "none.json"))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ext::sh -c id", "spaces|transport helper"),
        ("ext::sh", "transport helper"),
        ("--upload-pack=id", "dash|begins"),
        ("https://user:secret@git.example.com/x.git", "user name or password"),
        ("/no/such/folder", "no folder"),
    ],
)
def test_an_address_that_cannot_be_is_refused_with_a_sentence(url: str, says: str) -> None:
    with pytest.raises(CommandError, match=says) as refused:
        call_command("project", "add", "--name", "bad", "--", url)
    assert "secret" not in str(refused.value)
    assert not Project.objects.exists()


@pytest.mark.django_db
def test_a_name_that_is_taken_is_refused(repo: Repo) -> None:
    run("project", "add", str(repo.path), "--name", "shop")
    with pytest.raises(CommandError, match="name"):
        run("project", "add", str(repo.path), "--name", "shop")
    run("project", "add", str(repo.path), "--name", "Shop!")
    assert set(Project.objects.values_list("slug", flat=True)) == {"shop", "shop-2"}


@pytest.mark.django_db
def test_a_fetch_that_fails_says_why(repo: Repo) -> None:
    run("project", "add", str(repo.path), "--name", "shop")
    repo.path.rename(repo.path.with_name("away.git"))
    with pytest.raises(CommandError, match="folder"):
        run("fetch", "shop", "--wait")
    with pytest.raises(CommandError, match="no project called nobody"):
        run("fetch", "nobody")


@pytest.mark.django_db
def test_waiting_takes_over_from_a_worker_that_is_gone(repo: Repo) -> None:
    run("project", "add", str(repo.path), "--name", "shop")
    lost = fetch_claim(FetchRun.objects.get().pk, "gone")
    assert lost is not None
    FetchRun.objects.filter(pk=lost.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=2))
    assert "1 fix is owed" in run("fetch", "shop", "--wait")
    lost.refresh_from_db()
    assert lost.state == "lost"


@pytest.mark.django_db
def test_a_sweep_says_what_it_found() -> None:
    make_project(next_fetch_at=timezone.now() + timedelta(hours=1))
    assert run("sweep", "--once").strip() == "Nothing was left behind."
    make_project(next_fetch_at=None)
    assert run("sweep", "--once").strip() == "The broker is away; 1 fetch will start when it is back."
    assert FetchRun.objects.filter(state="queued").count() == 1


@pytest.mark.django_db
def test_list_hook_and_remove(repo: Repo) -> None:
    assert "No project yet" in run("project", "list")
    run("project", "add", str(repo.path), "--name", "shop")
    assert "not fetched yet" in run("project", "list")
    secret = hook_secret(Project.objects.get())
    assert secret in run("project", "hook", "shop")
    assert secret not in run("project", "hook", "shop", "--renew")
    run("project", "remove", "shop", "--yes")
    assert not Project.objects.exists()


@pytest.mark.broker
@pytest.mark.django_db(transaction=True)
def test_waiting_leaves_the_work_to_a_running_worker(worker: Worker, repo: Repo) -> None:
    run("project", "add", str(repo.path), "--name", "shop")
    run("fetch", "shop", "--wait")
    ended = FetchRun.objects.order_by("-pk").first()
    assert ended is not None
    assert ended.state == "done"
    assert f":{os.getpid()}/" not in ended.worker


@pytest.mark.django_db
def test_asking_for_a_fetch_that_runs_already_waits_for_the_next_one() -> None:
    project = make_project()
    first = fetch_claim(fetch_request(project, "timer").pk, "one")
    assert first is not None
    assert fetch_request(project, "command").pk != first.pk
