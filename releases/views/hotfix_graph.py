"""The commits of a hotfix's branch graph: looked up in the mirror, within the time of a page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from releases.evidence.verdicts import Code
from releases.hotfixes.listing import stages_of
from releases.hotfixes.models import Hotfix
from releases.hotfixes.stages import StageKey, StageState
from releases.policies.flow import FlowPolicy
from releases.policies.models import Target, Verdict
from releases.projects.history import History
from releases.projects.models import Ref, Release

from . import steps, words
from .graph.data import COMMITS, TARGETS, Dot, Graph, TargetLane

LINE = 6
"""Commits of a target that are drawn."""
BETWEEN = 3
"""Commits of production between base and fix that are drawn."""
_FURTHER = 60
"""Commits of production among which the base is looked for."""
_SHORT = 7


def graph_of(
    hotfix: Hotfix,
    policy: FlowPolicy,
    release: Release | None,
    targets: Sequence[Target],
    verdicts: Sequence[Verdict],
    repo: History,
) -> Graph | None:
    """Everything that is drawn; None as long as not even the base is known."""
    if not hotfix.base_commit:
        return None
    production = _production(policy, verdicts)
    tagged = _tagged(hotfix, release)
    shipped = _shipped(release, verdicts)
    live, says = _production_words(hotfix) if shipped else (False, "")
    if tagged:
        shipped = _brought(hotfix, production, tagged, repo)
        tagged = "" if shipped == tagged else tagged  # Fast-forwarded: its commit is production's own.
    told = [commit for commit in hotfix.commits if commit.get("sha")]
    shown = told if len(told) <= COMMITS else [*told[:2], *told[-(COMMITS - 2) :]]
    return Graph(
        key=hotfix.key,
        production=production,
        branch=hotfix.branch or policy.hotfix_branch.replace("{ticket}", hotfix.key),
        base=Dot(hotfix.base_commit[:_SHORT], hotfix.base_tag),
        between=_between(repo, hotfix.base_commit, shipped),
        commits=tuple(Dot(str(commit["sha"])[:_SHORT], _word(commit, hotfix.key)) for commit in shown),
        left_out=len(told) - len(shown),
        shipped=Dot(shipped[:_SHORT], "" if tagged else hotfix.tag) if shipped else None,
        tagged=Dot(tagged[:_SHORT], hotfix.tag) if tagged else None,
        shipped_says=says if shipped or live else "",
        cut=bool(hotfix.branch or told),
        targets=tuple(_lane(target, verdicts, repo, hotfix) for target in targets[:TARGETS]),
    )


def _production(policy: FlowPolicy, verdicts: Iterable[Verdict]) -> str:
    """The production branch; where tags alone are production, the words."""
    told = (verdict.fix.production_ref for verdict in verdicts)
    first = next(filter(None, told), policy.production[0] if policy.production else "production")
    return "version tags" if first.startswith("tags:") else first


def _tagged(hotfix: Hotfix, release: Release | None) -> str:
    """The fix's own commit that the tag is on; empty when it is on a merge, or there is no tag."""
    own = {str(commit.get("sha", "")) for commit in hotfix.commits}
    return release.commit if release is not None and release.commit in own else ""


def _brought(hotfix: Hotfix, production: str, tagged: str, repo: History) -> str:
    """The commit by which production's branch got the tagged one; empty when it has it not, or there is no branch."""
    ref = Ref.objects.filter(project=hotfix.project_id, name=f"refs/heads/{production}", deleted_at=None)
    tip = ref.values_list("commit", flat=True).first()
    found = repo.arrival(tagged, tip) if tip else None
    return found.sha if found else ""


def _shipped(release: Release | None, verdicts: Sequence[Verdict]) -> str:
    """The commit with which the fix reached production's line."""
    return release.commit if release else verdicts[0].fix.key if verdicts else ""


def _production_words(hotfix: Hotfix) -> tuple[bool, str]:
    """Whether it is in production, as the ticket's own step has it, and in words; nothing else is said beside it."""
    found = next((stage for stage in stages_of(hotfix.stages) if stage.key is StageKey.PRODUCTION), None)
    if found is None:
        return False, ""
    if found.state is not StageState.DONE:
        return False, "not in production" if found.state is StageState.FAILED else "not in production yet"
    return True, f"in production since {words.clock(steps.moment_of(found.at))}" if found.at else "in production"


def _between(repo: History, base: str, shipped: str) -> tuple[Dot, ...]:
    """What production itself got after the base and before the fix, oldest first."""
    if not shipped:
        return ()
    own = [info.sha for info in repo.line(shipped, _FURTHER) or ()]
    if base not in own:
        return ()
    inner = own[1 : own.index(base)][::-1]
    return tuple(Dot(sha[:_SHORT]) for sha in inner[:BETWEEN])


def _word(commit: dict[str, Any], key: str) -> str:
    """A commit's subject without what every commit of the hotfix begins with."""
    subject = re.sub(r"^\[HOTFIX\]\s*", "", str(commit.get("subject", "")), flags=re.IGNORECASE)
    return subject.removeprefix(key).lstrip(" :-") or "commit"


def _lane(target: Target, verdicts: Iterable[Verdict], repo: History, hotfix: Hotfix) -> TargetLane:
    mine = [verdict for verdict in verdicts if verdict.target_id == target.pk]
    line = [info.sha for info in repo.line(target.tip, LINE) or ()][::-1] if target.tip else []
    dots = tuple(Dot(sha[:_SHORT]) for sha in line)
    verdict = next((verdict for verdict in mine if verdict.owed), mine[0] if mine else None)
    if verdict is None:
        says = ("not judged yet",) if hotfix.tag else ()
        return TargetLane(target.branch, dots, says=says)
    if not verdict.settled:
        return TargetLane(target.branch, dots, owed=verdict.owed, says=_owed_words(verdict))
    arrival, merged = _arrival(verdict, target, repo)
    if arrival and arrival[:_SHORT] not in {dot.sha for dot in dots}:
        dots = (Dot(arrival[:_SHORT]), *dots[1:])
    return TargetLane(
        target.branch, dots, Dot(arrival[:_SHORT]) if arrival else None, merged, False, _settled_words(verdict)
    )


def _arrival(verdict: Verdict, target: Target, repo: History) -> tuple[str, bool]:
    """The commit that brought the fix into the target, and whether it was a merge."""
    if verdict.code == Code.MERGED:
        shas = [str(entry.get("sha", "")) for entry in verdict.commits or verdict.fix.commits]
        info = repo.arrival(shas[-1], target.tip) if shas and shas[-1] and target.tip else None
        return (info.sha, len(info.parents) > 1) if info else ("", True)
    if verdict.code in (Code.EQUIVALENT, Code.DECLARED, Code.LIKELY):
        found = [str(sha) for entry in verdict.commits for sha in entry.get("counterparts", [])]
        return (found[-1], False) if found else ("", False)
    return "", False


def _owed_words(verdict: Verdict) -> tuple[str, ...]:
    if verdict.code in (Code.LIKELY, Code.DECLARED):
        return "to confirm", verdict.detail or Code(verdict.code).label
    since = words.duration(words.seconds_since(verdict.owed_since)) if verdict.owed_since else ""
    return "merge-back", f"owed {since}".strip()


def _settled_words(verdict: Verdict) -> tuple[str, ...]:
    label = Code(verdict.code).label
    if verdict.settled_at:
        return label, f"since {words.clock(verdict.settled_at)}"
    return (
        (label, verdict.detail) if verdict.detail and not re.fullmatch(r"[0-9a-f]{7,64}", verdict.detail) else (label,)
    )
