"""What people do to a ticket. Every change is one conditional update with one ledger row; stages are observed after.

Who may do what is checked at the door by role; here stand the rules that hold for everybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from releases import live
from releases.ledger.services import event_write
from releases.policies.flow import FlowPolicy
from releases.policies.typed import typed
from releases.projects.models import Project

from .errors import HotfixError
from .keys import key_checked
from .models import Hotfix, Review, Untracked
from .observing import hotfixes_observe
from .triage import Answer, Track, triage

LONGEST_TITLE = 200
LONGEST_IMPACT = 5000
LONGEST_WHY = 2000


def subject_of(hotfix: Hotfix) -> str:
    """How the ledger and operations call this ticket."""
    return f"hotfix:{hotfix.key}"


def hotfix_open(
    project: Project,
    key: str,
    title: str,
    *,
    impact: str = "",
    severity: int = Hotfix.Severity.SEV2,
    owner: Any = None,
    actor: Any = None,
    follows: Hotfix | None = None,
) -> Hotfix:
    """Open a ticket. Raises HotfixError (field: key, title, impact or severity)."""
    policy = FlowPolicy.from_data(project.policy)
    fresh = Hotfix(
        project=project,
        key=key_checked(key, policy),
        title=_title(title),
        impact=_impact(impact),
        severity=_severity(severity),
        owner=owner,
        asked_by=actor,
        follows=follows,
    )
    ticket_create(fresh, actor, why=f"{fresh.key} was opened: {fresh.title}.")
    hotfixes_observe(project, only=(fresh.pk,))
    fresh.refresh_from_db()
    # It may be the ticket that a branch or a tag was waiting for.
    Untracked.objects.filter(project=project, name__in=[name for name in (fresh.branch, fresh.tag) if name]).delete()
    return fresh


def ticket_create(hotfix: Hotfix, actor: Any, *, why: str) -> None:
    """Store a new ticket with its first ledger row. Raises HotfixError when the key is taken."""
    try:
        with transaction.atomic():
            hotfix.save()
            people = {person for person in (hotfix.owner, actor) if person is not None}
            hotfix.people.add(*people)
            _tell(hotfix, "hotfix.opened", actor, new=Hotfix.Severity(hotfix.severity).label, why=why)
    except IntegrityError:
        standing = Hotfix.objects.filter(project=hotfix.project, key__iexact=hotfix.key).first()
        if standing is None:
            raise HotfixError("branch", f"{hotfix.branch} belongs to another hotfix already.", "taken") from None
        raise HotfixError("key", f"{standing.key} is a hotfix already: {standing.title}.", "taken") from None


def hotfix_edit(hotfix: Hotfix, actor: Any = None, **changes: Any) -> Hotfix:
    """Change title, impact, severity, owner or people (a list of users); one ledger row tells all of it."""
    checks = {"title": _title, "impact": _impact, "severity": _severity}
    unknown = set(changes) - {*checks, "owner", "people"}
    if unknown:
        raise TypeError(f"not editable: {', '.join(sorted(unknown))}")
    people = changes.pop("people", None)
    fields = {name: checks[name](value) if name in checks else value for name, value in changes.items()}
    with transaction.atomic():
        standing = _locked(hotfix)
        said = _differences(standing, fields)
        for name, value in fields.items():
            setattr(standing, name, value)
        standing.save(update_fields=list(fields))
        said += _people_set(standing, people)
        if said:
            _tell(standing, "hotfix.edited", actor, why=f"Changed: {'; '.join(said)}."[:2000])
    return _observed(standing)


def hotfix_triage(hotfix: Hotfix, answers: Mapping[str, Answer], actor: Any = None) -> Hotfix:
    """Answer the three questions. What is no hotfix is declined at once, with the reason. Raises HotfixError."""
    found = triage(answers)
    with transaction.atomic():
        standing = _locked(hotfix)
        if standing.closed not in (Hotfix.Closed.OPEN, Hotfix.Closed.DECLINED):
            raise _closed(standing)
        standing.triage, standing.triaged_at = found.as_data(), timezone.now()
        _track(standing, found.says, found.follows)
        standing.save(update_fields=["triage", "triaged_at", *_CLOSING])
        _tell(
            standing, "hotfix.triaged", actor, new=found.says.value, why=found.follows,
            evidence={"answers": standing.triage["answers"]},
        )  # fmt: skip
    return _observed(standing)


def hotfix_decide(hotfix: Hotfix, track: Track | str, why: str, actor: Any = None) -> Hotfix:
    """A release manager decides otherwise than triage said, with a reason. Raises HotfixError."""
    chosen = Track(track)
    reason = _why(why)
    with transaction.atomic():
        standing = _locked(hotfix)
        if standing.closed not in (Hotfix.Closed.OPEN, Hotfix.Closed.DECLINED):
            raise _closed(standing)
        before = track_of(standing)
        if before is None:
            raise HotfixError("", "Answer the three questions first; then decide otherwise.", "not-triaged")
        if chosen is before:
            raise HotfixError("track", f"That is what was decided already: {before.label}.", "same")
        by = actor.get_username() if actor else "operator"
        standing.triage = standing.triage | {
            "decided": {"track": chosen.value, "why": reason, "by": by, "at": timezone.now().isoformat()}
        }
        _track(standing, chosen, reason)
        standing.save(update_fields=["triage", *_CLOSING])
        _tell(standing, "hotfix.decided", actor, old=before.value, new=chosen.value, why=reason)
    return _observed(standing)


def track_of(hotfix: Hotfix) -> Track | None:
    """Where the ticket goes: what a person decided, else what triage says; None before triage."""
    said = (hotfix.triage.get("decided") or {}).get("track") or hotfix.triage.get("says")
    return Track(said) if said else None


def hotfix_choose_way(hotfix: Hotfix, way: str, why: str, actor: Any = None) -> Hotfix:
    """Write down which way out was chosen, and why. Raises HotfixError."""
    if way not in Hotfix.Way.values:
        raise HotfixError("way", "Choose one of the ways.", "unknown")
    reason = _why(why)
    with transaction.atomic():
        standing = _open(hotfix)
        before = standing.way
        standing.way, standing.way_why, standing.way_at = way, reason, timezone.now()
        standing.save(update_fields=["way", "way_why", "way_at"])
        _tell(standing, "hotfix.way", actor, old=before, new=way, why=reason)
    return _observed(standing)


def hotfix_review(hotfix: Hotfix, says: str, text: str, head: str, actor: Any) -> Review:
    """Record what somebody says about the branch as it stands at `head`. Raises HotfixError when it moved on."""
    if says not in Review.Says.values:
        raise HotfixError("says", "Say approve, request changes or comment.", "unknown")
    needs_text = says != Review.Says.APPROVE
    told = typed(text, "text", "The review", LONGEST_IMPACT, lines=True, required=needs_text, error=HotfixError)
    with transaction.atomic():
        standing = _open(hotfix)
        if not standing.head or not standing.commits:
            raise HotfixError("", "There is no commit to review yet.", "nothing")
        if head != standing.head:
            raise HotfixError(
                "head", f"The branch moved on to {standing.head[:10]} meanwhile. Look at it again, then review.",
                "moved",
            )  # fmt: skip
        review = Review.objects.create(hotfix=standing, head=head, reviewer=actor, says=says, text=told)
        standing.people.add(actor)
        _tell(
            standing, "hotfix.reviewed", actor, new=says, why=told or "No remark.",
            evidence={"head": head, "review": review.pk},
        )  # fmt: skip
    _observed(standing)
    return review


def hotfix_close(hotfix: Hotfix, how: str, why: str, actor: Any = None, by: Hotfix | None = None) -> Hotfix:
    """Decline, abandon or supersede (`by` another hotfix of the project), with a reason. Raises HotfixError."""
    if how not in Hotfix.Closed.values or how == Hotfix.Closed.OPEN:
        raise HotfixError("how", "Choose how it ends: declined, abandoned or superseded.", "unknown")
    reason = _why(why)
    if how == Hotfix.Closed.SUPERSEDED and (by is None or by.pk == hotfix.pk or by.project_id != hotfix.project_id):
        raise HotfixError("by", "Name the other hotfix of this project that takes its place.", "missing")
    with transaction.atomic():
        standing = _open(hotfix)
        if how == Hotfix.Closed.SUPERSEDED and by is not None and _leads_to(by, standing):
            raise HotfixError("by", f"{by.key} was superseded by {standing.key} itself. Reopen it first.", "circle")
        standing.closed, standing.closed_why, standing.closed_at = how, reason, timezone.now()
        standing.superseded_by = by if how == Hotfix.Closed.SUPERSEDED else None
        standing.save(update_fields=list(_CLOSING))
        _tell(standing, f"hotfix.{how}", actor, new=by.key if by and standing.superseded_by else how, why=reason)
    return _observed(standing)


def hotfix_reopen(hotfix: Hotfix, why: str, actor: Any = None) -> Hotfix:
    """Take back that it was closed. Raises HotfixError when it is open."""
    reason = _why(why)
    with transaction.atomic():
        standing = _locked(hotfix)
        if not standing.is_closed:
            raise HotfixError("", f"{standing.key} is open.", "open")
        before = standing.closed
        _close(standing, Hotfix.Closed.OPEN, "")
        standing.save(update_fields=list(_CLOSING))
        _tell(standing, "hotfix.reopened", actor, old=before, why=reason)
    return _observed(standing)


def hotfix_split(hotfix: Hotfix, title: str, actor: Any = None, key: str = "") -> Hotfix:
    """Open a follow-up ticket for what does not belong into this fix. Without `key` the next free one is made."""
    told = _title(title)
    number = hotfix.follow_ups.count() + 2
    while not key and Hotfix.objects.filter(project=hotfix.project, key__iexact=f"{hotfix.key}-{number}").exists():
        number += 1
    policy = FlowPolicy.from_data(hotfix.project.policy)
    fresh = Hotfix(
        project=hotfix.project,
        key=key_checked(key, policy) if key else key_checked(f"{hotfix.key}-{number}", policy, free=True),
        title=told,
        severity=Hotfix.Severity.SEV4,
        owner=hotfix.owner,
        asked_by=actor,
        follows=hotfix,
    )
    with transaction.atomic():
        ticket_create(fresh, actor, why=f"Split off from {hotfix.key}: {told}.")
        _tell(hotfix, "hotfix.split", actor, new=fresh.key, why=f"{told} goes on in {fresh.key}.")
    return _observed(fresh)


_CLOSING = ("closed", "closed_why", "closed_at", "superseded_by")


def _track(hotfix: Hotfix, track: Track, why: str) -> None:
    """What a track means for the ticket: the regular release declines it, the hotfix track keeps it open."""
    if track is Track.REGULAR:
        _close(hotfix, Hotfix.Closed.DECLINED, why)
    else:
        _close(hotfix, Hotfix.Closed.OPEN, "")


def _close(hotfix: Hotfix, how: str, why: str) -> None:
    hotfix.closed, hotfix.closed_why = how, why
    hotfix.closed_at = timezone.now() if how else None
    hotfix.superseded_by = None


def _locked(hotfix: Hotfix) -> Hotfix:
    return Hotfix.objects.select_for_update(of=("self",)).select_related("project", "owner").get(pk=hotfix.pk)


def _open(hotfix: Hotfix) -> Hotfix:
    standing = _locked(hotfix)
    if standing.is_closed:
        raise _closed(standing)
    return standing


def _leads_to(by: Hotfix, hotfix: Hotfix) -> bool:
    """Whether following who took over from whom ends at this hotfix."""
    seen: set[int] = set()
    at: Hotfix | None = by
    while at is not None and at.pk not in seen:
        if at.pk == hotfix.pk:
            return True
        seen.add(at.pk)
        at = at.superseded_by
    return False


def _closed(hotfix: Hotfix) -> HotfixError:
    return HotfixError("", f"{hotfix.key} was {hotfix.closed}. Reopen it first.", "closed")


def _differences(hotfix: Hotfix, fields: Mapping[str, Any]) -> list[str]:
    said = []
    for name, value in fields.items():
        before = getattr(hotfix, name)
        if before != value:
            said.append("impact" if name == "impact" else f"{name} from {before or 'none'} to {value or 'none'}")
    return said


def _people_set(hotfix: Hotfix, people: Any) -> list[str]:
    if people is None:
        return []
    before, after = set(hotfix.people.all()), set(people)
    hotfix.people.set(after)
    came = [f"{person.get_username()} takes part" for person in after - before]
    return came + [f"{person.get_username()} no longer takes part" for person in before - after]


def _tell(hotfix: Hotfix, kind: str, actor: Any, **fields: Any) -> None:
    name = "" if actor else "operator"
    event_write(
        kind, project_id=hotfix.project_id, actor=actor, actor_name=name, subject=subject_of(hotfix), **fields
    )  # fmt: skip
    live.publish(live.project_topic(hotfix.project_id), live.OVERVIEW)


def _observed(hotfix: Hotfix) -> Hotfix:
    hotfixes_observe(hotfix.project, only=(hotfix.pk,))
    hotfix.refresh_from_db()
    return hotfix


def _title(text: str) -> str:
    return typed(text, "title", "The title", LONGEST_TITLE, error=HotfixError)


def _impact(text: str) -> str:
    return typed(text, "impact", "The impact", LONGEST_IMPACT, lines=True, required=False, error=HotfixError)


def _why(text: str) -> str:
    return typed(text, "why", "The reason", LONGEST_WHY, lines=True, error=HotfixError)


def _severity(value: Any) -> int:
    if value not in Hotfix.Severity.values:
        raise HotfixError("severity", "Choose a severity from SEV1 to SEV4.", "unknown")
    return int(value)
