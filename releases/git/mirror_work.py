"""Speaking with a mirror's remote under its lock: listing its references, bringing what is new."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import mirror_local, mirror_refs, mirror_upkeep, runner
from .credentials import Loan
from .environment import receiving_config, serving_config
from .errors import Corrupt, MissingObject
from .mirror_refs import RefChange, Refs
from .remotes import Checked
from .repository import Repository, ref_text

ALWAYS = (("fetch.unpackLimit", "1"),)
"""What comes in stays one pack: a transfer that fails leaves one draft to sweep, not thousands of loose objects."""
_INCOMPLETE = (
    "The repository there is incomplete: it is a partial clone or lacks objects, and cannot give them on. "
    "Fetch its missing objects there, or track the repository it was cloned from."
)
_SPECS = ("+refs/heads/*:refs/incoming/heads/*", "+refs/tags/*:refs/incoming/tags/*")


@dataclass(frozen=True, slots=True)
class Listing:
    """What the remote has now."""

    refs: Refs
    head: str | None
    """The branch that its HEAD names; None when it is detached."""


@dataclass(frozen=True, slots=True)
class Work:
    """One conversation with a remote: where, with what credential, under which lock."""

    checked: Checked
    loan: Loan
    lock: int
    timeout: float
    listing_timeout: float

    def remote(self, args: list[str], git_dir: Path | None, timeout: float) -> runner.Completed:
        """Run git with this remote's credential and transport, and nothing else allowed. Raises the named GitErrors.

        Over the network git is tied to the life of this process; what reads from this disk ends by itself.
        """
        env = dict(self.loan.env)
        if self.checked.protocol == "file":
            env["GIT_CONFIG_GLOBAL"] = serving_config()
        config = [*ALWAYS, *self.checked.config(), *self.loan.config]
        return runner.run(
            args, git_dir=git_dir, timeout=timeout, env=env, config=config,
            protocols=[self.checked.protocol], secrets=self.loan.secrets, pass_fds=(self.lock,),
            guarded=git_dir is not None or self.checked.protocol != "file",
        )  # fmt: skip

    def push(self, args: list[str], git_dir: Path, timeout: float) -> runner.Completed:
        """Run a push to its end, whatever it ends with.

        A repository on this disk runs its own hooks, so it must belong to the account of this process. It gets no
        descriptor of ours: a hook that leaves something running would hold the mirror's lock.
        """
        env = dict(self.loan.env)
        if self.checked.protocol == "file":
            env["GIT_CONFIG_GLOBAL"] = receiving_config()
        config = [*self.checked.config(), *self.loan.config]
        return runner.run(
            args, git_dir=git_dir, timeout=timeout, env=env, config=config, ok_codes=None,
            protocols=[self.checked.protocol], secrets=self.loan.secrets, guarded=self.checked.protocol != "file",
        )  # fmt: skip

    def list_remote(self, *names: str) -> Listing:
        """The remote's branches and tags (or those that end in one of `names`), and the branch its HEAD names."""
        if self.checked.protocol == "file":
            return self._list_local()
        args = ["ls-remote", "--quiet", "--symref", "--", self.checked.url, *names]
        refs: Refs = {}
        head = None
        for line in self.remote(args, None, self.listing_timeout).stdout.splitlines():
            value, _, name = line.partition(b"\t")
            if name == b"HEAD" and value.startswith(b"ref: refs/heads/"):
                head = ref_text(value.removeprefix(b"ref: refs/heads/"))
            elif _is_shown(name):
                refs[name] = value.decode("ascii")
        return Listing(refs, head)

    def _list_local(self) -> Listing:
        """What the serving git says first; asked without a second git that passes it on, and a shell in between."""
        args = ["upload-pack", "--http-backend-info-refs", "--", self.checked.url]
        said = self.remote(args, None, self.listing_timeout).stdout
        refs: Refs = {}
        head = None
        for line in _packets(said):
            value, _, rest = line.rstrip(b"\n").partition(b" ")
            name, _, abilities = rest.partition(b"\0")
            for ability in abilities.split(b" "):
                if ability.startswith(b"symref=HEAD:refs/heads/"):
                    head = ref_text(ability.removeprefix(b"symref=HEAD:refs/heads/"))
            if _is_shown(name) and value != b"shallow":
                refs[name] = value.decode("ascii")
        return Listing(refs, head)

    def bring(self, folder: Path, listing: Listing) -> tuple[list[RefChange], Refs]:
        """Fetch what is new and show it to readers; gives what changed for them, and all that they see now."""
        shown, incoming = mirror_refs.both_refs(folder)
        incoming = self.receive(folder, listing, incoming)
        _set_head(folder, listing.head)
        if shown == incoming:
            return [], incoming
        filters = mirror_upkeep.graph_has_filters(folder)
        mirror_upkeep.write_graph(folder, filters=filters, pass_fds=(self.lock,))
        changes = mirror_refs.compare(folder, shown, incoming)
        mirror_refs.publish(folder, shown, incoming, changes, (self.lock,))
        mirror_upkeep.pack_refs(folder, (self.lock,))
        return changes, incoming

    def receive(self, folder: Path, listing: Listing, incoming: Refs) -> Refs:
        """Fetch what is new, unseen by readers so far; from what an earlier fetch brought to what this one did."""
        if incoming != listing.refs:
            self._transfer(folder, listing)
            incoming = mirror_refs.incoming_refs(folder)
        # From an incomplete source not everything comes: what it lacks is asked for again next time.
        if incoming == listing.refs:
            mirror_refs.note_listing(folder, listing.refs)
        return incoming

    def have_at_hand(self, folder: Path, listing: Listing) -> None:
        """Fetch what is new unless everything that the remote lists is known to be here."""
        if not mirror_refs.is_noted(folder, listing.refs):
            self.receive(folder, listing, mirror_refs.incoming_refs(folder))

    def _transfer(self, folder: Path, listing: Listing) -> None:
        args = [
            "fetch", "--quiet", "--no-tags", "--prune", "--force", "--no-auto-maintenance", "--no-write-fetch-head",
            "--no-recurse-submodules", "--no-show-forced-updates", "--update-shallow", "--", self.checked.url, *_SPECS,
        ]  # fmt: skip
        try:
            self.remote(args, folder, self.timeout)
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
            config=ALWAYS, guarded=True, pass_fds=(self.lock,),
        )  # fmt: skip


def _is_shown(name: bytes) -> bool:
    return name.startswith((b"refs/heads/", b"refs/tags/")) and not name.endswith(b"^{}")


def _packets(data: bytes) -> Iterator[bytes]:
    """The lines of git's own wire format: each led in by its length in four hexadecimal digits. Raises Corrupt."""
    at = 0
    while at + 4 <= len(data):
        try:
            length = int(data[at : at + 4], 16)
        except ValueError:
            raise Corrupt(detail="git's list of references cannot be read") from None
        if length > 4:
            yield data[at + 4 : at + length]
        at += max(length, 4)


def _set_head(folder: Path, branch: str | None) -> None:
    if branch is None:
        return
    if Repository(folder).head_branch() != branch:
        runner.run(["symbolic-ref", "HEAD", f"refs/heads/{branch}"], git_dir=folder, ok_codes=None, guarded=True)
