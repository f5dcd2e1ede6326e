"""Counterparts that are hard to see, and look-alikes that are none. Built with git itself."""

from releases.evidence.verdicts import Code
from tests.gitrepos import Entry, make_flow

from .asking import APP, ask, counterparts, edited, evidence, fix_of, verdict_on

SETTLED = {Code.MERGED, Code.EQUIVALENT, Code.DECLARED, Code.NOTHING_OWED}


def test_a_counterpart_in_the_history_common_to_both_counts(tmp_path):
    repo = make_flow(tmp_path)
    first = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="develop")
    repo.merge("develop", into="main", message="Merge branch 'release/1.1'")
    undo = repo.revert(first, on="main")
    again = repo.commit(
        {"app.py": edited(APP, line5="five"), "feature.py": "feature = 1\n"}, "TICKET-7 round after all", branch="main"
    )
    verdict = verdict_on(ask(repo), again)
    assert verdict.settled, verdict.why
    assert verdict.verdict in (Code.EQUIVALENT, Code.NOTHING_OWED)
    assert verdict_on(ask(repo), undo).settled


def test_a_revert_of_what_the_target_has_is_owed(tmp_path):
    repo = make_flow(tmp_path)
    bad = repo.commit({"app.py": edited(APP, line5="bad")}, "TICKET-7 break it", branch="develop")
    repo.merge("develop", into="main", message="Merge branch 'release/1.1'")
    undo = repo.revert(bad, on="main")
    report = ask(repo)
    fix = fix_of(report, undo)
    assert fix.kind == "revert"
    assert fix.verdicts["develop"].verdict is Code.MISSING
    assert not fix.verdicts["develop"].settled
    assert report.owed == 1


def test_a_pick_with_resolved_conflicts_and_its_trailer(tmp_path):
    repo = make_flow(tmp_path)
    repo.commit({"app.py": edited(APP, line5="develop's own five")}, "TICKET-11 own way", branch="develop")
    fix = repo.commit({"app.py": edited(APP, line5="five", line6="six", line7="seven")}, "TICKET-7 fix", branch="main")
    resolved = edited(APP, line5="five, develop's way", line6="six", line7="seven")
    copy = repo.pick(fix, onto="develop", x=True, files={"app.py": resolved})
    verdict = verdict_on(ask(repo), fix)
    assert (verdict.verdict, verdict.settled) == (Code.DECLARED, True)
    assert counterparts(verdict) == {copy}


def test_a_pick_with_resolved_conflicts_and_no_trailer_is_likely(tmp_path):
    repo = make_flow(tmp_path)
    repo.commit({"app.py": edited(APP, line5="develop's own five")}, "TICKET-11 own way", branch="develop")
    fix = repo.commit({"app.py": edited(APP, line5="five", line6="six", line7="seven")}, "TICKET-7 fix", branch="main")
    resolved = edited(APP, line5="five, develop's way", line6="six", line7="seven")
    copy = repo.pick(fix, onto="develop", files={"app.py": resolved})
    verdict = verdict_on(ask(repo), fix)
    assert (verdict.verdict, verdict.settled) == (Code.LIKELY, False)
    assert counterparts(verdict) == {copy}


def test_eight_commits_squashed_into_one(tmp_path):
    repo = make_flow(tmp_path)
    name = "hotfix/TICKET-7-eight"
    repo.branch(name, "main")
    for number in range(8):
        repo.commit(
            {f"part{number}.py": f"value_{number} = compute({number})\nresult_{number} = value_{number} + 1\n"},
            f"TICKET-7 part {number}", branch=name,
        )  # fmt: skip
    merge = repo.merge(name, into="main", message=f"Merge branch '{name}'")
    copy = repo.squash(name, into="develop", message="TICKET-7 all parts (#9)", author="sam")
    verdict = verdict_on(ask(repo), merge)
    assert (verdict.verdict, verdict.settled) == (Code.EQUIVALENT, True), verdict.why
    assert counterparts(verdict) == {copy}
    assert evidence(verdict) >= {"squash", "trial-pick"}


def test_a_squash_merged_merge_back(tmp_path):
    repo = make_flow(tmp_path)
    name = "hotfix/TICKET-7-vat"
    repo.branch(name, "main")
    repo.commit({"app.py": edited(APP, line5="vat = round(net * rate, 2)")}, "TICKET-7 round", branch=name)
    repo.commit({"tax.py": "table = {'DE': 19}\nrates = sorted(table)\n"}, "TICKET-7 add the table", branch=name)
    merge = repo.merge(name, into="main", message=f"Merge branch '{name}'")
    repo.tag("v1.0.1", "main", message="1.0.1")
    copy = repo.squash("main", into="develop", message="Merge main back into develop (#12)", author="sam")
    verdict = verdict_on(ask(repo), merge)
    assert (verdict.verdict, verdict.settled) == (Code.EQUIVALENT, True), verdict.why
    assert counterparts(verdict) == {copy}


def test_one_commit_split_into_three(tmp_path):
    repo = make_flow(tmp_path)
    parts = {
        "a.py": "def first(cart):\n    return sum(line.net for line in cart)\n",
        "b.py": "def second(cart):\n    return max(line.rate for line in cart)\n",
        "c.py": "def third(cart):\n    return min(line.date for line in cart)\n",
    }
    fix = repo.commit(parts, "TICKET-7 three helpers", branch="main")
    copies = {repo.commit({path: text}, f"Add {path}", branch="develop", author="sam") for path, text in parts.items()}
    verdict = verdict_on(ask(repo), fix)
    assert (verdict.verdict, verdict.settled) == (Code.EQUIVALENT, True), verdict.why
    assert counterparts(verdict) == copies


def test_two_of_three_parts_are_not_the_whole(tmp_path):
    repo = make_flow(tmp_path)
    parts = {
        "a.py": "def first(cart):\n    return sum(line.net for line in cart)\n",
        "b.py": "def second(cart):\n    return max(line.rate for line in cart)\n",
        "c.py": "def third(cart):\n    return min(line.date for line in cart)\n",
    }
    fix = repo.commit(parts, "TICKET-7 three helpers", branch="main")
    for path in ("a.py", "b.py"):
        repo.commit({path: parts[path]}, f"Add {path}", branch="develop", author="sam")
    assert not verdict_on(ask(repo), fix).settled


def test_many_named_in_one_message(tmp_path):
    repo = make_flow(tmp_path)
    one = repo.commit({"app.py": edited(APP, line5="vat = round(net, 2)")}, "TICKET-7 round", branch="main")
    two = repo.commit(
        {"tax.py": "table = {'DE': 19}\nrates = sorted(table)\n"}, "TICKET-8 table", branch="main", author="kim"
    )
    message = f"Both fixes\n\n(cherry picked from commit {one})\n(cherry picked from commit {two})"
    both = {"app.py": edited(APP, line5="vat = round(net, 2)"), "tax.py": "table = {'DE': 19}\nrates = sorted(table)\n"}
    copy = repo.commit(both, message, branch="develop", author="sam")
    report = ask(repo)
    for sha in (one, two):
        verdict = verdict_on(report, sha)
        assert verdict.settled, verdict.why
        assert counterparts(verdict) == {copy}


def test_a_wrong_trailer_is_outvoted_by_author_date_and_subject(tmp_path):
    repo = make_flow(tmp_path)
    when = repo.clock + 500
    fix = repo.commit(
        {"app.py": edited(APP, line5="total = sum(prices)", line6="vat = total * rate")}, "TICKET-7 round the total",
        branch="main", date=when,
    )  # fmt: skip
    right = repo.commit(
        {"app.py": edited(APP, line5="total = sum(prices)", line6="vat = total * cart.rate")},
        "TICKET-7 round the total", branch="develop", date=when,
    )  # fmt: skip
    wrong = repo.commit(
        {"other.py": "print('nothing alike')\n"}, f"Another thing\n\n(cherry picked from commit {fix})",
        branch="develop", author="sam", date=repo.clock + 9000,
    )  # fmt: skip
    verdict = verdict_on(ask(repo), fix)
    assert counterparts(verdict) == {right}
    assert wrong[:7] in verdict.why or not verdict.settled


def test_a_trailer_that_names_a_commit_which_never_reached_the_target(tmp_path):
    repo = make_flow(tmp_path)
    repo.branch("release/1.1", "develop")
    origin = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="release/1.1")
    fix = repo.pick(origin, onto="main", x=True)
    report = ask(repo, targets=("develop", "release/1.1"))
    assert verdict_on(report, fix, "develop").verdict is Code.MISSING
    assert verdict_on(report, fix, "release/1.1").settled


def test_the_origin_of_a_pick_is_its_counterpart(tmp_path):
    repo = make_flow(tmp_path)
    repo.commit({"app.py": edited(APP, line4="four!")}, "TICKET-11 around", branch="develop")
    origin = repo.commit(
        {"app.py": edited(APP, line4="four!", line5="five", line9="nine")}, "TICKET-7 x", branch="develop"
    )
    fix = repo.pick(origin, onto="main", x=True, files={"app.py": edited(APP, line5="five", line9="nine")})
    report = ask(repo)
    assert fix_of(report, fix).kind == "pick"
    assert verdict_on(report, fix).settled
    assert counterparts(verdict_on(report, fix)) == {origin}


def test_written_anew_without_a_shared_line_is_likely_at_most(tmp_path):
    repo = make_flow(tmp_path)
    when = repo.clock + 500
    fix = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round the total", branch="main", date=when)
    repo.commit(
        {"app.py": edited(APP, line20="quite another way")}, "TICKET-7 round the total", branch="develop", date=when
    )
    verdict = verdict_on(ask(repo), fix)
    assert not verdict.settled
    assert verdict.verdict in (Code.LIKELY, Code.MISSING)


def test_reverted_applied_again_and_reverted_again(tmp_path):
    repo = make_flow(tmp_path)
    fix = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    copy = repo.pick(fix, onto="develop")
    undo = repo.revert(copy, on="develop")
    assert verdict_on(ask(repo), fix).verdict is Code.REVERTED
    redo = repo.revert(undo, on="develop")
    again = verdict_on(ask(repo), fix)
    assert (again.verdict, again.settled) == (Code.EQUIVALENT, True)
    repo.revert(redo, on="develop")
    assert verdict_on(ask(repo), fix).verdict is Code.REVERTED


def test_reverted_without_saying_so(tmp_path):
    repo = make_flow(tmp_path)
    fix = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    repo.pick(fix, onto="develop")
    repo.commit({"app.py": APP}, "Put things in order", branch="develop", author="sam")
    verdict = verdict_on(ask(repo), fix)
    assert (verdict.verdict, verdict.settled) == (Code.REVERTED, False)


def test_merged_and_then_reverted_in_the_target(tmp_path):
    repo = make_flow(tmp_path)
    fix = repo.commit(
        {"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="hotfix/TICKET-7", parents=[repo.sha("main")]
    )
    merge = repo.merge("hotfix/TICKET-7", into="main", message="Merge branch 'hotfix/TICKET-7'")
    repo.merge("main", into="develop")
    repo.revert(fix, on="develop")
    verdict = verdict_on(ask(repo), merge)
    assert (verdict.verdict, verdict.settled) == (Code.REVERTED, False)


def test_a_rewritten_production_line_with_equal_patches(tmp_path):
    repo = make_flow(tmp_path)
    fix = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    copy = repo.pick(fix, onto="develop")
    start = repo.sha("v1.0.0")
    repo.force("main", start)
    repo.commit({"README.md": "A small application.\n"}, "TICKET-9 words", branch="main")
    rewritten = repo.pick(fix, onto="main", committer="sam")
    report = ask(repo)
    assert rewritten != fix
    assert verdict_on(report, rewritten).verdict is Code.EQUIVALENT
    assert counterparts(verdict_on(report, rewritten)) == {copy}
    assert fix not in [found.id for found in report.fixes]


def test_a_huge_similar_deletion_is_not_the_fix(tmp_path):
    repo = make_flow(tmp_path)
    big = "".join(f"generated line {number}\n" for number in range(9000))
    base = repo.commit({"gen/a.txt": big, "gen/b.txt": big + "end\n"}, "Generated files", branch="main")
    repo.branch("develop", base)
    fix = repo.commit({"gen/a.txt": None, "app.py": edited(APP, line5="five")}, "TICKET-7 drop a", branch="main")
    repo.commit({"gen/b.txt": None}, "Drop b", branch="develop", author="sam")
    verdict = verdict_on(ask(repo), fix)
    assert (verdict.verdict, verdict.settled) == (Code.MISSING, False)


def test_a_lock_file_bump_that_looks_alike_is_not_the_fix(tmp_path):
    repo = make_flow(tmp_path)
    lock = "".join(f'[[package]]\nname = "lib{n}"\nversion = "1.{n}.0"\nchecksum = "{n:040x}"\n\n' for n in range(30))
    base = repo.commit({"app.lock": lock}, "Lock", branch="main")
    repo.branch("develop", base)
    bumped = lock.replace('version = "1.7.0"', 'version = "1.7.1"').replace(f"{7:040x}", f"{777:040x}")
    other = lock.replace('version = "1.8.0"', 'version = "1.8.1"').replace(f"{8:040x}", f"{888:040x}")
    fix = repo.commit({"app.lock": bumped}, "Bump lib7 from 1.7.0 to 1.7.1", branch="main")
    repo.commit({"app.lock": other}, "Bump lib8 from 1.8.0 to 1.8.1", branch="develop")
    verdict = verdict_on(ask(repo), fix)
    assert (verdict.verdict, verdict.settled) == (Code.MISSING, False)


def test_a_trial_pick_that_changes_nothing_alone_settles_nothing(tmp_path):
    repo = make_flow(tmp_path)
    fix = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    rewritten = edited(APP, **{f"line{n}": f"rewritten {n}" for n in range(8, 40)}, line5="five")
    repo.commit({"app.py": rewritten}, "Rewrite the application", branch="develop", author="sam")
    verdict = verdict_on(ask(repo), fix)
    assert verdict.verdict in (Code.LIKELY, Code.MISSING, Code.EQUIVALENT)
    if verdict.settled:
        assert {"squash", "trial-pick"} <= evidence(verdict)


def test_a_conflicting_trial_is_no_evidence_of_absence(tmp_path):
    repo = make_flow(tmp_path)
    fix = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    copy = repo.pick(fix, onto="develop")
    repo.commit({"app.py": edited(APP, line5="FIVE", line6="six")}, "Shout", branch="develop")
    verdict = verdict_on(ask(repo, preview=True), fix)
    assert (verdict.verdict, verdict.settled) == (Code.EQUIVALENT, True)
    assert counterparts(verdict) == {copy}


def test_a_rename_with_edits(tmp_path):
    repo = make_flow(tmp_path)
    files = {"app.py": None, "shop/app.py": edited(APP, line5="five")}
    fix = repo.commit(files, "TICKET-7 move and round", branch="main")
    assert verdict_on(ask(repo), fix).verdict is Code.MISSING
    copy = repo.pick(fix, onto="develop", committer="sam")
    verdict = verdict_on(ask(repo), fix)
    assert (verdict.verdict, counterparts(verdict)) == (Code.EQUIVALENT, {copy})


def same_change_or_not(tmp_path, right, wrong, before=None):
    """A change judged missing beside a look-alike, and equivalent once it is picked."""
    repo = make_flow(tmp_path)
    if before:
        base = repo.commit(before, "Before", branch="main")
        repo.branch("develop", base)
    fix = repo.commit(right, "TICKET-7 the fix", branch="main")
    repo.commit(wrong, "Something that looks alike", branch="develop", author="sam", date=repo.clock + 9000)
    first = verdict_on(ask(repo), fix)
    assert (first.verdict, first.settled) == (Code.MISSING, False), first.why
    repo.force("develop", "develop~1")
    copy = repo.commit(right, "Brought over", branch="develop", author="sam", date=repo.clock + 9000)
    second = verdict_on(ask(repo), fix)
    assert second.verdict in (Code.EQUIVALENT, Code.LIKELY), second.why
    assert counterparts(second) == {copy}
    return second


def test_a_mode_only_change(tmp_path):
    before = {"run.sh": "#!/bin/sh\n", "stop.sh": "#!/bin/sh\n"}
    right = {"run.sh": Entry("#!/bin/sh\n", 0o100755)}
    wrong = {"stop.sh": Entry("#!/bin/sh\n", 0o100755)}
    same_change_or_not(tmp_path, right, wrong, before)


def test_a_binary_only_change(tmp_path):
    before = {"logo.png": b"\x89PNG\0\1\2\3" * 40}
    same_change_or_not(tmp_path, {"logo.png": b"\x89PNG\0new" * 40}, {"logo.png": b"\x89PNG\0other" * 40}, before)


def test_a_whitespace_only_change(tmp_path):
    indented = edited(APP, line5="    line 5", line6="    line 6")
    other = edited(APP, line15="    line 15", line16="    line 16")
    same_change_or_not(tmp_path, {"app.py": indented}, {"app.py": other})


def test_a_submodule_bump(tmp_path):
    before = {"lib": Entry("1" * 40, 0o160000)}
    same_change_or_not(tmp_path, {"lib": Entry("2" * 40, 0o160000)}, {"lib": Entry("3" * 40, 0o160000)}, before)


def pointer(digit: str) -> str:
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digit * 64}\nsize 12345\n"


def test_an_lfs_pointer(tmp_path):
    same_change_or_not(tmp_path, {"film.mp4": pointer("a")}, {"film.mp4": pointer("b")}, {"film.mp4": pointer("0")})


def test_an_ignored_commit_is_no_counterpart(tmp_path):
    repo = make_flow(tmp_path)
    fix = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    copy = repo.pick(fix, onto="develop")
    assert verdict_on(ask(repo), fix).settled
    for ids in ({copy}, {copy[:12]}):
        assert verdict_on(ask(repo, ignore=frozenset(ids)), fix).verdict is Code.MISSING


def test_a_change_id_links_what_was_reworked_in_review(tmp_path):
    repo = make_flow(tmp_path)
    line = "Change-Id: I0123456789abcdef0123456789abcdef01234567"
    fix = repo.commit({"app.py": edited(APP, line5="five", line6="six")}, f"Round\n\n{line}", branch="main")
    copy = repo.commit(
        {"app.py": edited(APP, line5="five", line6="sixth")}, f"Round it\n\n{line}", branch="develop", author="sam"
    )
    verdict = verdict_on(ask(repo), fix)
    assert (verdict.verdict, verdict.settled) == (Code.DECLARED, True)
    assert (counterparts(verdict), "change-id" in evidence(verdict)) == ({copy}, True)
