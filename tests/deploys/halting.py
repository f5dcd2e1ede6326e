"""A worker that stops dead at one exact point of a run, to be killed there: run by tests as a program.

    python -m tests.deploys.halting POINT STEP FLAG task RUN     carries out this one run, as the task would
    python -m tests.deploys.halting POINT STEP FLAG celery       is a whole Celery worker on all queues

The code that runs is the real one; only at POINT, of the step named STEP where the point is one of a step, the file
FLAG is written, and nothing happens any more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.operations.halting import halt

AT_STEPS = ("before the begin", "after the begin", "after the command", "after the end")
"""Points of one step: before and after each of its writes, and when its command has ended but nobody wrote it down."""
AT_ENDS = ("after the claim", "before the success", "after the success", "after the follow-up")
"""Points of a whole run."""
POINTS = (*AT_STEPS, *AT_ENDS)


def _halting(
    real: Callable[..., Any], flag: Path, wanted: Callable[[tuple[Any, ...]], bool], *, after: bool
) -> Callable[..., Any]:  # fmt: skip
    def stops(*args: Any, **options: Any) -> Any:
        if not wanted(args):
            return real(*args, **options)
        if after:
            real(*args, **options)
        return halt(flag)

    return stops


def install(point: str, step: str, flag: Path) -> None:
    """Put the halt into its place."""
    from releases.deploys import carrying
    from releases.tasks import deploys

    def of_step(args: tuple[Any, ...]) -> bool:
        return len(args) > 1 and args[1].name == step

    def always(args: tuple[Any, ...]) -> bool:
        return True

    places: dict[str, tuple[Any, str, Callable[[tuple[Any, ...]], bool], bool]] = {
        "after the claim": (carrying, "_carry_out", always, False),
        "before the begin": (carrying, "step_begin", of_step, False),
        "after the begin": (carrying, "step_begin", of_step, True),
        "after the command": (carrying, "step_carry_out", of_step, True),
        "after the end": (carrying, "step_end", of_step, True),
        "before the success": (carrying, "run_succeed", always, False),
        "after the success": (carrying, "run_succeed", always, True),
        "after the follow-up": (deploys, "run_follow_up", always, True),
    }
    if point == "nowhere":
        return
    if point == "after the pause":
        module, name, wanted, after = carrying, "run_pause", of_step, True
    else:
        module, name, wanted, after = places[point]
    setattr(module, name, _halting(getattr(module, name), flag, wanted, after=after))


def main(point: str, step: str, flag: str, how: str, *rest: str) -> None:
    import django

    django.setup()
    install(point, step, Path(flag))
    if how == "task":
        from releases.tasks import run_steps

        run_steps(int(rest[0]))
    else:
        from hotfixdash.celery import app

        app.worker_main(
            ["--quiet", "worker", "-Q", "default,git,deploy", "-P", "prefork", "-c", "1", "-l", "info",
             "--without-gossip", "--without-mingle", "--without-heartbeat"]
        )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
