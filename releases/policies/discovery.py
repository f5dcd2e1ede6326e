"""Find the fixes of a production line: what reached it outside the normal release. No git, no I/O.

The own line of production is its first-parent line. What the merges on it brought is told apart by the branch that
the message names and by shape: a side branch that holds commits of the target's own line came through the normal
release; one that was cut from production did not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from .drafts import Discovery, Draft, Message
from .flow import FlowPolicy, Preset
from .lines import Graph, Landing, chain, landings, mark_reachable, without_ancestors
from .names import MergeName, matches, merge_name
from .tickets import ticket_in
from .versions import is_patch, version_key

GROUP_SECONDS = 3600
"""Direct commits of one ticket and author belong together when they landed within this time."""
_PICKED = re.compile(r"\(?cherry[- ]picked from commit|^Backport of |^Cherry-picked? ", re.IGNORECASE | re.MULTILINE)
_REVERT = re.compile(r"^(?:\[[^\]]+\] )?Revert(?:ed)?\b[ :\"]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Production:
    """One production ref: its name as typed, the short branch name, and the tips (one, or all tags)."""

    name: str
    tips: tuple[int, ...]
    branch: str = ""


@dataclass(frozen=True, slots=True)
class Ground:
    """All that discovery looks at."""

    graph: Graph
    policy: FlowPolicy
    production: tuple[Production, ...]
    targets: Mapping[str, int]
    """Tips of the targets by short branch name."""
    in_all: bytearray
    """1 for commits that every target contains."""
    own: bytearray
    """1 for commits on the own line of a main target (develop, main): what came there was made there."""
    tagged: Mapping[int, Sequence[str]]
    """Final version tags by commit."""
    message: Callable[[Iterable[int]], Mapping[int, Message]]
    squashed_release: Callable[[Sequence[Landing]], set[int]]
    """Which of these single-parent commits are a whole release in one commit."""
    evil: Callable[[Sequence[int]], set[int]]
    """Which of these merges carry changes of their own."""


def discover(ground: Ground) -> Discovery:
    """Every fix of every production ref, each once, newest first."""
    found = Discovery()
    seen = bytearray(len(ground.graph))
    for production in ground.production:
        _Line(ground, production, seen, found).walk()
    order = {draft.commit: draft for draft in found.drafts}
    found.drafts = list(order.values())
    return found


class _Line:
    """One production ref at work."""

    def __init__(self, ground: Ground, production: Production, seen: bytearray, found: Discovery) -> None:
        self.ground = ground
        self.production = production
        self.seen = seen
        self.found = found
        self.messages: dict[int, Message] = {}
        self.evil: set[int] = set()
        """Merges that carry changes of their own."""

    def walk(self) -> None:
        drafts: list[Draft] = []
        for tip in self.production.tips:
            if self.seen[tip]:
                continue
            drafts += self._walk_tip(tip)
        self.found.drafts += drafts

    def _walk_tip(self, tip: int) -> list[Draft]:
        ground = self.ground
        line, base = self._own_line(tip)
        if base is not None:
            mark_reachable(ground.graph, [base], self.seen)
        found = landings(ground.graph, line, self.seen)
        self._read(found)
        squashed = ground.squashed_release([land for land in found if not land.merge and self._unsettled(land.commit)])
        drafts: list[Draft] = []
        for landing in found:
            if landing.commit in squashed:
                self.found.releases += 1
                continue
            drafts += self._merge(landing) if landing.merge else self._direct(landing)
        return self._grouped(drafts)[::-1]

    def _own_line(self, tip: int) -> tuple[list[int], int | None]:
        """The first-parent line down to where it was cut from a target or from a line already walked."""
        line: list[int] = []
        stop_at_shared = self.ground.policy.preset != Preset.GITFLOW
        for commit in chain(self.ground.graph, tip):
            if self.seen[commit]:
                return line, None
            if stop_at_shared and self.ground.own[commit] and self.ground.in_all[commit]:
                return line, commit
            line.append(commit)
        return line, None

    def _unsettled(self, commit: int) -> bool:
        return not self.ground.own[commit]

    def _read(self, found: Sequence[Landing]) -> None:
        """Read at once what all these landings will be asked for: messages, and which merges changed anything."""
        ground, parents = self.ground, self.ground.graph.parents_of
        wanted = [land.commit for land in found if land.merge or self._unsettled(land.commit)]
        merges: list[int] = []
        for land in found:
            if land.merge and not ground.own[land.commit]:
                wanted += [commit for commit in land.side if not ground.own[commit]]
                merges += [commit for commit in (land.commit, *land.side) if len(parents(commit)) > 1]
        self.messages.update(ground.message(wanted))
        self.evil |= ground.evil([commit for commit in merges if not ground.in_all[commit]])

    # Merges

    def _merge(self, landing: Landing) -> list[Draft]:
        message = self.messages.get(landing.commit)
        name = merge_name(message.subject, message.body) if message else MergeName()
        own = [commit for commit in landing.side if self.ground.own[commit]]
        hotfix = matches(name.source, self.ground.policy.hotfix_branches)
        if self.ground.own[landing.commit] and not hotfix:
            return []
        if not hotfix and self._is_release(landing, name, bool(own)):
            self._pass_over(landing)
            return []
        side = without_ancestors(self.ground.graph, landing.side, own)
        commits = {commit for commit in side if len(self.ground.graph.parents_of(commit)) < 2}
        judged = [commit for commit in (landing.commit, *side) if commit in self.evil or commit in commits][::-1]
        if not judged:
            return []
        subject = self._merge_subject(name, judged, message)
        base = landing.parent if not own else None
        kind = "evil" if not commits else "merge"
        return [
            Draft(landing.commit, landing.commit, tuple(judged), kind, self.production.name, subject, name.source, base)
        ]

    def _is_release(self, landing: Landing, name: MergeName, brings_target: bool) -> bool:
        """Did this merge bring the normal release (or the target itself), rather than a fix?"""
        policy, tags = self.ground.policy, self.ground.tagged.get(landing.commit, ())
        patch_only = bool(tags) and all(is_patch(tag) for tag in tags)
        if brings_target or name.source in self.ground.targets:
            return True
        if policy.preset == Preset.MAINTENANCE:
            return False
        if name.source and matches(name.source, policy.release_branches):
            # A release branch for a patch version that was cut from production is a hotfix by another name.
            return not (is_patch(name.source) or patch_only)
        if name.source and version_key(name.source) and matches(name.source, policy.support_branches):
            return True
        return bool(tags) and not patch_only and not name.source

    def _pass_over(self, landing: Landing) -> None:
        self.found.releases += 1
        own = [commit for commit in landing.side if self.ground.own[commit]]
        left = without_ancestors(self.ground.graph, landing.side, own)
        self.found.release_leftovers += sum(
            not self.ground.in_all[commit] and len(self.ground.graph.parents_of(commit)) < 2 for commit in left
        )

    def _merge_subject(self, name: MergeName, commits: Sequence[int], message: Message | None) -> str:
        """The pull request's title; else the first commit's subject, leaving out version bumps."""
        if name.title:
            return name.title
        unread = [commit for commit in commits if commit not in self.messages]
        self.messages.update(self.ground.message(unread))
        said = {commit: self.messages[commit] for commit in commits if commit in self.messages}
        subjects = [said[commit].subject for commit in commits if commit in said]
        telling = [
            text for text in subjects if not any(re.search(p, text, re.I) for p in self.ground.policy.chore_subjects)
        ]
        return (telling or subjects or [message.subject if message else ""])[0]

    # Commits straight on production

    def _direct(self, landing: Landing) -> list[Draft]:
        if self.ground.own[landing.commit]:
            return []
        message = self.messages.get(landing.commit)
        subject, body = (message.subject, message.body) if message else ("", "")
        kind = "revert" if _REVERT.match(subject) else "pick" if _PICKED.search(body) else "direct"
        commit = landing.commit
        return [Draft(commit, commit, (commit,), kind, self.production.name, subject, "", landing.parent)]

    def _grouped(self, drafts: list[Draft]) -> list[Draft]:
        """Join neighbours that are one change-set: same ticket, same author, landed together, no tag between."""
        grouped: list[Draft] = []
        for draft in drafts:
            if grouped and self._belong_together(grouped[-1], draft):
                last = grouped[-1]
                grouped[-1] = Draft(
                    draft.commit, draft.commit, last.commits + draft.commits, last.kind, last.production, last.subject,
                    "", last.base,
                )  # fmt: skip
            else:
                grouped.append(draft)
        return grouped

    def _belong_together(self, older: Draft, newer: Draft) -> bool:
        kinds = ("direct", "pick")
        if older.kind not in kinds or newer.kind not in kinds or self.ground.tagged.get(older.commit):
            return False
        if newer.base != older.commit:
            return False
        one, two = self.messages.get(older.commit), self.messages.get(newer.commit)
        if one is None or two is None or one.author_email != two.author_email:
            return False
        if abs(two.committed_at - one.committed_at) > GROUP_SECONDS:
            return False
        tickets = [ticket_in(self.ground.policy.ticket_pattern, (said.subject, said.body)) for said in (one, two)]
        return tickets[0] is not None and tickets[0] == tickets[1]


def single_commits(ground: Ground) -> Discovery:
    """Every production-side commit that not all targets contain, as its own fix; of merges only the evil ones."""
    found = Discovery()
    seen = bytearray(len(ground.graph))
    for production in ground.production:
        commits = _reach(ground.graph, production.tips, seen, ground.in_all)
        merges = [commit for commit in commits if len(ground.graph.parents_of(commit)) > 1]
        evil = ground.evil(merges)
        plain = [commit for commit in commits if len(ground.graph.parents_of(commit)) < 2]
        said = ground.message([*plain, *evil])
        for commit in commits:
            if commit not in evil and len(ground.graph.parents_of(commit)) > 1:
                continue
            message = said.get(commit)
            subject, body = (message.subject, message.body) if message else ("", "")
            kind = "revert" if _REVERT.match(subject) else "pick" if _PICKED.search(body) else "direct"
            parents = ground.graph.parents_of(commit)
            found.drafts.append(
                Draft(commit, commit, (commit,), "evil" if commit in evil else kind, production.name, subject, "",
                      parents[0] if parents else None)
            )  # fmt: skip
    return found


def _reach(graph: Graph, tips: Sequence[int], seen: bytearray, stop: bytearray) -> list[int]:
    """Commits reachable from the tips, without those seen or marked in `stop`, nearest first."""
    found = [tip for tip in tips if not seen[tip] and not stop[tip]]
    for tip in found:
        seen[tip] = 1
    position = 0
    while position < len(found):
        for parent in graph.parents_of(found[position]):
            if not seen[parent] and not stop[parent]:
                seen[parent] = 1
                found.append(parent)
        position += 1
    return found
