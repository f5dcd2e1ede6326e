"""The page of one hotfix as its template reads it: every word and address ready, nothing left to look up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote

from django.utils.safestring import SafeString

from hotfixdash.accounts.roles import Act
from releases.hotfix_forms import TriageForm
from releases.hotfixes import aside
from releases.hotfixes.aside import Held
from releases.hotfixes.change import ChangeSize
from releases.hotfixes.listing import stages_of
from releases.hotfixes.models import Debt, Hotfix, Review
from releases.hotfixes.overtaken import overtaken
from releases.hotfixes.services import track_of
from releases.hotfixes.stages import StageKey, StageState
from releases.ledger.models import Event
from releases.operations.models import Operation
from releases.policies.flow import FlowPolicy
from releases.policies.models import Target, Verdict
from releases.policies.names import matches, mergeback_branch
from releases.policies.selectors import ticket_link
from releases.projects.history import History
from releases.projects.models import Release

from . import links, merge_back, words
from . import steps as stepping
from .graph.data import Graph
from .graph.lying import lying
from .graph.standing import standing
from .hotfix_graph import graph_of
from .offers import Offer, in_branch
from .operations import ShownOperation
from .timeline import ShownEvent

EVENTS = 12
"""Ledger rows on the page; the others have a page of their own."""


@dataclass(slots=True)
class ShownTarget:
    """One branch that must have the fix, with what can be done there."""

    branch: str
    says: str
    code: str
    detail: str
    url: str
    actions: list[Offer] = field(default_factory=list)
    held: Held | None = None
    """The branch on which the merge-back waits to be merged in the forge."""


@dataclass(slots=True)
class Facts:
    """The rows of one hotfix, read by the view."""

    hotfix: Hotfix
    policy: FlowPolicy
    release: Release | None
    base: Release | None
    targets: list[Target]
    verdicts: list[Verdict]
    """Of its fixes, with fix, target and settlement."""
    reviews: list[Review]
    debts: list[Debt]
    operations: list[Operation]
    """Newest first, the newest of each key."""
    events: list[Event]
    events_total: int


class HotfixPage:
    """Everything that the page shows to somebody who may do `acts`."""

    def __init__(self, facts: Facts, repo: History, acts: Collection[Act], person: Any) -> None:
        self.facts = facts
        self.hotfix = facts.hotfix
        self.policy = facts.policy
        self.slug = facts.hotfix.project.slug
        self.acts = acts
        self.person = person
        self._repo = repo
        self.url = links.hotfix(self.slug, self.hotfix.key)

    def act_url(self, verb: str, **query: str) -> str:
        return links.hotfix_act(self.slug, verb, self.hotfix.key, **query)

    @property
    def names(self) -> list[str]:
        """Branches and tags that its sentences speak of."""
        hotfix = self.hotfix
        targets = [target.branch for target in self.facts.targets]
        aside = [
            mergeback_branch(verdict.fix.ticket or hotfix.key, verdict.fix.key, verdict.target.branch)
            for verdict in self.facts.verdicts
        ]
        return [*targets, *aside, *self.policy.production, hotfix.branch, hotfix.tag, hotfix.base_tag, *self._versions]

    @property
    def _versions(self) -> list[str]:
        return [target.planned_version for target in self.facts.targets if target.planned_version]

    # ---- head ----

    @property
    def branch(self) -> str:
        return self.hotfix.branch

    @property
    def ticket_url(self) -> str:
        return ticket_link(self.policy, self.hotfix.key)

    @property
    def regular_url(self) -> str:
        declined = self.hotfix.closed == Hotfix.Closed.DECLINED
        return (
            self.policy.regular_url if declined and self.policy.regular_url.startswith(("https://", "http://")) else ""
        )

    @property
    def superseded_url(self) -> str:
        other = self.hotfix.superseded_by
        return links.hotfix(self.slug, other.key) if other else ""

    @cached_property
    def fixed_words(self) -> str:
        """`Fixed in production 1 h 59 m after triage`."""
        live, start = self._at(StageKey.PRODUCTION), self._at(StageKey.TRIAGE)
        if live is None:
            return ""
        if start is None or live < start:
            return f"In production since {words.clock(stepping.moment_of(live))}"
        return f"Fixed in production {words.duration(live - start)} after triage"

    def _at(self, key: StageKey) -> float | None:
        return next((stage.at for stage in self.stages if stage.key is key and stage.state is StageState.DONE), None)

    @property
    def snapshot_url(self) -> str:
        base = self.facts.base
        known = base is not None and base.deleted_at is None and Act.HOTFIX in self.acts
        return f"/projects/{self.slug}/snapshots/{quote(base.tag)}.tar.gz" if base is not None and known else ""

    @cached_property
    def more(self) -> list[Offer]:
        """Everything that is seldom done."""
        if Act.HOTFIX not in self.acts:
            return []
        closed = self.hotfix.is_closed
        found = [
            Offer("edit", "Edit", self.act_url("edit")),
            Offer("split", "Split off a follow-up", self.act_url("split")),
        ]
        if not closed:
            found.append(Offer("ways", "Which way out?", f"{self.url}?ways=1#ways", dialog=False))
        if self.hotfix.triage or closed:
            found.append(Offer("triage", "Answer triage again", self.act_url("triage")))
        if self.hotfix.triage and Act.RELEASE in self.acts:
            found.append(Offer("decide", "Decide otherwise", self.act_url("decide")))
        if closed:
            return [*found, Offer("reopen", "Open it again", self.act_url("reopen"))]
        return [
            *found,
            Offer("close", "Abandon", self.act_url("close", how="abandoned")),
            Offer("supersede", "Superseded by another", self.act_url("close", how="superseded")),
        ]

    # ---- steps ----

    @cached_property
    def stages(self) -> Sequence[Any]:
        return stages_of(self.hotfix.stages)

    @cached_property
    def steps(self) -> list[stepping.Step]:
        return stepping.stepper(self.stages, self.hotfix.stage)

    @property
    def place(self) -> int:
        return stepping.place(self.stages, self.hotfix.stage)

    @property
    def now(self) -> stepping.Step | None:
        return next((step for step in self.steps if step.current), None)

    # ---- triage ----

    @cached_property
    def triage_form(self) -> TriageForm | None:
        """In place while triage waits for somebody who may answer it."""
        waits = not self.hotfix.triage and not self.hotfix.is_closed and self.hotfix.stage == StageKey.TRIAGE
        return TriageForm.of(self.hotfix) if waits and Act.HOTFIX in self.acts else None

    @property
    def triage_url(self) -> str:
        return self.act_url("triage")

    @property
    def triage_rows(self) -> list[dict[str, Any]]:
        return list(self.hotfix.triage.get("answers", []))

    @property
    def decided(self) -> dict[str, Any]:
        return self.hotfix.triage.get("decided") or {}

    @property
    def track_words(self) -> str:
        track = track_of(self.hotfix)
        return track.label if track else ""

    # ---- branches ----

    @cached_property
    def graph(self) -> Graph | None:
        facts = self.facts
        return graph_of(self.hotfix, self.policy, facts.release, self._concerned, facts.verdicts, self._repo)

    @property
    def graph_wide(self) -> SafeString | str:
        return lying(self.graph) if self.graph else ""

    @property
    def graph_tall(self) -> SafeString | str:
        return standing(self.graph) if self.graph else ""

    # ---- targets ----

    @cached_property
    def targets(self) -> list[ShownTarget]:
        """Every branch that must have the fix: judged ones with their verdict, owed ones first."""
        if not self.facts.verdicts:
            return []
        chosen = telling(sorted(self.facts.verdicts, key=_owed_first))
        often = Counter(verdict.target_id for verdict in chosen)
        shown = [self._target(verdict, several=often[verdict.target_id] > 1) for verdict in chosen]
        waiting = [target for target in self._concerned if target.pk not in self._judged]
        return shown + [ShownTarget(row.branch, _becomes(row), "", "", links.matrix(self.slug)) for row in waiting]

    @cached_property
    def _judged(self) -> set[int]:
        return {verdict.target_id for verdict in self.facts.verdicts}

    @property
    def _concerned(self) -> list[Target]:
        """Without the fix's own line of production and older ones, once it was judged: nobody asks about those."""
        named = self.policy.production if self._judged else ()
        return [row for row in self.facts.targets if row.pk in self._judged or not matches(row.branch, named)]

    def _target(self, verdict: Verdict, *, several: bool) -> ShownTarget:
        running, held = self._running(verdict), self._held.get(verdict.pk)
        says = _becomes(verdict.target)
        if several:
            says += f", as it is on {words.line(verdict.fix.production_ref)}"
        return ShownTarget(
            verdict.target.branch, says, verdict.code, "" if held else _detail(verdict),
            links.evidence(self.slug, verdict.fix.key, verdict.target.branch),
            in_branch(self.slug, verdict, self.acts, running, held, self.url), held,
        )  # fmt: skip

    @cached_property
    def _held(self) -> dict[int, Held]:
        return aside.held(self.facts.verdicts)

    def _running(self, verdict: Verdict) -> Operation | None:
        key = f"merge-back:{verdict.fix.key}:{verdict.target.branch}"
        return next((row for row in self.facts.operations if row.key == key and row.is_active), None)

    @property
    def owed(self) -> int:
        return sum(verdict.owed for verdict in self.facts.verdicts)

    @cached_property
    def merge_all(self) -> Offer | None:
        """All clean ones at once, where there is more than one."""
        if Act.OPERATE not in self.acts:
            return None
        ready = merge_back.ready(self.facts.verdicts, {row.key: row for row in self.facts.operations})
        if len(ready) < 2:
            return None
        return Offer("merge-back-all", f"Merge back into all {len(ready)} clean ones", self.act_url("merge-back-all"))

    @property
    def debts(self) -> list[Debt]:
        return self.facts.debts

    # ---- operations ----

    @cached_property
    def operations(self) -> list[ShownOperation]:
        return [ShownOperation(row, self.slug, Act.OPERATE in self.acts) for row in self.facts.operations]

    @property
    def active(self) -> list[ShownOperation]:
        return [shown for shown in self.operations if shown.row.is_active]

    @property
    def stuck(self) -> list[ShownOperation]:
        """What conflicted or failed and still has to be done; not what came true otherwise meanwhile."""
        ended, facts = (Operation.State.CONFLICT, Operation.State.FAILED), self.facts
        return [
            shown
            for shown in self.operations
            if shown.row.state in ended
            and shown.row.error_code != "cancelled"
            and not overtaken(shown.row, self.hotfix, facts.verdicts, facts.debts)
        ]

    # ---- side ----

    @cached_property
    def size(self) -> ChangeSize | None:
        return ChangeSize.from_data(self.hotfix.change)

    @property
    def retest(self) -> Sequence[str]:
        return self.size.retest if self.size else ()

    @property
    def split_url(self) -> str:
        return self.act_url("split") if Act.HOTFIX in self.acts and not self.hotfix.is_closed else ""

    @cached_property
    def events(self) -> list[ShownEvent]:
        return [ShownEvent(row) for row in self.facts.events]

    @property
    def events_total(self) -> int:
        return self.facts.events_total

    @property
    def events_more(self) -> bool:
        return self.facts.events_total > len(self.facts.events)

    @property
    def timeline_url(self) -> str:
        return links.hotfix_act(self.slug, "timeline", self.hotfix.key)


def telling(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """One verdict for each branch, unless more of them are open there.

    On several supported lines a fix is in production more than once, and each of its commits is judged.
    """
    found: list[Verdict] = []
    for verdict in verdicts:
        known = [one for one in found if one.target_id == verdict.target_id]
        if not known or (not verdict.settled and not known[0].settled):
            found.append(verdict)
    return found


def _owed_first(verdict: Verdict) -> tuple[bool, int, str]:
    return not verdict.owed, verdict.target.position, verdict.target.branch


def _becomes(target: Target) -> str:
    if target.planned_for:
        return f"{target.planned_version or target.branch} ships {words.day(target.planned_for)}"
    return target.planned_version or target.get_kind_display().lower()


def _detail(verdict: Verdict) -> str:
    preview = verdict.preview or {}
    if verdict.settled or verdict.detail or not preview:
        return verdict.detail
    if preview.get("clean"):
        return "merges cleanly"
    return f"conflicts in {words.plural(len(preview.get('conflicts', [])), 'file')}"
