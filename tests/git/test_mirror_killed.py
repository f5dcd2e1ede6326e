"""A worker killed in the middle of a fetch: the next one converges, readers see only what is whole."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from releases.git import mirror_upkeep
from releases.git.mirror import Mirror
from releases.git.remotes import RemotePolicy
from releases.git.repository import Repository
from tests.gitrepos import Repo, make_flow

from .processes import pids_with, wait_for

WORKER = """
    import sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from releases.git.mirror import Mirror
    from releases.git.remotes import RemotePolicy
    print("ready", flush=True)
    sys.stdin.readline()
    Mirror(Path(sys.argv[2]), sys.argv[3], RemotePolicy(operator=True)).{what}()
    print("done", flush=True)
"""


def start_worker(mirror: Path, origin: Path, what: str = "fetch") -> subprocess.Popen[str]:
    """A process that begins its fetch when it is told to."""
    code = textwrap.dedent(WORKER.format(what=what))
    worker = subprocess.Popen(
        [sys.executable, "-c", code, str(Path.cwd()), str(mirror), str(origin)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert worker.stdout is not None
    assert worker.stdout.readline() == "ready\n"
    return worker


def kill_after(worker: subprocess.Popen[str], seconds: float) -> bool:
    """Let it begin, kill it after that time; True when it was still at work."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write("go\n")
    worker.stdin.flush()
    time.sleep(seconds)
    worker.kill()
    said = worker.stdout.read()
    worker.wait()
    worker.stdin.close()
    worker.stdout.close()
    return "done" not in said


def make_history(origin: Repo, rng: random.Random, commits: int = 40) -> None:
    """New commits, new and deleted branches, a rewritten line, a moved tag."""
    for number in range(commits):
        origin.commit({f"d{number % 7}/f{number}": rng.randbytes(2000).hex()}, f"change {number}", branch="main")
    origin.commit({"side": rng.randbytes(20).hex()}, "side", branch="side", parents=[origin.sha("main~5")])
    origin.tag("latest", "main")
    for number in range(30):
        origin.branch(f"topic/{rng.randrange(60)}", f"main~{number}")
    for number in range(60):
        if origin.exists(f"topic/{number}") and rng.random() < 0.3:
            origin.delete(f"topic/{number}")


def truth(repo: Repo) -> dict[str, str]:
    lines = repo.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags").splitlines()
    return dict(line.split(" ") for line in lines)


def shown(path: Path) -> dict[str, str]:
    with Repository.open(path) as repository:
        return {row.name: row.sha for row in repository.refs()}


def kill_and_converge(tmp_path: Path, rounds: int, seed: int) -> int:
    """Kill workers at many moments; after each, readers see whole commits, and the next fetch is complete."""
    rng = random.Random(seed)
    origin = make_flow(tmp_path)
    path = tmp_path / "m" / "1.git"
    mirror = Mirror(path, str(origin.path), RemotePolicy(operator=True))
    once_shown: set[str] = set()
    struck = 0
    for number in range(rounds):
        make_history(origin, rng)
        worker = start_worker(path, origin.path, "repair" if number % 5 == 4 else "fetch")
        struck += kill_after(worker, rng.uniform(0.005, 0.35))
        assert wait_for(lambda: not pids_with(str(path))), "git outlived its worker"
        if mirror.exists:
            for sha in (now := shown(path)).values():
                assert sha in truth_of_objects(path, now), "a reference leads nowhere"
        mirror.fetch()
        assert shown(path) == truth(origin)
        once_shown |= set(shown(path).values())
        with Repository.open(path) as repository:
            assert all(repository.has_objects(once_shown).values()), "an old tip was lost"
        assert not list(mirror_upkeep.leftovers(path))
        assert sorted(os.listdir(path.parent)) == ["1.git", "1.git.lock"]
    mirror_upkeep.fsck(path)
    return struck


def truth_of_objects(path: Path, names: dict[str, str]) -> set[str]:
    with Repository.open(path) as repository:
        return {sha for sha, there in repository.has_objects(names.values()).items() if there}


@pytest.mark.long
def test_killed_at_any_moment_the_next_fetch_converges(tmp_path):
    assert kill_and_converge(tmp_path, rounds=6, seed=1) >= 2


@pytest.mark.long
@pytest.mark.timeout(900)
def test_killed_at_very_many_moments_the_next_fetch_converges(tmp_path):
    assert kill_and_converge(tmp_path, rounds=80, seed=2) >= 20


def test_a_killed_first_fetch_is_never_half_visible(tmp_path):
    origin = make_flow(tmp_path)
    make_history(origin, random.Random(3), commits=200)
    path = tmp_path / "m" / "1.git"
    for seconds in (0.03, 0.06, 0.1, 0.15):
        kill_after(start_worker(path, origin.path), seconds)
        if path.exists():
            assert shown(path) == truth(origin)
            break
    Mirror(path, str(origin.path), RemotePolicy(operator=True)).fetch()
    assert shown(path) == truth(origin)


def test_what_dead_workers_leave_is_swept_away(tmp_path):
    origin = make_flow(tmp_path)
    path = tmp_path / "m" / "1.git"
    mirror = Mirror(path, str(origin.path), RemotePolicy(operator=True))
    mirror.fetch()
    left = [
        path / "packed-refs.lock", path / "HEAD.lock", path / "config.lock", path / "shallow.lock",
        path / "refs" / "heads" / "main.lock", path / "refs" / "incoming" / "heads" / "main.lock",
        path / "objects" / "pack" / "tmp_pack_x1", path / "objects" / "pack" / "tmp_idx_x1",
        path / "objects" / "info" / "commit-graphs" / "commit-graph-chain.lock",
        path / "objects" / "aa" / "tmp_obj_x1", path / "objects" / "tmp_objdir-incoming-x1" / "pack" / "tmp_pack_2",
    ]  # fmt: skip
    for file in left:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"half")
    origin.commit({"a": "1"}, branch="main")
    mirror.fetch()
    assert shown(path) == truth(origin)
    assert not [file for file in left if file.exists()]


@pytest.mark.parametrize("state", ["before-swap", "between-renames", "after-swap"])
def test_a_repair_killed_at_each_step_of_the_swap_ends_whole(tmp_path, state):
    origin = make_flow(tmp_path)
    path = tmp_path / "m" / "1.git"
    mirror = Mirror(path, str(origin.path), RemotePolicy(operator=True))
    mirror.fetch()
    fresh, former = path.with_name("1.git.new"), path.with_name("1.git.old")
    subprocess.run(["cp", "-a", str(path), str(fresh if state != "after-swap" else former)], check=True)
    if state == "between-renames":
        os.rename(path, former)
    mirror.fetch()
    assert shown(path) == truth(origin)
    assert sorted(os.listdir(path.parent)) == ["1.git", "1.git.lock"]


def test_a_live_writer_is_not_swept(tmp_path):
    """While a killed worker's git still runs, it holds the lock; nobody cleans up under it."""
    origin = make_flow(tmp_path)
    path = tmp_path / "m" / "1.git"
    mirror = Mirror(path, str(origin.path), RemotePolicy(operator=True), lock_wait=0.3)
    mirror.fetch()
    with mirror._locked() as lock:
        orphan = subprocess.Popen(["sleep", "1.2"], pass_fds=(lock,))
    try:
        with pytest.raises(Exception, match="Another worker"):
            mirror.fetch()
    finally:
        orphan.wait()
    mirror.fetch()
