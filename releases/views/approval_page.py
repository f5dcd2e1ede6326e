"""What somebody sees before they say yes or no: the change, its risks, the proof, and what comes after."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

from django.utils import timezone

from hotfixdash.accounts.roles import Act
from releases.deploy_forms import DecisionForm
from releases.deploys import selectors
from releases.deploys.aftermath import Owed, proofs_of
from releases.deploys.binding import binding_key, binding_of, changed
from releases.deploys.deciding import Picture, picture_of, shown_all
from releases.deploys.delta import Delta
from releases.deploys.gates import Hold, waits_for
from releases.deploys.makers import makers_of
from releases.deploys.models import Approval, Run, Shown, Step
from releases.deploys.persons import may_approve, may_break
from releases.deploys.risks import touched
from releases.deploys.voices import Quorum, quorum, said_then
from releases.hotfixes.models import Hotfix
from releases.policies.flow import FlowPolicy
from releases.policies.selectors import ticket_link
from releases.projects import history
from releases.projects.patches import FilePatch, Patch

from . import approval_mails, links, words
from .approval_rows import Check, ShownRisk, Slot, Ticket
from .deploy_words import ShownRun, ShownVoice, name_of

OPEN_LINES = 40
"""A file with at most so many changed lines is shown open, when it is the first."""
PATCH_LINES = 300
WRITERS = 3
"""Names of those who wrote it."""
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")


class ApprovalPage:
    """Every word of the page; the view gives it the person and what was typed."""

    def __init__(self, run: Run, person: Any, form: DecisionForm | None = None, then: str = "") -> None:
        """`then`: the key of what was kept at one decision; else the last one is shown, once it is decided."""
        self.run, self.person, self.then = run, person, then
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
        if not self.open:
            return ""  # What is live there since then may be this very run.
        return f"live for {words.duration(words.seconds_since(place.live_since))}"

    @property
    def waits(self) -> bool:
        return self.run.state == Run.State.ASKED

    @cached_property
    def changed(self) -> list[str]:
        """What is other now than what was asked for."""
        return changed(self.run) if self.open else []

    @cached_property
    def holds(self) -> list[Hold]:
        """What keeps it from starting, whether it is approved or not."""
        return waits_for(self.run)

    @cached_property
    def mails(self) -> approval_mails.ShownMails | None:
        """Whom no mail reached, for those who can do something about it."""
        return approval_mails.shown(self.run) if self.waits and self.person.may(Act.DEPLOY) else None

    # ---- the change ----

    @property
    def open(self) -> bool:
        """People may still speak or take it back: what there is to see now counts."""
        return self.run.state in ("asked", "queued")

    @property
    def change_title(self) -> str:
        if self.open:
            return f"What will change in {self.where}"
        return f"What {'changed' if self.run.live_at else 'would have changed'} in {self.where}"

    @cached_property
    def kept(self) -> list[Shown]:
        """What was kept at each decision, the last first; nothing while it is open."""
        return [] if self.open else shown_all(self.run)

    @cached_property
    def shown_then(self) -> Shown | None:
        """That of the decision that was asked for, else of the last."""
        named = [row for row in self.kept if str(row.pk) == self.then]
        return next(iter(named or self.kept), None)

    @property
    def refetch_url(self) -> str:
        return f"{self.url}?then={self.shown_then.pk}" if self.then and self.shown_then else self.url

    @property
    def then_says(self) -> str:
        """Whose eyes saw it so, and when; empty for a page that shows what is so now."""
        found = self.shown_then
        if found is None:
            return ""
        voice = found.approval
        said = "approved it" if voice is not None and voice.says == "approve" else "said no"
        who = f"when {name_of(voice.person)} {said}" if voice is not None else "when it was decided, or ended"
        if voice is None and self.run.glass_by is not None:
            who = f"when {name_of(self.run.glass_by)} broke the glass"
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
        """What had been checked: as kept, else as it is now."""
        found = self.picture.proofs
        return [Check(row, self.slug) for row in (proofs_of(self.run) if found is None else found)]

    @property
    def checks_say(self) -> str:
        """Of when the table is."""
        if self.shown_then is None:
            return ""
        if self.picture.proofs is None:
            return "What the checks said then was not kept; this is what they say now."
        return f"As they stood at {words.clock(self.shown_then.at)}."

    @property
    def passed(self) -> int:
        return sum(check.row.step.state in (Step.State.DONE, Step.State.SKIPPED) for check in self.checks)

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
        if self.open:
            return quorum(self.run)
        said, needed = said_then(self.run), self.picture.needed
        return said if needed is None else replace(said, needed=needed)

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
        return self.open and self.run.glass_by_id is None and not may_break(self.run, self.person)

    @cached_property
    def may_withdraw(self) -> bool:
        mine = any(voice.person_id == self.person.pk for voice in self.quorum.given)
        return mine and self.open

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
        found = [self._given(voice) for voice in (*self.quorum.given, *self.quorum.rejected)]
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

    def _given(self, row: Approval) -> Slot:
        voice = ShownVoice(row)
        said = {"ok": ("is-done", "check", "approved"), "bad": ("is-bad", "x", "said no")}[voice.tone]
        comment = f"“{words.visible(row.comment)}”" if row.comment else ""
        carried = " to an earlier request of exactly the same" if row.carried_from_id else ""
        does = f"{said[2]} at {words.clock(row.at)}{carried}"
        seen = next((kept for kept in self.kept if kept.approval_id == row.pk), None)
        if seen is None or len(self.kept) < 2:
            return Slot(said[0], said[1], voice.name, does, comment)
        url = f"{self.url}?then={seen.pk}"
        return Slot(said[0], said[1], voice.name, does, comment, url, seen == self.shown_then)

    @property
    def expires(self) -> str:
        at = self.run.expires_at
        return (
            f"Expires in {words.duration(words.seconds_until(at))}" if at and self.waits and at > timezone.now() else ""
        )

    @property
    def estimate(self) -> str:
        seconds = selectors.estimate(self.run) if self.open else None
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
    def mail_url(self) -> str:
        return links.run_act(self.slug, "mail-again", self.run.pk, next=self.url)

    @property
    def glass_url(self) -> str:
        return links.run_act(self.slug, "glass", self.run.pk, next=self.url)


def _head(sentence: str) -> tuple[str, str]:
    """`By hand: …` in two parts, for the bold one."""
    head, colon, rest = sentence.partition(": ")
    return (head + ":", rest) if colon and len(head) < 20 else ("", sentence)
