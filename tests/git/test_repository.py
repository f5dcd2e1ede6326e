"""A repository is read as it lies, whatever shape it is in."""

from __future__ import annotations

import io
import tarfile
import time

import pytest

from releases.git import runner
from releases.git.errors import InvalidValue, MissingObject, NoSuchRef, NotARepository
from releases.git.repository import Repository, locate
from tests.gitrepos import make_flow, make_repo

from .processes import children, descriptors


@pytest.fixture
def origin(tmp_path):
    return make_flow(tmp_path)


@pytest.fixture
def repository(origin):
    with Repository.open(origin.path) as opened:
        yield opened


class TestPlaces:
    def test_bare_folders_work_trees_and_linked_ones_are_found(self, tmp_path, origin):
        work = tmp_path / "work"
        runner.run(["clone", "-q", str(origin.path), str(work)], protocols=["file"])
        runner.run(["worktree", "add", "-q", str(tmp_path / "linked"), "--detach"], git_dir=work / ".git", cwd=work)
        runner.run(
            ["clone", "-q", "--shared", "--bare", str(origin.path), str(tmp_path / "shared")], protocols=["file"]
        )
        for place in (origin.path, work, work / ".git", tmp_path / "linked", tmp_path / "shared"):
            with Repository.open(place) as opened:
                assert opened.resolve("main") == origin.sha("main"), place

    def test_a_subfolder_is_only_searched_from_on_request(self, tmp_path):
        repo = make_repo(tmp_path, "work", bare=False)
        repo.commit({"a": "1"})
        (tmp_path / "work" / "sub").mkdir()
        with pytest.raises(NotARepository):
            locate(tmp_path / "work" / "sub")
        assert locate(tmp_path / "work" / "sub", search=True) == repo.git_dir

    @pytest.mark.parametrize("name", ["plain", "missing", "file", "broken", "-dash"])
    def test_other_places_are_named_as_what_they_are(self, tmp_path, name):
        (tmp_path / "plain").mkdir()
        (tmp_path / "-dash").mkdir()
        (tmp_path / "file").write_text("x")
        (tmp_path / "broken").mkdir()
        (tmp_path / "broken" / ".git").write_text("gitdir: /nowhere\n")
        with pytest.raises(NotARepository, match="path"):
            Repository.open(tmp_path / name)

    def test_a_remote_branch_of_a_clone_is_found_by_its_short_name(self, tmp_path, origin):
        runner.run(["clone", "-q", str(origin.path), str(tmp_path / "work")], protocols=["file"])
        with Repository.open(tmp_path / "work") as opened:
            assert opened.resolve("develop") == origin.sha("develop")


class TestResolve:
    def test_branches_tags_ids_and_steps(self, repository, origin):
        main = origin.sha("main")
        for name in ("main", "v1.0.0", main, main[:10], "develop~1", "refs/heads/main", "HEAD", "v1.0.0^{commit}"):
            assert repository.resolve(name) == main, name
        for name in ("nope", "f" * 40, "main~99", "refs/heads/nope"):
            assert repository.resolve(name) is None, name

    def test_a_branch_goes_before_a_tag_of_the_same_name(self, repository, origin):
        origin.tag("develop", "main")
        assert repository.resolve("develop") == origin.sha("refs/heads/develop")

    def test_what_is_not_there_is_named(self, repository):
        with pytest.raises(NoSuchRef, match="release/9"):
            repository.commit("release/9")

    @pytest.mark.parametrize(
        "value", ["--all", "-n1", "--output=/tmp/pwned", "main..develop", ":/Start", "main:app.py", ""]
    )
    def test_options_ranges_and_paths_are_refused(self, repository, value):
        with pytest.raises(InvalidValue):
            repository.resolve(value)

    def test_a_branch_whose_commit_is_gone_is_a_missing_object(self, repository, origin):
        origin.set_ref("refs/heads/broken", "1" * 40)
        with pytest.raises(MissingObject, match="broken"):
            repository.resolve("broken")

    def test_a_tag_of_a_tree_names_no_commit(self, repository, origin):
        origin.set_ref("refs/tags/tree", origin.git("rev-parse", "main^{tree}"))
        assert repository.resolve("tree") is None


class TestRefs:
    def test_branches_and_tags_come_with_what_pages_need(self, repository, origin):
        origin.tag("light", "develop")
        rows = {row.name: row for row in repository.refs()}
        assert list(rows) == ["refs/heads/develop", "refs/heads/main", "refs/tags/light", "refs/tags/v1.0.0"]
        tag = rows["refs/tags/v1.0.0"]
        assert (tag.commit, tag.message, tag.tagger, tag.tagger_email) == (
            origin.sha("main"), "Version 1.0.0", "Morgan", "morgan@example.org",
        )  # fmt: skip
        assert tag.sha != tag.commit
        assert tag.annotated
        assert tag.subject == "Start"
        assert not rows["refs/tags/light"].annotated
        assert rows["refs/heads/develop"].committed_at

    def test_odd_tags_have_no_commit_or_the_one_they_end_at(self, repository, origin):
        origin.set_ref("refs/tags/blob", origin.write("blob", b"x"))
        origin.set_ref("refs/tags/tree", origin.git("rev-parse", "main^{tree}"))
        inner = origin.git("rev-parse", "refs/tags/v1.0.0")
        nested = origin.tag("nested", inner, message="of a tag")
        origin.tag("deep", nested, message="of a tag of a tag")
        origin.tag("annotated-tree", origin.git("rev-parse", "main^{tree}"), message="of a tree")
        rows = {row.short: row for row in repository.refs() if row.is_tag}
        assert rows["blob"].commit == rows["tree"].commit == rows["annotated-tree"].commit == ""
        assert rows["nested"].commit == rows["deep"].commit == origin.sha("main")
        assert rows["deep"].message == "of a tag of a tag"

    def test_hostile_names_and_messages_are_read_and_stay_apart(self, repository, origin):
        sha = origin.sha("main")
        evil = "<script>alert(1)</script>"
        names = [
            b"refs/heads/" + name
            for name in (
                b"bad\xff",
                b"bad\xfe",
                "bidi\u202eright".encode(),
                evil.encode(),
                b"-n",
                b"--output=pwned",
                b"$(id)",
                b"'quote",
                b"a;b",
            )
        ]
        text = "".join(f"{sha} " + name.decode("utf-8", "surrogateescape") + "\n" for name in sorted(names))
        (origin.path / "packed-refs").write_bytes(text.encode("utf-8", "surrogateescape"))
        origin.tag("v2", message=b"\x1b[31m\xff\xe2\x80\xae <b>&\n\nbody")
        rows = {row.name: row for row in repository.refs()}
        assert len([name for name in rows if name.startswith("refs/heads/bad")]) == 2
        assert all(row.commit == sha for row in rows.values() if "develop" not in row.name)
        for row in rows.values():
            row.name.encode("utf-8")
            row.message.encode("utf-8")

    def test_a_reference_to_nothing_does_not_hide_the_others(self, repository, origin):
        origin.set_ref("refs/heads/broken", "1" * 40)
        rows = {row.short: row.commit for row in repository.refs()}
        assert rows["broken"] == ""
        assert rows["main"] == origin.sha("main")
        assert rows["v1.0.0"] == origin.sha("main")

    def test_garbage_among_the_references_does_not_hide_the_others(self, repository, origin):
        (origin.path / "refs" / "heads" / "garbage").write_bytes(b"\0\1\2 not a sha")
        (origin.path / "refs" / "heads" / "empty").write_bytes(b"")
        assert {"main", "develop"} <= {row.short for row in repository.refs()}

    def test_ten_thousand_are_read_in_one_go(self, repository, origin):
        origin.many_refs(10_000)
        start = time.monotonic()
        assert len(repository.refs()) == 10_003
        assert time.monotonic() - start < 10


class TestStates:
    def test_no_commits(self, tmp_path):
        empty = make_repo(tmp_path, "empty.git")
        with Repository.open(empty.path) as opened:
            assert opened.is_empty()
            assert opened.refs() == []
            assert opened.head_branch() == "main"
            assert opened.resolve("HEAD") is None
            assert opened.commit_count() == 0

    def test_heads(self, repository, origin):
        assert repository.head_branch() == "main"
        origin.head("release/1.3")
        assert repository.head_branch() == "release/1.3"
        origin.detach("develop")
        assert repository.head_branch() is None
        assert repository.resolve("HEAD") == origin.sha("develop")

    def test_counting(self, repository, origin):
        assert repository.commit_count() == 2
        assert repository.commit_count("main") == 1

    def test_shallow_and_partial_copies_say_so(self, tmp_path, repository, origin):
        assert not repository.is_shallow()
        assert not repository.is_partial()
        assert repository.shallow_commits() == frozenset()
        origin.git("config", "uploadpack.allowFilter", "true")
        url = f"file://{origin.path}"
        runner.run(
            ["clone", "-q", "--bare", "--depth=1", "-b", "develop", url, str(tmp_path / "cut")], protocols=["file"]
        )
        runner.run(["clone", "-q", "--bare", "--filter=blob:none", url, str(tmp_path / "part")], protocols=["file"])
        with Repository.open(tmp_path / "cut") as cut:
            assert cut.is_shallow()
            assert cut.shallow_commits() == {origin.sha("develop")}
        with Repository.open(tmp_path / "part") as part:
            assert part.is_partial()

    def test_a_missing_object_of_a_partial_clone_is_never_fetched(self, tmp_path, origin):
        origin.git("config", "uploadpack.allowFilter", "true")
        runner.run(
            ["clone", "-q", "--bare", "--filter=blob:none", f"file://{origin.path}", str(tmp_path / "part")],
            protocols=["file"],
        )
        blob = origin.git("rev-parse", "main:app.py")
        with Repository.open(tmp_path / "part") as part:
            assert not part.has_object(blob)
            with pytest.raises(MissingObject):
                runner.run(["cat-file", "blob", blob], git_dir=part.git_dir)
            assert not part.has_object(blob)


class TestArchive:
    def test_the_files_of_a_revision_come_as_a_tar(self, repository):
        with repository.archive("main", prefix="app-1.0/") as stream:
            data = stream.read()
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            names = archive.getnames()
        assert {"app-1.0/app.py", "app-1.0/README.md"} <= set(names)

    @pytest.mark.parametrize("prefix", ["--output=/tmp/x", "/etc/", "../x/"])
    def test_a_folder_that_leads_away_is_refused(self, repository, prefix):
        with pytest.raises(InvalidValue), repository.archive("main", prefix=prefix):
            pass

    def test_leaving_early_leaves_nothing_running(self, repository, origin):
        origin.commit({"large": b"x" * (20 << 20)}, branch="main")
        with repository.archive("main") as stream:
            stream.read(100)
        assert not children()


def test_reading_leaves_no_process_and_no_descriptor(origin):
    with Repository.open(origin.path) as repository:
        repository.refs()
        before = descriptors()
        for _ in range(10):
            repository.refs()
            repository.resolve("main")
            repository.is_partial()
            with pytest.raises(NoSuchRef):
                repository.commit("nope")
    assert not children()
    assert descriptors() == before
