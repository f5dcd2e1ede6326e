"""What the panel of a hotfix says is next, and the ways out, with addresses for every button."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hotfixdash.accounts.roles import Act
from releases.hotfixes.models import Hotfix
from releases.hotfixes.offers import Action, NextStep, Option
from releases.hotfixes.stages import StageKey
from releases.policies.models import Verdict

from . import links, words
from .offers import Offer, look_at, merge_back_why_not

DIRECT = ("open",)
"""Kinds that lead to a page instead of a question."""
Fact = tuple[str, str, str, str]
"""Tone, icon, words, and more words."""


@dataclass(slots=True)
class ShownNext:
    """The panel."""

    title: str
    says: str
    primary: Offer | None
    others: list[Offer]
    commands: tuple[str, ...]
    facts: list[Fact]
    inline: bool = False

    @property
    def yours(self) -> bool:
        """Somebody who looks at it can act."""
        return self.primary is not None or self.inline

    @property
    def off(self) -> list[tuple[str, str]]:
        """What is off and why, each reason once; what stands below the primary button is not repeated."""
        reasons: dict[str, list[str]] = {}
        for found in self.others:
            if not found.allowed and not (self.primary and self.primary.why_not == found.why_not):
                reasons.setdefault(found.why_not, []).append(f"“{found.label}”")
        return [(" and ".join(labels), why) for why, labels in reasons.items()]

    @property
    def commands_text(self) -> str:
        return "\n".join(self.commands)


@dataclass(slots=True)
class ShownWay:
    """One way out beside the others."""

    option: Option
    chosen: bool
    url: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.option, name)


def offer(hotfix: Hotfix, action: Action) -> Offer:
    """An action with its address."""
    query = {name: str(action.params[name]) for name in ("target", "fix_key", "way") if action.params.get(name)}
    slug = hotfix.project.slug
    if action.kind == "compare":
        return Offer(action.kind, action.label, str(action.params["url"]), dialog=False)
    if action.kind == "merge-back" and query.get("target") and query.get("fix_key"):
        back = links.hotfix(slug, hotfix.key)
        url = links.settle(slug, "merge-back", query["fix_key"], query["target"], next=back)
    else:
        url = links.hotfix_act(slug, action.kind, hotfix.key, **query)
    return Offer(
        action.kind, action.label, url, action.allowed, action.why_not, action.kind not in DIRECT,
        target=query.get("target", ""),
    )  # fmt: skip


def shown_next(hotfix: Hotfix, step: NextStep, verdicts: Sequence[Verdict], *, inline: bool) -> ShownNext:
    """The panel; `inline` when the form of its primary action stands in it already."""
    primary = offer(hotfix, step.primary) if step.primary is not None and not inline else None
    others = [offer(hotfix, action) for action in step.others]
    facts = next_facts(verdicts) if step.stage == StageKey.MERGE_BACK else []
    others = [_checked(offer, verdicts) for offer in others]
    if primary is not None and primary.kind == "merge-back":
        primary = _checked(primary, verdicts)
        look = next((found for verdict in verdicts if (found := look_at(hotfix.project.slug, verdict))), None)
        if not primary.allowed and look is not None:
            # Asking would be refused: what helps is to look at what stands in the way.
            primary, others = look, [primary, *others]
    return ShownNext(step.title, step.says, primary, others, step.commands, facts, inline)


def _checked(found: Offer, verdicts: Sequence[Verdict]) -> Offer:
    """A merge-back whose trial conflicts is off, with the reason."""
    if found.kind != "merge-back" or not found.allowed:
        return found
    for verdict in verdicts:
        if found.target == verdict.target.branch:
            why = merge_back_why_not(verdict, None, None)
            return replace(found, allowed=not why, why_not=why)
    return found


def shown_ways(hotfix: Hotfix, options: Collection[Option], acts: Collection[Act]) -> list[ShownWay]:
    """The options side by side; choosing needs the role."""
    may = Act.HOTFIX in acts and not hotfix.is_closed
    return [
        ShownWay(
            option,
            hotfix.way == option.way,
            links.hotfix_act(hotfix.project.slug, "choose-way", hotfix.key, way=option.way) if may else "",
        )
        for option in options
    ]


def next_facts(verdicts: Sequence[Verdict]) -> list[Fact]:
    """What git says about the merge-back that is due first."""
    first = next((verdict for verdict in verdicts if verdict.owed), None)
    if first is None:
        return []
    facts: list[Fact] = []
    preview = first.preview or {}
    if preview.get("clean"):
        facts.append(("ok", "circle-check", "Trial is clean", f"onto {first.target.tip[:7]}"))
    elif preview:
        files = words.plural(len(preview.get("conflicts", [])), "file")
        facts.append(("bad", "triangle-alert", f"Trial conflicts in {files}", ""))
    if first.target.planned_for:
        ships = f"{first.target.planned_version or first.target.branch} ships {words.day(first.target.planned_for)}"
        facts.append(("warn", "clock", ships, "and would bring the bug back"))
    others = [verdict.target.branch for verdict in verdicts if verdict.owed and verdict is not first]
    if others:
        said = others[0] if len(others) == 1 else f"{len(others)} more branches"
        facts.append(("warn", "git-branch", f"Also owed to {words.visible(said)}", ""))
    return facts
