"""Finish and merge back beside `git flow hotfix finish`: `.venv/bin/python bench/hotfix_finish.py`.

The same repository, in one run, at 1,000, 10,000 and 50,000 files. The dashboard's own path is timed as it is: an
operation asked for, its rows on SQLite, planned, journalled, pushed atomically to a bare repository on this disk, and
settled; once to finish the hotfix, once to merge it back. git flow works in a clone with a work tree, as it must, and
pushes nothing. Both take turns, and the medians count. Ends with 1 when a target is missed.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SIZES = (1_000, 10_000, 50_000)
MOST_OF_GIT_FLOW, MOST_GROWTH, MOST_CUT_MS = 0.2, 1.3, 100.0
HOTFIX, NEXT, START = "hotfix/TICKET-1", "v1.2.1", 1_767_600_000


def main() -> int:
    options = read_options()
    if not has_git_flow():
        print("git flow is not installed, so there is nothing to compare with (Debian: the package git-flow).")
        return 2
    with tempfile.TemporaryDirectory(prefix="hotfixdash-bench-") as folder, dashboard(Path(folder) / "var"):
        measured = {size: measure(Path(folder) / str(size), size, options.rounds) for size in options.files}
    return report(measured, as_json=options.json)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--files", type=int, nargs="+", default=list(SIZES), help="sizes of the repository")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def has_git_flow() -> bool:
    done = subprocess.run(["git", "flow", "version"], capture_output=True, check=False)
    return bool(shutil.which("git-flow") or done.returncode == 0)


@contextmanager
def dashboard(var: Path) -> Iterator[None]:
    """A dashboard's database, folders and broker in a throw-away place."""
    os.environ |= {"DATA_DIR": str(var), "DJANGO_SETTINGS_MODULE": "hotfixdash.settings"}
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    var.mkdir(parents=True)
    import django
    from django.core.management import call_command

    from hotfixdash.supervisor.broker import server_command, wait_until_it_answers
    from hotfixdash.supervisor.sockets import broker_socket

    socket = broker_socket(var)
    broker = subprocess.Popen(server_command(socket, var / "broker"), stdout=subprocess.DEVNULL)
    try:
        wait_until_it_answers(f"unix://{socket}")
        django.setup()
        call_command("migrate", verbosity=0)
        yield
    finally:
        broker.terminate()
        broker.wait(10)


# --- the repository ---------------------------------------------------------------------------------------------------


def build(folder: Path, files: int) -> Path:
    """A bare repository with main at v1.2.0, develop ahead of it, and a hotfix branch with one commit."""
    from releases.git.fast_import import FastImport, Signature

    def path(number: int) -> str:
        return f"src/area{number % 40:02}/part{number % 400:03}/file{number:06}.py"

    def signed(minute: int) -> dict[str, Signature]:
        who = Signature("Robin", "robin@example.org", START + minute * 60)
        return {"author": who, "committer": who}

    text = "".join(f"value_{line} = {line}\n" for line in range(30))
    with FastImport(folder, head="main") as out:
        tree = {path(number): f"# {number}\n{text}".encode() for number in range(files)} | {"VERSION": b"1.2.0\n"}
        base = out.commit(**signed(0), message="Start\n", parents=[], changes=tree)
        out.branch("main", base)
        out.tag("v1.2.0", base, message="Version 1.2.0\n", tagger=signed(0)["author"])
        at = base
        for number in range(30):
            changes = {path(number * 7): f"# next {number}\n{text}".encode()}
            at = out.commit(**signed(number + 1), message=f"Feature {number}\n", parents=[at], changes=changes)
        out.branch("develop", at)
        fixed = {path(3): f"# 3\n{text}mended = True\n".encode()}
        fix = out.commit(**signed(40), message="[HOTFIX] TICKET-1: mend\n", parents=[base], changes=fixed)
        out.branch(HOTFIX, fix)
        out.finish_refs()
    return folder


def git(place: Path, *args: str) -> str:
    environment = os.environ | {
        "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_MERGE_AUTOEDIT": "no", "GIT_EDITOR": "true",
        **{f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER")
           for key, value in (("NAME", "Robin"), ("EMAIL", "robin@example.org"))},
    }  # fmt: skip
    done = subprocess.run(["git", "-C", str(place), *args], env=environment, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"git {' '.join(args)}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode().strip()


# --- one side and the other -------------------------------------------------------------------------------------------


class GitFlow:
    """A clone with a work tree in which `git flow hotfix finish` is run."""

    def __init__(self, folder: Path, origin: Path) -> None:
        self.place = folder
        subprocess.run(["git", "clone", "-q", str(origin), str(folder)], check=True, capture_output=True)
        for branch in ("develop", HOTFIX):
            git(folder, "branch", "-q", branch, f"origin/{branch}")
        settings = {"branch.master": "main", "branch.develop": "develop", "prefix.feature": "feature/",
                    "prefix.bugfix": "bugfix/", "prefix.release": "release/", "prefix.hotfix": "hotfix/",
                    "prefix.support": "support/", "prefix.versiontag": ""}  # fmt: skip
        for key, value in settings.items():
            git(folder, "config", f"gitflow.{key}", value)
        git(folder, "config", "gc.auto", "0")
        self.tips = {name: git(folder, "rev-parse", name) for name in ("main", "develop", HOTFIX)}

    def prepare(self) -> None:
        git(self.place, "checkout", "-q", "-f", "--detach")
        for name, tip in self.tips.items():
            git(self.place, "branch", "-q", "-f", name, tip)
        git(self.place, "checkout", "-q", "-f", HOTFIX)
        if git(self.place, "tag", "-l", NEXT):
            git(self.place, "tag", "-d", NEXT)

    def finish(self) -> None:
        git(self.place, "flow", "hotfix", "finish", "-T", NEXT, "-m", NEXT, HOTFIX.partition("/")[2])


class Dashboard:
    """A tracked project; operations are carried out by the worker's own function, in this process."""

    def __init__(self, origin: Path, name: str) -> None:
        from django.conf import settings

        from releases.policies.flow import FlowPolicy
        from releases.projects.models import Project

        settings.GIT_ALLOWED_ROOTS = [str(origin.parent)]
        self.origin = origin
        self.tips = {f"refs/heads/{name}": git(origin, "rev-parse", name) for name in ("main", "develop", HOTFIX)}
        self.project = Project.objects.create(
            name=name, slug=name, remote_url=str(origin), policy=FlowPolicy().as_data()
        )

    def prepare(self) -> None:
        """The remote as it was, and the mirror up to date with it."""
        from releases.projects.services.mirrors import mirror_of

        lines = [f"update {name} {tip}" for name, tip in self.tips.items()]
        made = [f"refs/tags/{NEXT}", "refs/heads/hotfix/TICKET-2"]
        lines += [f"delete {name}" for name in git(self.origin, "for-each-ref", "--format=%(refname)", *made).split()]
        text = "".join(f"{line}\n" for line in lines)
        subprocess.run(["git", "-C", str(self.origin), "update-ref", "--stdin"], input=text, text=True, check=True)
        mirror_of(self.project).fetch()

    def run(self, kind: str, key: str, **params: Any) -> None:
        from releases.operations.carrying import operation_carry_out
        from releases.operations.services import operation_request

        operation, _made = operation_request(self.project, kind, key, subject="hotfix:TICKET-1", params=params)
        done = operation_carry_out(operation.pk, "bench")
        if done is None or done.state != "done" or not done.outcome["refs"]:
            raise SystemExit(f"{kind}: {done and (done.error_text or done.outcome)}")

    def finish(self) -> None:
        head = self.tips[f"refs/heads/{HOTFIX}"]
        message = "[HOTFIX] TICKET-1: mend"
        self.run("finish", f"finish:{NEXT}", branch=HOTFIX, production="main", tag=NEXT, method="merge",
                 message=message, head=head)  # fmt: skip
        self.run("merge-back", f"merge-back:{head}:develop", fix_key=head, commits=[head], tip=head, target="develop",
                 method="merge", ticket="TICKET-1")  # fmt: skip

    def cut(self) -> None:
        self.run("cut", "cut:hotfix/TICKET-2", branch="hotfix/TICKET-2", tag="v1.2.0", commit="")


# --- the figures ------------------------------------------------------------------------------------------------------


@dataclass
class Times:
    """Milliseconds of each round."""

    git_flow: list[float] = field(default_factory=list)
    dashboard: list[float] = field(default_factory=list)
    cut: list[float] = field(default_factory=list)


def measure(folder: Path, files: int, rounds: int) -> Times:
    folder.mkdir()
    origin = build(folder / "origin.git", files)
    flow, own, times = GitFlow(folder / "work", origin), Dashboard(origin, f"files-{files}"), Times()
    for number in range(rounds + 1):
        for side, what, kept in (
            (flow, flow.finish, times.git_flow),
            (own, own.finish, times.dashboard),
            (own, own.cut, times.cut),
        ):
            side.prepare()
            taken = timed(what)
            if number:  # the first round warms the caches
                kept.append(taken)
    return times


def timed(what: Callable[[], None]) -> float:
    started = time.perf_counter()
    what()
    return (time.perf_counter() - started) * 1000


def report(measured: dict[int, Times], *, as_json: bool) -> int:
    rows = {
        size: {
            "git_flow_ms": round(statistics.median(times.git_flow), 1),
            "dashboard_ms": round(statistics.median(times.dashboard), 1),
            "ratio": round(statistics.median(times.dashboard) / statistics.median(times.git_flow), 3),
            "cut_ms": round(statistics.median(times.cut), 1),
        }
        for size, times in measured.items()
    }
    growth = rows[max(rows)]["dashboard_ms"] / rows[min(rows)]["dashboard_ms"]
    middle = rows.get(10_000, rows[max(rows)])
    good = middle["ratio"] <= MOST_OF_GIT_FLOW and growth <= MOST_GROWTH and rows[max(rows)]["cut_ms"] < MOST_CUT_MS
    if as_json:
        print(json.dumps({"files": rows, "growth": round(growth, 3), "met": good}))
        return 0 if good else 1
    print(f"{'files':>8} {'git flow':>12} {'dashboard':>12} {'ratio':>8} {'cut':>10}")
    for size, row in rows.items():
        print(f"{size:>8,} {row['git_flow_ms']:>9.1f} ms {row['dashboard_ms']:>9.1f} ms {row['ratio']:>8.3f} "
              f"{row['cut_ms']:>7.1f} ms")  # fmt: skip
    print(f"Most files against fewest: {growth:.2f} times (at most {MOST_GROWTH}). Ratio at most {MOST_OF_GIT_FLOW}.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
