"""What runs on this machine, and what it takes on disk; from /proc."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

WALK_SLICE = 2000
"""Entries of a folder that are counted before others get a turn."""
INODE = 256
"""Bytes that an entry costs besides its blocks, so that empty files count."""


class Stat:
    """What the kernel says of one process."""

    __slots__ = ("began", "parent", "pid", "session", "state", "ticks")

    def __init__(self, pid: int, fields: list[bytes]) -> None:
        """`fields`: of /proc/<pid>/stat, after the name."""
        self.pid = pid
        self.state = fields[0].decode()
        self.parent = int(fields[1])
        self.session = int(fields[3])
        self.ticks = sum(int(field) for field in fields[11:15])
        """Processor time of its own and of those that it waited for."""
        self.began = int(fields[19])


def stat_of(pid: int) -> Stat | None:
    """None when there is no such process (any more)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as handle:
            # The command's name may hold spaces and brackets: fields are counted after its last bracket.
            fields = handle.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return Stat(pid, fields) if len(fields) >= 20 else None


def processes() -> list[Stat]:
    """All of this machine, as far as they can be seen; empty where there is no /proc."""
    try:
        names = os.listdir("/proc")
    except OSError:
        return []
    found = (stat_of(int(name)) for name in names if name.isdigit())
    return [stat for stat in found if stat is not None]


def below(roots: set[int], everything: list[Stat]) -> list[Stat]:
    """All that descend from `roots`, without these."""
    children: dict[int, list[Stat]] = {}
    for stat in everything:
        children.setdefault(stat.parent, []).append(stat)
    found: list[Stat] = []
    front = list(roots)
    while front:
        for stat in children.get(front.pop(), ()):
            if stat.pid not in roots:
                found.append(stat)
                front.append(stat.pid)
    return found


def folder_size(folder: str) -> Iterator[int]:
    """Bytes on disk below a folder, counted on and on; gives way now and then, the last value is the whole."""
    total = seen = 0
    linked: set[tuple[int, int]] = set()
    folders = [folder]
    while folders:
        try:
            entries = os.scandir(folders.pop())
        except OSError:
            continue
        with entries:
            for entry in entries:
                try:
                    stat = entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                except OSError:
                    continue
                if stat.st_nlink == 1 or (stat.st_dev, stat.st_ino) not in linked:
                    total += stat.st_blocks * 512 + INODE
                    if stat.st_nlink > 1:
                        linked.add((stat.st_dev, stat.st_ino))
                seen += 1
                if seen % WALK_SLICE == 0:
                    yield total
    yield total
