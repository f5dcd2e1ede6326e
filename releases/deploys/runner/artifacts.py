"""Artifacts, kept by the digest of their content: written once, never changed."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from .errors import ArtifactRefused

_PIECE = 1 << 20
_DRAFT = "draft-"
STALE = 6 * 3600.0
"""Seconds after which a draft belongs to a worker that died."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An artifact in the store."""

    digest: str
    """sha256:…"""
    path: Path
    size: int


def store() -> Path:
    """The folder of all artifacts."""
    return Path(settings.DATA_DIR) / "artifacts"


def keep(path: Path, *, within: Path | None = None) -> Kept:
    """Take a file or folder into the store.

    A folder is packed as a tar whose bytes depend on names, content and the executable bit alone. `within`: the folder
    that it must not lead out of. Raises ArtifactRefused.
    """
    path = _checked(path, within)
    store().mkdir(parents=True, exist_ok=True, mode=0o700)
    _drafts_sweep()
    name = f"{path.name}.tar" if path.is_dir() else path.name
    with _draft() as (draft, handle):
        if path.is_dir():
            _pack(path, handle)
        else:
            with _opened(path) as source:
                shutil.copyfileobj(source, handle, _PIECE)
        handle.flush()
        os.fsync(handle.fileno())
        digest = _digest(draft)
        folder = store() / "sha256" / digest[:2] / digest
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / name
        os.chmod(draft, 0o444)
        os.replace(draft, target)
        _sync(folder)
    return Kept(f"sha256:{digest}", target, target.stat().st_size)


def check(path: Path | str, digest: str) -> bool:
    """Whether what lies there still is what was kept under this digest."""
    try:
        return f"sha256:{_digest(Path(path))}" == digest
    except OSError:
        return False


def discard(path: Path | str) -> None:
    """Remove what was kept, when nobody needs it any more; what does not lie in the store stays."""
    file = Path(path)
    if not file.is_absolute() or not file.resolve().is_relative_to(store().resolve()):
        return
    file.unlink(missing_ok=True)
    with suppress(OSError):
        file.parent.rmdir()  # Only when no other name of the same content is left.


def _checked(path: Path, within: Path | None) -> Path:
    try:
        real = path.resolve(strict=True)
    except OSError:
        raise ArtifactRefused(f"{path.name} is not there: the step did not make it.") from None
    if within is not None and not real.is_relative_to(within.resolve()):
        raise ArtifactRefused(f"{path.name} lies outside of the folder that the step works in.")
    if not real.is_dir() and not stat.S_ISREG(real.stat().st_mode):
        raise ArtifactRefused(f"{path.name} is neither a file nor a folder.")
    return real


def _drafts_sweep() -> None:
    """Remove what workers that died in the middle left."""
    for path in store().glob(f"{_DRAFT}*"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > STALE:
                path.unlink()


@contextmanager
def _draft() -> Iterator[tuple[Path, BinaryIO]]:
    descriptor, name = tempfile.mkstemp(dir=store(), prefix=_DRAFT)
    try:
        with open(descriptor, "wb") as handle:
            yield Path(name), handle
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as handle:
        yield handle


def _pack(folder: Path, out: BinaryIO) -> None:
    """Every path sorted, without times, owners and the rest of the rights."""
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(folder.rglob("*"), key=os.fsencode):
            info = tar.gettarinfo(path, arcname=str(path.relative_to(folder)))
            if info is None or not (info.isfile() or info.isdir() or info.issym() or info.islnk()):
                raise ArtifactRefused(f"{path.name} in {folder.name} is neither file, folder nor link.")
            _plain(info, path)
            if info.isfile():
                with _opened(path) as source:
                    tar.addfile(info, source)
            else:
                tar.addfile(info)


def _plain(info: tarfile.TarInfo, path: Path) -> None:
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    info.mode = 0o755 if info.isdir() or info.mode & 0o100 else 0o644
    if info.islnk():
        # Which of two names of one file comes first is chance: each gets the content.
        info.type, info.linkname, info.size = tarfile.REGTYPE, "", path.stat().st_size
    if info.issym():
        info.mode = 0o777


def _digest(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _sync(folder: Path) -> None:
    """The new name itself must survive a power cut, as the row that names it does."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
