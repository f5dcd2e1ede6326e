"""Finish and merge back beside `git flow hotfix finish`: `.venv/bin/python bench/hotfix_finish.py`.

The same repository, in one run, at 1,000, 10,000 and 50,000 files. The dashboard's own path is timed as it is: an
operation asked for, its rows on SQLite, planned, journalled, pushed atomically to a bare repository on this disk, and
settled; at once, as one operation that finishes and merges back, and in turn, as two. git flow works in a clone with a
work tree, as it must, and pushes nothing. All take turns, and the medians count; ratios are those of the same round.
Ends with 1 when a target is missed, with 2 when git flow is not there.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
        measured = measure(Path(folder), options.files, options.rounds)
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

        settings.GIT_ALLOWED_ROOTS = [str(origin.parent.parent)]
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

    def finish_at_once(self) -> None:
        """The same as one operation, whose push merges back as well."""
        head = self.tips[f"refs/heads/{HOTFIX}"]
        self.run("finish", f"finish:{NEXT}", branch=HOTFIX, production="main", tag=NEXT, method="merge",
                 message="[HOTFIX] TICKET-1: mend", head=head, also=["develop"], ticket="TICKET-1")  # fmt: skip

    def cut(self) -> None:
        self.run("cut", "cut:hotfix/TICKET-2", branch="hotfix/TICKET-2", tag="v1.2.0", commit="")


# --- the figures ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Taken:
    """What one run took, in milliseconds: by the clock, and of the processors by this process and all it started."""

    wall: float
    cpu: float


Times = dict[tuple[int, str], list[Taken]]
"""By number of files and what was done, in the order of the rounds."""


def measure(folder: Path, sizes: list[int], rounds: int) -> Times:
    """Every size and every way once a round, so that other work on the machine hits all of them alike."""
    times: Times = {}
    runs: list[tuple[int, str, GitFlow | Dashboard, Callable[[], None]]] = []
    for size in sizes:
        (folder / str(size)).mkdir()
        origin = build(folder / str(size) / "origin.git", size)
        flow, own = GitFlow(folder / str(size) / "work", origin), Dashboard(origin, f"files-{size}")
        runs += [(size, "git flow", flow, flow.finish), (size, "at once", own, own.finish_at_once)]
        runs += [(size, "in turn", own, own.finish), (size, "cut", own, own.cut)]
    for number in range(rounds + 1):
        for size, way, side, what in runs:
            side.prepare()
            taken = timed(what)
            if number:  # the first round warms the caches
                times.setdefault((size, way), []).append(taken)
    return times


def timed(what: Callable[[], None]) -> Taken:
    before, started = spent(), time.perf_counter()
    what()
    return Taken((time.perf_counter() - started) * 1000, (spent() - before) * 1000)


def spent() -> float:
    """Seconds of the processors that this process and its ended children have had."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def compared(times: Times, one: tuple[int, str], other: tuple[int, str], what: str) -> float:
    """The median of the rounds' ratios: both were run within seconds of each other."""
    pairs = zip(times[one], times[other], strict=True)
    return round(statistics.median(getattr(a, what) / getattr(b, what) for a, b in pairs), 3)


def figures(times: Times) -> dict[str, Any]:
    sizes = sorted({size for size, _way in times})
    rows: dict[str, Any] = {}
    for size in sizes:
        row = rows[str(size)] = {}
        for way in ("git flow", "at once", "in turn", "cut"):
            for what in ("wall", "cpu"):
                taken = statistics.median(getattr(one, what) for one in times[size, way])
                row[f"{way} {what} ms"] = round(taken, 1)
        for way in ("at once", "in turn"):
            for what in ("wall", "cpu"):
                row[f"{way} {what} ratio"] = compared(times, (size, way), (size, "git flow"), what)
    growth = {
        f"{way} {what}": compared(times, (sizes[-1], way), (sizes[0], way), what)
        for way in ("at once", "in turn")
        for what in ("wall", "cpu")
    }
    return {"files": rows, "growth": growth}


def report(times: Times, *, as_json: bool) -> int:
    found = figures(times)
    rows, growth = found["files"], found["growth"]
    middle, last = rows.get("10000", list(rows.values())[-1]), list(rows.values())[-1]
    good = (
        middle["at once wall ratio"] <= MOST_OF_GIT_FLOW
        and growth["at once wall"] <= MOST_GROWTH
        and last["cut cpu ms"] < MOST_CUT_MS
    )
    if as_json:
        print(json.dumps(found | {"met": good}))
        return 0 if good else 1
    for what, title in (("wall", "by the clock"), ("cpu", "of the processors")):
        print(f"Milliseconds {title}; the ratio is to git flow.")
        print(f"{'files':>8} {'git flow':>9} {'at once':>9} {'ratio':>7} {'in turn':>9} {'ratio':>7} {'cut':>8}")
        for size, row in rows.items():
            print(f"{int(size):>8,} {row[f'git flow {what} ms']:>9.1f} {row[f'at once {what} ms']:>9.1f} "
                  f"{row[f'at once {what} ratio']:>7.3f} {row[f'in turn {what} ms']:>9.1f} "
                  f"{row[f'in turn {what} ratio']:>7.3f} {row[f'cut {what} ms']:>8.1f}")  # fmt: skip
        print(f"Most files against fewest: at once {growth[f'at once {what}']}, in turn {growth[f'in turn {what}']}\n")
    print(f"Wanted by the clock, at once: ratio at most {MOST_OF_GIT_FLOW} at 10,000 files, growth at most "
          f"{MOST_GROWTH}; cut below {MOST_CUT_MS:.0f} ms of work: {'met' if good else 'missed'}.")  # fmt: skip
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
