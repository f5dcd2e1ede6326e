"""Telling a history in the order of time: what was planned for a moment happens when that moment comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest

from .history import Commit, Edit, History, Person
from .source import App, Thing, bump, thing_steps

MINUTE, HOUR, DAY = 60, 3600, 86_400

PEOPLE = tuple(Person(name) for name in ("Mara", "Aiko", "Priya", "Jonas", "Tomas", "Lena", "Oskar"))
MARA, AIKO, PRIYA, JONAS, TOMAS, LENA, OSKAR = PEOPLE
RELEASE_BOT = Person("Release bot")


def age(*, days: float = 0, hours: float = 0, minutes: float = 0) -> int:
    """An age in seconds."""
    return int(days * DAY + hours * HOUR + minutes * MINUTE)


@dataclass(frozen=True, slots=True)
class Change:
    """One commit of a fix."""

    subject: str
    edits: Sequence[Edit]
    body: str = ""


@dataclass(frozen=True, slots=True)
class Hotfix:
    """A fix on its way into production: branch, commits, merge into the production branch, version bump, tag."""

    ticket: str
    title: str
    version: str
    live: int
    """How long ago, in seconds, the tag was made."""
    changes: Sequence[Change]
    by: Person
    cut: str = ""
    """Where the branch starts; the production branch's tip when empty."""
    note: str = ""
    into: str = "main"
    also: Sequence[str] = ()
    """Other branches that the hotfix branch itself is merged into, right away."""
    keep: bool = False
    """The branch is still there."""


def single(ticket: str, title: str, version: str, live: int, edits: Sequence[Edit], by: Person) -> Hotfix:
    """A hotfix of one commit."""
    return Hotfix(ticket, title, version, live, [Change(title, edits)], by)


@dataclass(slots=True)
class Story:
    """One repository's story; `at` plans, `tell` runs everything in order of time."""

    app: App
    history: History
    now: int
    fixes: dict[str, list[Commit]] = field(default_factory=dict)
    """By ticket, what each hotfix committed."""
    carried: dict[tuple[str, str], list[Commit]] = field(default_factory=dict)
    """By ticket and branch, what picks brought there."""
    versions: dict[str, str] = field(default_factory=dict)
    """By branch, what its VERSION says."""
    _plan: list[tuple[int, int, Callable[[int], object]]] = field(default_factory=list)

    def at(self, ago: int, action: Callable[[int], object]) -> None:
        """Let `action(when)` happen `ago` seconds before now."""
        self._plan.append((self.now - ago, len(self._plan), action))

    def tell(self) -> None:
        for when, _, action in sorted(self._plan, key=lambda entry: entry[:2]):
            action(when)
        self.history.publish()

    # What stories are made of

    def begin(self, ago: int, version: str, edits: Sequence[Edit], *, by: Person, branches: Sequence[str] = ()) -> None:
        """The first commit on main, and the branches that start there."""

        def start(when: int) -> None:
            files = [*self.app.skeleton(version), *edits]
            self.history.commit("main", f"Start {self.app.name}", files, by=by, at=when)
            self.versions["main"] = version
            for branch in branches:
                self.history.branch(branch, "main")

        self.at(ago, start)

    def hotfix(self, fix: Hotfix) -> None:
        """Branch, fix, merge, tag; the last step happens `fix.live` seconds before now."""
        branch = f"hotfix/{fix.ticket}"
        total = len(fix.changes)

        def work(when: int) -> None:
            self.history.branch(branch, fix.cut or fix.into)
            done = []
            for index, step in enumerate(fix.changes):
                made_at = when + index * 20 * MINUTE
                body = "\n\n".join(part for part in (step.body, f"Ticket: {fix.ticket}") if part)
                done.append(self.history.commit(branch, step.subject, step.edits, by=fix.by, at=made_at, body=body))
            self.fixes[fix.ticket] = done

        def ship(when: int) -> None:
            for place in (fix.into, *fix.also):
                tail = "" if place == "main" else f" into {place}"
                subject = f"Merge branch '{branch}'{tail}"
                self.history.merge(place, branch, subject, by=fix.by, at=when, body=fix.title)
            if not fix.keep:
                self.history.drop(branch)

        self.at(fix.live + (total * 20 + 25) * MINUTE, work)
        self.at(fix.live + 12 * MINUTE, ship)
        self.release(fix.version, fix.live, on=fix.into, note=fix.note or fix.title)

    def release(self, version: str, ago: int, *, on: str = "main", note: str, by: Person = RELEASE_BOT) -> None:
        """Bump the version on a branch and tag it."""

        def bump_version(when: int) -> None:
            edits = bump(self.versions[on], version, note)
            self.history.commit(on, f"Release {version}", edits, by=by, at=when)
            self.versions[on] = version

        def tag(when: int) -> None:
            self.history.tag(f"v{version}", on, by=by, at=when, message=f"{self.app.name} {version}\n\n- {note}")

        self.at(ago + 5 * MINUTE, bump_version)
        self.at(ago, tag)

    def cut(self, ago: int, branch: str, start: str) -> None:
        """Make a branch."""

        def place(_: int) -> None:
            self.history.branch(branch, start)
            self.versions[branch] = self.versions.get(start) or self.versions["main"]

        self.at(ago, place)

    def merge(self, ago: int, into: str, other: str, *, by: Person, subject: str = "", close: bool = False) -> None:
        """Merge one branch or tag into another; `close` drops the merged branch."""
        kind = "tag" if other.startswith("v") else "branch"
        said = subject or f"Merge {kind} '{other}'" + ("" if into == "main" else f" into {into}")

        def join(when: int) -> None:
            self.history.merge(into, other, said, by=by, at=when)
            if close:
                self.history.drop(other)

        self.at(ago, join)

    def pick(
        self,
        ago: int,
        ticket: str,
        onto: str,
        *,
        by: Person,
        which: slice = slice(None),
        named: bool = True,
        edits: Sequence[Edit] | None = None,
    ) -> None:
        """Cherry-pick (some of) a fix's commits; with `edits`, as adapted."""

        def carry(when: int) -> None:
            self.carried[ticket, onto] = [
                self.history.pick(commit.sha, onto, by=by, at=when + index * 2 * MINUTE, named=named, edits=edits)
                for index, commit in enumerate(self.fixes[ticket][which])
            ]

        self.at(ago, carry)

    def undo(self, ago: int, ticket: str, on: str, *, by: Person, reason: str = "") -> None:
        """Revert what was picked to a branch, newest first."""

        def revert(when: int) -> None:
            for index, commit in enumerate(reversed(self.carried[ticket, on])):
                self.history.revert(commit.sha, on, by=by, at=when + index * MINUTE, reason=reason)

        self.at(ago, revert)

    def commit(self, ago: int, branch: str, subject: str, edits: Sequence[Edit], *, by: Person, body: str = "") -> None:
        self.at(ago, lambda when: self.history.commit(branch, subject, edits, by=by, at=when, body=body))

    def everyday(self, things: Sequence[Thing], *, branch: str, start: int, end: int, spread: int = 3) -> None:
        """Ordinary work, evenly from `start` to `end` seconds ago; `spread` things are worked on side by side."""
        steps = list(_interleaved([thing_steps(self.app.package, thing) for thing in things], spread))
        gap = (start - end) / max(1, len(steps))
        for index, (subject, edits) in enumerate(steps):
            # Uneven on purpose: people do not commit by the clock.
            wobble = ((index * 7919) % 13 - 6) / 16
            author = PEOPLE[(index * 5 + len(subject)) % len(PEOPLE)]
            self.commit(int(start - (index + 0.5 + wobble) * gap), branch, subject, edits, by=author)

    def feature(self, thing: Thing, *, into: str, start: int, end: int, by: Person) -> None:
        """One thing made on its own branch and merged when it is ready."""
        branch = f"feature/{thing.many}"
        steps = thing_steps(self.app.package, thing)
        self.cut(start, branch, into)
        gap = (start - end) / (len(steps) + 1)
        for index, (subject, edits) in enumerate(steps):
            self.commit(int(start - (index + 1) * gap), branch, subject, edits, by=by)
        self.merge(end, into, branch, by=by, close=True)


Step = tuple[str, list[Edit]]


def _interleaved(columns: Sequence[Sequence[Step]], spread: int) -> Iterator[Step]:
    for first in range(0, len(columns), spread):
        rounds = zip_longest(*columns[first : first + spread])
        yield from (step for step in chain.from_iterable(rounds) if step is not None)
