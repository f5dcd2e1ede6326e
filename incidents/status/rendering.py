"""A status page in its four forms: a page, JSON, a feed, a badge. The same content gives the same bytes."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from django.conf import settings
from django.template.loader import render_to_string

from incidents.response.models import Health
from releases.policies.typed import straight

from .content import Content, Told

_WORTH = 500
"""Bytes from which compressing pays."""
_LEGAL = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 65534, 65535])
"""Characters that XML cannot hold."""
_TONES = {
    Health.WORKING: ("working", "#106c3e"), Health.MAINTENANCE: ("maintenance", "#2554ca"),
    Health.DEGRADED: ("degraded", "#7d4a05"), Health.PARTIAL: ("partly down", "#b32322"),
    Health.DOWN: ("down", "#b32322"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a page, ready to be sent."""

    body: bytes
    kind: str
    """Its Content-Type."""
    etag: str
    """A weak one: it names the content, compressed or not."""
    zipped: bytes = b""
    """The body compressed; empty when that is not worth it."""
    changed: int = 0
    """Since when it reads like this, in seconds; 0: nobody keeps that."""

    @classmethod
    def of(cls, body: bytes, kind: str, etag: str = "", changed: int = 0) -> Form:
        """Compressed once, for all who ask."""
        small = gzip.compress(body, 6, mtime=0) if len(body) > _WORTH else b""
        return cls(body, kind, etag or f'W/"{hashlib.sha256(body).hexdigest()[:32]}"', small, changed)

    def after(self, before: Form | None, now: float) -> Form:
        """With the time of its last change, which differs for different texts also within one second."""
        if before is None or not before.changed:
            return replace(self, changed=int(now))
        return replace(self, changed=before.changed if before.etag == self.etag else max(int(now), before.changed + 1))


FORMS = ("page.html", "data.json", "feed.atom", "badge.svg")


def forms_of(content: Content) -> dict[str, Form]:
    """All forms of a page."""
    return {
        "page.html": _form(page_html(content), "text/html; charset=utf-8"),
        "data.json": _form(as_json(content), "application/json; charset=utf-8"),
        "feed.atom": _form(as_atom(content), "application/atom+xml; charset=utf-8"),
        "badge.svg": _form(as_badge(content), "image/svg+xml; charset=utf-8"),
    }


def page_html(content: Content) -> str:
    return render_to_string("incidents/status.html", {"content": content, "address": address_of(content)})


def address_of(content: Content) -> str:
    """Without a slash at the end."""
    return f"{settings.PUBLIC_URL}/status/{content.slug}"


def as_json(content: Content) -> str:
    """Documented in docs/status-pages.md; times are UTC."""
    data = {
        "page": {"name": content.title, "url": f"{address_of(content)}/"},
        "state": _TONES[content.worst][0],
        "headline": content.headline,
        "components": [
            {"name": part.name, "state": _TONES[part.health][0], "watched": part.watched} for part in content.parts
        ],
        "incidents": [_incident(told) for told in (*content.open, *content.recent)],
        "maintenance": [
            {
                "title": plan.title, "text": plan.text, "starts": _stamp(plan.starts), "ends": _stamp(plan.ends),
                "running": plan.running, "components": list(plan.components),
            }
            for plan in content.planned
        ],
    }  # fmt: skip
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"


def _incident(told: Told) -> dict[str, Any]:
    return {
        "id": told.key, "title": told.title, "state": told.state, "impact": told.impact,
        "started": _stamp(told.began), "ended": _stamp(told.ended), "components": list(told.components),
        "progress": [{"step": step.label, "state": step.state, "at": _stamp(step.at)} for step in told.steps],
        "updates": [{"at": _stamp(said.at), "state": said.state, "text": said.text} for said in told.said],
        "learned": told.afterword,
    }  # fmt: skip


def as_atom(content: Content) -> str:
    """One entry for each public update, the newest first."""
    base = address_of(content)
    entries = sorted(
        ((said.at, said.pk, told, said) for told in content.feed for said in told.said), reverse=True,
        key=lambda row: row[:2],
    )[:50]  # fmt: skip
    newest = entries[0][0] if entries else datetime(2020, 1, 1, tzinfo=UTC)
    parts = [
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">',
        f"<id>{_xml(base)}/</id><title>{_xml(content.title)}</title><updated>{_stamp(newest)}</updated>",
        f"<author><name>{_xml(content.title)}</name></author>",
        f'<link rel="alternate" type="text/html" href={quoteattr(base + "/")}/>',
        f'<link rel="self" type="application/atom+xml" href={quoteattr(base + "/feed.atom")}/>',
    ]
    for at, pk, told, said in entries:
        parts.append(
            f"<entry><id>{_xml(base)}/#update-{pk}</id><title>{_xml(said.label)}: {_xml(told.title)}</title>"
            f"<updated>{_stamp(at)}</updated><link href={quoteattr(f'{base}/#{told.key}')}/>"
            f'<content type="text">{_xml(said.text)}</content></entry>'
        )
    return "\n".join([*parts, "</feed>"]) + "\n"


def as_badge(content: Content) -> str:
    """A small picture with words for other pages."""
    word, colour = _TONES[content.worst]
    label = _clean(content.title)[:40] or "status"
    left, right = 12 + 7 * len(label), 12 + 7 * len(word)
    text = f"{label}: {word}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
        f"aria-label={quoteattr(text)}><title>{_xml(text)}</title>"
        f'<rect width="{left + right}" height="20" rx="4" fill="#484d56"/>'
        f'<path d="M{left} 0h{right - 4}a4 4 0 0 1 4 4v12a4 4 0 0 1-4 4h-{right - 4}z" fill="{colour}"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">'
        f'<text x="{left / 2}" y="14" textLength="{left - 12}">{_xml(label)}</text>'
        f'<text x="{left + right / 2}" y="14" textLength="{right - 12}">{_xml(word)}</text></g></svg>\n'
    )


def _form(text: str, kind: str) -> Form:
    return Form.of(text.encode("utf-8", "replace"), kind)


def _xml(text: str) -> str:
    return escape(_clean(text))


def _clean(text: str) -> str:
    return straight(text.translate(_LEGAL))


def _stamp(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
