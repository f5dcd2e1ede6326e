"""Recipes that this machine can carry out itself, from a tag to a server that answers with it, and back."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from releases.deploys.models import Environment, Run, Step
from releases.deploys.requesting import deploy_request
from releases.projects.models import Project
from releases.projects.secrets import encrypt
from tests.deploys.shop import again, until
from tests.gitrepos import Entry

from .pages import SECRET, Bench, recipe
from .units import Units

APP = {"Makefile": "test:\n\t@grep -q shop app.py\n", "app.py": "shop\n"}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


# --- copy and symlink ---------------------------------------------------------------------------------------------


@pytest.fixture
def units(bench: Bench) -> Iterator[Units]:
    with Units(bench) as units:
        yield units


@pytest.fixture
def switched(bench: Bench, units: Units) -> Bench:
    """A shop with two releases that is shipped by switching a symlink."""
    for tag in ("v2.0.0", "v2.0.1"):
        bench.files(APP | {"page.txt": f"{tag}\n"}, tag)
    bench.apply(
        recipe("symlink"),
        **{"/srv/shop": str(units.root), "9001": str(units.ports["staging"]), "9002": str(units.ports["production"])},
    )
    return bench


@pytest.mark.django_db
def test_a_symlink_is_switched_the_server_restarted_and_both_taken_back(switched: Bench, units: Units) -> None:
    runs = switched.ship("v2.0.0", "staging", "production")
    switched.good(runs)
    assert units.answer("staging") == units.answer("production") == {"version": "v2.0.0", "commit": runs[0].commit}
    switched.good(switched.ship("v2.0.1", "staging"))
    assert (units.answer("staging")["version"], units.answer("production")["version"]) == ("v2.0.1", "v2.0.0")
    switched.good(switched.ship("v2.0.1", "production"))
    assert units.answer("production")["version"] == "v2.0.1"
    assert units.text("production", "page.txt") == "v2.0.1\n"
    back = switched.back("production")
    switched.good([back])
    assert units.answer("production")["version"] == "v2.0.0"
    assert switched.shop.place("production").live == back
    assert units.restarts == [
        "shop@staging", "shop@production", "shop@staging", "shop@production", "shop@production",
    ]  # fmt: skip


@pytest.mark.long
@pytest.mark.django_db
def test_a_server_that_does_not_come_back_is_noticed(switched: Bench, units: Units) -> None:
    switched.good(switched.ship("v2.0.0", "staging"))
    Environment.objects.update(settle_seconds=2)
    units.broken = True
    _build, run = switched.ship("v2.0.1", "staging")
    assert run.state == "failed"
    assert units.text("staging", "page.txt") == "v2.0.0\n"


@pytest.mark.long
@pytest.mark.django_db
def test_only_the_last_five_are_kept(switched: Bench, units: Units) -> None:
    for _turn in range(3):
        for tag in ("v2.0.0", "v2.0.1"):
            switched.good(switched.ship(tag, "staging"))
    kept = sorted(int(path.name) for path in (units.root / "staging" / "releases").iterdir())
    assert len(kept) == 5
    assert (units.root / "staging" / "current").resolve().name == str(kept[-1])


# --- several hosts by SSH -----------------------------------------------------------------------------------------

_SSH = """#!/bin/sh
# Runs the remote command in the host's folder.
for last; do :; done
while [ "$1" != "${1#-}" ]; do shift; shift; done
mkdir -p "$HOSTS_FOLDER/${1#*@}" && cd "$HOSTS_FOLDER/${1#*@}" && exec env -i PATH="$PATH" sh -c "$last"
"""
RESTART = {"bin/restart": Entry("#!/bin/sh\ncat shop/current/app.py >> restarted\n", 0o100755)}


@pytest.fixture
def hosts(bench: Bench) -> Path:
    folder = bench.folder / "hosts"
    bench.tool("ssh", _SSH.replace("$HOSTS_FOLDER", str(folder)))
    for tag in ("v2.0.0", "v2.0.1"):
        bench.files({"app.py": f"shop {tag}\n"} | RESTART, tag)
    bench.apply(recipe("ssh"))
    return folder


@pytest.mark.django_db
def test_every_host_gets_what_was_built_and_gives_it_back(bench: Bench, hosts: Path) -> None:
    bench.good(bench.ship("v2.0.0", "production"))
    bench.good(bench.ship("v2.0.1", "production"))
    for host in ("app1.example.org", "app2.example.org"):
        assert (hosts / host / "shop" / "current" / "app.py").read_text() == "shop v2.0.1\n"
    bench.good([bench.back("production")])
    for host in ("app1.example.org", "app2.example.org"):
        assert (hosts / host / "shop" / "current" / "app.py").read_text() == "shop v2.0.0\n"
        assert (hosts / host / "restarted").read_text() == "shop v2.0.0\nshop v2.0.1\nshop v2.0.0\n"
    bench.no_secret_is_seen()


@pytest.mark.django_db
def test_the_first_host_that_fails_stops_the_rest(bench: Bench, hosts: Path) -> None:
    (hosts / "app1.example.org").mkdir(parents=True)
    (hosts / "app1.example.org" / "shop").write_text("in the way")
    _build, run = bench.ship("v2.0.0", "production")
    assert run.state == "failed"
    assert not (hosts / "app2.example.org").exists()


# --- a job of CI --------------------------------------------------------------------------------------------------


class Jobs:
    """A CI that takes starts by HTTP and answers each with the script of the page."""

    def __init__(self, script: str, secret: str) -> None:
        self.script, self.secret = script, secret
        self.started: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.ended: list[subprocess.CompletedProcess[str]] = []
        self.passes = True
        self.url = ""

    def answer(self, told: dict[str, Any], job: str) -> None:
        facts = {"ARTIFACT": f"ci:{told['tag']}", "DIGEST": "sha256:" + "7" * 64} if job == "build" else {}
        env = {
            "PATH": os.environ["PATH"], "HOTFIXDASH_SECRET": self.secret, "CALLBACK_URL": told["callback_url"],
            "CALLBACK_TOKEN": told["callback_token"], "PASSED": "true" if self.passes else "false",
            "WHY": "" if self.passes else "The smoke test found smoke.", **facts,
        }  # fmt: skip
        self.ended.append(
            subprocess.run(["sh", "-c", self.script], env=env, capture_output=True, text=True, timeout=60, check=False)
        )

    @contextmanager
    def serving(self) -> Iterator[Jobs]:
        jobs = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                job = self.path.rpartition("/")[2]
                jobs.started.append((job, dict(self.headers.items()), told))
                self.send_response(202)
                self.end_headers()
                threading.Thread(target=jobs.answer, args=(told, job), daemon=True).start()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join(5)


@pytest.fixture
def jobs(transactional_db: None, live_server: Any, settings: Any, tmp_path: Path, monkeypatch: Any) -> Iterator[Any]:
    settings.PUBLIC_URL = live_server.url
    bench = Bench(tmp_path, monkeypatch)
    Project.objects.filter(pk=bench.shop.project.pk).update(hook_secret=encrypt("a webhook's secret"))
    with Jobs(recipe("ci").script, "a webhook's secret").serving() as jobs:
        bench.apply(recipe("ci"), **{"https://ci.example.org": jobs.url})
        yield bench, jobs


def asked(bench: Bench) -> Run:
    run, _made = deploy_request(bench.shop.place("production"), bench.shop.release("v1.0.1"), trigger="person")
    return run


def through(bench: Bench, run: Run) -> Run:
    """Carry it out until it is over, waiting for answers on the way."""
    while not run.is_over:
        run = bench.carry(run)
        if run.state == "paused":
            waiting = Step.objects.filter(run=run, state="waiting")
            until(lambda: not waiting.exists(), 30)  # noqa: B023 - called before the next turn
            run = again(run)
    return run


def test_a_job_elsewhere_builds_and_deploys_and_answers(jobs: tuple[Bench, Jobs]) -> None:
    bench, ci = jobs
    build = through(bench, asked(bench))
    assert build.error_text == ""
    assert (build.state, build.artifact, build.digest) == ("done", "ci:v1.0.1", "sha256:" + "7" * 64)
    run = through(bench, Run.objects.get(environment__name="production"))
    assert run.state == "done"
    assert [job for job, _headers, _told in ci.started] == ["build", "deploy"]
    _job, headers, told = ci.started[1]
    assert headers["Authorization"] == f"Bearer {SECRET.format(name='CI_TOKEN')}"
    assert (told["artifact"], told["commit"], told["environment"]) == ("ci:v1.0.1", run.commit, "production")
    assert [ended.returncode for ended in ci.ended] == [0, 0]
    bench.no_secret_is_seen()


@pytest.mark.long
def test_a_job_that_fails_says_why(jobs: tuple[Bench, Jobs]) -> None:
    bench, ci = jobs
    ci.passes = False
    run = through(bench, asked(bench))
    assert run.state == "failed"
    assert "The smoke test found smoke." in run.error_text


def test_an_answer_by_another_secret_does_not_count(jobs: tuple[Bench, Jobs]) -> None:
    bench, ci = jobs
    ci.secret = "not the secret"
    run = bench.carry(asked(bench))
    until(lambda: ci.ended, 60)
    assert ci.ended[0].returncode != 0
    assert again(run).state == "paused"
