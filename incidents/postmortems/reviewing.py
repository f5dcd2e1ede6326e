"""From draft to published: what must be there, who read it, and reminders until it is out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from incidents.response.models import Incident
from releases import live
from releases.hotfixes.stages import StageState
from releases.ledger.services import event_write
from releases.policies.typed import typed
from releases.policies.wording import count

from .actions import overdue
from .errors import PostMortemError
from .hints import Found, HintError, hints_in, of_team
from .models import ActionItem, PostMortem, Reading, WordList
from .opening import evidence_of, step_look, step_tell, subject_of
from .outline import PARTS
from .writing import topic_of

CHECKS = {
    "facts": "The facts are right, and nothing that matters is missing.",
    "tone": "Nobody is blamed, in the words or between the lines.",
    "causes": "It says how it became possible, with more than one factor.",
    "actions": "The actions would have prevented, noticed or softened it.",
}
"""What a reviewer looks at."""
REMIND_EVERY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Readiness:
    """What still stands between a draft and its review."""

    actions: int
    without_owner: int
    without_date: int
    empty: tuple[str, ...]
    """Titles of parts that are needed and not written."""
    hints: int

    @property
    def rows(self) -> list[tuple[bool, str]]:
        """The four lines beside the document."""
        return [
            (not self.without_owner, "Every action item has an owner" if not self.without_owner else
             f"{count(self.without_owner, 'action item')} without an owner"),
            (not self.without_date, "Every action item has a date" if not self.without_date else
             f"{count(self.without_date, 'action item')} without a date"),
            (not self.empty, "Every part is written" if not self.empty else
             f"{count(len(self.empty), 'part')} still empty"),
            (not self.hints, "No wording hint is open" if not self.hints else
             f"{count(self.hints, 'wording hint')} open"),
        ]  # fmt: skip

    @property
    def ready(self) -> bool:
        return all(done for done, _ in self.rows)


def readiness(postmortem: PostMortem) -> Readiness:
    """How far the draft is; a constant number of queries."""
    texts = {section.key: section for section in postmortem.sections.all()}
    empty = tuple(part.title for part in PARTS if part.needed and not _written(postmortem, part.key, texts))
    actions = [item for item in postmortem.actions.all() if item.state != ActionItem.State.DROPPED]
    return Readiness(
        actions=len(actions),
        without_owner=sum(item.owner_id is None for item in actions),
        without_date=sum(item.due_on is None for item in actions),
        empty=empty,
        hints=sum(len(found) for found in open_hints(postmortem).values()),
    )


def open_hints(postmortem: PostMortem) -> dict[str, list[Found]]:
    """By part: wordings that nobody decided to keep."""
    hints, people = team_hints(), people_of(postmortem)
    found = {
        section.key: hints_in(section.text, hints, people=people, kept=section.kept_hints)
        for section in postmortem.sections.all()
    }
    return {key: places for key, places in found.items() if places}


def team_hints(language: str = "en") -> Any:
    """The hints of a language with the team's own; a stored list that cannot be used is left aside."""
    row = WordList.objects.filter(pk=language).first()
    try:
        return of_team(language, row.added if row else (), row.removed if row else ())
    except HintError:
        return of_team(language)


def people_of(postmortem: PostMortem) -> list[str]:
    """Names by which people of the project are known here."""
    users = get_user_model().objects.filter(
        Q(project_access__project=postmortem.project_id) | Q(all_projects=True), is_active=True
    )
    names: set[str] = set()
    for username, first, last in users.values_list("username", "first_name", "last_name")[:500]:
        names |= {username, first, f"{first} {last}".strip()}
    return sorted((name for name in names if len(name) > 2), key=len, reverse=True)


def review_ask(postmortem: PostMortem, actor: Any) -> None:
    """Ask colleagues to read it. Raises PostMortemError when something is missing."""
    missing = [text for done, text in readiness(postmortem).rows if not done]
    if missing:
        raise PostMortemError("", f"Not ready yet: {'; '.join(missing).lower()}.", "not-ready")
    _move(
        postmortem, PostMortem.State.DRAFT, PostMortem.State.REVIEW, actor, "postmortem.review", "is ready to be read"
    )


def review_give(postmortem: PostMortem, person: Any, says: str, checks: Mapping[str, bool], text: str = "") -> Reading:
    """What a colleague found. Raises PostMortemError (field: says, checks, text)."""
    if postmortem.state != PostMortem.State.REVIEW:
        raise PostMortemError("", "Nobody has asked for a review.", "state")
    if person.pk == postmortem.owner_id:
        raise PostMortemError("", "You wrote it: somebody else has to read it.", "own")
    seen = {key: bool(checks.get(key)) for key in CHECKS}
    if says == Reading.Says.READY and not all(seen.values()):
        raise PostMortemError("checks", "All four hold when it is ready; otherwise ask for changes.", "checks")
    if says == Reading.Says.CHANGES and not text.strip():
        raise PostMortemError("text", "Say what is missing.", "text")
    with transaction.atomic():
        reading = Reading.objects.create(
            postmortem=postmortem, person=person, says=Reading.Says(says), checks=seen, text=text.strip()
        )
        _tell(postmortem, "postmortem.read", person, new=says, why=text.strip() or f"{postmortem.key} is ready.")
        if says == Reading.Says.CHANGES:
            PostMortem.objects.filter(pk=postmortem.pk, state=PostMortem.State.REVIEW).update(
                state=PostMortem.State.DRAFT
            )
    postmortem.refresh_from_db()
    return reading


def publish(postmortem: PostMortem, actor: Any, summary: str = "") -> None:
    """Put it into the library, with a summary for people outside when its incident was public.

    Call it outside of a transaction. Raises PostMortemError (field: summary).
    """
    said = typed(summary, "summary", "The summary", 5000, lines=True, required=False, error=PostMortemError)
    latest = postmortem.readings.first()
    if latest is None or latest.says != Reading.Says.READY:
        raise PostMortemError("", "Somebody else has to read it first, and find it ready.", "unread")
    with transaction.atomic():
        _move(
            postmortem, PostMortem.State.REVIEW, PostMortem.State.PUBLISHED, actor, "postmortem.published",
            "is published", published_at=timezone.now(), published_by=actor, public_summary=said,
        )  # fmt: skip
        step_tell(postmortem, StageState.DONE, f"{postmortem.key} is published", actor)
        if postmortem.incident_id is not None:
            Incident.objects.filter(pk=postmortem.incident_id, public=True).update(afterword=said)
    live.publish(live.project_topic(postmortem.project_id))
    step_look(postmortem)


def acted(postmortem: PostMortem) -> bool:
    """Say that all was acted upon, when it is published and no action is open, and take it back when one is again.

    True when that is new.
    """
    State = PostMortem.State  # noqa: N806 - the choices are a class
    left = postmortem.actions.filter(state=ActionItem.State.OPEN).exists()
    old, new = (State.ACTED, State.PUBLISHED) if left else (State.PUBLISHED, State.ACTED)
    changed = PostMortem.objects.filter(pk=postmortem.pk, state=old).update(state=new)
    if changed:
        live.publish(topic_of(postmortem), live.project_topic(postmortem.project_id), live.OVERVIEW)
    return bool(changed)


def postmortems_remind(now: datetime) -> int:
    """A ledger row a day for each that is overdue and not published, and for each action that is; returns how many."""
    told = 0
    waiting = PostMortem.objects.filter(
        state__in=(PostMortem.State.DRAFT, PostMortem.State.REVIEW), due_at__lte=now, drill=None
    ).select_related("owner")
    for row in waiting:
        if _first_today(PostMortem, row.pk, now):
            why = f"{row.key} was due on {timezone.localtime(row.due_at):%-d %b}; {row.owner.get_username()} owns it."
            _tell(row, "postmortem.overdue", None, new=row.owner.email, why=why)
            told += 1
    for item in overdue(now):
        if _first_today(ActionItem, item.pk, now):
            who = item.owner.get_username() if item.owner else "nobody yet"
            why = f"{item.key} was due on {item.due_on:%-d %b}; {who} owns it: {item.title}."
            event_write(
                "action.overdue", project_id=item.postmortem.project_id, actor_name="sweep",
                subject=subject_of(item.postmortem), target=item.key, why=why,
                new=item.owner.email if item.owner else "",
                evidence=evidence_of(item.postmortem) | {"action": item.key},
            )  # fmt: skip
            told += 1
    return told


def _first_today(model: Any, pk: int, now: datetime) -> bool:
    due = Q(reminded_at=None) | Q(reminded_at__lte=now - REMIND_EVERY)
    return bool(model.objects.filter(due, pk=pk).update(reminded_at=now))


def _written(postmortem: PostMortem, key: str, texts: Mapping[str, Any]) -> bool:
    if key == "factors" and postmortem.factors.exists():
        return True
    return key in texts and bool(texts[key].text.strip())


def _move(postmortem: PostMortem, old: str, new: str, actor: Any, kind: str, does: str, **fields: Any) -> None:
    """From one state to the next, once. Raises PostMortemError when somebody was faster."""
    with transaction.atomic():
        if not PostMortem.objects.filter(pk=postmortem.pk, state=old).update(state=new, **fields):
            raise PostMortemError("", "It has moved on since this page was drawn. Look again.", "state")
        _tell(postmortem, kind, actor, old=old, new=new, why=f"{postmortem.key} {does}: {postmortem.title}.")
    postmortem.refresh_from_db()


def _tell(postmortem: PostMortem, kind: str, actor: Any, *, old: str = "", new: str = "", why: str = "") -> None:
    event_write(
        kind, project_id=postmortem.project_id, actor=actor, actor_name="" if actor else "sweep",
        subject=subject_of(postmortem), old=old, new=new, why=why, evidence=evidence_of(postmortem),
    )  # fmt: skip
    live.publish(topic_of(postmortem), live.project_topic(postmortem.project_id), live.OVERVIEW)
