"""A bare copy of a remote repository on this worker's disk, brought up to date by `fetch`.

One writer at a time, by a lock that the git processes it starts hold as well; readers are never locked out and see
each fetch at once or not at all. A worker may be killed at any instant: the next fetch sweeps up and converges.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import mirror_refs, mirror_upkeep, runner
from .credentials import Credential, lend
from .errors import Busy, DiskFull, GitError, NotARepository, NotWritable
from .mirror_refs import KEPT, RefChange, Refs
from .mirror_work import Work
from .remotes import RemotePolicy
from .session import Session

FETCH_TIMEOUT = 900.0
"""Seconds for one transfer."""
LISTING_TIMEOUT = 60.0
"""Seconds in which the remote must have listed its references."""
PUSH_TIMEOUT = 120.0
"""Seconds in which the remote must have taken a change, its hooks included."""
LOCK_WAIT = 30.0
"""Seconds to wait for another writer."""
_SALVAGED = 500


@dataclass(frozen=True, slots=True)
class FetchResult:
    """What one fetch brought."""

    changes: tuple[RefChange, ...]
    refs: Refs
    """The branches and tags that readers see now."""
    head_branch: str | None
    """The branch that the remote's HEAD names; None when it is detached or the repository is empty."""
    bytes: int
    """Size of the mirror on disk afterwards."""
    received: int
    """Bytes of packs that came in."""
    duration: float
    """Seconds."""
    first: bool = False
    """Whether the mirror was made by this fetch."""
    repaired: bool = False
    """Whether the mirror was damaged and has been made anew."""


class Mirror:
    """The copy at `path` of the repository at `remote_url`.

    `policy` is asked before every fetch. `timeout` bounds one transfer, `listing_timeout` the remote's first answer,
    `push_timeout` a change of the remote, `lock_wait` the wait for another writer, all in seconds.
    """

    def __init__(
        self,
        path: Path,
        remote_url: str,
        policy: RemotePolicy,
        credential: Credential | None = None,
        *,
        timeout: float = FETCH_TIMEOUT,
        listing_timeout: float = LISTING_TIMEOUT,
        push_timeout: float = PUSH_TIMEOUT,
        lock_wait: float = LOCK_WAIT,
    ) -> None:
        self.path = path
        self.remote_url = remote_url
        self.policy = policy
        self.credential = credential
        self.timeout = timeout
        self.listing_timeout = min(listing_timeout, timeout)
        self.push_timeout = min(push_timeout, timeout)
        self.lock_wait = lock_wait
        self._fresh = path.with_name(f"{path.name}.new")
        self._former = path.with_name(f"{path.name}.old")

    @property
    def exists(self) -> bool:
        """Whether a first fetch has completed, so that there is something to read."""
        return (self.path / "HEAD").is_file()

    def size(self) -> int:
        """Bytes on disk."""
        return mirror_upkeep.size_of(self.path)

    # --- what doors call --------------------------------------------------------------------------------------------

    def fetch(self) -> FetchResult:
        """Bring the mirror up to date, making or repairing it when needed. Raises the named GitErrors.

        The address is checked first, so that a refused one touches neither disk nor network.
        """
        start = time.monotonic()
        with self._working() as work:
            if self.path.exists() and not mirror_upkeep.damaged(self.path):
                try:
                    return self._update(work, start)
                except GitError as error:
                    if error.retry or not mirror_upkeep.damaged(self.path):
                        raise
            return self._create(work, start)

    def repair(self) -> FetchResult:
        """Make the mirror anew beside the old one and put it in its place, keeping what can be saved of old tips.

        For damage that only shows when objects are read; readers see the old one until the new one is complete.
        """
        start = time.monotonic()
        with self._working() as work:
            return self._create(work, start)

    @contextmanager
    def changing(self) -> Iterator[Session]:
        """Hold the lock with the remote listed and all it has at hand, so that a change can be planned and pushed.

        What is brought is not shown to readers yet; the next `fetch` does that. Raises the named GitErrors.
        """
        with self._working() as work:
            if not self.exists:
                self._create(work, time.monotonic())
            listing = work.list_remote()
            work.have_at_hand(self.path, listing)
            yield Session(self.path, listing, work, self.push_timeout)

    def maintain(self) -> bool:
        """Upkeep that nobody waits for: path filters in the commit-graph, few packs. True when something was done."""
        with _disk_errors(), self._locked() as lock:
            if not self.exists:
                return False
            mirror_upkeep.sweep_leftovers(self.path)
            done = mirror_upkeep.roll_packs(self.path, (lock,))
            if not mirror_upkeep.graph_has_filters(self.path):
                mirror_upkeep.write_graph(self.path, filters=True, whole=True, pass_fds=(lock,))
                done = True
            return done

    def remove(self) -> None:
        """Delete the mirror and everything beside it."""
        with _disk_errors(), self._locked():
            for folder in (self.path, self._fresh, self._former):
                shutil.rmtree(folder, ignore_errors=True)
            self._known_hosts.unlink(missing_ok=True)
            self._lock_file.unlink(missing_ok=True)

    # --- the steps --------------------------------------------------------------------------------------------------

    def _update(self, work: Work, start: float) -> FetchResult:
        before = _pack_bytes(self.path)
        listing = work.list_remote()
        changes, refs = work.bring(self.path, listing)
        received = max(0, _pack_bytes(self.path) - before)
        return FetchResult(tuple(changes), refs, listing.head, self.size(), received, time.monotonic() - start)

    def _create(self, work: Work, start: float) -> FetchResult:
        """Fetch into a folder beside, then put it in place: a killed first fetch is never half-visible."""
        listing = work.list_remote()
        if self._fresh.exists() and mirror_upkeep.damaged(self._fresh):
            shutil.rmtree(self._fresh)
        if not self._fresh.exists():
            _init(self._fresh, sha256=any(len(sha) == 64 for sha in listing.refs.values()))
        _changes, refs = work.bring(self._fresh, listing)
        replaces = self.path.exists()
        old = self._salvage(work, refs) if replaces else {}
        changes = mirror_refs.compare(self._fresh, old, refs)
        if replaces:
            os.rename(self.path, self._former)
        os.rename(self._fresh, self.path)
        shutil.rmtree(self._former, ignore_errors=True)
        size = self.size()
        return FetchResult(
            tuple(changes), refs, listing.head, size, _pack_bytes(self.path), time.monotonic() - start,
            first=not replaces, repaired=replaces,
        )  # fmt: skip

    def _salvage(self, work: Work, fresh: Refs) -> Refs:
        """Take over the tips that only the damaged mirror has, as far as they can be read; gives its references."""
        try:
            old = mirror_refs.shown_refs(self.path)
            kept = mirror_refs.read_refs(self.path, KEPT)
        except (GitError, OSError):
            return {}
        new = set(fresh.values())
        wanted = {sha: name for name, sha in (*old.items(), *kept.items()) if sha not in new}
        for sha, name in list(wanted.items())[:_SALVAGED]:
            try:
                work.take(self._fresh, self.path, f"{os.fsdecode(name)}:{KEPT}{sha}")
            except GitError:
                continue  # damaged together with the rest
        return old

    @contextmanager
    def _working(self) -> Iterator[Work]:
        """The address checked, the lock held, the folder tidy, the credential at hand."""
        checked = self.policy.check(self.remote_url)
        with (
            _disk_errors(), self._locked() as lock, self._swept(),
            lend(self.credential, checked, self._known_hosts, operator=self.policy.operator) as loan,
        ):  # fmt: skip
            yield Work(checked, loan, lock, self.timeout, self.listing_timeout)

    @contextmanager
    def _swept(self) -> Iterator[None]:
        """Begin from a tidy folder, and leave one when it goes wrong: a full disk is not kept full by our drafts."""
        self._sweep()
        try:
            yield
        except GitError:
            self._sweep()
            raise

    def _sweep(self) -> None:
        """Finish or undo what a killed worker began. Only with the lock held."""
        if self._former.exists():
            # The former copy is set aside only when the fresh one is complete.
            if not self.path.exists():
                os.rename(self._fresh if self._fresh.exists() else self._former, self.path)
            shutil.rmtree(self._former, ignore_errors=True)
        for folder in (self.path, self._fresh):
            if folder.is_dir():
                mirror_upkeep.sweep_leftovers(folder)
        if self.exists and self._fresh.exists() and not mirror_upkeep.damaged(self.path):
            shutil.rmtree(self._fresh)

    # --- the lock ---------------------------------------------------------------------------------------------------

    @property
    def _known_hosts(self) -> Path:
        return self.path.with_name(f"{self.path.name}.known_hosts")

    @property
    def _lock_file(self) -> Path:
        return self.path.with_name(f"{self.path.name}.lock")

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Hold the mirror's lock. Its descriptor goes to the git processes too: they never outlive it unseen."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        until = time.monotonic() + self.lock_wait
        while True:
            lock = os.open(self._lock_file, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                if self._claim(lock):
                    yield lock
                    return
            finally:
                os.close(lock)
            if time.monotonic() >= until:
                raise Busy
            time.sleep(0.1)

    def _claim(self, lock: int) -> bool:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever removed the mirror meanwhile removed this file as well; then it guards nothing.
            return os.fstat(lock).st_ino == os.stat(self._lock_file).st_ino
        except (BlockingIOError, FileNotFoundError):
            return False


def _init(folder: Path, *, sha256: bool) -> None:
    kind = ["--object-format=sha256"] if sha256 else []
    args = ["init", "--quiet", "--bare", "--template=", "--initial-branch=main", *kind, "--", str(folder)]
    runner.run(args, guarded=True)


def _pack_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "objects" / "pack").glob("*.pack"))


@contextmanager
def _disk_errors() -> Iterator[None]:
    """Python's own disk errors under the names that git's have."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFull(detail=str(error)) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise NotWritable(detail=str(error)) from error
        if error.errno == errno.ENOTDIR:
            raise NotARepository(detail=str(error)) from error
        raise
