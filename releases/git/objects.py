"""Reading many commits at once: walks, metadata with changed paths, and diffs, in few long-lived git processes.

Every diff is made with the same pinned options, so that what is computed from it may be kept by object id for ever.
An object that cannot be read ends git in the middle of its list; the list is then taken up behind the bad commit,
which is reported instead of being lost.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

from . import runner
from .errors import GitError, TimedOut
from .standing import LONG, MOST, Answer, Gits, standing

DIFF = ("--no-renames", "--full-index", "--no-ext-diff", "--no-textconv", "--no-color", "--diff-algorithm=myers",
        "--no-indent-heuristic", "--src-prefix=a/", "--dst-prefix=b/", "--ignore-submodules=none", "--submodule=short",
        "--no-relative")  # fmt: skip
"""Options that leave nothing about a diff to anybody's configuration."""
PATCH = ("-p", "-U3", "--inter-hunk-context=0")
FIELDS = ("%H", "%P", "%an", "%ae", "%at", "%ct", "%s", "%B")
"""Fields of one record, each led in by a NUL byte; the changed paths follow after one more."""
HOPELESS = 400
"""Unreadable commits in a row after which the rest of a list is taken to be unreadable too."""
_CHUNK = 1 << 18
_FORMAT = "--format=" + "".join("%x00" + field for field in FIELDS) + "%x00"

_Item = TypeVar("_Item")
_Source = Answer | runner.Stream
Missing = Callable[[str], None]
"""Called with each commit that cannot be read."""


@contextmanager
def _listed(shas: Sequence[str]) -> Iterator[Path | bytes]:
    """The list as standard input for git; a long one goes through a file, so that no pipe can block."""
    text = "".join(f"{sha}\n" for sha in shas).encode()
    if len(text) < 32_000:
        yield text
        return
    with tempfile.NamedTemporaryFile(prefix="hotfixdash-list-") as spool:
        spool.write(text)
        spool.flush()
        yield Path(spool.name)


def walk(git_dir: Path, revisions: Sequence[str], *options: str) -> Iterator[str]:
    """Lines of `rev-list` for object ids (`^` in front excludes); newest first."""
    with (
        _listed(revisions) as listed,
        runner.stream(["rev-list", "--stdin", *options], git_dir=git_dir, stdin=listed, timeout=LONG) as flow,
    ):
        for line in flow.stdout:
            yield line.decode("ascii").rstrip("\n")


def merge_bases(git_dir: Path, shas: Sequence[str], *, octopus: bool = False) -> list[str]:
    """The best common ancestors of all these commits; none when histories are unrelated."""
    options = ["--octopus"] if octopus else []
    done = runner.run(["merge-base", "--all", *options, *shas], git_dir=git_dir, ok_codes=(0, 1), timeout=600)
    return done.text.split()


def is_ancestor(git_dir: Path, sha: str, tip: str) -> bool:
    """Whether the tip has this commit in its history. An unknown commit is in nobody's."""
    done = runner.run(["merge-base", "--is-ancestor", sha, tip], git_dir=git_dir, ok_codes=None, timeout=600)
    return done.code == 0


def resolve_many(where: Path | Gits, names: Sequence[str]) -> dict[str, str]:
    """Full object ids of the commits that these (abbreviated) ids name; ambiguous and unknown ones are left out."""
    with standing(where) as gits:
        answers = gits.look_up([f"{name}^{{commit}}" for name in names])
    return {name: known.sha for name, known in zip(names, answers, strict=False) if known and known.kind == "commit"}


def records(where: Path | Gits, shas: Sequence[str], missing: Missing) -> Iterator[tuple[list[bytes], bytes]]:
    """Metadata (FIELDS) and raw changed paths of each commit; merges come with no paths."""
    arguments = ["diff-tree", "--stdin", "-r", "--root", "--raw", "--no-abbrev", "--always", *DIFF, _FORMAT]
    return _answered(where, arguments, shas, _split_records, missing)


def patches(
    where: Path | Gits, shas: Sequence[str], missing: Missing, limit: int, only: Sequence[str] = ()
) -> Iterator[tuple[str, bytes, bool]]:
    """(commit, its patch, whether the patch was cut at `limit` bytes) of commits that are not merges.

    With `only`, no other paths (and what is below them) are looked at.
    """
    arguments = ["--literal-pathspecs", "diff-tree", "--stdin", "-r", "--root", *PATCH, "--always", *DIFF, "--", *only]
    return _answered(where, arguments, shas, _patches_within(limit), missing)


def merge_patches(
    git_dir: Path, shas: Sequence[str], missing: Missing, limit: int
) -> Iterator[tuple[str, bytes, bool]]:
    """What each merge changed of its own: its tree against what git alone would have merged."""
    arguments = ["log", "--stdin", "--no-walk=unsorted", "--remerge-diff", *PATCH, "--format=%H", *DIFF]

    @contextmanager
    def ask(part: Sequence[str]) -> Iterator[runner.Stream]:
        with _listed(part) as listed, runner.stream(arguments, git_dir=git_dir, stdin=listed, timeout=LONG) as flow:
            yield flow

    return _resumed(ask, shas, _patches_within(limit), missing)


def touched_merges(where: Path | Gits, shas: Sequence[str], missing: Missing) -> set[str]:
    """The merges that differ in some file from all their parents: only these can carry changes of their own."""
    arguments = ["diff-tree", "--stdin", "-c", "-r", "--raw", "--always", "--no-abbrev", "--no-renames"]
    found = _answered(where, arguments, shas, _patches_within(1 << 22), missing)
    return {sha for sha, body, _cut in found if body.strip()}


def _patches_within(limit: int) -> Callable[[_Source, Sequence[str]], Iterator[tuple[str, bytes, bool]]]:
    return lambda flow, listed: _split_patches(flow, listed, limit)


def _split_records(flow: _Source, listed: Sequence[str]) -> Iterator[tuple[list[bytes], bytes]]:
    width = len(FIELDS) + 1
    fields: list[bytes] = []
    tail: list[bytes] = []
    while chunk := flow.read(_CHUNK):
        if b"\0" not in chunk:
            tail.append(chunk)
            continue
        tail.append(chunk)
        parts = b"".join(tail).split(b"\0")
        tail = [parts.pop()]
        fields += parts
        whole = (len(fields) - 1) // width
        for start in range(1, whole * width, width):
            yield fields[start : start + width - 1], fields[start + width - 1]
        if whole > 0:
            fields = [b"", *fields[whole * width + 1 :]]
    fields.append(b"".join(tail))
    if len(fields) > width:
        yield fields[1:width], fields[width]


def _split_patches(flow: _Source, listed: Sequence[str], limit: int) -> Iterator[tuple[str, bytes, bool]]:
    """Cut the output at the commits' ids, which come in the order of the list, each on a line of its own."""
    buffer, at = b"\n", 0
    held: list[bytes] = []
    size = 0
    following = iter(listed)
    current, upcoming = "", next(following, "")
    while True:
        mark = f"\n{upcoming}\n".encode()
        end = buffer.find(mark, at) if upcoming else -1
        if end >= 0:
            if current:
                size += end - at
                yield current, b"".join([*held, buffer[at:end]]) if size <= limit else b"", size > limit
            held, size = [], 0
            at = end + len(mark) - 1
            current, upcoming = upcoming, next(following, "")
            continue
        spare = max(len(buffer) - len(mark), at)
        size += spare - at
        if size <= limit:
            held.append(buffer[at:spare])
        buffer, at = buffer[spare:], 0
        chunk = flow.read(_CHUNK)
        if not chunk:
            break
        buffer += chunk
    if current:
        size += len(buffer)
        yield current, b"".join([*held, buffer]) if size <= limit else b"", size > limit


def _answered(
    where: Path | Gits,
    arguments: Sequence[str],
    shas: Sequence[str],
    split: Callable[[_Source, Sequence[str]], Iterator[_Item]],
    missing: Missing,
) -> Iterator[_Item]:
    """What a standing git says to the list."""
    with standing(where) as gits:
        yield from _resumed(lambda listed: gits.listed(arguments, listed), shas, split, missing)


def _resumed(
    ask: Callable[[Sequence[str]], AbstractContextManager[_Source]],
    shas: Sequence[str],
    split: Callable[[_Source, Sequence[str]], Iterator[_Item]],
    missing: Missing,
) -> Iterator[_Item]:
    """Ask git about the list; where it dies, look at the two commits it can have died of, and go on behind them."""
    start, hopeless = 0, 0
    while start < len(shas):
        part = shas[start : start + MOST]
        end = start + len(part)
        held: list[_Item] = []
        try:
            with ask(part) as flow:
                for item in split(flow, part):
                    yield from held
                    start += len(held)
                    held = [item]
            yield from held
            start = end
            continue
        except TimedOut:
            raise
        except GitError:
            pass
        suspects = shas[start : start + 2]
        start += 2
        for suspect in suspects:
            good = _alone(ask, suspect, split)
            hopeless = 0 if good else hopeless + 1
            yield from good
            if not good:
                missing(suspect)
        if hopeless >= HOPELESS:
            for sha in shas[start:]:
                missing(sha)
            return


def _alone(
    ask: Callable[[Sequence[str]], AbstractContextManager[_Source]],
    sha: str,
    split: Callable[[_Source, Sequence[str]], Iterator[_Item]],
) -> list[_Item]:
    try:
        with ask([sha]) as flow:
            return list(split(flow, [sha]))
    except TimedOut:
        raise
    except GitError:
        return []


def shallow_boundary(git_dir: Path) -> set[str]:
    """Commits at which a shallow history was cut off; empty for a whole one."""
    for folder in (git_dir, git_dir / ".git"):
        listed = folder / "shallow"
        if listed.is_file():
            return set(listed.read_text("ascii", "replace").split())
    return set()


def sizes(where: Path | Gits, blobs: Sequence[str]) -> dict[str, int]:
    """Size in bytes of each object that can be read."""
    with standing(where) as gits:
        return {known.sha: known.size for known in gits.look_up(blobs) if known}


def present(where: Path | Gits, names: Sequence[str]) -> set[str]:
    """Those of these names (`commit:path`, without line breaks) that are there."""
    with standing(where) as gits:
        return {name for name, known in zip(names, gits.look_up(names), strict=False) if known}


def unreached(git_dir: Path, shas: Sequence[str], tip: str) -> set[str]:
    """Those of these commits that the tip does not have in its history."""
    wanted = set(shas)
    return {sha for sha in walk(git_dir, [*shas, f"^{tip}"]) if sha in wanted} if wanted else set()
