"""Parts of the hotfix pages: nodes, choices, meters."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django import template
from django.forms import CheckboxInput, CheckboxSelectMultiple, RadioSelect
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from releases.hotfixes.models import Hotfix
from releases.templatetags.dash import field
from releases.views import words
from releases.views.icons import icon
from releases.views.steps import Step

register = template.Library()
_VERSION = r"(?<![\w/.-])v\d+(?:\.\d+)+(?:[-+][\w.-]*\w)?"
"""A version tag that a sentence names."""


@register.simple_tag
def node(step: Step) -> SafeString:
    """The round mark of a step."""
    mark = icon(step.icon, "spin" if step.icon == "loader" else "") if step.icon else ""
    return format_html('<span class="node">{}</span>', mark)


@register.simple_tag
def told(text: object, names: Iterable[str]) -> SafeString:
    """A sentence in which the names of branches and tags are set in the mono face."""
    shown = words.visible(text)
    known = sorted({words.visible(name) for name in names if name}, key=len, reverse=True)
    wanted = [rf"(?<![\w/.-]){re.escape(name)}(?![\w/-])" for name in known] + [_VERSION]
    # Every second part is what the group matched.
    parts = enumerate(re.split(f"({'|'.join(wanted)})", shown))
    return format_html_join(
        "", "{}", ((format_html('<span class="ref">{}</span>', part) if at % 2 else part,) for at, part in parts)
    )


@register.simple_tag
def severity(number: int) -> SafeString:
    """`SEV2` in its box."""
    return format_html('<span class="sev sev--{}">{}</span>', number, Hotfix.Severity(number).label)


@register.simple_tag
def radios(bound: Any, css: str = "") -> SafeString:
    """A choice of few, as radio buttons or, where several may be chosen, checkboxes under one legend."""
    several = isinstance(bound.field.widget, CheckboxSelectMultiple)
    value = bound.value() or ""
    chosen = {str(item) for item in value} if several and not isinstance(value, str) else {str(value)}
    required = mark_safe(" required") if bound.field.required and not several else ""
    options = format_html_join(
        "",
        '<label><input type="{}" name="{}" value="{}" id="{}_{}"{}{}> {}</label>',
        (
            ("checkbox" if several else "radio", bound.html_name, option, bound.auto_id, number,
             mark_safe(" checked") if str(option) in chosen else "", required, label)
            for number, (option, label) in enumerate(bound.field.choices)
        ),
    )  # fmt: skip
    hint = format_html('<p class="hint" id="{}-hint">{}</p>', bound.auto_id, bound.help_text) if bound.help_text else ""
    told = format_html(' aria-describedby="{}-hint"', bound.auto_id) if hint else ""
    error = (
        format_html('<p class="err">{}{}</p>', icon("circle-alert", "i--sm"), bound.errors[0]) if bound.errors else ""
    )
    wrong = " is-err" if bound.errors else ""
    return format_html(
        '<fieldset class="field choice{} {}"{}><legend>{}</legend><div class="choice-o">{}</div>{}{}</fieldset>',
        wrong, css, told, bound.label, options, hint, error,
    )  # fmt: skip


@register.simple_tag
def ask_field(bound: Any) -> SafeString:
    """A field of a question: choices of few as buttons under a legend, everything else as `field` does."""
    if isinstance(bound.field.widget, RadioSelect | CheckboxSelectMultiple):
        return radios(bound)
    if isinstance(bound.field.widget, CheckboxInput):
        return tick(bound)
    return field(bound)


def tick(bound: Any) -> SafeString:
    """A yes or no: the box stands before its words."""
    name = bound.auto_id
    hint = format_html('<p class="hint" id="{}-hint">{}</p>', name, bound.help_text) if bound.help_text else ""
    told = format_html(' aria-describedby="{}-hint"', name) if hint else ""
    checked = mark_safe(" checked") if bound.value() else ""
    return format_html(
        '<div class="field tick"><label><input type="checkbox" name="{}" id="{}"{}{}> {}</label>{}</div>',
        bound.html_name, name, checked, told, bound.label, hint,
    )  # fmt: skip


@register.simple_tag
def meter(value: int, limit: int) -> SafeString:
    """A bar with the limit at five eighths, green up to it and amber past it."""
    scale = max(limit * 1.6, value * 1.05, 1)
    mark, end = 100 * limit / scale, 100 * value / scale
    over = f'<rect class="bar-soon" x="{mark:.2f}%" y="2" width="{end - mark:.2f}%" height="6"/>' if end > mark else ""
    return mark_safe(  # noqa: S308 - numbers only
        '<svg class="bar" aria-hidden="true"><rect class="bar-track" y="2" width="100%" height="6"/>'
        f'<rect class="bar-ok" y="2" width="{min(end, mark):.2f}%" height="6"/>{over}'
        f'<rect class="bar-limit" x="{mark:.2f}%" y="-1" width="1.5" height="12"/></svg>'
    )
