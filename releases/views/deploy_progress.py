"""How far a run is, measured by what runs like it took before."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from releases.deploys.models import Run

from . import words


@dataclass(frozen=True, slots=True)
class Progress:
    """A sentence and a bar."""

    words: str
    more: str
    percent: float

    @property
    def bar(self) -> SafeString:
        # Numbers only: nothing here needs escaping.
        return mark_safe(  # noqa: S308
            '<svg class="bar" aria-hidden="true"><rect class="bar-track" y="2" width="100%" height="6" rx="3"/>'
            f'<rect class="bar-now" y="2" width="{self.percent:.1f}%" height="6" rx="3"/></svg>'
        )


def progress_of(run: Run, estimate: float | None) -> Progress | None:
    """Of a run that works or is watched; None for others. `estimate`: seconds, None when nothing like it ran before."""
    now = timezone.now()
    if run.state == Run.State.WATCHING and run.watch_until is not None and run.live_at is not None:
        whole = max(1.0, (run.watch_until - run.live_at).total_seconds())
        gone = (now - run.live_at).total_seconds()
        return Progress("Watching its health", f"until {words.clock(run.watch_until)}", _percent(gone, whole))
    if run.state != Run.State.RUNNING or run.started_at is None:
        return None
    gone = (now - run.started_at).total_seconds()
    if estimate is None:
        return Progress(f"Running for {words.lasted(gone)}", "nothing like it ran before, so no estimate", 4.0)
    usual = f"runs like it take {words.lasted(estimate)}"
    if gone > estimate:
        return Progress(f"{words.lasted(gone - estimate)} longer than usual", usual, 97.0)
    return Progress(f"About {words.lasted(estimate - gone)} left", usual, _percent(gone, estimate))


def _percent(part: float, whole: float) -> float:
    return min(97.0, max(2.0, 100 * part / whole))
