"""A repository read as it lies: a bare one, a work tree, a linked work tree, a clone that borrows objects.

Reading never fails because of an odd name: names that are not UTF-8 come with their bytes written out (`\\xff`), so
that they stay distinct and can be shown; nothing is ever looked up by such a name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from . import runner
from .errors import GitError, InvalidValue, MissingObject, NoSuchRef, NotARepository, classify
from .values import Revision, Sha, shown

MESSAGE_LIMIT = 100_000
"""Characters of a tag's message that are kept."""
_SIGNATURES = ("-----BEGIN PGP SIGNATURE-----", "-----BEGIN SSH SIGNATURE-----", "-----BEGIN SIGNED MESSAGE-----")
_REFS = ("refs/heads", "refs/tags")
_HEAD = re.compile(rb"(?:ref: refs/\S+|[0-9a-f]{40}(?:[0-9a-f]{24})?)\s*\Z")
_FIELDS = (
    "%(refname)", "%(objectname)", "%(objecttype)", "%(*objectname)", "%(*objecttype)",
    "%(committerdate:unix)", "%(*committerdate:unix)", "%(taggername)", "%(taggeremail:trim)", "%(taggerdate:unix)",
    "%(contents:subject)", "%(*contents:subject)", "%(if:equals=tag)%(objecttype)%(then)%(contents)%(end)",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RefRow:
    """A branch or tag with what is known of it."""

    name: str
    """Full name: refs/heads/main."""
    sha: str
    """What it names: a commit, a tag object, rarely a tree or blob."""
    commit: str = ""
    """The commit it leads to; empty when it leads to none, or the object is missing."""
    committed_at: int | None = None
    """Unix seconds."""
    tagger: str = ""
    tagger_email: str = ""
    tagged_at: int | None = None
    subject: str = ""
    """Subject of the commit."""
    message: str = ""
    """An annotated tag's message, without signature."""

    @property
    def is_branch(self) -> bool:
        return self.name.startswith("refs/heads/")

    @property
    def is_tag(self) -> bool:
        return self.name.startswith("refs/tags/")

    @property
    def short(self) -> str:
        return self.name.split("/", 2)[2]

    @property
    def annotated(self) -> bool:
        return self.is_tag and bool(self.tagger or self.tagged_at or self.message)


def ref_text(raw: bytes) -> str:
    """A reference name as text; bytes that are not UTF-8 are written out."""
    return raw.decode("utf-8", "backslashreplace")


def locate(path: Path | str, *, search: bool = False) -> Path:
    """The git directory of a repository. Raises NotARepository.

    `search` also looks into the folders above, as git does for somebody who stands in a subfolder.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise NotARepository(f"There is no folder {shown(str(path))}. Check the path.")
    if _is_git_dir(folder):
        return folder.resolve()
    extra = {} if search else {"GIT_CEILING_DIRECTORIES": str(folder.resolve().parent)}
    try:
        found = runner.run(["rev-parse", "--absolute-git-dir"], cwd=folder, env=extra, timeout=20)
    except (NotARepository, InvalidValue):
        raise NotARepository(f"There is no git repository in {shown(str(path))}. Check the path.") from None
    return Path(os.fsdecode(found.stdout.rstrip(b"\n")))


def _is_git_dir(folder: Path) -> bool:
    """Whether this plainly is a git directory itself, by what git looks for in one: saves a process."""
    if (folder / ".git").exists() or not all((folder / name).is_dir() for name in ("objects", "refs")):
        return False
    try:
        head = (folder / "HEAD").read_bytes()
    except OSError:
        return False
    return (folder / "config").is_file() and _HEAD.match(head) is not None


class Repository:
    """A read-only view; use it as a context manager. It holds no process and no descriptor between calls."""

    def __init__(self, git_dir: Path) -> None:
        self.git_dir = git_dir

    @classmethod
    def open(cls, path: Path | str, *, search: bool = False) -> Self:
        """The repository at (with `search`: around) a path. Raises NotARepository."""
        return cls(locate(path, search=search))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    # --- names ------------------------------------------------------------------------------------------------------

    def resolve(self, revision: str) -> Sha | None:
        """The commit that a branch, tag, object id or other revision names; None when there is none.

        A branch goes before a tag of the same name. Raises InvalidValue for what cannot be a revision and
        MissingObject when the name is there but its commit cannot be read.
        """
        rev = Revision.parse(revision)
        tries = [f"refs/heads/{rev}", f"refs/tags/{rev}", str(rev), f"refs/remotes/origin/{rev}"]
        if rev.startswith("refs/") or rev == "HEAD":
            tries = [str(rev)]
        for answer in self._check([f"{name}^{{commit}}" for name in tries]):
            if answer is not None:
                return Sha(answer)
        if self._named(rev):
            raise MissingObject(f"{shown(rev)} is there, but the commit it names cannot be read.")
        return None

    def commit(self, revision: str) -> Sha:
        """Like `resolve`, but raises NoSuchRef with the name in its sentence."""
        found = self.resolve(revision)
        if found is None:
            raise NoSuchRef(f"There is no branch, tag or commit {shown(revision)} in this repository.")
        return found

    def _named(self, name: str) -> bool:
        """Whether a branch or tag has this name and leads to an object that cannot be read."""
        patterns = [f"refs/heads/{name}", f"refs/tags/{name}"]
        listed = runner.run(
            ["for-each-ref", "--format=%(objectname) %(refname)", *patterns], git_dir=self.git_dir, ok_codes=None
        )
        lines = [line.partition(b" ") for line in listed.stdout.splitlines()]
        shas = [sha.decode() for sha, _, ref in lines if ref.decode("utf-8", "surrogateescape") in patterns]
        return any(answer is None for answer in self._check(shas))

    def _check(self, names: Sequence[str]) -> list[str | None]:
        """The object ids that these names lead to, in one process.

        In a partial clone git ends at an object that was left out; the list is then taken up behind it.
        """
        answers: list[str | None] = []
        while len(answers) < len(names):
            text = "".join(f"{name}\n" for name in names[len(answers) :]).encode("utf-8", "surrogateescape")
            form = "--batch-check=%(objectname)"
            done = runner.run(["cat-file", form], git_dir=self.git_dir, stdin=text, ok_codes=None)
            answers += [line.decode() if b" " not in line else None for line in done.stdout.splitlines()]
            if done.code:
                error = classify(done.code, done.stderr)
                if not isinstance(error, MissingObject):
                    raise error
                answers.append(None)
        return answers

    def has_objects(self, shas: Iterable[str]) -> dict[str, bool]:
        """For each object id: is it here? Nothing is fetched to find out."""
        wanted = [Sha.parse(sha) for sha in shas]
        return {sha: answer is not None for sha, answer in zip(wanted, self._check(wanted), strict=True)}

    def has_object(self, sha: str) -> bool:
        return self.has_objects([sha])[Sha.parse(sha)]

    # --- references -------------------------------------------------------------------------------------------------

    def refs(self) -> list[RefRow]:
        """Every branch and tag, in order of name. Tags of trees and blobs, and missing objects, have no commit."""
        form = "--format=" + "%00".join(_FIELDS) + "%00"
        try:
            done = runner.run(["for-each-ref", form, *_REFS], git_dir=self.git_dir)
        except GitError:
            return self._refs_carefully()
        values = done.stdout.split(b"\0")
        width = len(_FIELDS)
        rows = [_row(values[at : at + width]) for at in range(0, len(values) - width + 1, width)]
        return self._unwrap(rows)

    def _refs_carefully(self) -> list[RefRow]:
        """The names alone, and which commits they lead to: for a repository in which objects are missing."""
        done = runner.run(["for-each-ref", "--format=%(objectname) %(refname)", *_REFS], git_dir=self.git_dir)
        rows = []
        for line in done.stdout.splitlines():
            sha, _, name = line.partition(b" ")
            rows.append(RefRow(ref_text(name), sha.decode()))
        commits = self._check([f"{row.sha}^{{commit}}" for row in rows])
        return [replace(row, commit=commit or "") for row, commit in zip(rows, commits, strict=True)]

    def _unwrap(self, rows: list[RefRow]) -> list[RefRow]:
        """Follow tags of tags to their end, which for-each-ref of older gits does not."""
        nested = [row.sha for row in rows if row.commit == "?"]
        found = dict(zip(nested, self._check([f"{sha}^{{commit}}" for sha in nested]), strict=True))
        return [replace(row, commit=found[row.sha] or "") if row.commit == "?" else row for row in rows]

    def head_branch(self) -> str | None:
        """Short name of the branch that HEAD names, even if it has no commit yet; None when HEAD is detached."""
        name = self._head_written()
        if name is None:
            done = runner.run(["symbolic-ref", "-q", "HEAD"], git_dir=self.git_dir, ok_codes=(0, 1, 128))
            name = ref_text(done.stdout.rstrip(b"\n"))
        return name.removeprefix("refs/heads/") if name.startswith("refs/heads/") else None

    def _head_written(self) -> str | None:
        """What the file HEAD names, without a git; None where only git can tell (detached, or kept in another way)."""
        try:
            said = ref_text((self.git_dir / "HEAD").read_bytes())
        except OSError:
            return None
        name = said.removeprefix("ref:").strip()
        return name if said.startswith("ref:") and name != "refs/heads/.invalid" else None

    def is_empty(self) -> bool:
        """Whether no branch and no tag is there."""
        done = runner.run(["for-each-ref", "--count=1", "--format=%(refname)", *_REFS], git_dir=self.git_dir)
        return not done.stdout

    # --- limits of this copy ----------------------------------------------------------------------------------------

    def is_shallow(self) -> bool:
        return runner.run(["rev-parse", "--is-shallow-repository"], git_dir=self.git_dir).line == "true"

    def shallow_commits(self) -> frozenset[str]:
        """The commits at which history was cut off."""
        where = runner.run(["rev-parse", "--git-path", "shallow"], git_dir=self.git_dir).stdout.rstrip(b"\n")
        try:
            return frozenset(Path(os.fsdecode(where)).read_text("ascii", "replace").split())
        except OSError:
            return frozenset()

    def is_partial(self) -> bool:
        """Whether objects were left out on purpose when this copy was made (blobless and treeless clones)."""
        done = runner.run(
            ["config", "--local", "--get-regexp", r"^(extensions\.partialclone|remote\..*\.promisor)$"],
            git_dir=self.git_dir, ok_codes=(0, 1),
        )  # fmt: skip
        return any(not line.endswith("false") for line in done.text.splitlines())

    def commit_count(self, *revisions: str) -> int:
        """Commits reachable from these, or from every branch and tag; 0 for none."""
        chosen: list[str] = [self.commit(revision) for revision in revisions]
        chosen = chosen or ["--branches", "--tags"]
        return int(runner.run(["rev-list", "--count", *chosen], git_dir=self.git_dir, timeout=600).line or 0)

    # --- content ----------------------------------------------------------------------------------------------------

    @contextmanager
    def archive(self, revision: str, *, prefix: str = "", timeout: float = 600) -> Iterator[BinaryIO]:
        """A tar of the files at a revision, as a stream. Filters of the repository's own configuration do not run."""
        commit = self.commit(revision)
        if prefix.startswith(("-", "/")) or ".." in prefix.split("/"):
            raise InvalidValue(f"{shown(prefix)} cannot be the folder of an archive.")
        args = ["archive", "--format=tar", f"--prefix={prefix}", commit]
        with runner.stream(args, git_dir=self.git_dir, timeout=timeout) as flow:
            yield flow.stdout


def _row(values: Sequence[bytes]) -> RefRow:
    name, rest = ref_text(values[0].lstrip(b"\n")), [value.decode("utf-8", "replace") for value in values[1:]]
    sha, kind, inner, inner_kind, date, inner_date, tagger, email, tagged, subject, inner_subject, message = rest
    direct = kind == "commit"
    # A question mark stands for "a tag of a tag": its end is looked up for all of them at once.
    commit = sha if direct else inner if inner_kind == "commit" else "?" if inner_kind == "tag" else ""
    return RefRow(
        name, sha, commit, _number(date if direct else inner_date), tagger, email, _number(tagged),
        subject if direct else inner_subject, _unsigned(message),
    )  # fmt: skip


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _unsigned(message: str) -> str:
    ends = [at for mark in _SIGNATURES if (at := message.find(mark)) >= 0]
    return message[: min(ends, default=len(message))].strip()[:MESSAGE_LIMIT]
