"""Small parts of status pages: tones, icons, times, ninety bars."""

from __future__ import annotations

from datetime import UTC, date, datetime

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from incidents.response.models import Health
from incidents.status.content import Part
from incidents.status.days import Day

register = template.Library()

_TONES = {"investigating": "warn", "identified": "warn", "monitoring": "run", "resolved": "ok"}
_ICONS = {"investigating": "eye", "identified": "search", "monitoring": "activity", "resolved": "circle-check"}
_BARS = {0: "ok", 1: "plan", 2: "soon", 3: "bad", 4: "down"}


@register.filter
def tone(state: str) -> str:
    return _TONES.get(state, "idle")


@register.filter
def state_icon(state: str) -> str:
    return _ICONS.get(state, "circle")


@register.filter
def part_tone(part: Part) -> str:
    if part.watched:
        return "run"
    return ("ok", "run", "warn", "bad", "bad")[part.health]


@register.filter
def part_icon(part: Part) -> str:
    if part.watched:
        return "activity"
    return ("circle-check", "clock", "triangle-alert", "circle-x", "octagon-x")[part.health]


@register.filter
def favicon(health: int) -> str:
    """The address of the icon that says how it is."""
    return static(f"icons/status-{('ok', 'plan', 'warn', 'bad', 'bad')[health]}.svg")


@register.filter
def stamp(moment_: datetime) -> str:
    return moment_.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@register.filter
def moment(value: datetime, today: date) -> str:
    """`10:08` today, `Thu 19 Nov, 10:08` on other days, with the year in other years."""
    local = timezone.localtime(value, timezone.get_default_timezone())
    if local.date() == today:
        return f"{local:%H:%M}"
    return f"{local:%a %-d %b, %H:%M}" if local.year == today.year else f"{local:%-d %b %Y, %H:%M}"


def _bar(day: Day) -> str:
    return _BARS[day.health] if day.known else "none"


@register.filter
def bars(part: Part) -> SafeString:
    """One bar a day as a picture; its words stand in the list below it, and on each bar for the pointer."""
    shapes = format_html_join(
        "",
        '<rect class="d-{}" x="{}" y="{}" width="4" height="{}" rx="1"><title>{}</title></rect>',
        (
            (_bar(day), 6 * number, 0 if day.health else 4, 24 if day.health else 20, day.text)
            for number, day in enumerate(part.days)
        ),
    )
    bad = [day for day in part.days if day.health > Health.MAINTENANCE]
    days = f"{part.known_days} day{'' if part.known_days == 1 else 's'}"
    said = f"{days}, {len(bad)} of them with trouble" if bad else f"{days} without trouble"
    return format_html(
        '<svg class="pub-bars" viewBox="0 0 {} 24" role="img" aria-label="{}" preserveAspectRatio="none">{}</svg>',
        6 * len(part.days) - 2, said, shapes,
    )  # fmt: skip
