"""What 200 open pages that follow a log cost the step they look at: `.venv/bin/python bench/deploy_viewers.py`.

Starts a dashboard of its own (`manage.py serve`, in a throw-away folder) and deploys to it again and again through its
own queue; the step computes all the time, and prints a thousand lines in each second that it computes. In every other
round 200 pages are open, as a process of its own: each holds the events stream, asks for new lines when it is told of
them (one question at a time, one in 0.8 seconds, as static/js/log.js does), and for the part around the log when the
project changes. Every one of them must have the last line in the end. Ends with 1 when the median of the rounds with
viewers is more than 10 % above the median of those without.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.deploy_output import BUSY, script, spent, to_file  # noqa: E402
from bench.push_to_visible import served  # noqa: E402

VIEWERS, LINES_A_SECOND, MOST_SLOWER = 200, 1_000, 1.10
PAUSE, JITTER = 0.8, 0.4
"""Seconds: of static/js/log.js and static/js/dash.js."""


def main() -> int:
    options = read_options()
    if options.watch:
        asyncio.run(Viewers(json.loads(sys.stdin.readline())).stay())
        return 0
    with tempfile.TemporaryDirectory(prefix="hotfixdash-bench-") as name, served(Path(name), 0) as site:
        shop = make_shop(Path(name), site, options)
        shop.shipped(0)
        rounds = [(shop.shipped(0), shop.shipped(options.viewers)) for _ in range(options.rounds)]
    return report(rounds, options)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--viewers", type=int, default=VIEWERS)
    parser.add_argument("--seconds", type=float, default=10.0, help="of processor time that the step takes")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--watch", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


# --- what is looked at ------------------------------------------------------------------------------------------------


class Shop:
    """A project on the served dashboard whose deployment takes a while."""

    def __init__(self, folder: Path, url: str, place: Any, release: Any, lines: int) -> None:
        self.folder, self.url, self.place, self.release, self.lines = folder, url, place, release, lines
        self.people: list[Any] = []

    def shipped(self, viewers: int) -> dict[str, float]:
        """One deployment with so many pages open; seconds of its step, and what the pages did."""
        # It waits behind the lock until every page is open.
        from django.utils import timezone

        from releases.deploys.models import Environment, Run
        from releases.deploys.moving import run_next
        from releases.tasks import deploy_ask
        from releases.tasks.deploys import run_nudge

        Environment.objects.filter(pk=self.place.pk).update(locked_at=timezone.now(), lock_why="bench")
        run, _ = deploy_ask(Environment.objects.get(pk=self.place.pk), self.release, trigger="command")
        watching = self._watch(run, viewers) if viewers else None
        Environment.objects.filter(pk=self.place.pk).update(locked_at=None, lock_why="")
        assert run_next(Environment.objects.get(pk=self.place.pk)) == run.pk
        run_nudge(run.pk)
        before = self._web_seconds()
        while not (run := Run.objects.get(pk=run.pk)).is_over:
            time.sleep(0.25)
        if run.state != Run.State.DONE or run.log_lines < self.lines:
            sys.exit(f"run {run.pk} is {run.state} with {run.log_lines} lines: {run.error_text}")
        step = run.steps.get()
        found = {"seconds": (step.finished_at - step.started_at).total_seconds()}
        if watching is not None:
            out, _ = watching.communicate(f"{run.log_lines}\n".encode(), timeout=120)
            found |= json.loads(out)
        return found | {"web_seconds": self._web_seconds() - before}

    def _web_seconds(self) -> float:
        """Processor time of the web server so far."""
        from releases.deploys.runner.guard.processes import processes

        port = self.url.rpartition(":")[2]
        web = [stat for stat in processes() if f"--port\0{port}\0".encode() in command_line(stat.pid)]
        return sum(stat.ticks for stat in web) / os.sysconf("SC_CLK_TCK")

    def _watch(self, run: Any, viewers: int) -> subprocess.Popen[bytes]:
        facts = {
            "url": self.url, "sessions": self._sessions(viewers), "run": run.pk,
            "project": run.project_id, "page": f"/projects/{run.project.slug}/deploys/{run.pk}/",
        }  # fmt: skip
        watching = subprocess.Popen(
            [sys.executable, __file__, "--watch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
        )
        assert watching.stdin is not None
        assert watching.stdout is not None
        watching.stdin.write(json.dumps(facts).encode() + b"\n")
        watching.stdin.flush()
        assert watching.stdout.readline() == b"open\n"
        return watching

    def _sessions(self, viewers: int) -> list[str]:
        """One for each page, of as many people; nine of ten only watch, the others may act."""
        from django.contrib.auth.models import Group

        from hotfixdash.accounts.models import User
        from releases.projects.models import ProjectAccess

        for number in range(len(self.people), viewers):
            person = User.objects.create(username=f"person-{number}")
            person.groups.add(Group.objects.get(name="viewer" if number % 10 else "release-manager"))
            ProjectAccess.objects.create(project=self.place.project, user=person)
            self.people.append(person)
        return [session_for(person) for person in self.people[:viewers]]


def session_for(person: Any) -> str:
    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    store = import_module(settings.SESSION_ENGINE).SessionStore()
    store[SESSION_KEY] = str(person.pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[-1]
    store[HASH_SESSION_KEY] = person.get_session_auth_hash()
    store.create()
    return f"{settings.SESSION_COOKIE_NAME}={store.session_key}"


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def make_shop(folder: Path, site: dict[str, Any], options: argparse.Namespace) -> Shop:
    os.environ |= site["environment"] | {"DJANGO_SETTINGS_MODULE": "hotfixdash.settings"}
    import django

    django.setup()
    from bench.deploy_start import repository, tag_of
    from releases.deploys.models import Environment
    from releases.deploys.requesting import build_request
    from releases.deploys.settings_services import pipeline_save
    from releases.deploys.spec import PipelineSpec, StepKind, StepSpec, Trigger
    from releases.policies import keeping_up
    from releases.projects.models import Release
    from releases.projects.services import project_add
    from releases.tasks import run_carry_out_here

    project, run = project_add("bench", str(repository(folder / "remote.git", 10, 1)), operator=True, fetch_every=3600)
    keeping_up.project_refresh(run.pk, "bench")
    place = Environment.objects.create(project=project, name="staging", promotes=False)
    lines = int(options.seconds * LINES_A_SECOND)
    command = f"{script(folder, 'busy', BUSY)} {lines} {work_for(folder)}"
    steps = (StepSpec("build", StepKind.BUILD, "echo built > app", artifact="app"),
             StepSpec("switch", StepKind.DEPLOY, command))  # fmt: skip
    pipeline_save(project, PipelineSpec(trigger=Trigger.HAND, steps=steps))
    release = Release.objects.get(project=project, tag=tag_of(1))
    build, _ = build_request(project, release, trigger="command")
    run_carry_out_here(build.pk)
    return Shop(folder, site["url"], place, release, lines)


def work_for(folder: Path) -> int:
    """So much work before each line that a thousand are printed in a second of processor time."""
    before = spent()
    to_file(folder, f"{script(folder, 'busy', BUSY)} 1000 10000")
    return int(10_000 / LINES_A_SECOND / ((spent() - before) / 1000))


# --- who looks --------------------------------------------------------------------------------------------------------


class Viewers:
    """Pages in one process, each with its stream, its log and its own connection for questions."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        host, _, port = facts["url"].removeprefix("http://").partition(":")
        self.at = host, int(port)
        self.asked = self.bytes = 0
        self.last = [0] * len(facts["sessions"])
        self.told = [asyncio.Event() for _ in facts["sessions"]]
        self.changed = [asyncio.Event() for _ in facts["sessions"]]
        self.open = 0

    async def stay(self) -> None:
        """Until the number of the last line comes; then until every page has it, and say so."""
        jobs = []
        for number in range(len(self.last)):
            jobs += [asyncio.create_task(work(number)) for work in (self.listen, self.follow, self.look)]
        while self.open < len(self.last):
            await asyncio.sleep(0.05)
        print("open", flush=True)
        total = int(await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline))
        ended = time.monotonic()
        while min(self.last) < total and time.monotonic() < ended + 60:
            await asyncio.sleep(0.05)
        facts = {"behind": sum(last < total for last in self.last), "late": time.monotonic() - ended,
                 "asked": self.asked, "bytes": self.bytes, "pages_seconds": time.process_time()}  # fmt: skip
        print(json.dumps(facts), flush=True)
        for job in jobs:
            job.cancel()
        os._exit(0)

    async def listen(self, number: int) -> None:
        """The events stream."""
        topics = f"project:{self.facts['project']},run:{self.facts['run']}"
        reader, writer = await asyncio.open_connection(*self.at)
        writer.write(self._request(number, f"/events?topics={topics}"))
        while line := await reader.readline():
            if line.startswith(b": open"):
                self.open += 1
            elif line.startswith(b"event: run:"):
                self.told[number].set()
            elif line.startswith(b"event: project:"):
                self.changed[number].set()

    async def follow(self, number: int) -> None:
        """New lines of the log, as static/js/log.js asks for them."""
        line = Line(self.at)
        while True:
            await self.told[number].wait()
            await asyncio.sleep(0.03 + random.random() * (JITTER - 0.03))
            self.told[number].clear()
            began = time.monotonic()
            head = await self._ask(line, number, f"{self.facts['page']}log/?after={self.last[number]}")
            self.last[number] = int(head.get(b"x-log-last", self.last[number]))
            await asyncio.sleep(max(0.0, began + PAUSE - time.monotonic()))

    async def look(self, number: int) -> None:
        """The part of the page around the log."""
        line = Line(self.at)
        while True:
            await self.changed[number].wait()
            await asyncio.sleep(0.03 + random.random() * (JITTER - 0.03))
            self.changed[number].clear()
            await self._ask(line, number, self.facts["page"], "HX-Request: true\r\nHX-Target: run\r\n")

    def _request(self, number: int, path: str, more: str = "") -> bytes:
        host = f"{self.at[0]}:{self.at[1]}"
        cookie = self.facts["sessions"][number]
        return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n{more}\r\n".encode()

    async def _ask(self, line: Line, number: int, path: str, more: str = "") -> dict[bytes, bytes]:
        self.asked += 1
        status, head, size = await line.ask(self._request(number, path, "Accept-Encoding: gzip\r\n" + more))
        self.bytes += size
        if status not in (200, 204):
            print(f"{path}: {status}", file=sys.stderr)
            os._exit(1)
        return head


class Line:
    """A connection that is opened again when the server closed it, as browsers do."""

    def __init__(self, at: tuple[str, int]) -> None:
        self.at = at
        self._ends: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> tuple[int, dict[bytes, bytes], int]:
        """The answer's status, its headers, and how long its body was."""
        for turn in (1, 2):
            fresh = self._ends is None
            reader, writer = self._ends = self._ends or await asyncio.open_connection(*self.at)
            try:
                writer.write(request)
                return await answer(reader)
            except (OSError, EOFError):
                self._ends = None
                writer.close()
                if fresh or turn == 2:
                    raise
        raise AssertionError


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[bytes, bytes], int]:
    """Read one answer. Raises EOFError when the line was closed instead."""
    status = await reader.readline()
    if not status:
        raise EOFError
    head: dict[bytes, bytes] = {}
    while (line := await reader.readline()).strip():
        name, _, value = line.partition(b":")
        head[name.strip().lower()] = value.strip()
    size = 0
    if b"content-length" in head:
        size = len(await reader.readexactly(int(head[b"content-length"])))
    elif head.get(b"transfer-encoding") == b"chunked":
        while piece := int(await reader.readline(), 16):
            size += len(await reader.readexactly(piece + 2))
        await reader.readexactly(2)
    return int(status.split()[1]), head, size


def per_question(rounds: list[tuple[dict[str, float], dict[str, float]]], name: str) -> float:
    """Milliseconds of processor time for each question of a page, the stream's news included."""
    return round(statistics.median((two[name] - one.get(name, 0)) / two["asked"] for one, two in rounds) * 1000, 2)


def report(rounds: list[tuple[dict[str, float], dict[str, float]]], options: argparse.Namespace) -> int:
    alone = statistics.median(one["seconds"] for one, _ in rounds)
    watched = statistics.median(two["seconds"] for _, two in rounds)
    figures = {
        "rounds": len(rounds), "viewers": options.viewers, "alone_seconds": round(alone, 2),
        "watched_seconds": round(watched, 2), "ratio": round(watched / alone, 3),
        "ratios": [round(two["seconds"] / one["seconds"], 3) for one, two in rounds],
        "questions": round(statistics.median(two["asked"] for _, two in rounds)),
        "web_ms_a_question": per_question(rounds, "web_seconds"),
        "pages_ms_a_question": per_question(rounds, "pages_seconds"),
        "behind": sum(two["behind"] for _, two in rounds),
        "last_line_late_seconds": round(statistics.median(two["late"] for _, two in rounds), 2),
    }  # fmt: skip
    print(json.dumps(figures) if options.json else ", ".join(f"{key} {value}" for key, value in figures.items()))
    return 0 if watched <= alone * MOST_SLOWER and not figures["behind"] else 1


if __name__ == "__main__":
    sys.exit(main())
