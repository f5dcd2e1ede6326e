"""What watching a step's output costs: `.venv/bin/python bench/deploy_output.py`.

The same command is run twice in each round: by a plain shell with its output in a file, and as a step is run (guardian,
pipe, masking of three secrets, lines, chunks in an SQLite database, news for open pages through a broker). Two
commands: *paced* prints 50,000 lines in each second, whatever happens; *busy* prints one line after another, each by a
write of its own, with as much work before each that it manages about as many. Takes turns; medians count; ratios are
those of the same round. Ends with 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.hotfix_finish import dashboard  # noqa: E402

LINES_A_SECOND = 50_000
MOST_RATIO = 1.5
SECRETS = {"TOKEN": "a-token-that-is-never-printed-1234", "PASSWORD": "hunter2-hunter2", "KEY": "-----\n" + "k9" * 600}

PACED = """
import os, sys, time
seconds, rate = float(sys.argv[1]), int(sys.argv[2])
begun = time.monotonic()
printed = 0
while printed < seconds * rate:
    due = min(int((time.monotonic() - begun) * rate) + 1, int(seconds * rate))
    if due > printed:
        text = "".join(f"{n:08} compiled src/area/part/module_{n % 977:04}.py in {n % 7} ms, nothing to say\\n"
                       for n in range(printed, due))
        sys.stdout.write(text)
        sys.stdout.flush()
        printed = due
    time.sleep(0.002)
"""
BUSY = """
import os, sys, time
lines, work = int(sys.argv[1]), int(sys.argv[2])
for n in range(lines):
    left = work
    while left:
        left -= 1
    os.write(1, f"{n:08} compiled src/area/part/module_{n % 977:04}.py in {n % 7} ms, nothing to say\\n".encode())
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds by the clock, and processor seconds of the command with all it needs."""

    wall: float
    cpu: float


def main() -> int:
    options = read_options()
    with tempfile.TemporaryDirectory(prefix="hotfixdash-bench-") as folder, dashboard(Path(folder) / "var"):
        place = Path(folder)
        commands = {
            "paced": f"{script(place, 'paced', PACED)} {options.seconds} {LINES_A_SECOND}",
            "busy": f"{script(place, 'busy', BUSY)} {int(options.seconds * LINES_A_SECOND)} {calibrated(place)}",
        }
        results = {name: measured(place, command, options.rounds) for name, command in commands.items()}
    return report(results, options.seconds, as_json=options.json)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0, help="that the paced command takes")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def script(place: Path, name: str, text: str) -> str:
    (place / f"{name}.py").write_text(text)
    return f"{sys.executable} -I -S {place / name}.py"


def calibrated(place: Path) -> int:
    """So much work before each line that about 50,000 are printed in a second of processor time."""
    rates = {}
    for work in (50, 450):
        before = spent()
        to_file(place, f"{script(place, 'busy', BUSY)} 100000 {work}")
        rates[work] = (spent() - before) / 100_000
    each = max(1e-9, (rates[450] - rates[50]) / 400)
    return max(0, int(50 + (1 / LINES_A_SECOND - rates[50]) / each))


def measured(place: Path, command: str, rounds: int) -> list[tuple[Cost, Cost]]:
    """Per round: to a file, as a step."""
    as_step(place, "true")
    pairs = []
    for turn in range(rounds):
        ways = [lambda: timed(lambda: to_file(place, command)), lambda: timed(lambda: as_step(place, command))]
        if turn % 2:
            step = ways[1]()
            pairs.append((ways[0](), step))
        else:
            pairs.append((ways[0](), ways[1]()))
    return pairs


def timed(work: Callable[[], object]) -> Cost:
    began, cpu = time.monotonic(), spent()
    work()
    return Cost(time.monotonic() - began, spent() - cpu)


def spent() -> float:
    """Processor seconds of this process and of all it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def to_file(place: Path, command: str) -> None:
    with open(place / "output", "wb") as out:
        subprocess.run(["/bin/sh", "-e", "-c", command], stdout=out, stderr=out, cwd=place, check=True)


def as_step(place: Path, command: str) -> None:
    from releases.deploys.models import Run
    from releases.deploys.runner import Job, LogWriter, execute
    from releases.deploys.runner.workspaces import Workspace

    space = Workspace(place, "")
    run = make_run()
    job = Job(
        command, place, {"HOME": str(place)}, timeout=600, silence=60, cpu=500, max_size=2 << 30,
        marker=f"{run.pk}:1", secrets=SECRETS, output_file=space.output_file.with_name("facts"),
    )  # fmt: skip
    with LogWriter(run.pk, 1, 0, SECRETS) as writer:
        ended = execute(job, writer.write, lambda: stop_reason(run))
    if not ended.good:
        sys.exit(f"the step failed: {ended}")
    Run.objects.filter(pk=run.pk).update(state=Run.State.DONE)


def stop_reason(run: Any) -> str:
    from releases.deploys.moving import run_stop_reason

    return run_stop_reason(run)


def make_run() -> Any:
    from releases.deploys.models import Environment, Pipeline, Run
    from releases.projects.models import Project

    project, _ = Project.objects.get_or_create(name="bench", defaults={"slug": "bench"})
    environment, _ = Environment.objects.get_or_create(project=project, name="production")
    pipeline, _ = Pipeline.objects.get_or_create(project=project, version=1, defaults={"spec": {}})
    return Run.objects.create(
        project=project, environment=environment, kind=Run.Kind.DEPLOY, state=Run.State.RUNNING, fence=1,
        tag="v1.0.1", commit="1" * 40, pipeline=pipeline, trigger="person",
    )  # fmt: skip


def report(results: dict[str, list[tuple[Cost, Cost]]], seconds: float, *, as_json: bool) -> int:
    figures: dict[str, dict[str, float]] = {}
    for name, pairs in results.items():
        middle = statistics.median
        figures[name] = {
            "lines_a_second": round(seconds * LINES_A_SECOND / middle(file.wall for file, _ in pairs)),
            "file_seconds": round(middle(file.wall for file, _ in pairs), 2),
            "step_seconds": round(middle(step.wall for _, step in pairs), 2),
            "ratio": round(middle(step.wall / file.wall for file, step in pairs), 3),
            "worst_ratio": round(max(step.wall / file.wall for file, step in pairs), 3),
            "file_cpu": round(middle(file.cpu for file, _ in pairs), 2),
            "step_cpu": round(middle(step.cpu for _, step in pairs), 2),
            "cpu_ratio": round(middle(step.cpu / file.cpu for file, step in pairs), 3),
        }
    if as_json:
        print(json.dumps(figures))
    else:
        for name, row in figures.items():
            print(name, ", ".join(f"{key} {value}" for key, value in row.items()))
    return 0 if all(row["ratio"] < MOST_RATIO for row in figures.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
