"""The overview as its template reads it: every word and address ready, nothing left to look up."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.utils.html import format_html
from django.utils.safestring import SafeString

from releases.evidence.verdicts import Code
from releases.hotfixes.aside import Held, held_cells
from releases.policies import overview
from releases.policies.models import Target
from releases.policies.overview import Debt, Gate, TargetRow
from releases.projects.selectors import ProjectRow
from releases.templatetags.dash import age_bar_markup

from . import links, words
from .gates import gate_words

_SHA = re.compile(r"[0-9a-f]{7,64}")
GATES = 4
WAITING = 4
STRIP = 10
BROUGHT_BACK = 5
NOTICES = 3


@dataclass(slots=True)
class OwedRow:
    code: str
    detail: str
    subject: str
    ticket: str
    project: str
    shipped_in: str
    security: bool
    url: str
    action: str
    primary: bool
    bar: SafeString | str
    merge_url: str = ""
    """Where to ask for the merge-back, while its trial is clean."""


@dataclass(slots=True)
class GateCard:
    gate: Gate
    project: str
    name: str
    when: str
    words: str
    icon: str
    url: str
    fixes: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for."""

    path: str
    page: int = 1
    newest_first: bool = False

    @property
    def address(self) -> str:
        """The address without what it does not mean."""
        query: dict[str, object] = {"page": self.page} if self.page > 1 else {}
        if self.newest_first:
            query["sort"] = "newest"
        return f"{self.path}?{urlencode(query)}" if query else self.path


class OverviewPage:
    """Everything that one overview shows; `one` when it is about a single project."""

    def __init__(self, projects: list[ProjectRow], debt: Debt, asked: Asked, *, one: bool) -> None:
        self.projects = projects
        self.debt = debt
        self.asked = asked
        self.one = one
        self.by_pk = {row.pk: row for row in projects}
        self.main = list(debt.main.values())
        self.pages = max(1, -(-self.listed // overview.PAGE_SIZE))
        self.page = min(max(1, asked.page), self.pages)

    # ---- the sentence ----

    @property
    def project(self) -> ProjectRow:
        return self.projects[0]

    @property
    def listed(self) -> int:
        return self.debt.act + self.debt.unknown

    @cached_property
    def judged(self) -> list[ProjectRow]:
        return [row for row in self.projects if row.judged_at]

    @cached_property
    def branch(self) -> str:
        """What the fixes are missing from, in a word or two."""
        names = self.debt.branches()
        if not names:
            return "develop"
        return names[0] if len(names) == 1 else (" or ".join(names) if len(names) == 2 else "the next release")

    @property
    def waited(self) -> str:
        return words.duration_round(words.seconds_since(self.debt.oldest))

    @cached_property
    def matrix_slug(self) -> str:
        return self.project.slug if self.one else ""

    @property
    def matrix_url(self) -> str:
        return links.matrix(self.matrix_slug)

    @property
    def owed_url(self) -> str:
        names = self.debt.branches()
        if len(names) != 1:
            return "#owed"
        return links.matrix(self.matrix_slug, show="owed", target=names[0])

    @property
    def confirm_url(self) -> str:
        return links.matrix(self.matrix_slug, show="confirm")

    @cached_property
    def elsewhere(self) -> list[tuple[TargetRow, str]]:
        """Other branches that something is owed to, each with its address."""
        rows = self.debt.elsewhere[:4]
        return [
            (row, links.matrix(self.by_pk[row.project_id].slug, show="owed", target=row.branch))
            for row in rows
            if row.project_id in self.by_pk
        ]

    @cached_property
    def bringing_back(self) -> GateCard | None:
        """The dated or branched-off release that would bring bugs back soonest."""
        return next((c for c in self.gates if c.gate.target.kind == Target.Kind.RELEASE and c.gate.target.act), None)

    @cached_property
    def checked_at(self) -> datetime | None:
        """The oldest look at git among the projects that answer."""
        return min((row.fetched_at for row in self.projects if row.fetched_at and not row.error_text), default=None)

    @cached_property
    def limits(self) -> list[int]:
        return sorted({row.sla_hours for row in self.projects})

    @property
    def limit_words(self) -> str:
        if not self.limits:
            return ""
        first, last = words.limit_words(self.limits[0]), words.limit_words(self.limits[-1])
        return first if first == last else f"{first} to {last}"

    @cached_property
    def running(self) -> list[ProjectRow]:
        return [row for row in self.projects if row.run_state]

    @cached_property
    def silent(self) -> list[ProjectRow]:
        """Projects whose last look at git failed."""
        return [row for row in self.projects if row.error_text]

    @property
    def notices(self) -> list[ProjectRow]:
        return self.silent[:NOTICES]

    @property
    def more_notices(self) -> int:
        return max(0, len(self.silent) - NOTICES)

    # ---- the owed list ----

    @cached_property
    def scale(self) -> float:
        """Right end of every age bar, in seconds: one scale for the whole list."""
        oldest = float(words.seconds_since(self.debt.oldest))
        longest = max((self.by_pk[row.project_id].sla_hours for row in self.main), default=48) * 3600
        return max(oldest * 1.09, longest * 1.5)

    @property
    def limit_mark(self) -> str:
        """Where the limit stands on the axis, in percent; empty when the projects' limits differ."""
        return f"{self._mark:.1f}" if len(self.limits) == 1 else ""

    @property
    def _mark(self) -> float:
        return 100 * self.limits[0] * 3600 / self.scale

    @property
    def limit_crowds(self) -> bool:
        """The limit stands so close to zero that its words begin there instead of standing over it."""
        return bool(self.limit_mark) and self._mark < 17

    @property
    def scale_words(self) -> str:
        return words.duration(self.scale).split(" ", 2)[0] + " " + words.duration(self.scale).split(" ")[1]

    @cached_property
    def owed(self) -> list[OwedRow]:
        if not self.listed:
            return []
        found = overview.owed_page(self.main, newest_first=self.asked.newest_first, page=self.page)
        return [self._owed_row(row) for row in found]

    def _owed_row(self, row: dict[str, Any]) -> OwedRow:
        project = self.by_pk[row["project_id"]]
        branch = self.debt.main[project.pk].branch
        held = self._held.get((project.pk, row["fix__key"], branch))
        waits = held is not None and held.waits
        action, primary = ("See the branch", False) if waits else _action(row)
        bar: SafeString | str = ""
        if row["owed_since"]:
            seconds = words.seconds_since(row["owed_since"])
            bar = age_bar_markup(seconds, project.sla_hours * 3600, self.scale)
        return OwedRow(
            row["code"], held.says if held else _detail(row), row["fix__subject"], row["fix__ticket"],
            "" if self.one else project.name, row["fix__shipped_in"], row["fix__security"],
            links.evidence(project.slug, row["fix__key"], branch), action, primary, bar,
            "" if waits else self._merge_url(row, project.slug, branch),
        )  # fmt: skip

    @cached_property
    def _held(self) -> dict[tuple[int, str, str], Held]:
        """What waits on a branch of its own."""
        return held_cells(list(self.by_pk))

    def _merge_url(self, row: dict[str, Any], slug: str, branch: str) -> str:
        clean = bool((row["preview"] or {}).get("clean"))
        if not clean or row["code"] not in (Code.MISSING, Code.PARTIAL):
            return ""
        return links.settle(slug, "merge-back", row["fix__key"], branch, next=self.asked.path)

    @cached_property
    def brought_back(self) -> list[dict[str, Any]]:
        """What the main branches got back last, and whether it was in time."""
        rows = overview.brought_back(self.main, BROUGHT_BACK)
        for row in rows:
            project = self.by_pk[row["project_id"]]
            row["project"] = "" if self.one else project.name
            row["url"] = links.evidence(project.slug, row["fix__key"], self.debt.main[project.pk].branch)
            row["late"] = row["lag_seconds"] > project.sla_hours * 3600
        return rows

    @property
    def first_shown(self) -> int:
        return (self.page - 1) * overview.PAGE_SIZE + 1

    @property
    def last_shown(self) -> int:
        return min(self.listed, self.page * overview.PAGE_SIZE)

    # ---- the side ----

    @cached_property
    def all_gates(self) -> list[Gate]:
        if self.one:
            return overview.project_gates(self.debt, self.project.sla_hours)
        return overview.next_gates(self.debt, {row.pk: row.sla_hours for row in self.projects})

    @cached_property
    def gates(self) -> list[GateCard]:
        shown = self.all_gates[:GATES]
        told = shown if self.one else shown[:1]
        fixes = overview.gate_fixes(told, 3) if any(gate.target.act for gate in told) else {}
        return [self._gate_card(gate, fixes.get(gate.target.pk, [])) for gate in shown]

    def _gate_card(self, gate: Gate, fixes: list[dict[str, Any]]) -> GateCard:
        target, project = gate.target, self.by_pk[gate.target.project_id]
        for row in fixes:
            row["url"] = links.evidence(project.slug, row["fix__key"], target.branch)
        said, icon = gate_words(gate, short=not fixes)
        when = words.day(target.planned_for)
        if target.planned_for:
            when += f", {words.clock(target.planned_for)[-5:]}"
        show = "owed" if target.act or target.unknown else ("confirm" if target.confirm else "all")
        return GateCard(
            gate, project.name, target.planned_version or target.branch, when or _gate_kind(target), said, icon,
            links.matrix(project.slug, show=show, target=target.branch), fixes,
        )  # fmt: skip

    @property
    def more_gates(self) -> int:
        return max(0, len(self.all_gates) - GATES)

    @cached_property
    def waiting_total(self) -> int:
        """Fixes with a verdict that somebody has to look at, in whatever branch."""
        return overview.to_confirm_count(self.debt.targets) if self.debt.confirm_everywhere else 0

    @cached_property
    def waiting(self) -> list[dict[str, Any]]:
        if not self.debt.confirm_everywhere:
            return []
        rows = overview.to_confirm(self.debt.targets, WAITING)
        for row in rows:
            project = self.by_pk[row["project_id"]]
            row["project"] = project.name
            row["url"] = links.evidence(project.slug, row["fix__key"], row["branches"][0])
            row["label"] = Code(row["code"]).label
        return rows

    # ---- the strip ----

    @property
    def strip(self) -> list[ProjectRow]:
        """Those that do not answer first, then those released last."""
        return sorted(self.projects, key=lambda row: (not row.error_text, -_seconds(row.tagged_at)))[:STRIP]


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


def _detail(row: dict[str, Any]) -> str:
    """The second line of a verdict; escaped where it holds markup, to be escaped by the template elsewhere."""
    if row["code"] == Code.UNKNOWN:
        return "git could not tell"
    if row["code"] == Code.REVERTED and _SHA.fullmatch(row["detail"]):
        return format_html('undone by <span class="ref">{}</span>', row["detail"][:7])
    if row["detail"] or not row["preview"]:
        return words.visible(row["detail"])
    conflicts = len(row["preview"].get("conflicts", []))
    return "merges cleanly" if row["preview"].get("clean") else f"conflicts in {words.plural(conflicts, 'file')}"


def _action(row: dict[str, Any]) -> tuple[str, bool]:
    """What the row's button says, and whether it is the easy one."""
    preview = row["preview"] or {}
    if row["code"] == Code.REVERTED:
        return "See the revert", False
    if row["code"] == Code.PARTIAL:
        return "Finish merge-back", False
    if row["code"] == Code.UNKNOWN:
        return "See why", False
    if preview.get("conflicts"):
        return "Resolve locally", False
    return "Git commands", bool(preview.get("clean"))


def _gate_kind(target: TargetRow) -> str:
    return "no date yet" if target.kind == Target.Kind.RELEASE else "next release"
