"""What a run would change where it goes: everything between what really runs there now and what it brings.

What runs there now is what the probe names, where that can be found in the repository; else what was brought there
last. A release before it is taken only when nothing else is known, and the page says so. Answers are remembered by
object ids, so that looking again costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q

from releases.git.errors import InvalidValue
from releases.git.page_reads import CommitInfo, FileCount
from releases.git.repository import Repository
from releases.hotfixes.models import Hotfix
from releases.policies.flow import FlowPolicy
from releases.policies.release_fixes import fixes_shipped, tickets_of
from releases.policies.tickets import ticket_in
from releases.policies.wording import count
from releases.projects.history import NO_MIRROR, History, reading, remembered
from releases.projects.models import Release

from .models import Environment, Run
from .probing import names

COMMITS = 100
"""Commits that are listed, newest first."""
SECONDS = 8.0
"""For all that git is asked about one run."""
_HEX = re.compile(r"[0-9a-f]{7,64}\Z")


@dataclass(frozen=True, slots=True)
class Base:
    """What a delta is measured from."""

    commit: str = ""
    """Empty: from nothing."""
    name: str = ""
    """As people call it: v1.2.0, or a short object id."""
    how: str = ""
    """probe, run, before (the release before it), or empty when nothing is known at all."""
    says: str = ""
    """How that is known, in a sentence."""
    drift: bool = False
    """Something else runs there than was brought there last."""
    run: Run | None = None
    """What brought it there, when that is known."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What a run brings, and what it takes away; `problem` says in a sentence what git could not tell."""

    base: Base
    ahead: int = 0
    """Commits that it brings."""
    behind: int = 0
    """Commits that run there now and are not in it."""
    commits: tuple[CommitInfo, ...] = ()
    """Those that it brings, newest first; the first 100."""
    files: tuple[FileCount, ...] = ()
    """Every file that differs."""
    tickets: tuple[str, ...] = ()
    oldest: datetime | None = None
    """When the first of the commits was written."""
    problem: str = ""

    @property
    def known(self) -> bool:
        return not self.problem

    @property
    def added(self) -> int:
        return sum(file.added or 0 for file in self.files)

    @property
    def removed(self) -> int:
        return sum(file.removed or 0 for file in self.files)

    @property
    def span(self) -> str:
        """As git writes it; empty when it is measured from nothing."""
        return f"{self.base.name}.." if self.base.commit else ""


def delta_of(run: Run) -> Delta:
    """Everything that this run changes in its environment."""
    with reading(run.project, SECONDS) as history:
        base = base_of(run, history)
        return _measured(run, base, history)


def _measured(run: Run, base: Base, history: History) -> Delta:
    people = history.people(base.commit, run.commit)
    files = history.all_files(base.commit, run.commit)
    commits = history.log(base.commit, run.commit, 0, COMMITS)
    counts = history.counts(base.commit, run.commit) if base.commit else (0, 0)
    if people is None or files is None or commits is None or counts is None:
        return Delta(base, problem=history.problem or NO_MIRROR)
    oldest = datetime.fromtimestamp(people.oldest, UTC) if people.oldest is not None else None
    return Delta(base, people.commits, counts[0], commits, files, _tickets(run, commits), oldest)


def _tickets(run: Run, commits: Iterable[CommitInfo]) -> tuple[str, ...]:
    """Tickets that it is about: of its hotfix, of its fixes, and those that its commits name."""
    pattern = FlowPolicy.from_data(run.project.policy).ticket_pattern
    found = list(Hotfix.objects.filter(project=run.project_id, tag=run.tag).values_list("key", flat=True))
    if run.release is not None:
        found += tickets_of(fixes_shipped(run.release)).values()
    found += [ticket for info in commits if (ticket := ticket_in(pattern, (info.subject,)))]
    return tuple(dict.fromkeys(found))


# --- what runs there now ---------------------------------------------------------------------------------------------


def base_of(run: Run, history: History) -> Base:
    """What the run is compared with: what runs there now or, of one that has begun, what ran there before it."""
    place = run.environment
    if place is None:
        return _before(run, "It is compared with the release before it")
    if run.started_at is not None or run.is_over:
        if run.replaces is not None:
            return _of_run(run.replaces, "run", f"It replaced {run.replaces.tag}.")
        return _before(run, f"Nothing was known to run in {place.name} before it")
    return _now(run, place, history)


def _now(run: Run, place: Environment, history: History) -> Base:
    last = place.live
    if place.seen and place.probe:
        if last is not None and names(place.seen, last):
            return _of_run(last, "probe", f"{place.name} says that it runs {last.tag}.")
        found = _revision(run, place.seen, history)
        if found is not None:
            commit, name = found
            other = f", although {last.tag} was brought there last" if last is not None else ""
            said = f"{place.name} says that it runs {name}{other}."
            return Base(commit, name, "probe", said, drift=last is not None)
        if last is not None:
            said = f"{place.name} says that it runs “{place.seen[:40]}”, which is nothing in this repository"
            return _of_run(last, "run", f"{said}; {last.tag} was brought there last.", drift=True)
    if last is not None:
        why = place.probe_error or "No probe says what really runs there."
        return _of_run(last, "run", f"{last.tag} was brought there last. {why}")
    return _before(run, f"Nothing is known to run in {place.name}")


def _of_run(last: Run, how: str, says: str, *, drift: bool = False) -> Base:
    return Base(last.commit, last.tag, how, says, drift, last)


def _before(run: Run, because: str) -> Base:
    """The release before it in its own history, when nothing better is known."""
    previous = run.release.previous if run.release is not None else None
    if previous is None:
        return Base(says=f"{because}, and there is no release before it: all of it counts as new.")
    return Base(previous.commit, previous.tag, "before", f"{because}; this is measured from {previous.tag}.")


def _revision(run: Run, seen: str, history: History) -> tuple[str, str] | None:
    """The commit that a probe named, and how to call it; None when it is nothing in this repository."""
    plain = seen.strip()
    known = Release.objects.filter(project=run.project_id, deleted_at=None)
    release = known.filter(Q(tag=plain) | Q(version=plain.removeprefix("v"))).order_by("-sort_key").first()
    if release is not None:
        return release.commit, release.tag
    git_dir, short = history.git_dir, plain.lower()
    if git_dir is None or not _HEX.match(short):
        return None
    commit = history.ask(lambda: remembered(("revision", str(git_dir), short), lambda: _commit(git_dir, short)))
    if not commit:
        return None
    tagged = known.filter(commit=commit).order_by("-sort_key").first()
    return commit, tagged.tag if tagged is not None else commit[:7]


def _commit(git_dir: Any, short: str) -> str:
    """The one commit whose object id begins so. Raises the GitErrors, so that only what was found is remembered."""
    found = Repository(git_dir).resolve(short)
    if found is None or not found.startswith(short):
        raise InvalidValue(f"No commit begins with {short}.")
    return str(found)


# --- who wrote it -----------------------------------------------------------------------------------------------------


class AuthorsUnknown(Exception):
    """Git cannot say now who wrote it; the message is a sentence."""


def writers_of(run: Run) -> list[Mapping[str, str]]:
    """Everybody who wrote any of it: of what it changes there, and of the release itself. Raises `AuthorsUnknown`."""
    with reading(run.project, SECONDS) as history:
        starts = {base_of(run, history).commit}
        if run.release is not None and run.release.previous is not None:
            starts.add(run.release.previous.commit)
        found: set[tuple[str, str]] = set()
        for since in sorted(starts):
            people = history.people(since, run.commit)
            if people is None:
                raise AuthorsUnknown(f"Who wrote {run.tag} cannot be told now: {history.problem or NO_MIRROR}")
            found |= people.authors | {people.pusher}
    return [{"author_name": name, "author_email": address} for name, address in sorted(found)]


def summary(delta: Delta) -> str:
    """`2 commits, 3 files, +21 −6`."""
    if not delta.known:
        return delta.problem
    lines = f"+{delta.added:,} −{delta.removed:,}"
    return f"{count(delta.ahead, 'commit')}, {count(len(delta.files), 'file')}, {lines}"
