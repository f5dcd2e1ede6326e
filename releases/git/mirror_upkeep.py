"""Keeping a mirror's folder sound: what killed workers left, signs of damage, the commit-graph, packs, size.

Everything here that writes must be called by the one who holds the mirror's lock.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from . import runner
from .errors import Corrupt, GitError, NotARepository
from .repository import Repository

PACKS = 24
"""Packs above which they are rolled together."""
LOOSE_REFS = 400
"""Loose references above which they are packed into one file."""


def leftovers(git_dir: Path) -> Iterator[Path]:
    """Lock files and half-written packs and objects: nobody alive owns them once the mirror's lock is held."""
    yield from git_dir.glob("*.lock")
    yield from (git_dir / "refs").rglob("*.lock")
    objects = git_dir / "objects"
    yield from (objects / "info").rglob("*.lock")
    yield from (objects / "info").rglob("tmp_*")
    yield from objects.glob("??/tmp_obj_*")
    yield from objects.glob("tmp_objdir-*")
    yield from objects.glob("incoming-*")
    for pattern in ("tmp_*", ".tmp-*", "*.lock", "multi-pack-index.lock"):
        yield from (objects / "pack").glob(pattern)


def sweep_leftovers(git_dir: Path) -> int:
    """Remove what killed git processes left behind; returns how many files and folders went."""
    count = 0
    for path in list(leftovers(git_dir)):
        try:
            if path.is_dir():
                _remove_tree(path)
            else:
                path.unlink()
            count += 1
        except FileNotFoundError:
            continue
    return count


def _remove_tree(folder: Path) -> None:
    for root, folders, files in os.walk(folder, topdown=False):
        for name in files:
            os.unlink(os.path.join(root, name))
        for name in folders:
            os.rmdir(os.path.join(root, name))
    os.rmdir(folder)


def check(git_dir: Path) -> None:
    """Look for the damage that power cuts and full disks leave; cheap. Raises Corrupt or NotARepository.

    The folder is a repository, every pack is whole and belongs to its index, no loose object that was just written is
    empty, and what the references name is there.
    """
    if not (git_dir / "HEAD").is_file():
        raise NotARepository("The folder of the mirror holds no repository.")
    _check_packs(git_dir / "objects" / "pack")
    for path in (git_dir / "objects").glob("??/*"):
        if path.stat().st_size == 0:
            raise Corrupt(detail=f"the object {path.parent.name}{path.name} is empty")
    listed = runner.run(["for-each-ref", "--format=%(objectname)"], git_dir=git_dir).stdout
    wanted = b"".join(line + b"\n" for line in set(listed.splitlines()))
    known = runner.run(["cat-file", "--batch-check=%(objecttype)"], git_dir=git_dir, stdin=wanted)
    for line in known.text.splitlines():
        if line.endswith("missing"):
            raise Corrupt(detail=f"a reference names an object that is not there: {line}")


def _check_packs(folder: Path) -> None:
    width = 32 if _has_long_ids(folder.parent.parent) else 20
    for index in folder.glob("pack-*.idx"):
        pack = index.with_suffix(".pack")
        try:
            if _tail(index, 2 * width)[:width] != _tail(pack, width):
                raise Corrupt(detail=f"the pack {pack.name} is cut short or changed")
        except FileNotFoundError:
            if index.exists():
                raise Corrupt(detail=f"the pack {pack.name} is not there") from None
        except OSError as error:
            raise Corrupt(detail=f"the pack {pack.name} cannot be read: {error.strerror}") from None


def _has_long_ids(git_dir: Path) -> bool:
    try:
        return "objectformat = sha256" in (git_dir / "config").read_text("utf-8", "replace").lower()
    except OSError:
        return False


def _tail(path: Path, count: int) -> bytes:
    with path.open("rb") as handle:
        handle.seek(-count, os.SEEK_END)
        return handle.read(count)


def damaged(git_dir: Path) -> bool:
    """Whether `check` finds something."""
    try:
        check(git_dir)
    except (GitError, OSError):
        return True
    return False


def fsck(git_dir: Path, timeout: float = 3600) -> None:
    """Follow every object from every reference; long on large histories. Raises Corrupt or MissingObject."""
    runner.run(["fsck", "--connectivity-only", "--no-dangling", "--no-progress"], git_dir=git_dir, timeout=timeout)


def graph_has_filters(git_dir: Path) -> bool:
    """Whether the newest commit-graph layer knows which paths each commit changed."""
    info = git_dir / "objects" / "info"
    try:
        chain = (info / "commit-graphs" / "commit-graph-chain").read_text("ascii").split()
        files = [info / "commit-graphs" / f"graph-{name}.graph" for name in chain]
    except OSError:
        files = [info / "commit-graph"]
    try:
        return all(b"BIDX" in _head(file) for file in files)
    except OSError:
        return False


def _head(file: Path) -> bytes:
    with file.open("rb") as handle:
        return handle.read(256)


def write_graph(git_dir: Path, *, filters: bool, whole: bool = False, pass_fds: tuple[int, ...] = ()) -> None:
    """Bring the commit-graph up to date; `whole` rewrites it, so that every commit has its path filter."""
    how = "--split=replace" if whole else "--split"
    paths = "--changed-paths" if filters else "--no-changed-paths"
    args = ["commit-graph", "write", "--reachable", how, paths, "--no-progress"]
    try:
        runner.run(args, git_dir=git_dir, guarded=True, pass_fds=pass_fds, timeout=3600)
    except Corrupt:
        # The graph can always be made again from the commits; a broken one is not worth keeping.
        drop_graph(git_dir)
        runner.run(args, git_dir=git_dir, guarded=True, pass_fds=pass_fds, timeout=3600)


def drop_graph(git_dir: Path) -> None:
    info = git_dir / "objects" / "info"
    for path in [info / "commit-graph", *(info / "commit-graphs").glob("*")]:
        path.unlink(missing_ok=True)


def roll_packs(git_dir: Path, pass_fds: tuple[int, ...] = ()) -> bool:
    """Roll many small packs into few, in geometric steps, when there are too many; True when it was done."""
    if sum(1 for _ in (git_dir / "objects" / "pack").glob("*.pack")) <= PACKS:
        return False
    runner.run(
        ["repack", "-d", "-q", "--geometric=2", "--write-midx"], git_dir=git_dir,
        guarded=True, pass_fds=pass_fds, timeout=3600,
    )  # fmt: skip
    return True


def pack_refs(git_dir: Path, pass_fds: tuple[int, ...] = ()) -> bool:
    """Pack loose references when there are many; True when it was done."""
    loose = 0
    for _root, _folders, files in os.walk(git_dir / "refs"):
        loose += len(files)
        if loose > LOOSE_REFS:
            runner.run(["pack-refs", "--all"], git_dir=git_dir, guarded=True, pass_fds=pass_fds, timeout=600)
            return True
    return False


def size_of(git_dir: Path) -> int:
    """Bytes on disk; files that vanish meanwhile do not count."""
    total = 0
    for root, _folders, files in os.walk(git_dir):
        for name in files:
            try:
                total += os.stat(os.path.join(root, name), follow_symlinks=False).st_blocks * 512
            except FileNotFoundError:
                continue
    return total


def same_history(git_dir: Path) -> bool:
    """Whether this copy has no boundary: neither shallow nor partial."""
    with Repository.open(git_dir) as repository:
        return not (repository.is_shallow() or repository.is_partial())
