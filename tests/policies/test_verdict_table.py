"""Each row of the verdict table, built with git itself and asked through the one answer."""

import shutil

from releases.evidence.verdicts import Code
from tests.gitrepos import make_flow, make_repo

from .asking import APP, ask, codes, counterparts, edited, evidence, fix_of, verdict_on


def hotfix(repo, *edits, name="hotfix/TICKET-7-vat", author="robin"):
    """A hotfix branch from main with one commit per edit, merged into main; gives (merge, commits)."""
    repo.branch(name, "main")
    commits = [
        repo.commit(files, f"TICKET-7 step {number}", branch=name, author=author)
        for number, files in enumerate(edits, 1)
    ]
    merge = repo.merge(name, into="main", message=f"Merge branch '{name}'")
    return merge, commits


def test_merged_when_the_target_has_every_commit(tmp_path):
    repo = make_flow(tmp_path)
    merge, commits = hotfix(repo, {"app.py": edited(APP, line5="five")})
    repo.merge("hotfix/TICKET-7-vat", into="develop")
    verdict = verdict_on(ask(repo), merge)
    assert (verdict.verdict, verdict.settled) == (Code.MERGED, True)
    assert evidence(verdict) == {"ancestor"}
    assert [part.sha for part in verdict.commits] == commits


def test_equivalent_by_the_same_patch(tmp_path):
    repo = make_flow(tmp_path)
    fix = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round per line", branch="main")
    copy = repo.commit(
        {"app.py": edited(APP, line5="five")}, "Another subject", branch="develop", author="sam", date=repo.clock + 9000
    )
    verdict = verdict_on(ask(repo), fix)
    assert (verdict.verdict, verdict.settled) == (Code.EQUIVALENT, True)
    assert counterparts(verdict) == {copy}
    assert "patch-id" in evidence(verdict)


def test_equivalent_by_the_same_lines_in_other_surroundings(tmp_path):
    repo = make_flow(tmp_path)
    repo.commit({"app.py": edited(APP, line4="four!", line9="nine!")}, "Change around", branch="develop")
    changed = {"line6": "net = sum(line.net for line in lines)", "line7": "vat = round_half_up(net * rate, places=2)"}
    fix = repo.commit({"app.py": edited(APP, **changed)}, "TICKET-7 round", branch="main")
    around = edited(APP, line4="four!", line9="nine!", **changed)
    copy = repo.commit({"app.py": around}, "Rounding as in the tax office's table", branch="develop", author="sam")
    verdict = verdict_on(ask(repo), fix)
    assert (verdict.verdict, verdict.settled) == (Code.EQUIVALENT, True)
    assert counterparts(verdict) == {copy}
    assert "no-context" in evidence(verdict)


def test_nothing_owed_for_an_empty_commit(tmp_path):
    repo = make_flow(tmp_path)
    fix = repo.commit({}, "TICKET-7 trigger the build", branch="main")
    repo.commit({}, "Another empty commit", branch="develop")
    verdict = verdict_on(ask(repo), fix)
    assert (verdict.verdict, verdict.settled) == (Code.NOTHING_OWED, True)
    assert evidence(verdict) == {"empty"}
    assert counterparts(verdict) == set()


def test_nothing_owed_when_production_undid_it(tmp_path):
    repo = make_flow(tmp_path)
    fix = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    undo = repo.revert(fix, on="main")
    report = ask(repo)
    for sha in (fix, undo):
        assert (verdict_on(report, sha).verdict, verdict_on(report, sha).settled) == (Code.NOTHING_OWED, True)
    assert report.owed == 0


def test_declared_and_backed_by_content_is_settled(tmp_path):
    repo = make_flow(tmp_path)
    fix = repo.commit(
        {"app.py": edited(APP, line5="five", line6="six", line7="seven")}, "TICKET-7 round", branch="main"
    )
    adapted = edited(APP, line5="five", line6="six", line7="something else")
    copy = repo.commit(
        {"app.py": adapted}, f"Rounding\n\n(cherry picked from commit {fix})", branch="develop", author="sam"
    )
    verdict = verdict_on(ask(repo), fix)
    assert (verdict.verdict, verdict.settled) == (Code.DECLARED, True)
    assert counterparts(verdict) == {copy}
    assert "trailer" in evidence(verdict)


def test_declared_without_anything_behind_it_needs_a_look(tmp_path):
    repo = make_flow(tmp_path)
    fix = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    repo.commit(
        {"other.py": "print('nothing alike')\n"}, f"Unlike\n\n(cherry picked from commit {fix})", branch="develop",
        author="sam", date=repo.clock + 9000,
    )  # fmt: skip
    report = ask(repo)
    verdict = verdict_on(report, fix)
    assert (verdict.verdict, verdict.settled) == (Code.DECLARED, False)
    assert report.owed == 1


def test_masked_trailers_declare_nothing(tmp_path):
    repo = make_flow(tmp_path)
    fix = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    repo.commit(
        {"other.py": "print('nothing alike')\n"}, f"Unlike\n\n(cherry picked from commit {fix})", branch="develop",
        author="sam", date=repo.clock + 9000,
    )  # fmt: skip
    assert verdict_on(ask(repo, mask_trailers=True), fix).verdict is Code.MISSING


def test_likely_by_author_and_date(tmp_path):
    repo = make_flow(tmp_path)
    when = repo.clock + 500
    old = {"line5": "total = sum(prices)", "line6": "vat = total * rate"}
    new = {"line5": "total = sum(line.price for line in cart)", "line6": "vat = total * cart.rate"}
    fix = repo.commit({"app.py": edited(APP, **old)}, "TICKET-7 round", branch="main", date=when)
    copy = repo.commit({"app.py": edited(APP, **new)}, "Port rounding to the new cart", branch="develop", date=when)
    report = ask(repo)
    verdict = verdict_on(report, fix)
    assert (verdict.verdict, verdict.settled) == (Code.LIKELY, False)
    assert counterparts(verdict) == {copy}
    assert "author-date" in evidence(verdict)
    assert report.owed == 1


def test_partial_names_what_is_there_and_what_is_not(tmp_path):
    repo = make_flow(tmp_path)
    merge, commits = hotfix(
        repo, {"app.py": edited(APP, line5="five")}, {"tax.py": "table = {}\n"}, {"refund.py": "refund = 1\n"}
    )
    repo.pick(commits[0], onto="develop")
    repo.pick(commits[1], onto="develop", x=True)
    verdict = verdict_on(ask(repo), merge)
    assert (verdict.verdict, verdict.settled) == (Code.PARTIAL, False)
    assert codes(verdict)[2] == "missing"
    assert [part.settled for part in verdict.commits] == [True, True, False]
    assert "2 of 3" in verdict.detail


def test_reverted_when_the_target_undid_it(tmp_path):
    repo = make_flow(tmp_path)
    fix = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    copy = repo.pick(fix, onto="develop")
    undo = repo.revert(copy, on="develop")
    verdict = verdict_on(ask(repo), fix)
    assert (verdict.verdict, verdict.settled) == (Code.REVERTED, False)
    assert verdict.commits[0].reverted_by == (undo,)


def test_missing_with_a_preview_that_merges_cleanly(tmp_path):
    repo = make_flow(tmp_path)
    fix = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    verdict = verdict_on(ask(repo, preview=True), fix)
    assert (verdict.verdict, verdict.settled) == (Code.MISSING, False)
    assert verdict.preview is not None
    assert verdict.preview.clean
    assert verdict.detail == "merges cleanly"


def test_missing_with_a_preview_that_names_conflicts_and_hunks(tmp_path):
    repo = make_flow(tmp_path)
    repo.commit({"app.py": edited(APP, line5="FIVE")}, "Shout", branch="develop")
    fix = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    verdict = verdict_on(ask(repo, preview=True), fix)
    assert verdict.verdict is Code.MISSING
    assert verdict.preview is not None
    assert (verdict.preview.clean, verdict.preview.conflicts) == (False, ("app.py",))
    assert verdict.preview.hunks[0].ours == ("FIVE",)
    assert verdict.preview.hunks[0].theirs == ("five",)


def test_unknown_when_the_history_is_cut_off(tmp_path):
    repo = make_flow(tmp_path)
    repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="develop", author="sam")
    for number in range(6):
        repo.commit({"more.py": f"{number}\n"}, f"Later {number}", branch="develop")
    fix = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    repo.git("update-server-info")
    shallow = make_repo(tmp_path, "shallow.git")
    shutil.rmtree(shallow.path)
    repo.git("clone", "-q", "--bare", "--depth=3", "--no-single-branch", f"file://{repo.path}", str(shallow.path))
    report = ask(shallow)
    verdict = verdict_on(report, fix)
    assert (verdict.verdict, verdict.settled) == (Code.UNKNOWN, False)
    assert any("shallow" in note for note in report.notes)


def test_unknown_when_an_object_cannot_be_read(tmp_path):
    repo = make_flow(tmp_path)
    fix = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    other = repo.commit({"app.py": edited(APP, line5="five", line30="thirty")}, "TICKET-8 more", branch="main")
    tree = repo.git("rev-parse", f"{fix}^{{tree}}")
    (repo.git_dir / "objects" / tree[:2] / tree[2:]).unlink()
    report = ask(repo)
    assert verdict_on(report, fix).verdict is Code.UNKNOWN
    assert not verdict_on(report, fix).settled
    assert fix_of(report, other).verdicts["develop"].settled is False


def test_every_verdict_explains_itself(tmp_path):
    repo = make_flow(tmp_path)
    merge, _commits = hotfix(repo, {"app.py": edited(APP, line5="five")}, {"tax.py": "table = {}\n"})
    report = ask(repo)
    verdict = verdict_on(report, merge)
    assert verdict.why.endswith(".")
    assert all(part.why for part in verdict.commits)
