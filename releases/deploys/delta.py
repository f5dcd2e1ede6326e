"""What a run would change where it goes: everything between what really runs there now and what it brings.

What runs there now is what the probe names, where that can be found in the repository; else what was brought there
last. A release before it is taken only when nothing else is known, and the page says so. Answers are remembered by
object ids, so that looking again costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.core.cache import cache
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
UNCOUNTED = 600
"""Seconds for which lines that could not be counted are not counted again."""
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
    counted: bool = True
    """The lines in them were counted; git may take too long for that, or lack a file."""
    tickets: tuple[str, ...] = ()
    oldest: datetime | None = None
    """When the first of the commits was written."""
    problem: str = ""
    left_out: int = 0
    """Files that differ and are not among `files`."""

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


def delta_of(run: Run, *, as_waiting: bool = False) -> Delta:
    """Everything that this run changes in its environment. `as_waiting`: of one that ended, as if it still waited."""
    with reading(run.project, SECONDS) as history:
        base = _now(run, run.environment, history, Known([run])) if as_waiting else base_of(run, history)
        return _measured(run, base, history)


def _measured(run: Run, base: Base, history: History) -> Delta:
    people = history.people(base.commit, run.commit)
    paths = history.all_paths(base.commit, run.commit)
    commits = history.log(base.commit, run.commit, 0, COMMITS)
    counts = history.counts(base.commit, run.commit) if base.commit else (0, 0)
    if people is None or paths is None or commits is None or counts is None:
        return Delta(base, problem=history.problem or NO_MIRROR)
    counted = _counted(base.commit, run.commit, history)
    files = tuple(FileCount(path, None, None) for path in paths) if counted is None else counted
    oldest = datetime.fromtimestamp(people.oldest, UTC) if people.oldest is not None else None
    return Delta(
        base, people.commits, counts[0], commits, files, counted is not None, _tickets(run, commits), oldest
    )  # fmt: skip


def _counted(since: str, until: str, history: History) -> tuple[FileCount, ...] | None:
    """The files with their lines; None when that failed now or a while ago: no page waits for it again and again."""
    key = f"deploys:uncounted:{since}:{until}"
    if cache.get(key):
        return None
    found = history.all_files(since, until)
    if found is None:
        cache.set(key, 1, UNCOUNTED)
    return found


def _tickets(run: Run, commits: Iterable[CommitInfo]) -> tuple[str, ...]:
    """Tickets that it is about: of its hotfix, of its fixes, and those that its commits name."""
    pattern = FlowPolicy.from_data(run.project.policy).ticket_pattern
    found = list(Hotfix.objects.filter(project=run.project_id, tag=run.tag).values_list("key", flat=True))
    if run.release is not None:
        found += tickets_of(fixes_shipped(run.release)).values()
    found += [ticket for info in commits if (ticket := ticket_in(pattern, (info.subject,)))]
    return tuple(dict.fromkeys(found))


# --- what runs there now ---------------------------------------------------------------------------------------------


class Known:
    """Releases by the names that probes gave for what runs, read in one query for many runs."""

    def __init__(self, runs: Iterable[Run]) -> None:
        places = [run.environment for run in runs if run.environment is not None and run.environment.probe]
        seen = {(place.project_id, place.seen.strip()) for place in places if place.seen.strip()}
        self._rows: list[tuple[int, str, str, str]] = []
        if seen:
            names = {name for _, name in seen}
            wanted = Q(tag__in=names) | Q(version__in={name.removeprefix("v") for name in names})
            for short in {name.lower() for name in names if _HEX.match(name.lower())}:
                wanted |= Q(commit__startswith=short)
            rows = Release.objects.filter(wanted, project__in={pk for pk, _ in seen}, deleted_at=None)
            self._rows = list(rows.order_by("-sort_key").values_list("project_id", "tag", "version", "commit"))

    def find(self, project_pk: int, seen: str) -> tuple[str, str] | None:
        """Commit and tag of the release that is meant: by its tag, its version, or the begin of its commit's id."""
        mine = [row for row in self._rows if row[0] == project_pk]
        for _, tag, version, commit in mine:
            if seen == tag or seen.removeprefix("v") == version:
                return commit, tag
        short = seen.lower()
        if _HEX.match(short):
            found = {commit: tag for _, tag, _, commit in reversed(mine) if commit.startswith(short)}
            if len(found) == 1:
                return next(iter(found.items()))
        return None


def base_of(run: Run, history: History, known: Known | None = None) -> Base:
    """What the run is compared with: what runs there now or, of one that has begun, what ran there before it."""
    place = run.environment
    if place is not None and (run.started_at is not None or run.is_over):
        if run.replaces is not None:
            return _of_run(run.replaces, "run", f"It replaced {run.replaces.tag}.")
        return _before(run, f"Nothing was known to run in {place.name} before it")
    return _now(run, place, history, known or Known([run]))


def _now(run: Run, place: Environment | None, history: History, known: Known) -> Base:
    if place is None:
        return _before(run, "It is compared with the release before it")
    last = place.live
    if place.seen and place.probe:
        if last is not None and names(place.seen, last):
            return _of_run(last, "probe", f"{place.name} says that it runs {last.tag}.")
        found = known.find(run.project_id, place.seen.strip()) or _by_git(place.seen.strip().lower(), history)
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


def _by_git(short: str, history: History) -> tuple[str, str] | None:
    """The commit whose object id begins so, and how to call it; None when there is none, or several."""
    git_dir = history.git_dir
    if git_dir is None or not _HEX.match(short):
        return None
    commit = history.ask(lambda: remembered(("revision", str(git_dir), short), lambda: _commit(git_dir, short)))
    return (commit, commit[:7]) if commit else None


def _commit(git_dir: Any, short: str) -> str:
    """The one commit whose object id begins so. Raises the GitErrors, so that only what was found is remembered."""
    found = Repository(git_dir).resolve(short)
    if found is None or not found.startswith(short):
        raise InvalidValue(f"No commit begins with {short}.")
    return str(found)


def summary(delta: Delta) -> str:
    """`2 commits, 3 files, +21 −6`."""
    if not delta.known:
        return delta.problem
    lines = f"+{delta.added:,} −{delta.removed:,}" if delta.counted else "lines not counted"
    return f"{count(delta.ahead, 'commit')}, {count(len(delta.files) + delta.left_out, 'file')}, {lines}"
