"""Single objects for pages, read with GitPython: files, folders and tag objects of one revision.

Whole histories are never walked here: `objects` and `page_reads` do that in few processes. GitPython keeps `cat-file`
children while a repository is open, so `browse` is a context manager and always closes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .environment import environment
from .errors import Corrupt, GitError, InvalidValue, MissingObject, NoSuchRef, NotARepository, TooLarge
from .repository import Repository
from .values import Sha, shown

MAX_FILE = 8 << 20
"""Bytes of one file that are read at most."""
MAX_ENTRIES = 5_000
"""Entries of one folder that are listed at most."""
_LFS = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True, slots=True)
class FileAt:
    """A file as it is at a revision."""

    path: str
    sha: str
    size: int
    data: bytes
    executable: bool = False

    @property
    def binary(self) -> bool:
        return b"\0" in self.data[:8000]

    @property
    def lfs(self) -> bool:
        """Whether this only points to a file in large-file storage."""
        return self.size < 1024 and self.data.startswith(_LFS)

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a folder; `kind` is blob, tree or commit (a submodule)."""

    name: str
    kind: str
    sha: str
    mode: int


@dataclass(frozen=True, slots=True)
class TagObject:
    """An annotated tag as it is stored; `target` may be a commit, tree, blob or another tag."""

    sha: str
    name: str
    tagger: str
    tagger_email: str
    tagged_at: int
    message: str
    target: str
    target_kind: str


class Browser:
    """Reads single objects of an open repository; made by `browse`."""

    def __init__(self, repo: Any, repository: Repository) -> None:
        self._repo = repo
        self._repository = repository

    def _tree(self, revision: str) -> Any:
        return self._repo.commit(self._repository.commit(revision)).tree

    def _at(self, revision: str, path: str) -> Any:
        if path.startswith(("/", "-")) or "\0" in path or ".." in path.split("/"):
            raise InvalidValue(f"{shown(path)} is not a path inside the repository.")
        try:
            return self._tree(revision).join(path)
        except KeyError:
            raise NoSuchRef(f"There is no {shown(path)} at this commit.") from None

    def file(self, revision: str, path: str, *, limit: int = MAX_FILE) -> FileAt:
        """A file's content. Raises NoSuchRef, TooLarge, MissingObject."""
        blob = self._at(revision, path)
        if blob.type != "blob":
            raise NoSuchRef(f"{shown(path)} is a folder or a submodule, not a file.")
        size = int(blob.size)
        if size > limit:
            raise TooLarge(f"{shown(path)} holds {size:,} bytes, more than the {limit:,} that are read for a page.")
        return FileAt(path, blob.hexsha, size, blob.data_stream.read(), bool(blob.mode & 0o111))

    def folder(self, revision: str, path: str = "") -> list[Entry]:
        """What lies in a folder, at most MAX_ENTRIES. Raises NoSuchRef, MissingObject."""
        tree = self._at(revision, path) if path else self._tree(revision)
        if tree.type != "tree":
            raise NoSuchRef(f"{shown(path)} is not a folder.")
        listed = []
        for _, item in zip(range(MAX_ENTRIES), tree, strict=False):
            kind = "commit" if item.type == "submodule" else item.type
            name = item.path.rpartition("/")[2].encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            listed.append(Entry(name, kind, item.hexsha, item.mode))
        return listed

    def tag(self, sha: str) -> TagObject:
        """An annotated tag object by its own id. Raises NoSuchRef for other objects."""
        from git import TagObject as GitTag

        item = self._repo.rev_parse(Sha.parse(sha))
        if not isinstance(item, GitTag):
            raise NoSuchRef(f"{shown(sha)} is not an annotated tag.")
        tagger = item.tagger
        return TagObject(
            item.hexsha, item.tag, (tagger.name or "") if tagger else "", (tagger.email or "") if tagger else "",
            item.tagged_date or 0, item.message or "", item.object.hexsha, item.object.type,
        )  # fmt: skip


@contextmanager
def browse(path: Path | str) -> Iterator[Browser]:
    """Open a repository for reading single objects; every child process is ended on leaving. Raises GitErrors."""
    import git
    import gitdb.exc  # type: ignore[import-untyped]

    repository = Repository.open(path)
    try:
        with git.Repo(repository.git_dir, expand_vars=False) as repo:
            repo.git.update_environment(**environment())
            yield Browser(repo, repository)
    except GitError:
        raise
    except (git.InvalidGitRepositoryError, git.NoSuchPathError):
        raise NotARepository from None
    except (gitdb.exc.BadObject, gitdb.exc.BadName) as error:
        raise MissingObject(detail=str(error)) from None
    except (ValueError, git.GitCommandError, gitdb.exc.ODBError) as error:
        kind = MissingObject if "missing" in str(error) or "could not be resolved" in str(error) else Corrupt
        raise kind(detail=str(error)) from None
