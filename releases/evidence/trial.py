"""Trial picks: what would happen if this change were laid onto that branch now? Without a work tree.

Git before 2.40 cannot be told a merge base, so each trial is a made-up pair of commits: the target's tree on the
change's parent, against the change itself; their merge base is the parent, and the merge is the pick. All pairs go
through one `merge-tree --stdin`. The made-up commits and whatever git writes lie in a temporary repository that
borrows the objects of the real one and none of its configuration, and that is thrown away.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from releases.git import loose, runner
from releases.git.commits import MADE_UP, commit_object
from releases.git.errors import GitError, TimedOut
from releases.git.hunks import ConflictHunk, conflict_hunks
from releases.git.merging import Outcome, merges, unread

MAX_PATHS = 200
"""Conflicting paths that one trial keeps."""
MAX_FILES_WITH_HUNKS = 6
"""Conflicting files per trial whose hunks are read."""
MAX_BLOB = 512 << 10
"""Bytes above which a conflicting file is named but its hunks are not read."""


@dataclass(frozen=True, slots=True)
class Step:
    """A change: from the tree of the commit `base` (None: from nothing) to the tree of the commit `theirs`."""

    base: str | None
    theirs: str


@dataclass(frozen=True, slots=True)
class Pick:
    """Lay these changes, in this order, onto the commit `onto`."""

    onto: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """A path that needs a person, and why: `content`, `modify/delete`, `rename/delete`, `binary` and so on."""

    path: str
    kind: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What a pick would do. With `error`, nothing else counts: it could not be tried."""

    clean: bool = False
    changes_nothing: bool = False
    """The target's tree stays as it is."""
    tree: str = ""
    conflicts: tuple[Conflict, ...] = ()
    hunks: tuple[ConflictHunk, ...] = ()
    error: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        """Conflicting paths, each once, in git's order."""
        return tuple(dict.fromkeys(conflict.path for conflict in self.conflicts))


_LATE = Trial(error="the time for trial picks did not suffice")


@dataclass(frozen=True, slots=True)
class _Commit:
    tree: str
    parents: tuple[str, ...]


def trial_picks(
    git_dir: Path | str, picks: Sequence[Pick], *, hunks: bool = False, timeout: float = 60.0
) -> list[Trial]:
    """Try every pick and return what it would do, in the same order.

    A pick whose objects cannot be read, or that the time (seconds, for all together) did not suffice for, comes back
    with `error`. The repository itself is only read.
    """
    if not picks:
        return []
    deadline = time.monotonic() + timeout
    with _borrowed(Path(git_dir), sha256=len(picks[0].onto) == 64) as scratch:
        bench = _Bench(scratch, deadline)
        results = bench.try_all(picks)
        return bench.with_hunks(results) if hunks else results


@contextmanager
def _borrowed(git_dir: Path, *, sha256: bool) -> Iterator[Path]:
    """A temporary bare repository with the objects of another one."""
    objects = git_dir / "objects"
    if not objects.is_dir():
        where = runner.run(["rev-parse", "--path-format=absolute", "--git-path", "objects"], git_dir=git_dir)
        objects = Path(where.line)
    with tempfile.TemporaryDirectory(prefix="hotfixdash-trial-") as name:
        scratch = Path(name)
        for folder in ("objects/info", "refs"):
            (scratch / folder).mkdir(parents=True)
        (scratch / "HEAD").write_text("ref: refs/heads/none\n")
        extension = "[extensions]\n\tobjectFormat = sha256\n" if sha256 else ""
        (scratch / "config").write_text(
            f"[core]\n\trepositoryformatversion = {int(sha256)}\n\tbare = true\n{extension}"
        )
        quoted = str(objects.resolve()).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        (scratch / "objects/info/alternates").write_text(f'"{quoted}"\n')
        shallow = objects.parent / "shallow"
        if shallow.is_file():
            (scratch / "shallow").write_bytes(shallow.read_bytes())
        yield scratch


class _Bench:
    """One temporary repository and the trials made in it."""

    def __init__(self, scratch: Path, deadline: float) -> None:
        self._dir = scratch
        self._deadline = deadline
        self._known: dict[str, _Commit | None] = {}

    def try_all(self, picks: Sequence[Pick]) -> list[Trial]:
        """The first steps of all picks together, then the second steps of those still clean, and so on."""
        try:
            self._look_up({sha for pick in picks for sha in _named_in(pick)})
        except TimedOut:
            return [_LATE] * len(picks)
        results = [self._start(pick) for pick in picks]
        for depth in range(max(len(pick.steps) for pick in picks)):
            pairs: dict[int, tuple[str, str]] = {}
            for index, pick in enumerate(picks):
                if depth < len(pick.steps) and results[index].clean:
                    pairs[index] = self._pair(results[index].tree, pick.steps[depth])
            for index, trial in zip(pairs, self._merge(list(pairs.values())), strict=True):
                results[index] = trial
        return [self._finish(pick, trial) for pick, trial in zip(picks, results, strict=True)]

    def _start(self, pick: Pick) -> Trial:
        missing = [sha for sha in _named_in(pick) if self._known.get(sha) is None]
        if missing:
            return Trial(error=f"commit {missing[0][:12]} cannot be read")
        onto = self._known[pick.onto]
        return Trial(clean=True, tree=onto.tree if onto else "")

    def _finish(self, pick: Pick, trial: Trial) -> Trial:
        onto = self._known.get(pick.onto)
        same = trial.clean and onto is not None and trial.tree == onto.tree
        return Trial(trial.clean, same, trial.tree, trial.conflicts, trial.hunks, trial.error)

    def _look_up(self, shas: set[str]) -> None:
        wanted = sorted(shas - self._known.keys())
        self._known.update(dict.fromkeys(wanted))
        spec = "".join(f"{sha}\n" for sha in wanted).encode()
        with runner.stream(["cat-file", "--batch"], git_dir=self._dir, stdin=spec, timeout=self._left()) as out:
            for header in iter(out.stdout.readline, b""):
                words = header.split()
                if len(words) != 3:
                    continue
                body = out.stdout.read(int(words[2]))
                out.stdout.read(1)
                if words[1] == b"commit":
                    self._known[words[0].decode()] = _parse_commit(body)

    def _pair(self, ours: str, step: Step) -> tuple[str, str]:
        theirs = self._known[step.theirs]
        assert theirs is not None  # noqa: S101 - _start let only readable ones through
        parents = () if step.base is None else (step.base,)
        plain = theirs.parents == parents
        return self._write(ours, parents), step.theirs if plain else self._write(theirs.tree, parents)

    def _write(self, tree: str, parents: tuple[str, ...]) -> str:
        """Write a commit as a loose object, without starting a process for it, and return its id."""
        body = commit_object(tree, parents, MADE_UP, MADE_UP, b"t\n")
        return loose.write_object(self._dir / "objects", "commit", body, sha256=len(tree) == 64)

    def _merge(self, pairs: list[tuple[str, str]]) -> list[Trial]:
        """Merge every pair. Git ends at the first pair it cannot read: that one is marked, the rest tried again."""
        results: list[Trial] = []
        while len(results) < len(pairs):
            left = self._left()
            if left <= 0.05:
                break
            todo = pairs[len(results) :]
            said = self._run(todo, results, left)
            if len(results) < len(pairs):
                if self._left() <= 0.05:
                    break
                results.append(Trial(error=said or "git could not try this pick"))
        return results + [_LATE] * (len(pairs) - len(results))

    def _run(self, pairs: list[tuple[str, str]], results: list[Trial], timeout: float) -> str:
        """One git; appends to the results as they come and returns what git said when it ended early.

        A tree that git cannot read counts as empty for it, with no more than an error on the side: then none of the
        results is believed, and every pair is tried alone to find out whose they are.
        """
        found, said = merges(self._dir, pairs, timeout=timeout)
        if not unread(said):
            results.extend(map(_trial, found))
        elif len(pairs) == 1:
            results.append(Trial(error=unread(said)))
        else:
            for pair in pairs:
                if self._left() > 0.05:
                    self._run([pair], results, self._left())
        return said

    def _left(self) -> float:
        return self._deadline - time.monotonic()

    def with_hunks(self, results: list[Trial]) -> list[Trial]:
        """The same results, with the hunks of their conflicting files as far as time and size allow."""
        wanted = [
            (index, conflict.path)
            for index, trial in enumerate(results)
            for conflict in _first_content(trial.conflicts)
        ]
        if not wanted or self._left() <= 0.05:
            return results
        found: dict[int, list[ConflictHunk]] = {}
        try:
            contents = self._read_blobs([f"{results[index].tree}:{path}" for index, path in wanted])
        except GitError:
            return results
        for (index, path), content in zip(wanted, contents, strict=True):
            found.setdefault(index, []).extend(conflict_hunks(path, content))
        return [
            Trial(t.clean, t.changes_nothing, t.tree, t.conflicts, tuple(found.get(i, ())), t.error)
            for i, t in enumerate(results)
        ]

    def _read_blobs(self, names: list[str]) -> list[bytes]:
        """Contents by name (`tree:path`), in order; empty for what is too large or cannot be read."""
        spec = "".join(f"{name}\n" for name in names).encode()
        sizes = runner.run(["cat-file", "--batch-check"], git_dir=self._dir, stdin=spec, timeout=self._left()).stdout
        small: dict[str, str] = {}
        for name, line in zip(names, sizes.split(b"\n"), strict=False):
            words = line.split()
            if len(words) == 3 and words[1] == b"blob" and int(words[2]) <= MAX_BLOB:
                small[name] = words[0].decode()
        contents: dict[str, bytes] = {}
        spec = "".join(f"{sha}\n" for sha in dict.fromkeys(small.values())).encode()
        with runner.stream(["cat-file", "--batch"], git_dir=self._dir, stdin=spec, timeout=self._left()) as out:
            for header in iter(out.stdout.readline, b""):
                words = header.split()
                if len(words) == 3:
                    contents[words[0].decode()] = out.stdout.read(int(words[2]))
                    out.stdout.read(1)
        return [contents.get(small.get(name, ""), b"") for name in names]


def _named_in(pick: Pick) -> list[str]:
    """Every commit that the pick cannot do without."""
    return [pick.onto, *(sha for step in pick.steps for sha in (step.base, step.theirs) if sha is not None)]


def _first_content(conflicts: tuple[Conflict, ...]) -> list[Conflict]:
    marked = [c for c in conflicts if c.kind in ("contents", "add/add", "content") and "\n" not in c.path]
    return marked[:MAX_FILES_WITH_HUNKS]


def _parse_commit(body: bytes) -> _Commit:
    tree, parents = "", []
    for line in body.split(b"\n\n", 1)[0].split(b"\n"):
        if line.startswith(b"tree "):
            tree = line[5:].decode()
        elif line.startswith(b"parent "):
            parents.append(line[7:].decode())
    return _Commit(tree, tuple(parents))


def _trial(outcome: Outcome) -> Trial:
    conflicts = tuple(Conflict(conflict.shown, conflict.kind) for conflict in outcome.conflicts[:MAX_PATHS])
    return Trial(outcome.clean, tree=outcome.tree, conflicts=conflicts)
