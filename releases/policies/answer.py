"""The answer: every fix of production, judged for every target. Needs no Django and no database.

refs → history → discovery → judgement → since when → previews, each in its own module; this one only leads through.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from releases.evidence.engine import Engine, Options
from releases.evidence.history import History
from releases.evidence.store import FactStore
from releases.evidence.verdicts import FixCommit, FixReport, FixVerdict, Report
from releases.git import objects

from .chore_reading import chore_commits
from .discovery import discover, single_commits
from .drafts import Draft, Message
from .findings import Findings, State, findings_data, findings_key, read_findings
from .lines import mark_reachable
from .previews import add_previews
from .question import Question, QuestionError
from .refs import NamedTip, Refs, no_such_ref, production_tips, read_refs, resolve, target_tips
from .shipping import Shipped, lag, shipped
from .terrain import Terrain
from .tickets import guess_ticket_pattern, is_security, ticket_in
from .wording import count

Progress = Callable[[str], None]


def answer(
    repository: Path | str,
    question: Question,
    *,
    store: Path | None = None,
    preview: bool = True,
    progress: Progress | None = None,
    name: str = "",
    started: float | None = None,
    refs: Refs | None = None,
) -> Report:
    """Answer a question about the repository with this git directory. Raises QuestionError and GitError.

    `store` is the file in which facts about commits are kept; None keeps none. `started` is when the asker began to
    wait (monotonic seconds); `refs` are branches and tags that were read just now.
    What one commit or object refuses becomes an Unknown verdict or a note, not an error.
    """
    began = time.monotonic() if started is None else started
    git_dir = Path(repository)
    say = progress or _quiet
    say("Reading branches and tags …")
    asked = _Asked.of(git_dir, question, name or git_dir.name.removesuffix(".git"), refs or read_refs(git_dir, store))
    if not asked.production or not asked.targets:
        return asked.report([], began)
    return _Answer(asked, store, say).report(began, preview=preview)


def _quiet(_said: str) -> None:
    return None


@dataclass(slots=True)
class _Asked:
    """A question with its names looked up."""

    git_dir: Path
    name: str
    question: Question
    refs: Refs
    production: list[NamedTip]
    targets: list[NamedTip]
    notes: list[str]

    @classmethod
    def of(cls, git_dir: Path, question: Question, name: str, refs: Refs) -> _Asked:
        policy, strict = question.policy, question.strict
        production = production_tips(refs, question.production, policy, git_dir, strict=strict)
        targets = target_tips(refs, question.targets, policy, production, git_dir, strict=strict)
        notes = []
        if not production:
            notes.append(f"Nothing is in production yet: there is no {_or(question.production)}.")
        if not targets:
            notes.append(f"No target is there: there is no open {_or(question.targets)}.")
        if strict and not refs.branches and not refs.tags:
            raise no_such_ref(refs, "")
        return cls(git_dir, name, question, refs, production, targets, notes)

    @property
    def live(self) -> dict[str, str]:
        """Every tip of production under a name of its own."""
        return {
            item.name if len(item.tips) == 1 else f"{item.name}#{number}": tip
            for item in self.production
            for number, tip in enumerate(item.tips)
        }

    def report(self, fixes: list[FixReport], began: float) -> Report:
        named = {item.name: item.tips[0] for item in (*self.production, *self.targets)}
        return Report(
            self.name, tuple(item.name for item in self.production), tuple(item.name for item in self.targets),
            named, fixes, time.monotonic() - began, 0.0, self.notes,
        )  # fmt: skip


def _or(names: Sequence[str]) -> str:
    return " or ".join(names) if names else "branch named"


class _Answer:
    """One answer in the making."""

    def __init__(self, asked: _Asked, store: Path | None, say: Progress) -> None:
        self.asked = asked
        self.question = asked.question
        self.say = say
        say("Walking the history …")
        self.history = History(asked.git_dir, asked.live, {item.name: item.tips[0] for item in asked.targets})
        self.policy = self.question.policy
        self.store = FactStore(store) if store is not None else None
        ignored = self.question.ignore
        full = frozenset(objects.resolve_many(asked.git_dir, sorted(ignored)).values()) if ignored else frozenset()
        # Made before discovery reads anything, so that what the store knows is not read from git again.
        self.engine = Engine(self.history, self.store, Options(self.question.mask_trailers, full, say))

    @cached_property
    def terrain(self) -> Terrain:
        tags = [(tag.name, tag.commit, tag.made_at) for tag in self.asked.refs.tags.values()]
        single = self.question.commits
        return Terrain(self.history, self.policy, self.asked.production, self.asked.targets, tags, single=single)

    def report(self, began: float, *, preview: bool) -> Report:
        try:
            self.engine.begin()
            self.say("Looking for fixes …")
            findings = self._findings()
            self._judge(findings.fixes)
            self._note(findings)
            report = self.asked.report(findings.fixes, began)
            if preview:
                report.preview_seconds = self._preview(findings)
            return report
        finally:
            self.history.close()
            if self.store is not None:
                self.store.close()

    def _preview(self, findings: Findings) -> float:
        tips = {item.name: item.tips[0] for item in self.asked.targets}
        owed = (part.sha for fix in findings.fixes for name in fix.owed_to for part in fix.verdicts[name].commits)
        self.history.prefetch(owed, bodies=False)
        kept = self.policy.version_files
        return add_previews(findings.fixes, self.history, tips, findings.bases, kept, progress=self.say)

    def _judge(self, fixes: Sequence[FixReport]) -> None:
        self.say(f"Judging {count(len(fixes), 'fix', 'fixes')} …")
        groups = [[commit.sha for commit in fix.commits] for fix in fixes]
        several = (
            sha for fix, group in zip(fixes, groups, strict=True) if len(group) > 1 and not fix.chore for sha in group
        )
        verdicts = self.engine.judge(groups, chore_commits(self.history, several, self.policy))
        for place, fix in enumerate(fixes):
            fix.verdicts = {
                target: self._with_lag(listed[place], fix.live_since) for target, listed in verdicts.items()
            }

    # The fixes

    def _findings(self) -> Findings:
        """Every fix, as an earlier answer found them where that still holds."""
        if self.store is None:
            return self._found()
        since = self.question.since
        at = resolve(self.asked.refs, since, self.asked.git_dir) if since is not None else None
        state = State.of(self.history.production, self.history.targets, self.asked.refs.tags, at)
        key = findings_key(self.question)
        kept = read_findings(self.store.judgement(key))
        findings = kept[0] if kept and self._still(kept[1], state, kept[0].newest) else self._found()
        lost = any(commit.sha in self.history.reader.unreadable for fix in findings.fixes for commit in fix.commits)
        if not lost and (kept is None or findings is not kept[0] or kept[1] != state):
            self.store.keep_judgement(key, lambda: findings_data(findings, state))
        return findings

    def _still(self, before: State, now: State, newest: int) -> bool:
        """Whether the same fixes are found as then."""
        if before.but_for_tips() != now.but_for_tips() or self.history.shallow_boundary:
            return False
        return all(
            tip == there or self._grew(name, there, newest)
            for (name, tip), (_name, there) in zip(now.targets, before.targets, strict=True)
        )

    def _grew(self, target: str, before: str, newest: int) -> bool:
        """Did this target's own line just grow, by commits that are newer than what was compared with its states?"""
        pushed = self.engine.pushed_alone(target, before)
        if pushed is None:
            return False
        at, came = self.history.targets[target], set(pushed)
        while at in came and self.history.parents(at):
            at = self.history.parents(at)[0]
        if at != before:
            return False
        self.history.prefetch(pushed, bodies=False)
        return not newest or all(self.history.commit(sha).committed_at > newest for sha in pushed)

    def _found(self) -> Findings:
        discovery = (single_commits if self.question.commits else discover)(self.terrain.ground)
        drafts = self._since(discovery.drafts)
        live = self._live(drafts)
        said = self.terrain.messages(number for draft in drafts for number in (draft.landing, *draft.commits))
        chores = chore_commits(self.history, (self._sha(c) for draft in drafts for c in draft.commits), self.policy)
        pattern = self._ticket_pattern(said.values())
        fixes = []
        for draft in drafts:
            fix = self._fix(draft, said, pattern, live[draft.landing])
            fix.chore = all(commit.sha in chores for commit in fix.commits)
            fixes.append(fix)
        fixes.sort(key=lambda fix: -(fix.live_since or 0))
        bases = {self._sha(draft.commit): self._sha(draft.base) for draft in drafts if draft.base is not None}
        return Findings(fixes, bases, discovery.release_leftovers, self.terrain.newest)

    def _sha(self, number: int) -> str:
        return self.terrain.graph.sha(number)

    # Since when

    def _since(self, drafts: list[Draft]) -> list[Draft]:
        """Without what was live before: in a tag (or commit) or before a date."""
        since = self.question.since
        if since is None:
            return drafts
        sha = resolve(self.asked.refs, since, self.asked.git_dir)
        if sha is not None:
            return self._not_in(drafts, sha)
        moment = parse_date(since)
        if moment is None:
            raise QuestionError(
                "since",
                f"“{since}” is neither a tag, a commit nor a date.",
                "Write a date as 2026-03-01, or name a tag.",
            )
        live = self._live(drafts)
        return [draft for draft in drafts if (live[draft.landing].live_since or 0) >= moment]

    def _not_in(self, drafts: list[Draft], sha: str) -> list[Draft]:
        number = self.terrain.graph.get(sha)
        if number is None:
            # Outside the region that production and targets do not share: nothing of it is in the region either.
            shared = set(self.history.walk([sha], []))
            return [draft for draft in drafts if self._sha(draft.landing) not in shared]
        marks = mark_reachable(self.terrain.graph, [number])
        return [draft for draft in drafts if not marks[draft.landing]]

    def _live(self, drafts: Sequence[Draft]) -> Mapping[int, Shipped]:
        landings = [draft.landing for draft in drafts]
        said = self.terrain.messages(landings)
        dates = {number: message.committed_at for number, message in said.items()}
        tips = [self.terrain.graph.number(tip) for item in self.asked.production for tip in item.tips]
        return shipped(self.terrain.graph, self.terrain.tags, tips, landings, dates)

    # One fix

    def _fix(self, draft: Draft, said: Mapping[int, Message], pattern: str, live: Shipped) -> FixReport:
        messages = [said.get(number) or _unreadable(self._sha(number)) for number in draft.commits]
        commits = tuple(FixCommit(m.sha, m.subject, m.author_name, m.author_email, m.authored_at) for m in messages)
        landing = said.get(draft.landing)
        merge = [landing] if landing and draft.kind == "merge" else []
        titles = [draft.branch, draft.subject, *(m.subject for m in (*merge, *messages))]
        bodies = [m.body for m in (*merge, *messages)]
        return FixReport(
            id=self._sha(draft.commit),
            kind=draft.kind,
            subject=draft.subject.strip(),
            commits=commits,
            production_ref=draft.production,
            ticket=ticket_in(pattern, (*titles, *bodies)),
            shipped_in=live.tag,
            live_since=live.live_since,
            live_since_source=live.source,
            security=is_security(titles, bodies),
        )

    def _with_lag(self, verdict: FixVerdict, live_since: int | None) -> FixVerdict:
        if verdict.settled:
            verdict.lag_seconds = lag(live_since, verdict.settled_at)
        return verdict

    def _ticket_pattern(self, messages: Iterable[Message]) -> str:
        usual = self.policy.ticket_pattern
        if not self.question.guess_tickets:
            return usual
        return guess_ticket_pattern((message.subject for message in messages), usual)

    def _note(self, findings: Findings) -> None:
        if findings.release_leftovers:
            commits = count(findings.release_leftovers, "commit")
            have = "is" if findings.release_leftovers == 1 else "are"
            self.asked.notes.append(
                f"{commits} of release branches {have} not in every target: they came with the normal release and are "
                "not listed as fixes. See --commits."
            )
        if self.history.shallow_boundary:
            self.asked.notes.append(
                "This copy of the history is shallow: what lies behind its end is unknown. Fetch the whole history."
            )


def _unreadable(sha: str) -> Message:
    return Message(sha, "(this commit cannot be read)", "", "", "", 0, 0)


_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:?\d{2})?)?\Z")


def parse_date(text: str) -> int | None:
    """Unix seconds of an ISO 8601 date or moment (UTC unless it says otherwise); None when it is none."""
    if not _DATE.match(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
