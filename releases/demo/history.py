"""A history in the making: branches with their trees, in memory, streamed to git as it grows.

A commit is a set of text edits. A pick, a revert and a merge apply edits again elsewhere, as git itself would
do it for changes that do not touch; a test has git redo every merge and compare.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from releases.git.fast_import import FastImport, Signature


class StoryError(Exception):
    """The story does not fit itself: an edit that finds nothing to change."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of one file: `old` text becomes `new`. An empty `old` appends; None makes the file."""

    path: str
    old: str | None
    new: str

    def inverse(self) -> Edit:
        """The edit that undoes this one; only for replacements and appends."""
        if self.old is None:
            raise StoryError(f"a new file is not undone here: {self.path}")
        return Edit(self.path, self.new, self.old)


def add(path: str, text: str) -> Edit:
    """Make a file."""
    return Edit(path, None, text)


def append(path: str, text: str) -> Edit:
    """Write below what is there."""
    return Edit(path, "", text)


def change(path: str, old: str, new: str) -> Edit:
    """Replace one piece of text that stands there exactly once."""
    return Edit(path, old, new)


def patch(text: str) -> list[Edit]:
    """Edits written like a diff.

    `@ path` names the file; then come blocks, parted by empty lines: `-` lines go, `+` lines come, lines that begin
    with a space stay and help to find the place. A block of `+` lines only is written at the end of the file, or
    is the whole of a new file under `@ new path`.
    """
    edits: list[Edit] = []
    path, new_file = "", False
    for block in text.strip("\n").split("\n\n"):
        lines = block.split("\n")
        if lines[0].startswith("@ "):
            name = lines.pop(0).removeprefix("@ ")
            path, new_file = name.removeprefix("new "), name.startswith("new ")
        old = "".join(f"{line[1:]}\n" for line in lines if line[:1] in "- ")
        new = "".join(f"{line[1:]}\n" for line in lines if line[:1] in "+ ")
        edits.append(Edit(path, None if new_file else old, new))
    return edits


@dataclass(frozen=True, slots=True)
class Person:
    name: str

    def at(self, when: int) -> Signature:
        return Signature(self.name, f"{self.name.lower().replace(' ', '-')}@example.org", when)


@dataclass(frozen=True, slots=True)
class Commit:
    sha: str
    subject: str
    author: Signature
    at: int
    """When it was committed, in Unix seconds."""
    parents: tuple[str, ...]
    edits: tuple[Edit, ...]
    tree: Mapping[str, str] = field(repr=False)


class History:
    """The commits of one repository; every method writes and returns what it wrote."""

    def __init__(self, writer: FastImport) -> None:
        self._writer = writer
        self.commits: dict[str, Commit] = {}
        self.heads: dict[str, str] = {}
        self.tags: dict[str, str] = {}

    def tip(self, name: str) -> Commit:
        """The commit that a branch, a tag or an object id names."""
        return self.commits[self.heads.get(name) or self.tags.get(name) or name]

    def branch(self, name: str, start: str) -> None:
        self._place(name, self.tip(start).sha)

    def drop(self, name: str) -> None:
        """Forget a branch; what it held stays if something else leads there."""
        self.heads.pop(name, None)

    def commit(
        self,
        branch: str,
        subject: str,
        edits: Sequence[Edit],
        *,
        by: Person,
        at: int,
        body: str = "",
        author: Signature | None = None,
    ) -> Commit:
        """Commit onto a branch (which is made when it is new); `author` when it is not the committer."""
        parent = self.heads.get(branch)
        before = self.commits[parent].tree if parent else {}
        tree = _apply(before, edits)
        return self._write(
            branch, subject, body, [parent] if parent else [], edits, tree, author or by.at(at), by.at(at)
        )

    def merge(self, into: str, other: str, subject: str, *, by: Person, at: int, body: str = "") -> Commit:
        """Merge with a merge commit, taking every edit that `into` lacks."""
        ours, theirs = self.tip(into), self.tip(other)
        edits = self._edits_between(ours.sha, theirs.sha)
        tree = _apply(ours.tree, edits, again=True)
        return self._write(into, subject, body, [ours.sha, theirs.sha], (), tree, by.at(at), by.at(at))

    def pick(
        self, sha: str, onto: str, *, by: Person, at: int, named: bool = True, edits: Sequence[Edit] | None = None
    ) -> Commit:
        """Cherry-pick, keeping author and date.

        `named` writes the trailer of `-x`; `edits` is given when the pick had to be adapted.
        """
        picked = self.commits[sha]
        body = f"(cherry picked from commit {sha})" if named else ""
        return self.commit(
            onto,
            picked.subject,
            picked.edits if edits is None else edits,
            by=by,
            at=at,
            body=body,
            author=picked.author,
        )

    def revert(self, sha: str, on: str, *, by: Person, at: int, reason: str = "") -> Commit:
        """Undo a commit, with the message that git writes."""
        undone = self.commits[sha]
        edits = [edit.inverse() for edit in reversed(undone.edits)]
        body = f"This reverts commit {sha}." + (f"\n\n{reason}" if reason else "")
        return self.commit(on, f'Revert "{undone.subject}"', edits, by=by, at=at, body=body)

    def tag(self, name: str, on: str, *, by: Person, at: int, message: str) -> None:
        commit = self.tip(on)
        self._writer.tag(name, commit.sha, message=message + "\n", tagger=by.at(at))
        self.tags[name] = commit.sha

    def publish(self) -> None:
        """Write the branches that are still there."""
        for name, sha in self.heads.items():
            self._writer.branch(name, sha)
        self._writer.finish_refs()

    def ancestors(self, sha: str) -> set[str]:
        seen: set[str] = set()
        todo = [sha]
        while todo:
            at = todo.pop()
            if at not in seen:
                seen.add(at)
                todo.extend(self.commits[at].parents)
        return seen

    def _edits_between(self, ours: str, theirs: str) -> list[Edit]:
        missing = self.ancestors(theirs) - self.ancestors(ours)
        # Commits are kept in the order they were written, parents first.
        return [edit for sha in self.commits if sha in missing for edit in self.commits[sha].edits]

    def _place(self, branch: str, sha: str) -> None:
        self.heads[branch] = sha

    def _write(
        self,
        branch: str,
        subject: str,
        body: str,
        parents: list[str],
        edits: Sequence[Edit],
        tree: Mapping[str, str],
        author: Signature,
        committer: Signature,
    ) -> Commit:
        before = self.commits[parents[0]].tree if parents else {}
        sha = self._writer.commit(
            author=author,
            committer=committer,
            message=subject + (f"\n\n{body}" if body else "") + "\n",
            parents=parents,
            changes=_changes(before, tree),
        )
        written = Commit(sha, subject, author, committer.at, tuple(parents), tuple(edits), tree)
        self.commits[sha] = written
        self._place(branch, sha)
        return written


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, bytes | None]:
    changed: dict[str, bytes | None] = {path: None for path in before if path not in after}
    for path, text in after.items():
        if before.get(path) != text:
            changed[path] = text.encode()
    return changed


def _apply(tree: Mapping[str, str], edits: Sequence[Edit], *, again: bool = False) -> dict[str, str]:
    """The tree after `edits`; with `again`, what is there already is left alone."""
    result = dict(tree)
    for edit in edits:
        text = result.get(edit.path)
        if edit.old is None:
            if text is not None and text != edit.new and not again:
                raise StoryError(f"{edit.path} is there already")
            if text is None:
                result[edit.path] = edit.new
        elif text is None:
            raise StoryError(f"{edit.path} is not there")
        elif edit.old == "":
            if not (again and edit.new in text):
                result[edit.path] = text + edit.new
        elif text.count(edit.old) == 1 and not (again and edit.new and edit.new in text and edit.old in edit.new):
            result[edit.path] = text.replace(edit.old, edit.new)
        elif not (again and edit.new in text):
            raise StoryError(f"{edit.path}: expected once, found {text.count(edit.old)} times: {edit.old[:60]!r}")
    return result
