"""What somebody sees before they say yes or no: the change, its risks, the proof, and what comes after."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils import timezone

from releases.deploy_forms import DecisionForm
from releases.deploys import selectors
from releases.deploys.aftermath import Owed, Proof, proofs_of, staged
from releases.deploys.binding import binding_key, binding_of, changed
from releases.deploys.deciding import Picture, picture_of, shown_last
from releases.deploys.delta import Delta
from releases.deploys.gates import Hold, waits_for
from releases.deploys.makers import makers_of
from releases.deploys.models import Run, Shown, Step
from releases.deploys.persons import may_approve, may_break
from releases.deploys.risks import Risk, touched
from releases.deploys.spec import StepKind
from releases.deploys.voices import Quorum, quorum
from releases.hotfixes.models import Hotfix
from releases.policies.flow import FlowPolicy
from releases.policies.selectors import ticket_link
from releases.projects import history
from releases.projects.patches import FilePatch, Patch

from . import links, words
from .deploy_words import ShownRun, ShownStep, ShownVoice, name_of

OPEN_LINES = 40
"""A file with at most so many changed lines is shown open, when it is the first."""
PATCH_LINES = 300
WRITERS = 3
"""Names of those who wrote it."""
_TONES = {"ok": ("ok", "circle-check"), "look": ("warn", "triangle-alert"), "bad": ("bad", "octagon-x")}
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")


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
            return f"{name_of(step.by)}: {step.why}"
        told = [f"{name} {value}" for name, value in list(step.facts.items())[:3]]
        shown = self.step
        if step.state == Step.State.FAILED:
            told = [shown.ended or step.why[:120]]
        return ", ".join(part for part in (*told, shown.took) if part)

    @property
    def url(self) -> str:
        return self.step.url or links.run(self.slug, self.row.run.pk)


class ApprovalPage:
    """Every word of the page; the view gives it the person and what was typed."""

    def __init__(self, run: Run, person: Any, form: DecisionForm | None = None) -> None:
        self.run, self.person = run, person
        self.project, self.slug = run.project, run.project.slug
        self.shown = ShownRun(run, self.slug)
        self.policy = FlowPolicy.from_data(run.project.policy)
        self.url = links.approval(self.slug, run.pk)
        self.binding = binding_key(binding_of(run))
        self.form = form or DecisionForm(initial={"binding": self.binding})

    # ---- head ----

    @property
    def where(self) -> str:
        return self.run.environment.name if self.run.environment else ""

    @property
    def replaces(self) -> str:
        """What goes away, by name; empty when nobody knows what runs there."""
        return "" if self.delta.base.how == "before" else words.visible(self.delta.base.name)

    @property
    def live_for(self) -> str:
        place = self.run.environment
        if place is None or place.live_since is None or self.delta.base.drift:
            return ""
        if self.run.state not in (Run.State.ASKED, Run.State.QUEUED):
            return ""  # What is live there since then may be this very run.
        return f"live for {words.duration(words.seconds_since(place.live_since))}"

    @property
    def waits(self) -> bool:
        return self.run.state == Run.State.ASKED

    @cached_property
    def changed(self) -> list[str]:
        """What is other now than what was asked for."""
        return changed(self.run) if self.run.state in ("asked", "queued") else []

    @cached_property
    def holds(self) -> list[Hold]:
        """What keeps it from starting, whether it is approved or not."""
        return waits_for(self.run)

    # ---- the change ----

    @cached_property
    def shown_then(self) -> Shown | None:
        """What was kept when people decided; of a run that still waits, what there is to see now counts."""
        return None if self.run.state in ("asked", "queued") else shown_last(self.run)

    @property
    def then_says(self) -> str:
        """Whose eyes saw it so, and when; empty for a page that shows what is so now."""
        found = self.shown_then
        if found is None:
            return ""
        voice = found.approval
        said = "approved it" if voice is not None and voice.says == "approve" else "said no"
        who = f"when {name_of(voice.person)} {said}" if voice is not None else "when it was decided, or ended"
        return f"This is what was to be seen {who}, {words.clock(found.at)}."

    @cached_property
    def picture(self) -> Picture:
        """Change, risks, plan and debts: as kept, else as they are now."""
        kept = self.shown_then
        return Picture.from_data(kept.data) if kept is not None else picture_of(self.run)

    @property
    def delta(self) -> Delta:
        return self.picture.delta

    @property
    def file_count(self) -> int:
        return len(self.delta.files) + self.delta.left_out

    @cached_property
    def kinds(self) -> dict[str, tuple[str, ...]]:
        """Watched files by what the policy calls them."""
        return touched(self.delta.files, self.policy) if self.delta.known else {}

    @property
    def figures(self) -> list[tuple[str, str]]:
        """Names and numbers beside the lines."""
        kinds = self.kinds
        named = [("Migrations", "migration"), ("Dependencies", "dependency"), ("Settings", "setting")]
        return [(name, f"{len(kinds.get(kind, ())):,}") for name, kind in named]

    @cached_property
    def tickets(self) -> list[Ticket]:
        known = {row.key: row for row in Hotfix.objects.filter(project=self.project, key__in=self.delta.tickets)}
        found = []
        for key in self.delta.tickets[:8]:
            row = known.get(key)
            if row is not None:
                found.append(Ticket(key, row.title, row.impact[:200], links.hotfix(self.slug, key), row.severity))
            else:
                found.append(Ticket(key, url=ticket_link(self.policy, key)))
        return found

    @cached_property
    def risks(self) -> list[ShownRisk]:
        rows = [ShownRisk(risk) for risk in self.picture.risks]
        return sorted(rows, key=lambda shown: ("bad", "look", "ok").index(shown.row.tone))

    @property
    def risk_words(self) -> tuple[str, str, str]:
        """Tone, icon and words for all of them."""
        worried = [shown for shown in self.risks if shown.row.worries]
        if not worried:
            return "ok", "circle-check", f"None of {len(self.risks)} needs a look"
        tone = "bad" if any(shown.tone == "bad" for shown in worried) else "warn"
        verb = "needs" if len(worried) == 1 else "need"
        return tone, "triangle-alert", f"{len(worried)} of {len(self.risks)} {verb} a look"

    @cached_property
    def patch(self) -> Patch | None:
        if not self.delta.known:
            return None
        with history.reading(self.project) as repo:
            return repo.change(self.delta.base.commit, self.run.commit, PATCH_LINES)

    @property
    def files(self) -> list[tuple[FilePatch, str]]:
        """Files of the patch, watched ones first, with what the policy calls them."""
        called = {path: kind for kind, paths in self.kinds.items() for path in paths}
        rows = [(file, called.get(file.path, "")) for file in (self.patch.files if self.patch else [])]
        return sorted(rows, key=lambda row: not row[1])

    @property
    def files_left_out(self) -> int:
        return max(0, len(self.delta.files) + self.delta.left_out - len(self.files))

    @property
    def full_url(self) -> str:
        return links.compare(self.slug, self.delta.base.commit, self.run.commit) if self.delta.base.commit else ""

    # ---- proof ----

    @cached_property
    def checks(self) -> list[Check]:
        return [Check(row, self.slug) for row in proofs_of(self.run)]

    @property
    def passed(self) -> int:
        return sum(check.row.step.state in (Step.State.DONE, Step.State.SKIPPED) for check in self.checks)

    @cached_property
    def staged(self) -> list[ShownRun]:
        return [ShownRun(row, self.slug) for row in staged(self.run)]

    # ---- after ----

    @cached_property
    def plan(self) -> list[tuple[str, str]]:
        """How it is taken back: a word and the rest of each sentence."""
        return [_head(words.visible(said)) for said in self.picture.plan]

    @property
    def names(self) -> list[str]:
        """What its sentences set in the mono face."""
        return [self.run.tag, self.delta.base.name, *(path for paths in self.kinds.values() for path in paths[:3])]

    @cached_property
    def owed(self) -> list[tuple[Owed, tuple[str]]]:
        """What will be owed, and the names in each sentence."""
        return [(row, (row.branch,)) for row in self.picture.owed]

    # ---- the decision ----

    @cached_property
    def quorum(self) -> Quorum:
        return quorum(self.run)

    @cached_property
    def why_not(self) -> str:
        """Why this person may not speak; empty when they may."""
        if not self.waits:
            return ""
        return may_approve(self.run, self.person)

    @cached_property
    def kept_out(self) -> str:
        """Who cannot approve it because it is their own work, for somebody who can."""
        if not self.may_decide:
            return ""
        makers = makers_of([self.run])[self.run.pk]
        writers = list(dict.fromkeys(name for writer in makers.writers if (name := writer["author_name"])))
        shown = [words.visible(name) for name in writers[:WRITERS]]
        if len(writers) > WRITERS:
            shown.append(words.plural(len(writers) - WRITERS, "other"))
        said = [f"{' and '.join([', '.join(shown[:-1]), shown[-1]] if shown[1:] else shown)} wrote it"] if shown else []
        if self.run.asked_by is not None:
            said.append(f"{name_of(self.run.asked_by)} asked for it")
        return f"{', '.join(said)}; they cannot approve it." if said else ""

    @property
    def may_decide(self) -> bool:
        return self.waits and not self.why_not and not self.changed

    @cached_property
    def may_break(self) -> bool:
        open_ = self.run.state in ("asked", "queued") and self.run.glass_by_id is None
        return open_ and not may_break(self.run, self.person)

    @cached_property
    def may_withdraw(self) -> bool:
        mine = any(voice.person_id == self.person.pk for voice in self.quorum.given)
        return mine and self.run.state in ("asked", "queued")

    @property
    def approve_words(self) -> str:
        """The button: whether it goes on at once."""
        return "Approve and deploy" if self.quorum.missing == 1 and not self.holds else "Approve"

    @property
    def next_words(self) -> str:
        """For the bar of a phone."""
        if not self.waits:
            return str(self.run.get_state_display()).lower()
        if self.may_decide:
            return "yours is next"
        return words.plural(self.quorum.missing, "approval") + " more"

    @cached_property
    def slots(self) -> list[Slot]:
        found = [_given(ShownVoice(voice)) for voice in (*self.quorum.given, *self.quorum.rejected)]
        if not self.waits:
            return found
        for number in range(len(self.quorum.given), self.quorum.needed):
            nth = _ORDINALS[number] if number < len(_ORDINALS) else "next"
            first = number == len(self.quorum.given)
            if first and self.may_decide:
                starts = "It starts once nothing holds it." if self.holds else "It starts as soon as you approve."
                more = starts if self.quorum.missing == 1 else ""
                found.append(Slot("is-you", "user", "You", f"can give the {nth} approval", more))
            else:
                found.append(Slot("is-next", "", f"{nth.capitalize()} approval", "is missing"))
        return found

    @property
    def expires(self) -> str:
        at = self.run.expires_at
        return (
            f"Expires in {words.duration(words.seconds_until(at))}" if at and self.waits and at > timezone.now() else ""
        )

    @property
    def estimate(self) -> str:
        seconds = selectors.estimate(self.run)
        return f"Runs like it take {words.lasted(seconds)}." if seconds is not None else ""

    def act_url(self, verb: str) -> str:
        return links.run_act(self.slug, verb, self.run.pk, binding=self.binding, next=self.url)

    @property
    def approve_url(self) -> str:
        return self.act_url("approve")

    @property
    def reject_url(self) -> str:
        return self.act_url("reject")

    @property
    def withdraw_url(self) -> str:
        return links.run_act(self.slug, "withdraw", self.run.pk, next=self.url)

    @property
    def glass_url(self) -> str:
        return links.run_act(self.slug, "glass", self.run.pk, next=self.url)


def _given(voice: ShownVoice) -> Slot:
    said = {"ok": ("is-done", "check", "approved"), "bad": ("is-bad", "x", "said no")}[voice.tone]
    comment = f"“{words.visible(voice.row.comment)}”" if voice.row.comment else ""
    carried = " to an earlier request of exactly the same" if voice.row.carried_from_id else ""
    return Slot(said[0], said[1], voice.name, f"{said[2]} at {words.clock(voice.row.at)}{carried}", comment)


def _head(sentence: str) -> tuple[str, str]:
    """`By hand: …` in two parts, for the bold one."""
    head, colon, rest = sentence.partition(": ")
    return (head + ":", rest) if colon and len(head) < 20 else ("", sentence)
