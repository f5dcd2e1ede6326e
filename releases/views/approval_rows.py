"""The rows of the page on which people decide: signals, proofs, tickets, voices."""

from __future__ import annotations

from dataclasses import dataclass

from releases.deploys.aftermath import Proof
from releases.deploys.models import Step
from releases.deploys.risks import Risk
from releases.deploys.spec import StepKind

from . import links, words
from .deploy_words import ShownStep

_TONES = {"ok": ("ok", "circle-check"), "look": ("warn", "triangle-alert"), "bad": ("bad", "octagon-x")}
_ABOVE = ("artifact", "digest")
"""Facts of a step that stand above the table."""


@dataclass(slots=True)
class ShownRisk:
    """One signal."""

    row: Risk

    @property
    def tone(self) -> str:
        return _TONES[self.row.tone][0]

    @property
    def icon(self) -> str:
        return _TONES[self.row.tone][1]


@dataclass(slots=True)
class Slot:
    """One of the voices that it takes."""

    css: str
    icon: str
    who: str
    does: str
    more: str = ""
    seen_url: str = ""
    """What was to be seen when they said so; empty while it waits, and where nothing was kept of it."""
    seen_now: bool = False
    """The page shows that."""


@dataclass(slots=True)
class Ticket:
    """What it is about."""

    key: str
    title: str = ""
    says: str = ""
    url: str = ""
    severity: int = 0


@dataclass(slots=True)
class Check:
    """One proof in the table."""

    row: Proof
    slug: str

    @property
    def step(self) -> ShownStep:
        return ShownStep(self.row.step, self.slug)

    @property
    def name(self) -> str:
        return f"{words.visible(self.row.step.name)}{f', {self.row.where}' if self.row.where else ''}"

    @property
    def says(self) -> str:
        """What it found: the note of a person, facts, how long it took."""
        step = self.row.step
        if step.kind == StepKind.MANUAL and step.why:
            return f"{words.visible(self.row.by)}: {step.why}"
        told = [f"{name} {value}" for name, value in step.facts.items() if name not in _ABOVE][:3]
        shown = self.step
        if step.state == Step.State.FAILED:
            told = [shown.ended or step.why[:120]]
        return ", ".join(part for part in (*told, shown.took) if part)

    @property
    def url(self) -> str:
        return self.step.url or links.run(self.slug, self.row.run.pk)
