"""Buttons as data: what is offered, where it leads, and why it is off. The views behind them check again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from hotfixdash.accounts.roles import Act
from releases.evidence.verdicts import Code
from releases.hotfixes.aside import Held
from releases.operations.models import Operation
from releases.policies.models import Settlement, Verdict

from . import links, words

ICONS = {
    "merge-back": "git-merge", "merge-back-all": "git-merge", "cut": "git-branch", "finish": "tag", "clean-up": "check",
    "review": "eye", "triage": "list", "choose-way": "arrow-right", "revert": "undo-2", "re-apply": "rotate-ccw",
    "retry": "rotate-ccw", "confirm": "check", "reopen": "rotate-ccw", "look": "eye",
    "approve": "circle-check", "rollback": "undo-2", "abandon": "circle-pause",
    "abort": "octagon-x", "move": "list", "cancel": "x", "deploy": "rocket", "lock": "lock", "unlock": "lock",
    "withdraw": "undo-2", "glass": "siren", "compare": "external-link",
}  # fmt: skip
ACT = (Code.MISSING.value, Code.PARTIAL.value, Code.REVERTED.value)
CONFIRM = (Code.LIKELY.value, Code.DECLARED.value)


@dataclass(frozen=True, slots=True)
class Offer:
    """One button or link."""

    kind: str
    label: str
    url: str = ""
    allowed: bool = True
    why_not: str = ""
    dialog: bool = True
    """It opens as a question over the page."""
    target: str = ""
    """The branch that it is about, of a merge-back."""

    @property
    def icon(self) -> str:
        return ICONS.get(self.kind, "arrow-right")


def in_branch(
    slug: str, verdict: Verdict, acts: Collection[Act], running: Operation | None, held: Held | None, back: str = ""
) -> list[Offer]:
    """What can be done about one fix in one branch, the most useful first.

    `running` is the merge-back into it that is under way, `held` the branch on which it waits to be merged in the
    forge; `acts` is what this person may do here.
    """
    found: list[Offer] = []
    key, branch = verdict.fix.key, verdict.target.branch
    query = {"next": back} if back else {}

    def settle(verb: str, label: str) -> Offer:
        return Offer(verb, label, links.settle(slug, verb, key, branch, **query))

    if verdict.target.closed_at is not None:
        return []
    waits = held is not None and held.waits
    if verdict.owed and verdict.code in ACT and Act.OPERATE in acts and not waits:
        found.append(_merge_back(slug, verdict, running, query))
    if back and not waits and (look := look_at(slug, verdict)) is not None:
        found.append(look)
    if Act.SETTLE not in acts:
        return found
    standing = verdict.settlement
    if standing is not None and standing.ended_at is None:
        if standing.kind == Settlement.Kind.WAIVED:
            return [*found, settle("waive", "Extend waiver"), settle("withdraw", "End waiver")]
        return [*found, settle("withdraw", "Withdraw it")]
    if not verdict.settled and verdict.code in CONFIRM:
        found += [settle("confirm", "Confirm"), settle("different", "Not the same")]
    if not verdict.settled and verdict.owed:
        found.append(settle("waive", "Waive…"))
    return found


def look_at(slug: str, verdict: Verdict) -> Offer | None:
    """Where to read what stands in the way of a merge-back; None when nothing does."""
    url = links.evidence(slug, verdict.fix.key, verdict.target.branch)
    if verdict.code == Code.REVERTED:
        return Offer("look", "See the revert", url, dialog=False)
    preview = verdict.preview or {}
    if verdict.owed and verdict.code in ACT and preview and not preview.get("clean"):
        return Offer("look", "Resolve locally", url, dialog=False)
    return None


def _merge_back(slug: str, verdict: Verdict, running: Operation | None, query: dict[str, str]) -> Offer:
    key, branch = verdict.fix.key, verdict.target.branch
    label = "Finish merge-back" if verdict.code == Code.PARTIAL else "Merge back now"
    url = links.settle(slug, "merge-back", key, branch, **query)
    why = merge_back_why_not(verdict, running, None)
    return Offer("merge-back", label, url, not why, why)


def merge_back_why_not(verdict: Verdict, running: Operation | None, held: Held | None) -> str:
    """Why a merge-back cannot be asked for now, in a sentence; empty when it can."""
    if held is not None and held.waits:
        return held.says
    if verdict.code == Code.REVERTED:
        return "It was undone there on purpose or by mistake; look at the revert first."
    if running is not None:
        return f"It is being merged back already, asked by {running.actor_name}."
    preview = verdict.preview or {}
    if preview and not preview.get("clean"):
        files = words.plural(len(preview.get("conflicts", [])), "file")
        return f"The trial conflicts in {files}. Resolve it locally."
    return ""
