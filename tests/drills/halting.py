"""A worker that stops dead at one exact point of preparing a drill, to be killed there: run by tests as a program.

    python -m tests.drills.halting POINT FLAG DRILL

The code that runs is the real one; only at POINT the file FLAG is written, and nothing happens any more.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.operations.halting import halting

POINTS = ("while copying", "after the copy", "after tracking", "while reading", "while shipping", "before the begin")


def install(point: str, flag: Path) -> None:
    """Put the halt into its place."""
    from incidents.drills import copying, preparing
    from releases.deploys import carrying
    from releases.policies import keeping_up

    places: dict[str, tuple[Any, str, bool]] = {
        "while copying": (copying, "throw_away_copy", False),
        "after the copy": (preparing, "copy_make", True),
        "after tracking": (preparing, "_track", True),
        "while reading": (keeping_up, "report_record", False),
        "while shipping": (carrying, "step_carry_out", True),
        "before the begin": (preparing, "_begin", False),
    }
    module, name, after = places[point]
    setattr(module, name, halting(getattr(module, name), flag, after=after))


def main(point: str, flag: str, drill: str) -> None:
    import django

    django.setup()
    install(point, Path(flag))
    from incidents.tasks import prepare_drill

    prepare_drill(int(drill))


if __name__ == "__main__":
    main(*sys.argv[1:])
