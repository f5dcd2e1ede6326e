"""A worker that stops dead at one exact point of an operation, to be killed there: run by tests as a program.

    python -m tests.operations.halting POINT FLAG task OPERATION     carries out this one operation, as the task would
    python -m tests.operations.halting POINT FLAG celery             is a whole Celery worker on both queues

The code that runs is the real one; only at POINT the file FLAG is written, and nothing happens any more.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

POINTS = ("before the plan", "after the journal", "after the push", "before the settle", "after the settle")


def halt(flag: Path) -> NoReturn:
    """Say that the point is reached, and wait to be killed."""
    draft = flag.with_name(f"{flag.name}.draft")
    draft.write_text(str(os.getpid()))
    draft.rename(flag)  # whoever sees it finds the number in it
    while True:
        time.sleep(60)


def halting(real: Callable[..., Any], flag: Path, *, after: bool) -> Callable[..., Any]:
    def stops(*args: Any, **options: Any) -> Any:
        if after:
            real(*args, **options)
        halt(flag)

    return stops


def install(point: str, flag: Path) -> None:
    """Put the halt into its place."""
    from releases.git.session import Session
    from releases.operations import carrying

    if point == "before the plan":
        planners = {kind: halting(planner, flag, after=False) for kind, planner in carrying.PLANNERS.items()}
        carrying.PLANNERS = planners  # type: ignore[attr-defined]
    elif point == "after the journal":
        carrying.operation_keep_plan = halting(carrying.operation_keep_plan, flag, after=True)  # type: ignore[attr-defined]
    elif point == "after the push":
        Session.push = halting(Session.push, flag, after=True)  # type: ignore[method-assign]
    elif point in ("before the settle", "after the settle"):
        after = point.startswith("after")
        carrying.operation_settle = halting(carrying.operation_settle, flag, after=after)  # type: ignore[attr-defined]
    elif point != "nowhere":
        raise SystemExit(f"no such point: {point}")


def main(point: str, flag: str, how: str, *rest: str) -> None:
    import django

    django.setup()
    install(point, Path(flag))
    if how == "task":
        from releases.tasks import run_operation

        run_operation(int(rest[0]))
    else:
        from hotfixdash.celery import app

        app.worker_main(
            ["--quiet", "worker", "-Q", "default,git", "-P", "prefork", "-c", "1", "-l", "info",
             "--without-gossip", "--without-mingle", "--without-heartbeat"]
        )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
