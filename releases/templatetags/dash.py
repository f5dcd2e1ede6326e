"""What every page of the dashboard is made of: icons, chips, ages, refs, times.

Tags return finished markup and are cheap enough to be called per row: icons and chips are built once.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from releases.evidence.verdicts import Code
from releases.views import icons, words
from releases.views.frame import Frame

register = template.Library()


@register.simple_tag(takes_context=True)
def frame(context: template.Context) -> Frame:
    """Header, tabs and theme of this page: `{% frame as frame %}`; used by base.html only."""
    return Frame(context)


register.simple_tag(icons.icon, name="icon")
icon = icons.icon
"""`{% icon "git-merge" %}`, `{% icon "x" "i--sm" %}`."""


@register.simple_tag
@lru_cache(maxsize=64)
def chip(code: str, settled: bool = False) -> SafeString:
    """`{% chip verdict.code verdict.settled %}`: a verdict as icon and word; one that is settled recedes."""
    known = Code(code)
    css = f"{known.value} is-settled" if settled else known.value
    return format_html('<span class="v v--{}">{}{}</span>', css, icon(known.icon), known.label)


@register.simple_tag
def state(tone: str, icon_name: str, text: str) -> SafeString:
    """`{% state "ok" "circle-check" "Passed" %}`; tones ok, run, you, warn, bad, idle. The loader icon turns."""
    return format_html(
        '<span class="st st--{}">{}{}</span>', tone, icon(icon_name, "spin" if icon_name == "loader" else ""), text
    )


@register.filter
def age(value: datetime | timedelta | int | float | None) -> str:
    """`{{ moment|age }}` → 9 d 3 h; takes a moment, a timedelta or seconds."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return words.duration(words.seconds_since(value))
    return words.duration(value.total_seconds() if isinstance(value, timedelta) else value)


@register.filter
def clock(value: datetime | None) -> str:
    """`{{ moment|clock }}` → 14:31, or with its day."""
    return words.clock(value)


@register.filter
def day(value: datetime | None) -> str:
    """`{{ moment|day }}` → today, tomorrow, Fri 20 Nov."""
    return words.day(value)


@register.filter
def on_day(value: datetime | None) -> str:
    """`{{ moment|on_day }}` → today, on Fri 20 Nov."""
    return words.on_day(value)


@register.filter
def count_of(number: int, forms: str) -> str:
    """`{{ n|count_of:"fix,fixes" }}` → 2 fixes."""
    one, _, many = forms.partition(",")
    return words.plural(number, one, many)


@register.filter
def number(value: int | None) -> str:
    """`{{ n|number }}` → 1,204."""
    return f"{value or 0:,}"


@register.filter
def took(run: Any) -> str:
    """How long a fetch took, from its start to its end."""
    if not run.started_at or not run.finished_at:
        return ""
    seconds = (run.finished_at - run.started_at).total_seconds()
    return words.duration(seconds) if seconds >= 10 else f"{seconds:.1f} s"


@register.filter
def short_sha(value: str | None) -> str:
    """The first seven characters of an object id."""
    return (value or "")[:7]


@register.filter
def line(value: str) -> str:
    """`{{ fix.production_ref|line }}`: a line of production in words."""
    return words.line(str(value))


@register.filter
def safe_text(value: object) -> str:
    """Text from git with invisible and direction-changing characters spelled out; still escaped by the template."""
    return words.visible(value)


@register.simple_tag
def ref(name: object, css: str = "") -> SafeString:
    """`{% ref branch %}`: a sha, tag or branch in the mono face; `css` "ref--box" gives it a ground."""
    return format_html('<span class="ref{}">{}</span>', f" {css}" if css else "", words.visible(name))


@register.simple_tag
def refs(names: Iterable[str], last: str = ", ", short: bool = False) -> SafeString:
    """`{% refs branches " and " %}`: names in the mono face, `last` before the last one; `short` cuts object ids."""
    found = [ref(short_sha(name) if short else name) for name in names]
    if len(found) < 2:
        return found[0] if found else mark_safe("")
    return format_html("{}{}{}", format_html_join(", ", "{}", ((name,) for name in found[:-1])), last, found[-1])


@register.simple_tag
def copy(text: str, label: str = "Copy", css: str = "btn btn--sm") -> SafeString:
    """A button that copies `text`; without script it stays hidden, the text can be selected."""
    return format_html(
        '<button class="{}" type="button" data-copy="{}" hidden>{}<span>{}</span></button>',
        css, text, icon("copy", "i--sm"), label,
    )  # fmt: skip


@register.simple_tag
def since(moment: datetime | None, suffix: str = "") -> SafeString:
    """`{% since moment " ago" %}` → <time> with the age; the exact moment on hover; kept current by the script."""
    if moment is None:
        return mark_safe("")
    return format_html(
        '<time datetime="{}" title="{}"{}>{}{}</time>',
        moment.isoformat(timespec="seconds"),
        f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S %Z}",
        mark_safe(" data-ago") if suffix == " ago" else "",
        words.duration(words.seconds_since(moment)),
        suffix,
    )


@register.simple_tag
def age_bar(moment: datetime | None, sla_hours: int, scale_hours: float) -> SafeString:
    """Age since `moment` against the SLA, in words and as a bar; `scale_hours` is the right end, one for a list."""
    return age_bar_markup(words.seconds_since(moment), sla_hours * 3600.0, scale_hours * 3600.0)


def age_bar_markup(seconds: float, limit: float, scale: float) -> SafeString:
    """The bar itself; all in seconds."""
    scale = max(scale, limit, 1.0)
    mark, end = 100 * limit / scale, 100 * min(seconds, scale) / scale
    css, said = words.due_words(seconds, limit)
    over = ""
    if end > mark:
        over = f'<rect class="bar-over" x="{mark:.2f}%" y="2" width="{end - mark:.2f}%" height="6"/>'
    # Numbers and our own words only: nothing here needs escaping.
    return mark_safe(  # noqa: S308
        f'<p class="age-t"><b>{words.duration(seconds)}</b><span class="{css}">{said}</span></p>'
        f'<svg class="bar" aria-hidden="true"><rect class="bar-track" y="2" width="100%" height="6"/>'
        f'<rect class="bar-in" y="2" width="{min(end, mark):.2f}%" height="6"/>{over}'
        f'<rect class="bar-limit" x="{mark:.2f}%" y="-1" width="1.5" height="12"/></svg>'
    )


@register.simple_tag
def field(bound: Any, css: str = "") -> SafeString:
    """A form field with its label, hint and error; widgets bring their own classes."""
    name = bound.auto_id
    hint = error = ""
    told = []
    if bound.help_text:
        hint = format_html('<p class="hint" id="{}-hint">{}</p>', name, bound.help_text)
        told.append(f"{name}-hint")
    if bound.errors:
        error = format_html('<p class="err" id="{}-err">{}{}</p>', name, icon("circle-alert", "i--sm"), bound.errors[0])
        told.append(f"{name}-err")
    attrs: dict[str, Any] = {"aria-describedby": " ".join(told)} if told else {}
    if bound.errors:
        attrs["aria-invalid"] = "true"
    classes = " ".join(part for part in ("field", css, "is-err" if bound.errors else "") if part)
    return format_html(
        '<div class="{}"><label for="{}">{}</label>{}{}{}</div>',
        classes, name, bound.label, conditional_escape(bound.as_widget(attrs=attrs)), hint, error,
    )  # fmt: skip
