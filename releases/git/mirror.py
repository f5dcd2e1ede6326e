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

from . import mirror_local, mirror_refs, mirror_upkeep, runner
from .credentials import Credential, Loan, lend
from .environment import serving_config
from .errors import Busy, DiskFull, GitError, MissingObject, NotARepository, NotWritable
from .mirror_refs import KEPT, RefChange, Refs
from .remotes import Checked, RemotePolicy
from .repository import ref_text

FETCH_TIMEOUT = 900.0
"""Seconds for one transfer."""
LISTING_TIMEOUT = 60.0
"""Seconds in which the remote must have listed its references."""
LOCK_WAIT = 30.0
"""Seconds to wait for another writer."""
_SALVAGED = 500
_ALWAYS = (("fetch.unpackLimit", "1"),)
"""What comes in stays one pack: a transfer that fails leaves one draft to sweep, not thousands of loose objects."""
_INCOMPLETE = (
    "The repository there is incomplete: it is a partial clone or lacks objects, and cannot give them on. "
    "Fetch its missing objects there, or track the repository it was cloned from."
)
_SPECS = ("+refs/heads/*:refs/incoming/heads/*", "+refs/tags/*:refs/incoming/tags/*")


@dataclass(frozen=True, slots=True)
class FetchResult:
    """What one fetch brought."""

    changes: tuple[RefChange, ...]
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


@dataclass(frozen=True, slots=True)
class _Listing:
    refs: Refs
    head: str | None


class Mirror:
    """The copy at `path` of the repository at `remote_url`.

    `policy` is asked before every fetch. `timeout` bounds one transfer, `listing_timeout` the remote's first answer,
    `lock_wait` the wait for another writer, all in seconds.
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
        lock_wait: float = LOCK_WAIT,
    ) -> None:
        self.path = path
        self.remote_url = remote_url
        self.policy = policy
        self.credential = credential
        self.timeout = timeout
        self.listing_timeout = min(listing_timeout, timeout)
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

    def _update(self, work: _Work, start: float) -> FetchResult:
        before = _pack_bytes(self.path)
        listing = work.list_remote()
        changes = work.bring(self.path, listing)
        received = max(0, _pack_bytes(self.path) - before)
        return FetchResult(tuple(changes), listing.head, self.size(), received, time.monotonic() - start)

    def _create(self, work: _Work, start: float) -> FetchResult:
        """Fetch into a folder beside, then put it in place: a killed first fetch is never half-visible."""
        listing = work.list_remote()
        if self._fresh.exists() and mirror_upkeep.damaged(self._fresh):
            shutil.rmtree(self._fresh)
        if not self._fresh.exists():
            _init(self._fresh)
        work.bring(self._fresh, listing)
        replaces = self.path.exists()
        old = self._salvage(work) if replaces else {}
        changes = mirror_refs.compare(self._fresh, old, mirror_refs.shown_refs(self._fresh))
        if replaces:
            os.rename(self.path, self._former)
        os.rename(self._fresh, self.path)
        shutil.rmtree(self._former, ignore_errors=True)
        size = self.size()
        return FetchResult(
            tuple(changes), listing.head, size, _pack_bytes(self.path), time.monotonic() - start,
            first=not replaces, repaired=replaces,
        )  # fmt: skip

    def _salvage(self, work: _Work) -> Refs:
        """Take over the tips that only the damaged mirror has, as far as they can be read; gives its references."""
        try:
            old = mirror_refs.shown_refs(self.path)
            kept = mirror_refs.read_refs(self.path, KEPT)
        except (GitError, OSError):
            return {}
        new = set(mirror_refs.shown_refs(self._fresh).values())
        wanted = {sha: name for name, sha in (*old.items(), *kept.items()) if sha not in new}
        for sha, name in list(wanted.items())[:_SALVAGED]:
            try:
                work.take(self._fresh, self.path, f"{os.fsdecode(name)}:{KEPT}{sha}")
            except GitError:
                continue  # damaged together with the rest
        return old

    @contextmanager
    def _working(self) -> Iterator[_Work]:
        """The address checked, the lock held, the folder tidy, the credential at hand."""
        checked = self.policy.check(self.remote_url)
        with (
            _disk_errors(), self._locked() as lock, self._swept(),
            lend(self.credential, checked, self._known_hosts, operator=self.policy.operator) as loan,
        ):  # fmt: skip
            yield _Work(checked, loan, lock, self.timeout, self.listing_timeout)

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


@dataclass(frozen=True, slots=True)
class _Work:
    """One fetch in progress: where from, with what credential, under which lock."""

    checked: Checked
    loan: Loan
    lock: int
    timeout: float
    listing_timeout: float

    def _remote(self, args: list[str], git_dir: Path | None, timeout: float) -> runner.Completed:
        env = dict(self.loan.env)
        if self.checked.protocol == "file":
            env["GIT_CONFIG_GLOBAL"] = serving_config()
        config = [*_ALWAYS, *self.checked.config(), *self.loan.config]
        return runner.run(
            args, git_dir=git_dir, timeout=timeout, env=env, config=config,
            protocols=[self.checked.protocol], secrets=self.loan.secrets, guarded=True, pass_fds=(self.lock,),
        )  # fmt: skip

    def list_remote(self) -> _Listing:
        """The remote's branches and tags, and the branch its HEAD names."""
        args = ["ls-remote", "--quiet", "--symref", "--", self.checked.url]
        refs: Refs = {}
        head = None
        for line in self._remote(args, None, self.listing_timeout).stdout.splitlines():
            value, _, name = line.partition(b"\t")
            if name == b"HEAD" and value.startswith(b"ref: refs/heads/"):
                head = ref_text(value.removeprefix(b"ref: refs/heads/"))
            elif name.startswith((b"refs/heads/", b"refs/tags/")) and not name.endswith(b"^{}"):
                refs[name] = value.decode("ascii")
        return _Listing(refs, head)

    def bring(self, folder: Path, listing: _Listing) -> list[RefChange]:
        """Fetch what is new and show it to readers; gives what changed for them."""
        if mirror_refs.incoming_refs(folder) != listing.refs:
            self._transfer(folder, listing)
        shown, incoming = mirror_refs.shown_refs(folder), mirror_refs.incoming_refs(folder)
        _set_head(folder, listing.head)
        if shown == incoming:
            return []
        filters = mirror_upkeep.graph_has_filters(folder)
        mirror_upkeep.write_graph(folder, filters=filters, pass_fds=(self.lock,))
        changes = mirror_refs.compare(folder, shown, incoming)
        mirror_refs.publish(folder, shown, incoming, changes, (self.lock,))
        mirror_upkeep.pack_refs(folder, (self.lock,))
        return changes

    def _transfer(self, folder: Path, listing: _Listing) -> None:
        args = [
            "fetch", "--quiet", "--no-tags", "--prune", "--force", "--no-auto-maintenance", "--no-write-fetch-head",
            "--no-recurse-submodules", "--no-show-forced-updates", "--update-shallow", "--", self.checked.url, *_SPECS,
        ]  # fmt: skip
        try:
            self._remote(args, folder, self.timeout)
        except MissingObject as error:
            if self.checked.protocol != "file":
                raise MissingObject(_INCOMPLETE, error.detail) from None
            # Git refuses to serve an incomplete history; on this disk what there is can be copied.
            mirror_local.copy_objects(Path(self.checked.url), folder)
            mirror_local.write_incoming(folder, listing.refs, (self.lock,))

    def take(self, folder: Path, source: Path, spec: str) -> None:
        """Fetch one reference from another folder on this disk."""
        quiet = ["--quiet", "--no-tags", "--no-auto-maintenance", "--no-write-fetch-head"]
        runner.run(
            ["fetch", *quiet, "--", str(source), spec],
            git_dir=folder, timeout=self.timeout, protocols=["file"], env={"GIT_CONFIG_GLOBAL": serving_config()},
            config=_ALWAYS, guarded=True, pass_fds=(self.lock,),
        )  # fmt: skip


def _init(folder: Path) -> None:
    runner.run(["init", "--quiet", "--bare", "--template=", "--initial-branch=main", "--", str(folder)], guarded=True)


def _set_head(folder: Path, branch: str | None) -> None:
    if branch is None:
        return
    wanted = f"refs/heads/{branch}"
    now = runner.run(["symbolic-ref", "-q", "HEAD"], git_dir=folder, ok_codes=(0, 1, 128)).line
    if now != wanted:
        runner.run(["symbolic-ref", "HEAD", wanted], git_dir=folder, ok_codes=None, guarded=True)


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
