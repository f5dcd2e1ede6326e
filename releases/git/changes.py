"""Merges, picks and reverts made in memory, and the commits and tags that record them. No work tree, no refs.

Everything is written into a folder of drafts beside the mirror's objects; `keep` takes it over, and whatever is not
kept goes with the block. So a change that conflicts leaves nothing behind, and neither does a killed worker for
longer than until the next one tidies up.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from . import loose, trees
from .commits import MADE_UP, Person, commit_object, message_bytes, tag_object
from .errors import MissingObject, TimedOut, classify
from .hunks import ConflictHunk, conflict_hunks
from .merging import Outcome, RawConflict, merges, unread
from .reader import CommitObject, Reader
from .signing import Signer
from .values import Sha, TagName

TIMEOUT = 120.0
"""Seconds for everything that one block does."""
MAX_CONFLICTS = 200
"""Conflicting paths that are named."""
MAX_FILES_WITH_HUNKS = 20
MAX_BLOB = 512 << 10
"""Bytes above which a conflicting file is named but its hunks are not read."""
_PLAIN = 100
"""Modified files up to which a merge is made without git."""
OUR_SIDE_DECIDES = frozenset({"contents", "add/add", "binary", "modify/delete"})
"""Conflicts about one path, in which one side can simply be taken."""


@dataclass(frozen=True, slots=True)
class FileConflict:
    """A path that needs a person, and why: `contents`, `modify/delete`, `rename/delete`, `binary` and so on."""

    path: str
    kind: str
    hunks: tuple[ConflictHunk, ...] = ()

    def as_data(self) -> dict[str, Any]:
        return {"path": self.path, "kind": self.kind, "hunks": [hunk.as_data() for hunk in self.hunks]}


@dataclass(frozen=True, slots=True)
class Merged:
    """A merge in memory; with conflicts, the tree is of no use."""

    tree: str
    conflicts: tuple[FileConflict, ...] = ()
    kept: tuple[str, ...] = ()
    """Paths in which our side was kept although the other side changed them."""

    @property
    def clean(self) -> bool:
        return not self.conflicts


@dataclass(slots=True)
class _Drafts:
    """The folder for new objects, and how git is told of it."""

    folder: Path
    env: dict[str, str]
    made_up: set[str] = field(default_factory=set)
    """Commits that only stand for a merge base."""


class Changes:
    """Changes to a mirror in the making; use as a context manager, with the mirror's lock held."""

    def __init__(self, git_dir: Path, *, timeout: float = TIMEOUT) -> None:
        self.git_dir = git_dir
        self._objects = git_dir / "objects"
        self._deadline = time.monotonic() + timeout
        # Named as git names such folders of its own, so that upkeep sweeps what a killed worker leaves.
        folder = Path(tempfile.mkdtemp(prefix="tmp_objdir-plan-", dir=self._objects))
        self._drafts = _Drafts(folder, _environment(folder, self._objects))
        self.reader = Reader(git_dir, env=self._drafts.env, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.reader.__exit__(kind, error, trace)
        shutil.rmtree(self._drafts.folder, ignore_errors=True)

    # --- in memory --------------------------------------------------------------------------------------------------

    def commit(self, sha: str) -> CommitObject:
        """A commit as it is stored, also through a tag. Raises MissingObject."""
        return self.reader.commit(sha)

    def merge(self, ours: str, theirs: str, *, keep_ours: Sequence[str] = (), base: str = "") -> Merged:
        """Merge the commit `theirs` into `ours`. `keep_ours` are globs of files in which our side stays as it is.

        `base`, where the caller knows it, is their one best common ancestor.
        """
        mine, other = self.commit(ours), self.commit(theirs)
        plain = self._plain(self.commit(base).tree, other.tree, mine.tree, keep_ours) if base else None
        return plain or self._merged(mine.sha, other.sha, mine.tree, keep_ours)

    def pick(self, onto: str, commit: str, *, keep_ours: Sequence[str] = ()) -> Merged:
        """Lay what a commit changed (a merge: against its first parent) onto another one."""
        source = self.commit(commit)
        return self._laid(self.commit(onto).tree, source.parents[:1], source, keep_ours)

    def lay(self, onto: str, base: str, tip: str, *, keep_ours: Sequence[str] = ()) -> Merged:
        """Lay what changed from `base` to `tip`, which has it in its history, onto another commit."""
        source = self.commit(tip)
        whole = CommitObject(source.sha, source.tree, (), source.author, source.encoding, source.message)
        return self._laid(self.commit(onto).tree, (self.commit(base).sha,), whole, keep_ours)

    def revert(self, onto: str, commit: str) -> Merged:
        """Take back what a commit changed (a merge: against its first parent)."""
        source = self.commit(commit)
        before = self.commit(source.parents[0]).tree if source.parents else self._write("tree", b"", source.sha)
        mine = self.commit(onto).tree
        if plain := self._plain(source.tree, before, mine, ()):
            return plain
        ours, theirs = self._made_up(mine, (source.sha,)), self._made_up(before, (source.sha,))
        return self._merged(ours, theirs, mine, ())

    def _laid(self, mine: str, base: tuple[str, ...], source: CommitObject, keep_ours: Sequence[str]) -> Merged:
        if base and (plain := self._plain(self.commit(base[0]).tree, source.tree, mine, keep_ours)):
            return plain
        theirs = source.sha if source.parents == base else self._made_up(source.tree, base)
        return self._merged(self._made_up(mine, base), theirs, mine, keep_ours)

    def _plain(self, base: str, theirs: str, mine: str, keep_ours: Sequence[str]) -> Merged | None:
        """The merge, where their side only modified files that our side left alone; None where git has to be asked.

        There the outcome is plain, and a process and a comparison of whole trees are saved.
        """
        width = len(mine) // 2
        changed = trees.modifications(self.reader.tree, base, theirs, width, _PLAIN)
        if changed is None:
            return None
        taken: dict[bytes, trees.TreeEntry | None] = {}
        kept = []
        for path, (before, after) in changed.items():
            ours = trees.find(self.reader.tree, mine, path, width)
            if ours == after:
                continue
            if trees.path_matches(path, keep_ours):
                kept.append(path.decode("utf-8", "replace"))
            elif ours == before:
                taken[path] = after
            else:
                return None
        tree = trees.replaced(self.reader.tree, self._tree_writer(mine), mine, taken, width) if taken else mine
        return Merged(tree, (), tuple(kept))

    def _merged(self, ours: str, theirs: str, mine: str, keep_ours: Sequence[str]) -> Merged:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimedOut
        found, said = merges(self.git_dir, [(ours, theirs)], timeout=left, env=self._drafts.env)
        if line := unread(said):
            raise MissingObject(detail=line)
        if not found:
            raise TimedOut if time.monotonic() >= self._deadline else classify(128, said)
        return self._settled(found[0], mine, keep_ours)

    def _settled(self, outcome: Outcome, mine: str, keep_ours: Sequence[str]) -> Merged:
        """The outcome with our side kept where that was asked for."""
        width = len(mine) // 2
        kept: dict[bytes, trees.TreeEntry | None] = {}
        conflicts = outcome.conflicts
        if keep_ours:
            decided = {
                conflict.path for conflict in conflicts
                if conflict.kind in OUR_SIDE_DECIDES and trees.path_matches(conflict.path, keep_ours)
            }  # fmt: skip
            for path, ours, _theirs in trees.differing(self.reader.tree, mine, outcome.tree, width):
                # What the other side adds lowers nothing; what we have, or took away, stays so.
                if path in decided or (ours is not None and trees.path_matches(path, keep_ours)):
                    kept[path] = ours
            conflicts = tuple(conflict for conflict in conflicts if conflict.path not in decided)
        if conflicts:
            return Merged(outcome.tree, self._conflicts(outcome.tree, conflicts, width))
        tree = outcome.tree
        if kept:
            tree = trees.replaced(self.reader.tree, self._tree_writer(mine), tree, kept, width)
        names = tuple(path.decode("utf-8", "replace") for path in kept)
        return Merged(tree or self._write("tree", b"", mine), (), names)

    def _conflicts(self, tree: str, conflicts: Sequence[RawConflict], width: int) -> tuple[FileConflict, ...]:
        found = []
        for number, conflict in enumerate(conflicts[:MAX_CONFLICTS]):
            hunks: tuple[ConflictHunk, ...] = ()
            if number < MAX_FILES_WITH_HUNKS and conflict.kind in ("contents", "add/add"):
                entry = trees.find(self.reader.tree, tree, conflict.path, width)
                content = self.reader.blob(entry.sha, MAX_BLOB) if entry and entry.mode.startswith(b"100") else None
                hunks = tuple(conflict_hunks(conflict.shown, content or b""))
            found.append(FileConflict(conflict.shown, conflict.kind, hunks))
        return tuple(found)

    def _made_up(self, tree: str, parents: tuple[str, ...]) -> str:
        """A commit with one's tree and another's place in history: what makes a merge out of a pick."""
        sha = self._write("commit", commit_object(tree, parents, MADE_UP, MADE_UP, b"t\n"), tree)
        self._drafts.made_up.add(sha)
        return sha

    # --- written down -----------------------------------------------------------------------------------------------

    def edited(self, onto: str, files: Mapping[str, bytes]) -> str:
        """The tree of a commit with the content of these files, which it has, replaced. Raises MissingObject."""
        tree = self.commit(onto).tree
        width = len(tree) // 2
        changed: dict[bytes, trees.TreeEntry | None] = {}
        for name, content in files.items():
            path = os.fsencode(name)
            entry = trees.find(self.reader.tree, tree, path, width)
            if entry is None:
                raise MissingObject(detail=f"{name} is not there")
            changed[path] = trees.TreeEntry(entry.mode, self._write("blob", content, tree))
        return trees.replaced(self.reader.tree, self._tree_writer(tree), tree, changed, width)

    def content(self, commit: str, name: str) -> bytes | None:
        """A file as it is in a commit; None when it is not there, no plain file, or too large."""
        tree = self.commit(commit).tree
        entry = trees.find(self.reader.tree, tree, os.fsencode(name), len(tree) // 2)
        return self.reader.blob(entry.sha, MAX_BLOB) if entry and entry.mode.startswith(b"100") else None

    def write_commit(
        self, tree: str, parents: Sequence[str], message: str | bytes, author: Person | bytes, committer: Person,
        encoding: bytes = b"",
    ) -> str:  # fmt: skip
        """Write a commit and give its id; the same values give the same id.

        A message or author in bytes is taken as it is, from a commit that has it so.
        """
        said = message if isinstance(message, bytes) else message_bytes(message)
        who = author if isinstance(author, bytes) else author.line()
        ids = tuple(Sha.parse(parent) for parent in parents)
        data = commit_object(Sha.parse(tree), ids, who, committer.line(), said, encoding)
        return self._write("commit", data, tree)

    def write_tag(self, name: str, commit: str, message: str, tagger: Person, signer: Signer | None = None) -> str:
        """Write an annotated tag object, signed where there is a key, and give its id.

        Raises InvalidValue for a name that git refuses.
        """
        data = tag_object(TagName.parse(name), Sha.parse(commit), tagger.line(), message_bytes(message))
        return self._write("tag", data + signer.sign(data) if signer else data, commit)

    def _write(self, kind: str, data: bytes, like: str) -> str:
        """Write an object in the format that the id `like` is of."""
        return loose.write_object(self._drafts.folder, kind, data, sha256=len(like) == 64)

    def _tree_writer(self, like: str) -> trees.WriteTree:
        return lambda data: self._write("tree", data, like)

    def keep(self) -> None:
        """Take over what was written, so that it can be pushed. Objects that are there already stay as they are."""
        for path in self._drafts.folder.glob("??/*"):
            place = self._objects / path.parent.name / path.name
            if path.parent.name + path.name in self._drafts.made_up or place.exists():
                continue
            place.parent.mkdir(exist_ok=True)
            os.rename(path, place)


def _environment(drafts: Path, objects: Path) -> dict[str, str]:
    quoted = str(objects.resolve()).replace("\\", "\\\\").replace('"', '\\"')
    return {"GIT_OBJECT_DIRECTORY": str(drafts), "GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{quoted}"'}
