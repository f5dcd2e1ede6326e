"""A worker that stops dead at one exact point of a delivery, to be killed there: run by tests as a program.

    python -m tests.incidents.halting POINT FLAG NUMBER CHANNEL

It delivers what waits on CHANNEL as the task would; at POINT of the delivery of message NUMBER (from 1) the file FLAG
is written, and nothing happens any more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.operations.halting import halt

POINTS = ("before it is claimed", "before it is sent", "after it was taken", "after it was noted")


def stops_at(real: Callable[..., Any], flag: Path, number: int, *, after: bool) -> Callable[..., Any]:
    """The same, which stops at its `number`th call, before or after it."""
    calls = iter(range(1, 1_000_000))

    def stops(*args: Any, **options: Any) -> Any:
        now = next(calls)
        if now == number and not after:
            halt(flag)
        result = real(*args, **options)
        if now == number:
            halt(flag)
        return result

    return stops


def install(point: str, flag: Path, number: int) -> None:
    """Put the halt into its place."""
    from incidents.announcements import delivering

    name = {"before it is claimed": "_claim", "before it is sent": "hand_over", "after it was taken": "hand_over",
            "after it was noted": "_deliver"}[point]  # fmt: skip
    setattr(delivering, name, stops_at(getattr(delivering, name), flag, number, after=point.startswith("after")))


def main(point: str, flag: str, number: str, channel: str) -> None:
    import django

    django.setup()
    install(point, Path(flag), int(number))
    from incidents.tasks import deliver

    deliver(int(channel))


if __name__ == "__main__":
    main(*sys.argv[1:])
