"""What people do to an incident. Each change is one transaction: the row, what was said, and its ledger row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import IntegrityError, transaction
from django.utils import timezone

from incidents.numbering import numbered
from releases import live
from releases.hotfixes.models import Hotfix
from releases.ledger.services import event_write
from releases.policies.typed import typed
from releases.projects.models import Project, Release

from .errors import IncidentError
from .models import DRILLS_FROM, Component, Health, Impact, Incident, Severity, Update
from .states import TIME_NAMES, TIMES, calm, out_of_order, reopens

LONGEST_TITLE, LONGEST_TEXT, LONGEST_WHY = 200, 10_000, 2_000
ROLES = ("lead", "communications", "scribe")
OPEN = "incidents-open"
"""Where the counts of open incidents are kept."""
_CHAT = URLValidator(schemes=["https", "http"])
_AHEAD = timedelta(minutes=2)
"""A clock may be this far ahead of ours; a time beyond that has not happened yet."""


def subject_of(incident: Incident) -> str:
    """How the ledger calls this incident."""
    return f"incident:{incident.key}"


def topic_of(incident: Incident) -> str:
    """The topic of its open pages."""
    return f"incident:{incident.pk}"


def incident_declare(
    project: Project, title: str, *, severity: int = Severity.SEV2, impact: str = "",
    hurt: Mapping[Component, int] | None = None, text: str = "", public: bool = True,
    started_at: datetime | None = None, detected_at: datetime | None = None, lead: Any = None, chat_url: str = "",
    hotfix: Hotfix | None = None, drill: Any = None, actor: Any = None, at: datetime | None = None,
) -> Incident:  # fmt: skip
    """Declare an incident; `hurt` says how each component fares, `text` is its first public word. Raises IncidentError.

    Times that are not known stay unknown; `at` is when it was declared, for one that is written down afterwards.
    """
    if project.is_drill:
        # Whatever is declared in a drill belongs to it, and is nobody's business outside.
        drill, public = drill or getattr(project, "drill", None), False
    fresh = Incident(
        project=project, title=_title(title), impact=_text(impact, "impact", needed=False),
        severity=_severity(severity), public=public, lead=lead or actor, chat_url=_chat(chat_url), declared_by=actor,
        started_at=_past(started_at, "started_at"), detected_at=_past(detected_at, "detected_at"), drill=drill,
        declared_at=_past(at, "declared_at") or timezone.now(),
    )  # fmt: skip
    _in_order(fresh)
    said = _text(text, "text", needed=False)

    def make(number: int) -> None:
        fresh.pk, fresh.number = None, number
        fresh.save(force_insert=True)
        _declared(fresh, hurt or {}, hotfix, said, actor, at)

    _numbered(make, in_drill=drill is not None)
    fresh.refresh_from_db()
    return fresh


def _numbered(make: Callable[[int], None], *, in_drill: bool) -> None:
    """Drills are counted on their own: they leave no gap in the numbers that people say aloud."""
    if in_drill:
        numbered(Incident.objects.filter(number__gte=DRILLS_FROM), make, DRILLS_FROM)
    else:
        numbered(Incident.objects.filter(number__lt=DRILLS_FROM), make)


def _declared(
    fresh: Incident, hurt: Mapping[Component, int], hotfix: Hotfix | None, text: str, actor: Any, at: datetime | None
) -> None:
    tell(fresh, "incident.declared", actor, new=fresh.state, why=f"{fresh.key} was declared: {fresh.title}.", at=at)
    for component, health in hurt.items():
        _hurt(fresh, component, health, at)
    if hotfix is not None:
        _linked(fresh, hotfix, actor, at)
    if text:
        _said(fresh, text, Incident.State.INVESTIGATING, fresh.public, actor, at)


def incident_say(
    incident: Incident,
    text: str,
    *,
    state: str = "",
    public: bool = True,
    at: datetime | None = None,
    why: str = "",
    actor: Any = None,
) -> Update:
    """Add an update, which may lead to another state; `why` is needed to reopen. Raises IncidentError.

    `at` is when it was said, for what is written down afterwards; the incident moved on then, too.
    """
    said = _text(text, "text")
    when = _past(at, "at")
    with transaction.atomic():
        standing = _locked(incident)
        target = Incident.State(state or standing.state)
        if reopens(standing.state, target) and not why.strip():
            raise IncidentError("why", "It was resolved. Say why it is open again.", "why")
        if public and not standing.public:
            raise IncidentError("public", "This incident is internal: nothing about it is told outside.", "internal")
        update = _said(standing, said, target, public, actor, when)
        _moved(standing, update, why, actor, when)
    incident.refresh_from_db()
    return update


def update_correct(update: Update, text: str, actor: Any = None) -> Update:
    """Say it anew: what was said stays readable, beside what corrects it. Raises IncidentError."""
    said = _text(text, "text")
    try:
        with transaction.atomic():
            standing = _locked(update.incident)
            fresh = Update.objects.create(
                incident=standing, at=update.at, author=actor, state=update.state, public=update.public, text=said,
                corrects=update,
            )  # fmt: skip
            evidence = {"update": fresh.pk, "corrects": update.pk, "public_word": update.public}
            tell(standing, "incident.corrected", actor, old=update.text, why=said, evidence=evidence)
    except IntegrityError:
        raise IncidentError("text", "Somebody corrected this update already. Correct theirs.", "taken") from None
    return fresh


def incident_edit(incident: Incident, actor: Any = None, **changes: Any) -> Incident:
    """Change title, impact, severity, public, chat_url, a role or introduced_by; one ledger row tells all of it."""
    checks: dict[str, Any] = {
        "title": _title, "severity": _severity, "impact": lambda value: _text(value, "impact", needed=False),
        "chat_url": _chat,
    }  # fmt: skip
    unknown = set(changes) - {*checks, *ROLES, "public", "introduced_by"}
    if unknown:
        raise TypeError(f"not editable: {', '.join(sorted(unknown))}")
    with transaction.atomic():
        standing = _locked(incident)
        if standing.drill_id is not None and changes.get("public"):
            raise IncidentError("public", "This is a drill: nothing about it is told outside.", "drill")
        told = []
        for name, value in changes.items():
            new = checks[name](value) if name in checks else value
            if getattr(standing, name) != new:
                told.append(f"{name.replace('_', ' ')}: {_shown(standing, name)} → {_named(name, new)}")
                setattr(standing, name, new)
        if told:
            standing.save(update_fields=list(changes))
            tell(standing, "incident.edited", actor, why=f"Changed: {'; '.join(told)}."[:LONGEST_WHY])
    incident.refresh_from_db()
    return incident


def incident_time(incident: Incident, field: str, at: datetime | None, note: str, actor: Any = None) -> Incident:
    """Set one of the four times, or say that it is not known (None), with a note of how it is known.

    Raises IncidentError.
    """
    if field not in TIMES:
        raise TypeError(f"not a time of an incident: {field}")
    reason = _text(note, "note", longest=LONGEST_WHY)
    with transaction.atomic():
        standing = _locked(incident)
        old = getattr(standing, field)
        setattr(standing, field, _past(at, field))
        _in_order(standing)
        if field == "ended_at" and at is not None and not calm(standing.state):
            state = standing.get_state_display().lower()
            raise IncidentError("at", f"It is {state}, so it has not ended. Say first that it is over.", "open")
        standing.times_why = standing.times_why | {field: reason}
        standing.save(update_fields=[field, "times_why"])
        tell(
            standing, "incident.timed", actor, target=TIME_NAMES[field],
            old=old.isoformat() if old else "not known", new=at.isoformat() if at else "not known", why=reason,
        )  # fmt: skip
    incident.refresh_from_db()
    return incident


def incident_hurts(incident: Incident, component: Component, health: int, actor: Any = None) -> None:
    """Say how a component fares in this incident; WORKING ends its part. Raises IncidentError."""
    with transaction.atomic():
        standing = _locked(incident)
        if calm(standing.state) and health != Health.WORKING:
            state = standing.get_state_display().lower()
            raise IncidentError(
                "health", f"It is {state}: nothing is hurt any more. Say first that it goes on.", "calm"
            )
        before = standing.impacts.filter(component=component, until=None).first()
        if (before.health if before else Health.WORKING) == health:
            return
        _hurt(standing, component, health)
        tell(
            standing, "incident.hurts", actor, target=component.name,
            old=before.get_health_display() if before else Health.WORKING.label, new=Health(health).label,
            why=f"{component.name}: {Health(health).label.lower()}.",
        )  # fmt: skip


def incident_link(incident: Incident, hotfix: Hotfix, actor: Any = None) -> None:
    """Tie a hotfix to it: its facts come onto the timeline. Raises IncidentError."""
    if hotfix.project_id != incident.project_id:
        raise IncidentError("hotfix", "That hotfix belongs to another project.", "elsewhere")
    with transaction.atomic():
        standing = _locked(incident)
        if not standing.hotfixes.filter(pk=hotfix.pk).exists():
            _linked(standing, hotfix, actor)


def incident_unlink(incident: Incident, hotfix: Hotfix, why: str, actor: Any = None) -> None:
    """Take the tie back, with a reason. Raises IncidentError."""
    reason = _text(why, "why", longest=LONGEST_WHY)
    with transaction.atomic():
        standing = _locked(incident)
        if standing.hotfixes.filter(pk=hotfix.pk).exists():
            standing.hotfixes.remove(hotfix)
            tell(standing, "incident.unlinked", actor, old=hotfix.key, why=reason, evidence={"hotfix": hotfix.key})


def tell(
    incident: Incident, kind: str, actor: Any, *, target: str = "", old: str = "", new: str = "", why: str = "",
    evidence: dict[str, Any] | None = None, key: str | None = None, actor_name: str = "", at: datetime | None = None,
) -> Any:  # fmt: skip
    """A ledger row about an incident, and news for open pages; `at` is when it happened, if that was before."""
    facts = {
        "incident": incident.key, "title": incident.title, "severity": incident.severity, "public": incident.public,
        "state": incident.state, "drill": incident.drill_id is not None,
    } | ({"at": at.timestamp()} if at is not None else {})  # fmt: skip
    row = event_write(
        kind, project_id=incident.project_id, actor=actor, actor_name=actor_name or ("" if actor else "operator"),
        subject=subject_of(incident), target=target, old=old, new=new, why=why, evidence=facts | (evidence or {}),
        key=key,
    )  # fmt: skip
    cache.delete(OPEN)
    transaction.on_commit(lambda: cache.delete(OPEN), robust=True)
    live.publish(topic_of(incident), live.project_topic(incident.project_id), live.OVERVIEW)
    return row


def _said(
    incident: Incident, text: str, state: Incident.State, public: bool, actor: Any, at: datetime | None
) -> Update:
    update = Update.objects.create(
        incident=incident, at=at or timezone.now(), author=actor, state=state, public=public, text=text
    )
    if public and (incident.told_at is None or update.at < incident.told_at):
        incident.told_at = update.at
        incident.save(update_fields=["told_at"])
    evidence = {"update": update.pk, "public_word": public, "state": state.value}
    tell(incident, "incident.updated", actor, new=state.value, why=text[:LONGEST_WHY], evidence=evidence, at=at)
    return update


def _moved(incident: Incident, update: Update, why: str, actor: Any, at: datetime | None) -> None:
    """On to the state that the update leads to."""
    old, state, now = incident.state, Incident.State(update.state), _not_before(incident, at)
    if old == state:
        return
    incident.state = state
    if calm(state) and not calm(old):
        incident.calm_at = now
        incident.impacts.filter(until=None).update(until=now)
    elif calm(old) and not calm(state):
        _hurts_again(incident, now)
    if state == Incident.State.RESOLVED:
        incident.resolved_at = now
        incident.ended_at = incident.ended_at or now
    elif reopens(old, state) or not calm(state):
        incident.resolved_at = incident.ended_at = None
        incident.times_why = {name: how for name, how in incident.times_why.items() if name != "ended_at"}
    incident.save(update_fields=["state", "calm_at", "resolved_at", "ended_at", "times_why"])
    kind = "incident.reopened" if reopens(old, state) else "incident.moved"
    said = why or f"{incident.key} is {state.label.lower()}."
    evidence = {"update": update.pk, "said_outside": update.public}
    tell(incident, kind, actor, old=old, new=state.value, why=said, at=at and now, evidence=evidence)


def _not_before(incident: Incident, at: datetime | None) -> datetime:
    """When it moved on: as it is said, but not before what is known to have been earlier."""
    if at is None:
        return timezone.now()
    begun = incident.impacts.filter(until=None).values_list("since", flat=True)
    known = (incident.started_at, incident.detected_at, incident.calm_at, *begun)
    return max([at, *(moment for moment in known if moment is not None)])


def _hurts_again(incident: Incident, now: datetime) -> None:
    """It was not over: what the calm had ended is hurt again, from now on."""
    for impact in incident.impacts.filter(until=incident.calm_at):
        Impact.objects.create(incident=incident, component=impact.component, health=impact.health, since=now)
    incident.calm_at = None


def _hurt(incident: Incident, component: Component, health: int, at: datetime | None = None) -> None:
    if component.project_id != incident.project_id:
        raise IncidentError("components", f"{component.name} belongs to another project.", "elsewhere")
    Impact.objects.filter(incident=incident, component=component, until=None).update(until=timezone.now())
    if health != Health.WORKING:
        since = at or timezone.now()
        Impact.objects.create(incident=incident, component=component, health=Health(health), since=since)


def _linked(incident: Incident, hotfix: Hotfix, actor: Any, at: datetime | None = None) -> None:
    incident.hotfixes.add(hotfix)
    tell(
        incident, "incident.linked", actor, new=hotfix.key, why=f"{hotfix.key} is to mend it: {hotfix.title}.",
        evidence={"hotfix": hotfix.key}, at=at,
    )  # fmt: skip


def _locked(incident: Incident) -> Incident:
    return Incident.objects.select_for_update().get(pk=incident.pk)


def _title(value: str) -> str:
    return typed(" ".join(value.split()), "title", "The title", LONGEST_TITLE, error=IncidentError)


def _text(value: str, field: str, *, needed: bool = True, longest: int = LONGEST_TEXT) -> str:
    name = {"impact": "The impact", "why": "The reason", "note": "The note"}.get(field, "The text")
    return typed(value, field, name, longest, lines=True, required=needed, error=IncidentError)


def _chat(value: str) -> str:
    """An address that a browser may be sent to."""
    address = value.strip()
    if address:
        try:
            _CHAT(address)
        except ValidationError:
            raise IncidentError("chat_url", "A chat channel's address begins with https://.") from None
    return address


def _severity(value: int) -> int:
    if value not in Severity.values:
        raise IncidentError("severity", "Choose SEV1, SEV2, SEV3 or SEV4.")
    return int(value)


def _past(value: datetime | None, field: str) -> datetime | None:
    if value is not None and value > timezone.now() + _AHEAD:
        raise IncidentError(field, "That is in the future.")
    return value


def _in_order(incident: Incident) -> None:
    wrong = out_of_order({name: getattr(incident, name) for name in TIMES})
    if wrong:
        raise IncidentError("ended_at" if "ended" in wrong else "detected_at", wrong, "order")


def _shown(incident: Incident, name: str) -> str:
    return _named(name, getattr(incident, name))


def _named(name: str, value: Any) -> str:
    if name == "severity":
        return Severity(value).label
    if isinstance(value, Release):
        return value.tag
    if name in ROLES and value is not None:
        return str(value.get_username())
    return "nobody" if name in ROLES else str(value or "nothing")
