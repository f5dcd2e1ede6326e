"""How pages say durations, times and text that came from outside."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from django.utils import timezone

MINUTE, HOUR, DAY = 60, 3600, 86_400

_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")


def seconds_since(moment: datetime | None) -> int:
    """Whole seconds from `moment` until now; 0 for None and for the future."""
    return 0 if moment is None else max(0, int((timezone.now() - moment).total_seconds()))


def seconds_until(moment: datetime) -> int:
    """Whole seconds from now until `moment`; 0 for the past."""
    return max(0, int((moment - timezone.now()).total_seconds()))


def duration(seconds: float) -> str:
    """Two units at most: 9 d 3 h, 2 h 25 m, 40 s."""
    left = max(0, int(seconds))
    if left < MINUTE:
        return f"{left} s"
    if left < HOUR:
        return f"{left // MINUTE} min"
    big, unit, small, part = (DAY, "d", HOUR, "h") if left >= DAY else (HOUR, "h", MINUTE, "m")
    rest = left % big // small
    return f"{left // big} {unit} {rest} {part}" if rest else f"{left // big} {unit}"


def lasted(seconds: float) -> str:
    """How long a step took, to the second while that matters: 2 s, 8 m 02 s, 2 h 25 m."""
    left = max(0, round(seconds))
    return f"{left // MINUTE} m {left % MINUTE:02} s" if MINUTE <= left < HOUR else duration(left)


def duration_round(seconds: float) -> str:
    """One unit, in words, for a sentence: 9 days, 1 hour, 12 minutes."""
    left = max(0, int(seconds))
    for size, word in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        if left >= size:
            return plural(left // size, word)
    return plural(left, "second")


def plural(number: int, one: str, many: str = "") -> str:
    """`2 fixes`, `1 fix`, `1,204 commits`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def day(moment: datetime | None) -> str:
    """A day as a page says it: today, tomorrow, Fri 20 Nov, 20 Nov 2027."""
    if moment is None:
        return ""
    local, now = timezone.localtime(moment), timezone.localtime()
    distance = (local.date() - now.date()).days
    if distance in (-1, 0, 1):
        return ("yesterday", "today", "tomorrow")[distance + 1]
    if abs(distance) < 200:
        return f"{local:%a} {local.day} {local:%b}"
    return f"{local.day} {local:%b %Y}"


def on_day(moment: datetime | None) -> str:
    """The same after a verb: today, on Fri 20 Nov."""
    said = day(moment)
    return said if said in ("", "yesterday", "today", "tomorrow") else f"on {said}"


def clock(moment: datetime | None) -> str:
    """14:31 on the same day, else with its day in front."""
    if moment is None:
        return ""
    local = timezone.localtime(moment)
    return f"{local:%H:%M}" if local.date() == timezone.localdate() else f"{day(moment)}, {local:%H:%M}"


def visible(text: object) -> str:
    """Text from git with control and direction-changing characters spelled out: it cannot pose as something else."""
    return _INVISIBLE.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", str(text))


def line(ref: str) -> str:
    """A line of production in words: its branch, or `version tags (v*)` where tags are production."""
    return f"version tags ({ref.removeprefix('tags:')})" if ref.startswith("tags:") else ref


def short(text: object, longest: int = 32) -> str:
    """The same for a button: cut where it would not fit."""
    shown = visible(text)
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def due_words(age: float, limit: float) -> tuple[str, str]:
    """CSS class and words for an age against its limit, both in seconds: over, soon (a quarter is left) or due."""
    left = limit - age
    if left < 0:
        return "over", f"{duration(-left)} over the limit"
    return ("soon" if left < limit / 4 else "due"), f"due in {duration(left)}"


def limit_words(hours: int) -> str:
    """An SLA as people say it: 48 h, 5 d."""
    return duration(timedelta(hours=hours).total_seconds()) if hours >= 72 else f"{hours} h"
