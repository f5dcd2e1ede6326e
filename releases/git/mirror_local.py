"""Mirroring a local repository in which objects are missing: copy what is there.

Git itself would refuse to serve such a history. With the copy, everything that can be read can be judged, and what
cannot is named commit by commit.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from . import runner
from .mirror_refs import INCOMING, Refs, incoming_refs
from .remotes import common_dir, object_folders

_LOOSE = re.compile(r"[0-9a-f]{38}(?:[0-9a-f]{24})?\Z")
_PACK = re.compile(r"pack-[0-9a-f]{40,64}\.pack\Z")


def copy_objects(source: Path, folder: Path) -> None:
    """Copy packs, loose objects and the shallow boundary into the bare repository `folder`; links when it can."""
    for objects in object_folders(source):
        for path in _objects(objects):
            _copy(path, folder / "objects" / path.relative_to(objects))
    boundary = common_dir(source) / "shallow"
    if boundary.is_file() and not boundary.is_symlink():
        shutil.copyfile(boundary, folder / "shallow")


def _objects(objects: Path) -> Iterator[Path]:
    """Object files, each pack before its index, so that an index never stands without its pack."""
    for pack in sorted((objects / "pack").glob("pack-*.pack")):
        if _PACK.match(pack.name) and pack.with_suffix(".idx").exists():
            yield pack
            yield pack.with_suffix(".idx")
    for path in objects.glob("[0-9a-f][0-9a-f]/*"):
        if _LOOSE.match(path.name):
            yield path


def _copy(path: Path, place: Path) -> None:
    if place.exists() or not stat.S_ISREG(path.lstat().st_mode):
        return  # links could lead anywhere
    place.parent.mkdir(exist_ok=True)
    try:
        os.link(path, place, follow_symlinks=False)
    except OSError:
        draft = place.with_name(f"tmp_{place.name}")
        shutil.copyfile(path, draft, follow_symlinks=False)
        os.rename(draft, place)


def write_incoming(folder: Path, listed: Refs, pass_fds: tuple[int, ...] = ()) -> None:
    """Make the listed references the incoming ones, those left out whose object is not here."""
    text = b"".join(sha.encode() + b"\n" for sha in set(listed.values()))
    known = runner.run(["cat-file", "--batch-check=%(objectname)"], git_dir=folder, stdin=text).text.splitlines()
    present = {line for line in known if " " not in line}
    wanted = {name: sha for name, sha in listed.items() if sha in present}
    before = incoming_refs(folder)
    prefix = INCOMING.encode()
    gone = [b"delete %s\0\0" % _incoming(prefix, name) for name in before if name not in wanted]
    come = [b"update %s\0%s\0\0" % (_incoming(prefix, name), sha.encode()) for name, sha in wanted.items()]
    for commands in (gone, come):
        if commands:
            runner.run(
                ["update-ref", "--no-deref", "-z", "--stdin"], git_dir=folder, stdin=b"".join(commands),
                guarded=True, pass_fds=pass_fds, timeout=600,
            )  # fmt: skip


def _incoming(prefix: bytes, name: bytes) -> bytes:
    return prefix + name.removeprefix(b"refs/")
