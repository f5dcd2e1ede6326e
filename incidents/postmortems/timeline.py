"""The timeline of a post-mortem: facts from git, deployments and the incident, and lines that people add."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from incidents.response.facts import Fact, hotfix_facts, timeline
from incidents.response.models import Incident
from incidents.response.speakers import BETWEEN
from releases import live
from releases.hotfixes.models import Hotfix
from releases.ledger.models import Event
from releases.policies.typed import typed

from .errors import PostMortemError
from .models import Line, PostMortem
from .writing import must_be_open, topic_of

LONGEST_LINE = 500
COLLEAGUE = "a colleague"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line, as it is shown."""

    at: datetime
    kind: str
    """said, state, git, deploy, note or added."""
    text: str
    who: str
    hidden: bool = False
    event: Event | None = None
    line: Line | None = None
    link: str = ""


def entries(postmortem: PostMortem, *, hidden: bool = False) -> list[Entry]:
    """Everything, oldest first; what people hid only when asked for."""
    lines = list(postmortem.lines.select_related("author", "event"))
    by_event = {line.event_id: line for line in lines if line.event_id is not None}
    # Newest first, also among those of one moment, which the sorting below leaves in the order in which they stand.
    found = [_fact(fact, by_event, postmortem.project.slug) for fact in reversed(_facts(postmortem))]
    found += [
        Entry(line.at, "added", line.text, line.author.get_username() if line.author else "", line=line, link=line.link)
        for line in lines
        if line.event_id is None
    ]
    shown = [entry for entry in found if hidden or not entry.hidden]
    if not postmortem.names_people:
        shown = [replace(entry, who=role_of(postmortem, entry.who)) for entry in shown]
    return sorted(shown, key=lambda entry: entry.at)


def line_add(postmortem: PostMortem, at: datetime, text: str, author: Any, link: str = "") -> Line:
    """Add a line of one's own. Raises PostMortemError (field: text, at, link)."""
    must_be_open(postmortem)
    said = typed(" ".join(text.split()), "text", "What happened", LONGEST_LINE, error=PostMortemError)
    if at > timezone.now():
        raise PostMortemError("at", "That is in the future.")
    if link and not link.startswith(("https://", "http://")):
        raise PostMortemError("link", "A link begins with https://.")
    line = Line.objects.create(postmortem=postmortem, at=at, text=said, author=author, link=link[:500])
    live.publish(topic_of(postmortem))
    return line


def line_remove(line: Line) -> None:
    """Take a line of one's own away. Raises PostMortemError."""
    must_be_open(line.postmortem)
    if line.event_id is None:
        line.delete()
        live.publish(topic_of(line.postmortem))


def fact_hide(postmortem: PostMortem, event: Event, hidden: bool, author: Any) -> None:
    """Leave a fact out of the document, or bring it back; in the ledger it stays. Raises PostMortemError."""
    must_be_open(postmortem)
    if event.pk not in {fact.event.pk for fact in _facts(postmortem) if fact.event is not None}:
        raise PostMortemError("event", "That is no fact of this post-mortem.", "elsewhere")
    with transaction.atomic():
        Line.objects.update_or_create(
            postmortem=postmortem, event=event, defaults={"hidden": hidden, "at": event.at, "author": author}
        )
    live.publish(topic_of(postmortem))


def role_of(postmortem: PostMortem, name: str) -> str:
    """What somebody did here, in place of their name; machines keep theirs. Of several: each role once."""
    names = name.split(BETWEEN)
    if len(names) > 1:
        roles_of = [role_of(postmortem, each) for each in names]
        others = sum(role == COLLEAGUE for role in roles_of)
        known = [role for role in dict.fromkeys(roles_of) if role != COLLEAGUE]
        return BETWEEN.join(known + ([COLLEAGUE if others == 1 else f"{others} colleagues"] if others else []))
    if name in ("git", "worker", "sweep", "webhook", "operator", ""):
        return name
    incident, hotfix = postmortem.incident, postmortem.hotfix
    roles: list[tuple[Any, str]] = []
    if incident is not None:
        roles += [
            (incident.lead, "incident lead"), (incident.communications, "communications"), (incident.scribe, "scribe"),
        ]  # fmt: skip
    if hotfix is not None:
        roles.append((hotfix.owner, "hotfix owner"))
    return next((role for person, role in roles if person and person.get_username() == name), COLLEAGUE)


def _facts(postmortem: PostMortem) -> list[Fact]:
    facts: list[Fact] = []
    hotfixes: list[Hotfix] = []
    if postmortem.incident is not None:
        facts += _with_rows(postmortem.incident, timeline(postmortem.incident))
        hotfixes = list(postmortem.incident.hotfixes.all())
    if postmortem.hotfix is not None and postmortem.hotfix not in hotfixes:
        facts += hotfix_facts(postmortem.hotfix)
    return facts


def _with_rows(incident: Incident, facts: list[Fact]) -> list[Fact]:
    """What was said has a row in the ledger too, by which it can be left out."""
    kinds = ("incident.updated", "incident.corrected")
    rows = Event.objects.filter(project=incident.project_id, subject=f"incident:{incident.key}", kind__in=kinds)
    said = {row.evidence.get("update"): row for row in rows}
    # What was corrected stays readable on the incident's page; what happened is told by its correction.
    right = [fact for fact in facts if not hasattr(fact.update, "corrected_by")]
    return [replace(fact, event=said.get(fact.update.pk)) if fact.update else fact for fact in right]


def _fact(fact: Fact, by_event: dict[int, Line], slug: str) -> Entry:
    line = by_event.get(fact.event.pk) if fact.event else None
    hidden = line.hidden if line else False
    return Entry(fact.at, fact.kind, fact.text, fact.who, hidden=hidden, event=fact.event, link=_link(fact, slug))


def _link(fact: Fact, slug: str) -> str:
    """The evidence: the page of what the fact is about."""
    if fact.event is None:
        return ""
    kind, _, thing = fact.event.subject.partition(":")
    if kind == "hotfix":
        return f"/projects/{slug}/hotfixes/{thing}/"
    return f"/incidents/{thing}/" if kind == "incident" else ""
