"""Real git repositories for tests, built quickly: objects are written directly, git itself is asked for merges.

    repo = make_repo(tmp_path)
    base = repo.commit({"app.py": "one\n"}, "Start")
    repo.branch("develop")
    fix = repo.commit({"app.py": "two\n"}, "TICKET-1 mend it", branch="main", author="robin")
    repo.pick(fix, onto="develop", x=True)
    repo.tag("v1.0.1", "main", message="Version 1.0.1")

Dates are deterministic: each commit is one minute after the one before, from START on, unless `date` says otherwise.
A commit costs about a millisecond, a merge, pick, revert or squash about ten.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

START = 1_767_600_000
"""2026-01-05 08:00 UTC, in Unix seconds."""
_GIT = shutil.which("git") or "git"
_ENV = {
    "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
    "HOME": "/nonexistent",
    "LC_ALL": "C",
    "TZ": "UTC",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Robin",
    "GIT_AUTHOR_EMAIL": "robin@example.org",
    "GIT_COMMITTER_NAME": "Robin",
    "GIT_COMMITTER_EMAIL": "robin@example.org",
}


@dataclass(frozen=True)
class Entry:
    """A file with a mode other than plain: `Entry("…", 0o100755)`, a link (0o120000), a submodule (0o160000,
    with the object id as data)."""

    data: str | bytes
    mode: int = 0o100644


Content = str | bytes | Entry | None
"""What a path becomes; None deletes it."""
Tree = dict[str, tuple[int, str]]


class Conflict(Exception):
    """git could not merge by itself; pass `files` with the resolution."""


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def person(name: str) -> str:
    """`robin` becomes `Robin <robin@example.org>`; something with a `<` is taken as it is."""
    if "<" in name:
        return name
    return f"{name.capitalize()} <{name.lower().replace(' ', '.')}@example.org>"


class Repo:
    """A repository under construction. Revisions are branch or tag names or object ids."""

    def __init__(self, path: Path, *, bare: bool = True, head: str = "main") -> None:
        self.path = path
        self.git_dir = path if bare else path / ".git"
        self.current = head
        self.clock = START
        self._trees: dict[str, Tree] = {}
        subprocess.run(
            [_GIT, "init", "-q", f"--initial-branch={head}", *(["--bare"] if bare else []), "--template=", str(path)],
            check=True, env=_ENV, capture_output=True,
        )  # fmt: skip

    # --- asking git -------------------------------------------------------------------------------------------------

    def git(self, *args: str, stdin: bytes | str | None = None, check: bool = True) -> str:
        """Run git on this repository and give its standard output, stripped."""
        done = subprocess.run(
            [_GIT, "--git-dir", str(self.git_dir), *args],
            input=_bytes(stdin) if stdin is not None else None, env=_ENV, capture_output=True, check=False,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"git {' '.join(args)}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode("utf-8", "surrogateescape").strip()

    def sha(self, rev: str = "HEAD") -> str:
        """The object id that a branch, tag or other revision names (a tag is followed to its commit)."""
        if len(rev) == 40 and not rev.strip("0123456789abcdef"):
            return rev
        for prefix in ("refs/heads/", ""):
            path = self.git_dir / f"{prefix}{rev}"
            if (prefix or rev.startswith("refs/heads/")) and path.is_file():
                return path.read_text().strip()
        return self.git("rev-parse", "--verify", "-q", f"{rev}^{{commit}}")

    def read(self, rev: str, path: str) -> str:
        """A file's whole text at a revision."""
        done = subprocess.run(
            [_GIT, "--git-dir", str(self.git_dir), "cat-file", "blob", f"{rev}:{path}"],
            env=_ENV, capture_output=True, check=True,
        )  # fmt: skip
        return done.stdout.decode("utf-8", "surrogateescape")

    def log(self, *args: str) -> list[str]:
        """Object ids, newest first."""
        return self.git("rev-list", *args).split()

    # --- objects ----------------------------------------------------------------------------------------------------

    def write(self, kind: str, data: bytes) -> str:
        """Write one object and give its id."""
        raw = b"%s %d\0" % (kind.encode(), len(data)) + data
        sha = hashlib.sha1(raw).hexdigest()
        path = self.git_dir / "objects" / sha[:2] / sha[2:]
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(zlib.compress(raw, 1))
        return sha

    def tree(self, rev: str | None) -> Tree:
        """Every path of a revision with mode and object id; a copy to change."""
        if rev is None:
            return {}
        sha = self.sha(rev)
        if sha not in self._trees:
            self._trees[sha] = self._read_tree(sha)
        return dict(self._trees[sha])

    def _read_tree(self, treeish: str) -> Tree:
        tree: Tree = {}
        for line in filter(None, self.git("ls-tree", "-r", "-z", treeish).split("\0")):
            head, path = line.split("\t", 1)
            mode, _kind, sha = head.split()
            tree[path] = (int(mode, 8), sha)
        return tree

    def _write_tree(self, tree: Tree) -> str:
        here: dict[bytes, tuple[int, str]] = {}
        below: dict[str, Tree] = {}
        for path, (mode, sha) in tree.items():
            first, slash, rest = path.partition("/")
            if slash:
                below.setdefault(first, {})[rest] = (mode, sha)
            else:
                here[_bytes(first)] = (mode, sha)
        for name, subtree in below.items():
            here[_bytes(name)] = (0o40000, self._write_tree(subtree))
        rows = sorted(here.items(), key=lambda row: row[0] + (b"/" if row[1][0] == 0o40000 else b""))
        return self.write("tree", b"".join(b"%o %s\0" % (m, n) + bytes.fromhex(s) for n, (m, s) in rows))

    def _apply(self, tree: Tree, files: Mapping[str, Content]) -> Tree:
        for path, content in files.items():
            if content is None:
                tree.pop(path, None)
                continue
            entry = content if isinstance(content, Entry) else Entry(content)
            if entry.mode == 0o160000:
                tree[path] = (entry.mode, str(entry.data))
            else:
                tree[path] = (entry.mode, self.write("blob", _bytes(entry.data)))
        return tree

    def _tick(self, date: int | None) -> int:
        if date is None:
            self.clock += 60
            return self.clock
        return date

    def raw_commit(
        self,
        tree: Tree | str,
        parents: Sequence[str],
        message: str | bytes,
        *,
        author: str = "robin",
        date: int | None = None,
        committer: str | None = None,
        committed: int | None = None,
        headers: Sequence[bytes] = (),
    ) -> str:
        """Write a commit object and move nothing."""
        tree_sha = tree if isinstance(tree, str) else self._write_tree(tree)
        authored = self._tick(date)
        lines = [b"tree " + tree_sha.encode(), *(b"parent " + parent.encode() for parent in parents)]
        lines.append(_bytes(f"author {person(author)} {authored} +0000"))
        lines.append(_bytes(f"committer {person(committer or author)} {committed or authored} +0000"))
        text = _bytes(message)
        sha = self.write("commit", b"\n".join([*lines, *headers, b"", text if text.endswith(b"\n") else text + b"\n"]))
        if not isinstance(tree, str):
            self._trees[sha] = dict(tree)
        return sha

    # --- references -------------------------------------------------------------------------------------------------

    def set_ref(self, name: str, sha: str) -> None:
        """Point a whole reference name somewhere, forced, without a word."""
        path = self.git_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(sha + "\n")

    def branch(self, name: str, at: str = "HEAD") -> str:
        """Make or move a branch and give its tip; the current branch stays."""
        sha = self.sha(self.current if at == "HEAD" else at)
        self.set_ref(f"refs/heads/{name}", sha)
        return sha

    force = branch

    def switch(self, name: str, at: str | None = None) -> None:
        """Commits without `branch` go to this branch from now on; `at` makes it first."""
        if at is not None:
            self.branch(name, at)
        self.current = name

    def head(self, name: str) -> None:
        """Point HEAD at a branch (it need not exist)."""
        (self.git_dir / "HEAD").write_text(f"ref: refs/heads/{name}\n")

    def detach(self, rev: str) -> None:
        (self.git_dir / "HEAD").write_text(self.sha(rev) + "\n")

    def delete(self, name: str) -> None:
        """Delete a branch, tag (`refs/tags/…`) or any whole reference name."""
        full = name if name.startswith("refs/") else f"refs/heads/{name}"
        self.git("update-ref", "-d", full)

    def exists(self, branch: str) -> bool:
        return bool(self.git("rev-parse", "--verify", "-q", f"refs/heads/{branch}", check=False))

    def tag(
        self, name: str, at: str = "HEAD", *, message: str | bytes | None = None, tagger: str = "morgan",
        date: int | None = None,
    ) -> str:  # fmt: skip
        """A lightweight tag, or an annotated one when there is a message; gives the id the tag names."""
        sha = self.sha(self.current if at == "HEAD" else at)
        if message is not None:
            kind = self.git("cat-file", "-t", sha)
            head = f"object {sha}\ntype {kind}\ntag {name}\ntagger {person(tagger)} {self._tick(date)} +0000\n\n"
            sha = self.write("tag", _bytes(head) + _bytes(message) + b"\n")
        self.set_ref(f"refs/tags/{name}", sha)
        return sha

    def many_refs(self, count: int, at: str = "HEAD", prefix: str = "refs/heads/topic/") -> None:
        """Add `count` packed references at once."""
        sha = self.sha(self.current if at == "HEAD" else at)
        self.git("pack-refs", "--all")
        packed = self.git_dir / "packed-refs"
        lines = packed.read_bytes().split(b"\n") if packed.exists() else []
        rows: dict[bytes, bytes] = {
            f"{prefix}{i:05}".encode(): f"{sha} {prefix}{i:05}\n".encode() for i in range(count)
        }
        name = b""
        for line in lines:
            if line.startswith(b"^"):
                rows[name] += line + b"\n"
            elif line and not line.startswith(b"#"):
                name = line.partition(b" ")[2]
                rows[name] = line + b"\n"
        header = b"# pack-refs with: peeled fully-peeled sorted \n"
        packed.write_bytes(header + b"".join(rows[name] for name in sorted(rows)))

    # --- history ----------------------------------------------------------------------------------------------------

    def _tip(self, branch: str) -> str | None:
        path = self.git_dir / "refs" / "heads" / branch
        if path.is_file():
            return path.read_text().strip()
        return self.git("rev-parse", "--verify", "-q", f"refs/heads/{branch}", check=False) or None

    def commit(
        self,
        files: Mapping[str, Content] | None = None,
        message: str | bytes = "Change",
        *,
        branch: str | None = None,
        author: str = "robin",
        date: int | None = None,
        committer: str | None = None,
        committed: int | None = None,
        parents: Sequence[str] | None = None,
    ) -> str:
        """Commit changed files on a branch (made when it does not exist); without files the commit is empty."""
        name = branch or self.current
        tip = self._tip(name)
        chosen = list(parents) if parents is not None else ([tip] if tip else [])
        tree = self._apply(self.tree(chosen[0] if chosen else None), files or {})
        sha = self.raw_commit(tree, chosen, message, author=author, date=date, committer=committer, committed=committed)
        self.set_ref(f"refs/heads/{name}", sha)
        return sha

    def _merged(self, ours: str, theirs: str, files: Mapping[str, Content] | None) -> Tree:
        done = subprocess.run(
            [_GIT, "--git-dir", str(self.git_dir), "merge-tree", "--write-tree", "--allow-unrelated-histories", ours,
             theirs],
            env=_ENV, capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode > 1:
            raise AssertionError(done.stderr.decode(errors="replace"))
        if done.returncode == 1 and not files:
            raise Conflict(done.stdout.decode(errors="replace"))
        tree = self._read_tree(done.stdout.split()[0].decode())
        return self._apply(tree, files or {})

    def merge(
        self, source: str, into: str | None = None, *, message: str | None = None,
        files: Mapping[str, Content] | None = None, ff: bool = False, author: str = "morgan", date: int | None = None,
    ) -> str:  # fmt: skip
        """Merge `source` into a branch. `files` resolve conflicts, or add what an evil merge brings along."""
        name = into or self.current
        ours, theirs = self.sha(name), self.sha(source)
        if ff:
            self.set_ref(f"refs/heads/{name}", theirs)
            return theirs
        tree = self._merged(ours, theirs, files)
        sha = self.raw_commit(
            tree, [ours, theirs], message or f"Merge branch '{source}' into {name}", author=author, date=date
        )
        self.set_ref(f"refs/heads/{name}", sha)
        return sha

    def squash(
        self, source: str, into: str | None = None, *, message: str | None = None,
        files: Mapping[str, Content] | None = None, author: str = "morgan", date: int | None = None,
    ) -> str:  # fmt: skip
        """All of `source` as one commit on a branch, without a merge parent."""
        name = into or self.current
        ours = self.sha(name)
        tree = self._merged(ours, self.sha(source), files)
        sha = self.raw_commit(tree, [ours], message or f"Squash {source}", author=author, date=date)
        self.set_ref(f"refs/heads/{name}", sha)
        return sha

    def pick(
        self, rev: str, onto: str | None = None, *, x: bool = False, message: str | None = None,
        files: Mapping[str, Content] | None = None, author: str | None = None, date: int | None = None,
        committer: str = "morgan", trailer: str = "",
    ) -> str:  # fmt: skip
        """Cherry-pick onto a branch, keeping author and date; `x` adds git's trailer, `trailer` any other line."""
        name = onto or self.current
        commit, ours = self.sha(rev), self.sha(name)
        who, when, text, parent = self._facts(commit)
        if parent is None:
            raise AssertionError("a root commit cannot be picked here")
        synthetic = self._synthetic(ours, parent)
        tree = self._merged(synthetic, commit, files)
        said = message if message is not None else text
        if x:
            said = f"{said}\n\n(cherry picked from commit {commit})"
        if trailer:
            said = f"{said}\n\n{trailer}"
        sha = self.raw_commit(
            tree, [ours], said, author=author or who, date=date or when, committer=committer,
            committed=self._tick(None),
        )  # fmt: skip
        self.set_ref(f"refs/heads/{name}", sha)
        return sha

    def revert(
        self, rev: str, on: str | None = None, *, message: str | None = None,
        files: Mapping[str, Content] | None = None, author: str = "morgan", date: int | None = None,
    ) -> str:  # fmt: skip
        """Undo a commit on a branch, with git's own words unless `message` says otherwise."""
        name = on or self.current
        commit, ours = self.sha(rev), self.sha(name)
        _who, _when, text, parent = self._facts(commit)
        before = self.git("rev-parse", f"{parent}^{{tree}}")
        undo = self.raw_commit(before, [commit], "undo", date=START)
        tree = self._merged(self._synthetic(ours, commit), undo, files)
        subject = text.splitlines()[0]
        said = message if message is not None else f'Revert "{subject}"\n\nThis reverts commit {commit}.'
        sha = self.raw_commit(tree, [ours], said, author=author, date=date)
        self.set_ref(f"refs/heads/{name}", sha)
        return sha

    def _synthetic(self, tree_of: str, parent: str) -> str:
        """A commit with one's tree and another's place in history: what makes a merge out of a pick."""
        return self.raw_commit(self.tree(tree_of), [parent], "synthetic", date=START)

    def _facts(self, commit: str) -> tuple[str, int, str, str | None]:
        """Author, author date, message and first parent."""
        head, _, message = self.git("cat-file", "commit", commit).partition("\n\n")
        lines = head.splitlines()
        author = next(line for line in lines if line.startswith("author ")).removeprefix("author ")
        who, when, _zone = author.rsplit(" ", 2)
        parent = next((line.split()[1] for line in lines if line.startswith("parent ")), None)
        return who, int(when), message.strip(), parent


def make_repo(folder: Path, name: str = "origin.git", *, bare: bool = True, head: str = "main") -> Repo:
    """An empty repository below a folder (a test's `tmp_path`)."""
    return Repo(folder / name, bare=bare, head=head)


def make_flow(folder: Path, name: str = "origin.git") -> Repo:
    """A small GitFlow repository: main with v1.0.0, develop one commit ahead of it; develop is not current."""
    repo = make_repo(folder, name)
    app = "".join(f"line {number}\n" for number in range(1, 41))
    repo.commit({"app.py": app, "README.md": "A small web application.\n"}, "Start")
    repo.tag("v1.0.0", message="Version 1.0.0")
    repo.branch("develop")
    repo.commit({"feature.py": "feature = 1\n"}, "TICKET-10 begin the next feature", branch="develop")
    return repo
