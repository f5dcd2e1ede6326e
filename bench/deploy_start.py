"""From “Approve” to the first line of the deploy command's output: `.venv/bin/python bench/deploy_start.py`.

The whole way through the real queue: the approval that completes the quorum, its rows on SQLite, the task through a
broker to a Celery worker of its own, the claim, a checkout of a 1,000-file tree, the guardian, the command. Beside it,
in the same rounds, the bare minimum: one git process that checks the same commit out into a new folder, and a shell
with the same command. The command's first line is the time at which it prints it. Takes turns. Ends with 1 when the
95th percentile of one is more than 300 ms above that of the other.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.hotfix_finish import dashboard  # noqa: E402
from bench.push_to_visible import percentile  # noqa: E402

FILES = 1_000
MOST_ABOVE = 0.300
COMMAND = "date +%s.%N"
WARM_UP = 4


def main() -> int:
    options = read_options()
    with tempfile.TemporaryDirectory(prefix="hotfixdash-bench-") as name, dashboard(Path(name) / "var"):
        folder = Path(name)
        shop = make_shop(folder, options.files, WARM_UP + options.rounds)
        with worker(folder / "worker.log"):
            for _ in range(WARM_UP):
                shipped(shop)
            rounds = [both(shop, folder, turn) for turn in range(options.rounds)]
    return report(rounds, options.files, as_json=options.json)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


@contextmanager
def worker(log: Path) -> Iterator[None]:
    """The deploy queue's worker, as the supervisor starts it."""
    from hotfixdash.supervisor import programs, sessions

    with open(log, "wb") as out:
        running = subprocess.Popen(
            programs.worker("deploy", 1).command(), cwd=ROOT, start_new_session=True, stdout=out, stderr=out
        )
    try:
        yield
    except SystemExit:
        print(log.read_text()[-3000:], file=sys.stderr)
        raise
    finally:
        sessions.end([running.pid], 5)
        running.wait(10)


class Shop:
    """A project that can be shipped: its environment, its built releases, who asks and who approves."""

    def __init__(self, git_dir: Path, project: Any, place: Any, people: tuple[Any, Any]) -> None:
        self.git_dir, self.project, self.place = git_dir, project, place
        self.asks, self.approves = people
        self._turn = 0

    def next_release(self) -> Any:
        """The one after the last."""
        from releases.projects.models import Release

        self._turn += 1
        return Release.objects.get(project=self.project, tag=tag_of(self._turn))


def make_shop(folder: Path, files: int, releases: int) -> Shop:
    from hotfixdash.accounts.roles import Role
    from hotfixdash.accounts.services import account_create
    from releases.deploys.models import Environment
    from releases.deploys.requesting import build_request
    from releases.deploys.settings_services import pipeline_save
    from releases.deploys.spec import PipelineSpec, StepKind, StepSpec, Trigger
    from releases.policies import keeping_up
    from releases.projects.models import Release
    from releases.projects.services import project_add
    from releases.tasks import run_carry_out_here

    remote = repository(folder / "remote.git", files, releases)
    project, run = project_add("bench", str(remote), operator=True, fetch_every=3600)
    keeping_up.project_refresh(run.pk, "bench")
    place = Environment.objects.create(
        project=project, name="production", kind="production", approvals=1, promotes=False
    )
    steps = (StepSpec("build", StepKind.BUILD, "echo built > app", artifact="app"),
             StepSpec("switch", StepKind.DEPLOY, COMMAND))  # fmt: skip
    pipeline_save(project, PipelineSpec(trigger=Trigger.HAND, steps=steps))
    for release in Release.objects.filter(project=project):
        # Each its own: approvals of exactly the same would be taken over, and nobody asked.
        build, _ = build_request(project, release, trigger="command")
        run_carry_out_here(build.pk)
    phrase = "a phrase that nobody guesses"
    asks, approves = (
        account_create(name, Role.RELEASE_MANAGER, phrase, all_projects=True) for name in ("ada", "grace")
    )
    return Shop(remote, project, place, (asks, approves))


def tag_of(number: int) -> str:
    return f"v1.0.{number}"


def repository(folder: Path, files: int, releases: int) -> Path:
    """A bare one with so many tags on main, each with so many files."""
    from releases.git.fast_import import FastImport, Signature

    who = {"author": Signature("Robin", "robin@example.org", 1_767_600_000)}
    who["committer"] = who["author"]
    text = "".join(f"value_{line} = {line}\n" for line in range(40))
    with FastImport(folder, head="main") as out:
        tree = {f"src/area{n % 40:02}/file{n:06}.py": f"# {n}\n{text}".encode() for n in range(files)}
        parents: list[Any] = []
        for number in range(releases + 1):
            tag = tag_of(number)
            changes = tree if not number else {"src/area01/file000001.py": f"# {tag}\n".encode()}
            commit = out.commit(**who, message=f"Version {tag}\n", parents=parents, changes=changes)
            out.tag(tag, commit, message=f"Version {tag}\n", tagger=who["author"])
            parents = [commit]
        out.branch("main", parents[0])
        out.branch("develop", parents[0])
        out.finish_refs()
    return folder


def both(shop: Shop, folder: Path, turn: int) -> tuple[float, float, float]:
    """Seconds: bare; from the approval until the command printed; until its line was in the log."""
    if turn % 2:
        printed, kept = shipped(shop)
        return bare(shop, folder), printed, kept
    seconds = bare(shop, folder)
    return (seconds, *shipped(shop))


def bare(shop: Shop, folder: Path) -> float:
    """One git process and the command."""
    tree = folder / "bare"
    began = time.time()
    tree.mkdir()
    env = os.environ | {"GIT_INDEX_FILE": str(folder / "index"), "GIT_CONFIG_NOSYSTEM": "1"}
    git = ["git", f"--git-dir={shop.git_dir}", f"--work-tree={tree}", "read-tree", "--reset", "-u", tag_of(1)]
    subprocess.run(git, env=env, cwd=tree, check=True)
    said = subprocess.run(["/bin/sh", "-c", COMMAND], cwd=tree, capture_output=True, check=True)
    (folder / "index").unlink()
    shutil.rmtree(tree)
    return float(said.stdout) - began


def shipped(shop: Shop) -> tuple[float, float]:
    """One deployment, approved by a person."""
    from django.db import transaction

    from releases.deploys.approving import approve
    from releases.deploys.binding import binding_of
    from releases.deploys.models import Run
    from releases.tasks import deploy_ask
    from releases.tasks.deploys import run_changed

    run, _ = deploy_ask(shop.place, shop.next_release(), trigger="person", actor=shop.asks)
    binding = binding_of(run)
    began = time.time()
    with transaction.atomic():
        run_changed(approve(run, shop.approves, binding=binding))
    deadline = time.monotonic() + 60
    while not run.is_over:
        if time.monotonic() > deadline or run.state == Run.State.LOST:
            sys.exit(f"run {run.pk} did not end: {run.state} {run.error_text}")
        time.sleep(0.05)
        run = Run.objects.get(pk=run.pk)
    chunk = run.chunks.first()
    if run.state != Run.State.DONE or chunk is None:
        sys.exit(f"run {run.pk} is {run.state}: {run.error_text}")
    return float(chunk.text.splitlines()[0]) - began, chunk.at.timestamp() - began


def report(rounds: list[tuple[float, float, float]], files: int, *, as_json: bool) -> int:
    figures: dict[str, float] = {"rounds": len(rounds), "files": files}
    for name, values in zip(("bare", "printed", "in_log"), zip(*rounds, strict=True), strict=True):
        figures[f"{name}_p50_ms"] = round(statistics.median(values) * 1000, 1)
        figures[f"{name}_p95_ms"] = round(percentile(list(values), 95) * 1000, 1)
    above = percentile([row[1] for row in rounds], 95) - percentile([row[0] for row in rounds], 95)
    figures["above_p95_ms"] = round(above * 1000, 1)
    print(json.dumps(figures) if as_json else ", ".join(f"{key} {value}" for key, value in figures.items()))
    return 0 if above <= MOST_ABOVE else 1


if __name__ == "__main__":
    sys.exit(main())
