"""A mirror follows its origin, tells what changed, and keeps what the origin throws away."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from releases.git import mirror_upkeep, runner
from releases.git.errors import Busy, GitError, NotARepository, TimedOut, Unreachable, UrlNotAllowed
from releases.git.mirror import Mirror
from releases.git.mirror_refs import Moved
from releases.git.remotes import RemotePolicy
from releases.git.repository import Repository
from tests.gitrepos import Repo, make_flow, make_repo

from .processes import children, descriptors
from .servers import free_port, silent_server


def make_mirror(tmp_path: Path, origin: Repo | str, **options: object) -> Mirror:
    url = origin if isinstance(origin, str) else str(origin.path)
    rule = options.pop("policy", RemotePolicy(roots=(str(tmp_path),), private_hosts=("127.0.0.1",)))
    return Mirror(tmp_path / "mirrors" / "1.git", url, rule, **options)


def shown(mirror: Mirror) -> dict[str, str]:
    with Repository.open(mirror.path) as repository:
        return {row.name: row.sha for row in repository.refs()}


def truth(origin: Repo) -> dict[str, str]:
    lines = origin.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags").splitlines()
    return dict(line.split(" ") for line in lines)


def kinds(result) -> dict[str, str]:
    return {change.name: change.kind.value for change in result.changes}


def test_the_first_fetch_makes_the_mirror_whole_at_once(tmp_path):
    origin = make_flow(tmp_path)
    mirror = make_mirror(tmp_path, origin)
    assert not mirror.exists
    result = mirror.fetch()
    assert mirror.exists
    assert shown(mirror) == truth(origin)
    assert result.first
    assert result.head_branch == "main"
    assert set(kinds(result).values()) == {"new"}
    assert result.bytes == mirror.size() > 0
    assert sorted(os.listdir(mirror.path.parent)) == ["1.git", "1.git.lock"]


def test_a_fetch_without_news_changes_nothing(tmp_path):
    origin = make_flow(tmp_path)
    mirror = make_mirror(tmp_path, origin)
    mirror.fetch()
    again = mirror.fetch()
    assert again.changes == ()
    assert not again.first
    assert not again.repaired


def test_every_kind_of_change_is_told(tmp_path):
    origin = make_flow(tmp_path)
    origin.branch("gone", "main")
    origin.branch("rewritten", "develop")
    mirror = make_mirror(tmp_path, origin)
    mirror.fetch()
    before = truth(origin)
    origin.commit({"a": "1"}, branch="main")
    origin.branch("added", "main")
    origin.delete("gone")
    origin.force("rewritten", "main")
    origin.tag("v1.0.0", "main")
    origin.tag("v1.0.1", "main")
    origin.head("develop")
    result = mirror.fetch()
    assert kinds(result) == {
        "refs/heads/main": "forward",
        "refs/heads/added": "new",
        "refs/heads/gone": "deleted",
        "refs/heads/rewritten": "forced",
        "refs/tags/v1.0.0": "tag-moved",
        "refs/tags/v1.0.1": "new",
    }
    assert result.head_branch == "develop"
    changed = {change.name: change for change in result.changes}
    assert changed["refs/heads/rewritten"].old == before["refs/heads/rewritten"]
    assert changed["refs/heads/gone"].new == ""
    assert changed["refs/heads/gone"].loses_history
    assert shown(mirror) == truth(origin)


def test_the_tips_of_rewritten_and_deleted_lines_stay_readable(tmp_path):
    origin = make_flow(tmp_path)
    lost = origin.commit({"lost.txt": "x"}, "will be lost", branch="side")
    tag = origin.tag("v9", "side", message="moves")
    mirror = make_mirror(tmp_path, origin)
    mirror.fetch()
    origin.delete("side")
    origin.tag("v9", "main")
    mirror.fetch()
    runner.run(["repack", "-a", "-d", "-q"], git_dir=mirror.path)
    runner.run(["prune", "--expire=now"], git_dir=mirror.path)
    with Repository.open(mirror.path) as repository:
        assert repository.has_objects([lost, tag]) == {lost: True, tag: True}
        assert all("hotfixdash" not in row.name for row in repository.refs())


def test_a_branch_may_make_room_for_a_folder_of_branches_and_back(tmp_path):
    origin = make_flow(tmp_path)
    origin.branch("a", "main")
    mirror = make_mirror(tmp_path, origin)
    mirror.fetch()
    origin.delete("a")
    origin.branch("a/b", "main")
    assert kinds(mirror.fetch()) == {"refs/heads/a": "deleted", "refs/heads/a/b": "new"}
    origin.delete("a/b")
    origin.branch("a", "main")
    assert kinds(mirror.fetch()) == {"refs/heads/a/b": "deleted", "refs/heads/a": "new"}


def test_an_empty_origin_is_no_error_and_is_filled_later(tmp_path):
    origin = make_repo(tmp_path)
    mirror = make_mirror(tmp_path, origin)
    assert mirror.fetch().changes == ()
    assert mirror.exists
    origin.commit({"a": "1"}, "first")
    assert kinds(mirror.fetch()) == {"refs/heads/main": "new"}


def test_an_origin_that_lost_everything_leaves_an_empty_mirror_with_kept_tips(tmp_path):
    origin = make_flow(tmp_path)
    tip = origin.sha("develop")
    mirror = make_mirror(tmp_path, origin)
    mirror.fetch()
    for name in ("develop", "main", "refs/tags/v1.0.0"):
        origin.delete(name)
    assert set(kinds(mirror.fetch()).values()) == {"deleted"}
    with Repository.open(mirror.path) as repository:
        assert repository.refs() == []
        assert repository.has_object(tip)


def test_detached_and_unborn_heads_give_no_head_branch(tmp_path):
    origin = make_flow(tmp_path)
    origin.detach("main")
    mirror = make_mirror(tmp_path, origin)
    assert mirror.fetch().head_branch is None
    origin.head("not-there")
    assert mirror.fetch().head_branch is None


def test_only_branches_and_tags_are_taken(tmp_path):
    origin = make_flow(tmp_path)
    secret = origin.commit({"x": "1"}, "in review", branch="review")
    origin.set_ref("refs/pull/1/head", secret)
    origin.delete("review")
    mirror = make_mirror(tmp_path, origin)
    mirror.fetch()
    with Repository.open(mirror.path) as repository:
        assert not repository.has_object(secret)


def test_submodules_are_not_fetched(tmp_path):
    from tests.gitrepos import Entry

    origin = make_flow(tmp_path)
    origin.commit(
        {".gitmodules": '[submodule "x"]\n\tpath = x\n\turl = ext::touch pwned\n', "x": Entry("1" * 40, 0o160000)},
        "sub",
    )
    mirror = make_mirror(tmp_path, origin)
    mirror.fetch()
    assert shown(mirror) == truth(origin)


def test_a_shallow_origin_makes_a_shallow_mirror_that_says_so(tmp_path):
    whole = make_flow(tmp_path, "whole.git")
    for number in range(5):
        whole.commit({"n": str(number)}, f"change {number}", branch="main")
    cut = ["--quiet", "--bare", "--depth=2", "--no-single-branch"]
    runner.run(["clone", *cut, f"file://{whole.path}", str(tmp_path / "cut.git")], protocols=["file"])
    mirror = make_mirror(tmp_path, str(tmp_path / "cut.git"))
    mirror.fetch()
    with Repository.open(mirror.path) as repository:
        assert repository.is_shallow()
        assert repository.shallow_commits()
        assert repository.resolve("main") == whole.sha("main")


def test_a_local_origin_that_lacks_objects_is_mirrored_with_what_it_has(tmp_path):
    origin = make_flow(tmp_path)
    sha = origin.commit({"big.bin": "many bytes"}, "with a blob", branch="main")
    blob = origin.git("rev-parse", f"{sha}:big.bin")
    after = origin.commit({"b.txt": "x"}, "after it", branch="main")
    (origin.path / "objects" / blob[:2] / blob[2:]).unlink()
    mirror = make_mirror(tmp_path, origin)
    mirror.fetch()
    with Repository.open(mirror.path) as repository:
        assert repository.resolve("main") == after
        assert not repository.has_object(blob)
    more = origin.commit({"c.txt": "y"}, "more", branch="main")
    assert kinds(mirror.fetch()) == {"refs/heads/main": "forward"}
    with Repository.open(mirror.path) as repository:
        assert repository.resolve("main") == more


def test_a_blobless_clone_is_mirrored_with_what_it_has(tmp_path):
    whole = make_flow(tmp_path, "whole.git")
    whole.git("config", "uploadpack.allowFilter", "true")
    runner.run(
        ["clone", "--quiet", "--bare", "--filter=blob:none", f"file://{whole.path}", str(tmp_path / "part.git")],
        protocols=["file"],
    )
    with Repository.open(tmp_path / "part.git") as part:
        assert part.is_partial()
    mirror = make_mirror(tmp_path, str(tmp_path / "part.git"))
    mirror.fetch()
    assert shown(mirror) == truth(whole)


@pytest.mark.long
def test_ten_thousand_references_are_fetched_in_seconds(tmp_path):
    origin = make_flow(tmp_path)
    origin.many_refs(10_000)
    mirror = make_mirror(tmp_path, origin)
    start = time.monotonic()
    assert len(mirror.fetch().changes) == 10_003
    assert mirror.fetch().changes == ()
    assert time.monotonic() - start < 120


def test_a_large_blob_comes_through(tmp_path):
    origin = make_flow(tmp_path)
    origin.commit({"large.bin": b"0123456789abcdef" * (50 << 16)}, "50 MB")
    mirror = make_mirror(tmp_path, origin)
    mirror.fetch()
    assert shown(mirror) == truth(origin)


class TestUpkeep:
    def test_the_commit_graph_follows_and_learns_paths(self, tmp_path):
        origin = make_flow(tmp_path)
        mirror = make_mirror(tmp_path, origin)
        mirror.fetch()
        assert (mirror.path / "objects" / "info" / "commit-graphs" / "commit-graph-chain").exists()
        assert mirror.maintain()
        assert mirror_upkeep.graph_has_filters(mirror.path)
        origin.commit({"a": "1"}, branch="main")
        mirror.fetch()
        assert mirror_upkeep.graph_has_filters(mirror.path)
        assert not mirror.maintain()
        runner.run(["commit-graph", "verify"], git_dir=mirror.path)

    def test_many_small_packs_are_rolled_together_and_nothing_is_lost(self, tmp_path):
        origin = make_flow(tmp_path)
        mirror = make_mirror(tmp_path, origin)
        mirror.fetch()
        for number in range(mirror_upkeep.PACKS + 2):
            origin.commit({f"f{number}": os.urandom(50).hex()}, branch="main")
            tip = f"{origin.sha('main')}\n^{origin.sha('main~1')}\n"
            pack = mirror.path / "objects" / "pack" / "pack"
            origin.git("pack-objects", "--revs", "-q", str(pack), stdin=tip)
        mirror.fetch()
        assert mirror.maintain()
        assert len(list((mirror.path / "objects" / "pack").glob("*.pack"))) < 5
        assert shown(mirror) == truth(origin)
        mirror_upkeep.fsck(mirror.path)

    def test_many_loose_references_are_packed(self, tmp_path):
        origin = make_flow(tmp_path)
        origin.many_refs(mirror_upkeep.LOOSE_REFS)
        mirror = make_mirror(tmp_path, origin)
        mirror.fetch()
        assert (mirror.path / "packed-refs").stat().st_size > 10_000

    def test_a_broken_commit_graph_is_made_again(self, tmp_path):
        origin = make_flow(tmp_path)
        mirror = make_mirror(tmp_path, origin)
        mirror.fetch()
        for path in (mirror.path / "objects" / "info" / "commit-graphs").glob("*.graph"):
            path.chmod(0o644)
            path.write_bytes(b"CGPH" + b"\0" * 40)
        origin.commit({"a": "1"}, branch="main")
        mirror.fetch()
        assert shown(mirror) == truth(origin)

    def test_removing_takes_everything_along(self, tmp_path):
        mirror = make_mirror(tmp_path, make_flow(tmp_path))
        mirror.fetch()
        mirror.remove()
        assert os.listdir(mirror.path.parent) == []


class TestDamage:
    @pytest.fixture
    def origin(self, tmp_path):
        origin = make_flow(tmp_path)
        origin.commit({"x": "1"}, "will be rewritten", branch="side")
        return origin

    @pytest.fixture
    def mirror(self, tmp_path, origin):
        mirror = make_mirror(tmp_path, origin)
        mirror.fetch()
        self.lost = origin.sha("side")
        origin.force("side", "main")
        mirror.fetch()
        return mirror

    def loosen(self, mirror: Mirror) -> None:
        for pack in (mirror.path / "objects" / "pack").glob("*.pack"):
            aside = pack.rename(mirror.path / pack.name)
            pack.with_suffix(".idx").unlink()
            runner.run(["unpack-objects", "-q"], git_dir=mirror.path, stdin=aside)
            aside.unlink()

    def pack(self, mirror: Mirror) -> None:
        runner.run(["repack", "-a", "-d", "-q"], git_dir=mirror.path)

    def check_healed(self, mirror: Mirror, origin: Repo, *, kept: bool) -> None:
        result = mirror.fetch()
        assert result.repaired
        assert shown(mirror) == truth(origin)
        mirror_upkeep.check(mirror.path)
        mirror_upkeep.fsck(mirror.path)
        with Repository.open(mirror.path) as repository:
            assert repository.has_object(self.lost) == kept
        assert sorted(os.listdir(mirror.path.parent)) == ["1.git", "1.git.lock"]
        assert not mirror.fetch().repaired

    def test_empty_objects_after_a_power_cut(self, mirror, origin):
        self.loosen(mirror)
        tip = origin.sha("main")
        path = mirror.path / "objects" / tip[:2] / tip[2:]
        path.chmod(0o644)
        path.write_bytes(b"")
        self.check_healed(mirror, origin, kept=False)

    def test_a_pack_that_was_cut_short(self, mirror, origin):
        self.pack(mirror)
        pack = next((mirror.path / "objects" / "pack").glob("*.pack"))
        pack.chmod(0o644)
        os.truncate(pack, pack.stat().st_size // 2)
        self.check_healed(mirror, origin, kept=False)

    def test_a_pack_that_vanished(self, mirror, origin):
        self.pack(mirror)
        next((mirror.path / "objects" / "pack").glob("*.pack")).unlink()
        self.check_healed(mirror, origin, kept=False)

    def test_a_tip_that_vanished_while_the_kept_ones_are_saved(self, mirror, origin):
        self.loosen(mirror)
        tip = origin.sha("develop")
        (mirror.path / "objects" / tip[:2] / tip[2:]).unlink()
        self.check_healed(mirror, origin, kept=True)

    def test_a_folder_that_is_no_repository_any_more(self, mirror, origin):
        (mirror.path / "HEAD").unlink()
        self.check_healed(mirror, origin, kept=False)

    def test_a_repair_that_is_asked_for_keeps_old_tips(self, mirror, origin):
        assert mirror.repair().repaired
        assert shown(mirror) == truth(origin)
        with Repository.open(mirror.path) as repository:
            assert repository.has_object(self.lost)

    def test_damage_while_the_origin_is_away_leaves_the_old_folder(self, mirror, origin):
        (mirror.path / "HEAD").unlink()
        shutil.move(origin.path, f"{origin.path}.away")
        with pytest.raises(NotARepository):
            mirror.fetch()
        assert mirror.path.exists()
        shutil.move(f"{origin.path}.away", origin.path)
        self.check_healed(mirror, origin, kept=False)


@dataclass
class SmallDisk:
    """A disk of 4 MB where one can be mounted; elsewhere a bound on the size of files makes writes fail."""

    path: Path
    real: bool

    @contextmanager
    def full(self) -> Iterator[None]:
        if self.real:
            yield
            return
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def small_disk(tmp_path):
    path = tmp_path / "small"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path)]
    real = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    yield SmallDisk(path, real)
    if real:
        subprocess.run(["umount", str(path)], check=True)


class TestErrors:
    def test_an_address_that_is_not_allowed_touches_nothing(self, tmp_path):
        mirror = make_mirror(tmp_path, "ext::sh -c id")
        with pytest.raises(UrlNotAllowed):
            mirror.fetch()
        assert not mirror.path.parent.exists()

    def test_a_folder_without_repository(self, tmp_path):
        (tmp_path / "plain").mkdir()
        with pytest.raises(NotARepository):
            make_mirror(tmp_path, str(tmp_path / "plain")).fetch()

    def test_a_port_where_nobody_listens(self, tmp_path):
        mirror = make_mirror(tmp_path, f"http://127.0.0.1:{free_port()}/x.git")
        with pytest.raises(Unreachable):
            mirror.fetch()
        assert not mirror.exists

    def test_a_server_that_never_answers_is_given_up_soon(self, tmp_path):
        with silent_server() as port:
            mirror = make_mirror(tmp_path, f"http://127.0.0.1:{port}/x.git", listing_timeout=0.5)
            start = time.monotonic()
            with pytest.raises(TimedOut):
                mirror.fetch()
            assert time.monotonic() - start < 5
        assert not children()

    def test_an_origin_that_went_away_leaves_the_mirror_as_it_was(self, tmp_path):
        origin = make_flow(tmp_path)
        mirror = make_mirror(tmp_path, origin)
        mirror.fetch()
        before = shown(mirror)
        shutil.rmtree(origin.path)
        with pytest.raises(NotARepository):
            mirror.fetch()
        assert shown(mirror) == before

    def test_a_full_disk_is_named_and_later_the_fetch_goes_through(self, tmp_path, small_disk):
        origin = make_flow(tmp_path)
        mirror = Mirror(small_disk.path / "1.git", str(origin.path), RemotePolicy(operator=True))
        mirror.fetch()
        before = shown(mirror)
        origin.commit({"large.bin": os.urandom(6 << 20)}, "large", branch="main")
        with small_disk.full(), pytest.raises(GitError) as error:
            mirror.fetch()
        if small_disk.real:
            assert error.value.code == "disk-full", error.value.detail
            assert error.value.retry
        assert shown(mirror) == before
        assert not list(mirror_upkeep.leftovers(mirror.path)), "drafts keep the disk full"
        origin.force("main", "main~1")
        origin.commit({"small.txt": "x"}, branch="main")
        mirror.fetch()
        assert shown(mirror) == truth(origin)

    def test_a_second_writer_waits_and_then_says_busy(self, tmp_path):
        origin = make_flow(tmp_path)
        mirror = make_mirror(tmp_path, origin, lock_wait=0.2)
        mirror.fetch()
        with mirror._locked():
            other = make_mirror(tmp_path, origin, lock_wait=0.2)
            with pytest.raises(Busy):
                other.fetch()
            assert shown(other) == truth(origin)
        assert other.fetch().changes == ()


def test_after_many_fetches_no_process_and_no_descriptor_is_left(tmp_path):
    origin = make_flow(tmp_path)
    mirror = make_mirror(tmp_path, origin)
    mirror.fetch()
    before = descriptors()
    for number in range(5):
        origin.commit({"a": str(number)}, branch="main")
        mirror.fetch()
        with pytest.raises(UrlNotAllowed):
            make_mirror(tmp_path, "git://127.0.0.1/x").fetch()
    mirror.maintain()
    mirror.repair()
    assert not children()
    assert descriptors() == before


def test_the_words_for_changes_are_stable():
    assert [kind.value for kind in Moved] == ["new", "forward", "forced", "deleted", "tag-moved"]
