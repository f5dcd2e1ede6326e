"""Words for the usual updates: a few of our own, and those that a team puts in their place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from releases.ledger.services import event_write
from releases.policies.typed import typed
from releases.projects.models import Project

from .errors import IncidentError
from .models import Incident, UpdateTemplate
from .states import SPEAK_WITHIN

TITLE = "{title}"
"""Stands for what the incident is called."""
WITHIN = "{within}"
"""Stands for how soon the next public word is due, by the incident's severity."""
LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class Words:
    """What an update may begin with."""

    key: str
    """The number of a team's own, or the state of one of ours."""
    state: str
    name: str
    text: str
    project: Project | None = None

    @property
    def own(self) -> bool:
        """A team wrote it."""
        return self.key.isdecimal()

    @property
    def label(self) -> str:
        return str(Incident.State(self.state).label)

    def about(self, incident: Incident) -> str:
        # The title comes last: what somebody called it stands for nothing.
        return self.text.replace(WITHIN, _soon(SPEAK_WITHIN[incident.severity])).replace(TITLE, incident.title)


def _soon(within: timedelta) -> str:
    hours = within.total_seconds() / 3600
    if hours < 1:
        return f"{round(hours * 60)} minutes"
    return "an hour" if hours == 1 else f"{hours:.0f} hours"


USUAL = (
    Words(
        "investigating", "investigating", "Looking into it",
        "{title}. We are looking into it, and will write again within {within}.",
    ),
    Words(
        "identified", "identified", "Cause found",
        "We found the cause and are preparing a fix. We will write again when it goes live.",
    ),
    Words(
        "monitoring", "monitoring", "Fix is live",
        "The fix is live, and first checks look good. We keep watching, and will write again before we call it over.",
    ),
    Words(
        "resolved", "resolved", "It is over",
        "This is over: everything works as it should. We are sorry for the trouble, and will look into what can keep "
        "it from happening again.",
    ),
)  # fmt: skip
_ORDER = {words.state: number for number, words in enumerate(USUAL)}


def words_for(project: Project | None) -> list[Words]:
    """What an update may begin with in this project (None: all there is), in the order of the states.

    A state for which a team wrote nothing has ours. One query.
    """
    rows = UpdateTemplate.objects.select_related("project").order_by("name")
    if project is not None:
        rows = rows.filter(Q(project=project) | Q(project=None))
    own = [Words(str(row.pk), row.state, row.name, row.text, row.project) for row in rows]
    kept = [*own, *(ours for ours in USUAL if not any(words.state == ours.state for words in own))]
    return sorted(kept, key=lambda words: (_ORDER[words.state], words.name))


def words_save(
    name: str, state: str, text: str, *, project: Project | None = None, row: UpdateTemplate | None = None,
    actor: Any = None,
) -> UpdateTemplate:  # fmt: skip
    """Make or change a team's own. Raises IncidentError (field: name, state, text)."""
    if state not in Incident.State.values:
        raise IncidentError("state", "Choose one of the states.")
    saved = row or UpdateTemplate()
    saved.name = typed(" ".join(name.split()), "name", "The name", 80, error=IncidentError)
    saved.text = typed(text, "text", "The text", LONGEST, lines=True, error=IncidentError)
    saved.state, saved.project = state, project
    with transaction.atomic():
        saved.save()
        _tell("words.saved", saved, actor)
    return saved


def words_remove(row: UpdateTemplate, actor: Any = None) -> None:
    """Take it away; without any for its state, ours stand there again."""
    with transaction.atomic():
        _tell("words.removed", row, actor)
        row.delete()


def _tell(kind: str, row: UpdateTemplate, actor: Any) -> None:
    event_write(
        kind, project_id=row.project_id, actor=actor, actor_name="" if actor else "operator",
        subject=f"words:{row.name}", new=row.state, why=row.text,
    )  # fmt: skip
