"""What people set about a post-mortem besides its parts: who owns it, its numbers, its factors; and taking it back."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Max

from incidents.response.models import Incident
from releases import live
from releases.hotfixes.stages import StageState
from releases.ledger.services import event_write
from releases.policies.typed import typed

from .errors import PostMortemError
from .models import Factor, Measure, PostMortem
from .opening import evidence_of, step_look, step_tell, subject_of
from .writing import must_be_open, topic_of

MOST = 60
"""Factors or numbers of one document."""
DEEPEST = 8
"""How often "how did that come to be possible?" can be asked."""
_EDITABLE = ("title", "severity", "owner", "due_at", "names_people")


def postmortem_edit(postmortem: PostMortem, actor: Any = None, **changes: Any) -> PostMortem:
    """Change title, severity, owner, due_at or names_people. Raises PostMortemError (field: title, owner).

    It always has an owner; who owns it and until when can be changed after it was published, too.
    """
    unknown = set(changes) - set(_EDITABLE)
    if unknown:
        raise TypeError(f"not editable: {', '.join(sorted(unknown))}")
    if "title" in changes:
        changes["title"] = typed(changes["title"], "title", "The title", 200, error=PostMortemError)
    if "owner" in changes and changes["owner"] is None:
        raise PostMortemError("owner", "Somebody owns it: name a person, not a team.", "owner")
    with transaction.atomic():
        row = PostMortem.objects.select_for_update().get(pk=postmortem.pk)
        told = [name for name, value in changes.items() if getattr(row, name) != value]
        for name, value in changes.items():
            setattr(row, name, value)
        if told:
            row.save(update_fields=told)
            _tell(row, "postmortem.edited", actor, f"{row.key}: changed {_names(told)}.")
    postmortem.refresh_from_db()
    return postmortem


def postmortem_take_back(postmortem: PostMortem, why: str, actor: Any = None) -> None:
    """From review or from the library back to a draft. What people outside read of it is taken back, too.

    Raises PostMortemError (field: why).
    """
    reason = typed(why, "why", "The reason", 2000, lines=True, error=PostMortemError)
    with transaction.atomic():
        row = PostMortem.objects.select_for_update().get(pk=postmortem.pk)
        if row.state == PostMortem.State.DRAFT:
            raise PostMortemError("", "It is a draft already.", "state")
        old, row.state = row.state, PostMortem.State.DRAFT
        row.published_at, row.published_by, row.public_summary = None, None, ""
        row.save(update_fields=["state", "published_at", "published_by", "public_summary"])
        if row.incident_id is not None:
            Incident.objects.filter(pk=row.incident_id).update(afterword="")
        _tell(row, "postmortem.withdrawn", actor, reason, old=old, new=row.state)
        if old != PostMortem.State.REVIEW:
            step_tell(row, StageState.SKIPPED, f"{row.key} is a draft again", actor)
    live.publish(live.project_topic(row.project_id), live.OVERVIEW)
    postmortem.refresh_from_db()
    step_look(postmortem)


def measure_save(postmortem: PostMortem, name: str, value: str, measure: Measure | None = None) -> Measure:
    """A number of the impact, by its name. Raises PostMortemError (field: name, value)."""
    said = typed(name, "name", "The name", 60, error=PostMortemError)
    number = typed(value, "value", "The number", 60, error=PostMortemError)
    with _open(postmortem):
        row = measure or Measure(postmortem=postmortem, order=_next(postmortem.measures))
        row.name, row.value = said, number
        row.save()
    live.publish(topic_of(postmortem))
    return row


def factor_save(
    postmortem: PostMortem, text: str, *, parent: Factor | None = None, factor: Factor | None = None
) -> Factor:
    """Something that made it possible, or that made `parent` possible. Raises PostMortemError (field: text)."""
    said = typed(text, "text", "The factor", 500, error=PostMortemError)
    with _open(postmortem):
        row = factor or Factor(postmortem=postmortem, parent=parent, order=_next(postmortem.factors))
        if row.pk is None and parent is not None and _depth(parent) >= DEEPEST:
            raise PostMortemError("text", f"{DEEPEST} steps are enough for one chain. Begin another.")
        row.text = said
        row.save()
    live.publish(topic_of(postmortem))
    return row


def part_remove(postmortem: PostMortem, row: Factor | Measure) -> None:
    """Take a number or a factor away, with what hangs below it. Raises PostMortemError."""
    with _open(postmortem):
        row.delete()
    live.publish(topic_of(postmortem))


def _open(postmortem: PostMortem) -> Any:
    must_be_open(postmortem)
    return transaction.atomic()


def _next(rows: Any) -> int:
    """The place after the last one. Raises PostMortemError when there are too many."""
    if rows.count() >= MOST:
        raise PostMortemError("", f"{MOST} are more than anybody reads. Put the rest behind a link.")
    return int(rows.aggregate(last=Max("order"))["last"] or 0) + 1


def _depth(factor: Factor) -> int:
    depth, above = 1, factor.parent
    while above is not None and depth <= DEEPEST:
        depth, above = depth + 1, above.parent
    return depth


def _names(fields: list[str]) -> str:
    said = {"due_at": "the due date", "names_people": "whether it names people"}
    return ", ".join(said.get(name, f"the {name}") for name in fields)


def _tell(row: PostMortem, kind: str, actor: Any, why: str, *, old: str = "", new: str = "") -> None:
    event_write(
        kind, project_id=row.project_id, actor=actor, actor_name="" if actor else "operator", subject=subject_of(row),
        old=old, new=new, why=why, evidence=evidence_of(row),
    )  # fmt: skip
    live.publish(topic_of(row))
