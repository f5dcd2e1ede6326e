"""Whose work a run is: who asked for it, tagged it, made it through the dashboard, and everybody who wrote any of it.

Rows are read for many runs at once; what git says is remembered by object ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from releases.hotfixes.models import Hotfix
from releases.hotfixes.reviewing import is_author
from releases.operations.models import Operation
from releases.projects.history import NO_MIRROR, reading

from . import binding
from .delta import Known, base_of
from .models import Run

RELATED = (*binding.RELATED, "asked_by")
"""What `select_related` has to bring for `makers_of` to ask no more of each run."""
SECONDS = 8.0
"""For what git is asked about one run."""


@dataclass(frozen=True, slots=True)
class Makers:
    """Everybody who may not approve a run because it is their own work."""

    tag: str
    asked_by: int | None
    tagger: Mapping[str, str]
    through_here: frozenset[int]
    """People who tagged it with the dashboard, or cut the branch that it was made of."""
    writers: tuple[Mapping[str, str], ...] = ()
    unknown: str = ""
    """Why git cannot say who wrote it; a sentence."""

    def own(self, person: Any) -> str:
        """In what way it is this person's own work, as a sentence for them; empty when it is not.

        Where git cannot tell who wrote it, nobody is taken for somebody else.
        """
        if self.asked_by is not None and self.asked_by == person.pk:
            return "You asked for it; somebody else approves."
        if is_author(person, [self.tagger]):
            return f"You tagged {self.tag}; somebody else approves."
        if person.pk in self.through_here:
            return f"You made {self.tag} through the dashboard; somebody else approves."
        if self.unknown:
            return f"{self.unknown} Nobody approves until that is known: it may be their own work."
        if is_author(person, self.writers):
            return f"You wrote some of {self.tag}; somebody else approves."
        return ""


def makers_of(runs: Sequence[Run]) -> dict[int, Makers]:
    """Whose work these runs are; the number of queries does not depend on how many they are."""
    known, made = Known(runs), _through_here(runs)
    found = {}
    for run in runs:
        writers, unknown = _writers(run, known)
        found[run.pk] = Makers(
            run.tag, run.asked_by_id, signed(run.release.tagger if run.release is not None else ""),
            frozenset(made.get((run.project_id, run.tag), ())), writers, unknown,
        )  # fmt: skip
    return found


def _writers(run: Run, known: Known) -> tuple[tuple[Mapping[str, str], ...], str]:
    """Everybody who wrote any of what it changes there and of the release itself, or committed it last."""
    with reading(run.project, SECONDS) as history:
        starts = {base_of(run, history, known).commit}
        if run.release is not None and run.release.previous is not None:
            starts.add(run.release.previous.commit)
        found: set[tuple[str, str]] = set()
        for since in sorted(starts):
            people = history.people(since, run.commit)
            if people is None:
                return (), f"Who wrote {run.tag} cannot be told now: {history.problem or NO_MIRROR}"
            found |= people.authors | {people.pusher}
    return tuple({"author_name": name, "author_email": address} for name, address in sorted(found)), ""


def _through_here(runs: Iterable[Run]) -> dict[tuple[int, str], set[int]]:
    """By project and tag, who made the tag with the dashboard, or cut the branch of its hotfix."""
    projects, tags = {run.project_id for run in runs}, {run.tag for run in runs}
    if not tags:
        return {}
    tickets: dict[tuple[int, str], str] = {}
    for project, key, tag in Hotfix.objects.filter(project__in=projects, tag__in=tags).values_list(
        "project_id", "key", "tag"
    ):
        tickets[project, f"hotfix:{key}"] = tag
    done = Operation.objects.filter(project__in=projects, state=Operation.State.DONE, actor__isnull=False)
    cut = Q(kind=Operation.Kind.CUT, subject__in={subject for _, subject in tickets})
    tagged = (Q(params__tag__in=tags) | Q(outcome__tag__in=tags)) & ~Q(kind=Operation.Kind.CUT)
    found: dict[tuple[int, str], set[int]] = {}
    for operation in done.filter(cut | tagged):
        is_cut = operation.kind == Operation.Kind.CUT
        named = str(operation.params.get("tag") or operation.outcome.get("tag") or "")
        tag = tickets.get((operation.project_id, operation.subject), "") if is_cut else named
        if tag and operation.actor_id is not None:
            found.setdefault((operation.project_id, tag), set()).add(operation.actor_id)
    return found


def signed(text: str) -> dict[str, str]:
    """`Name <address>`, as a tag names its tagger, in the form that authors are compared in."""
    name, _, address = text.partition("<")
    return {"author_name": name.strip(), "author_email": address.strip().rstrip(">").strip()}
