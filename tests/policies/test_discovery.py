"""What counts as a fix: found in GitFlow, on maintenance lines and under trunk, with git itself."""

import pytest

from releases.evidence.verdicts import Code
from tests.gitrepos import make_flow, make_repo

from .asking import APP, ask, edited, fix_of, subjects, verdict_on

NAMES = [
    ("Merge branch 'hotfix/TICKET-7-vat'", "Round VAT", "TICKET-7"),
    (
        "Merge branch 'hotfix/TICKET-7-vat' into 'main'\n\nRound per line\n\nSee merge request a/b!7",
        "Round per line",
        "TICKET-7",
    ),
    ("Merge pull request #12 from org/hotfix/TICKET-7-vat\n\nRound per line", "Round per line", "TICKET-7"),
    ("Merged in hotfix/TICKET-7-vat (pull request #12)\n\nRound per line", "Round per line", "TICKET-7"),
    ("Merge pull request #3 in SHOP/web from hotfix/TICKET-7-vat to main", "Round VAT", "TICKET-7"),
    ("Urgent things", "Round VAT", None),
]


@pytest.mark.parametrize(("message", "subject", "ticket"), NAMES)
def test_a_hotfix_merge_is_one_fix_whatever_the_forge_calls_it(tmp_path, message, subject, ticket):
    repo = make_flow(tmp_path)
    repo.branch("topic", "main")
    one = repo.commit({"app.py": edited(APP, line5="five")}, "Round VAT", branch="topic")
    two = repo.commit({"tax.py": "table = {}\n"}, "Add the table", branch="topic")
    merge = repo.merge("topic", into="main", message=message)
    report = ask(repo)
    fix = fix_of(report, merge)
    assert len(report.fixes) == 1
    assert (fix.id, fix.kind, fix.subject, fix.ticket) == (merge, "merge", subject, ticket)
    assert [commit.sha for commit in fix.commits] == [one, two]


def release(repo, version, branch="develop"):
    """A GitFlow release of what develop has: branch, version bump, merge into main, tag, back-merge."""
    name = f"release/{version}"
    repo.branch(name, branch)
    repo.commit({"VERSION": f"{version}.0\n"}, f"Bump version to {version}.0", branch=name)
    merge = repo.merge(name, into="main", message=f"Merge branch '{name}'")
    repo.tag(f"v{version}.0", "main", message=version)
    repo.merge(name, into="develop", message=f"Merge branch '{name}' into develop")
    return merge


def test_release_merges_and_back_merges_are_no_fixes(tmp_path):
    repo = make_flow(tmp_path)
    release(repo, "1.1")
    repo.commit({"more.py": "more = 1\n"}, "TICKET-12 more", branch="develop")
    release(repo, "1.2")
    repo.merge("main", into="develop", message="Merge branch 'main' into develop")
    assert subjects(ask(repo)) == []
    assert ask(repo).owed == 0


def test_a_release_merge_without_a_name_is_known_by_its_shape(tmp_path):
    repo = make_flow(tmp_path)
    repo.commit({"more.py": "more = 1\n"}, "TICKET-12 more", branch="develop")
    repo.merge("develop", into="main", message="Ship it")
    assert subjects(ask(repo)) == []


def test_what_a_release_branch_fixed_and_never_brought_back_is_noted_not_listed(tmp_path):
    repo = make_flow(tmp_path)
    repo.branch("release/1.1", "develop")
    left = repo.commit({"app.py": edited(APP, line5="late")}, "TICKET-13 late fix", branch="release/1.1")
    repo.merge("release/1.1", into="main", message="Merge branch 'release/1.1'")
    report = ask(repo)
    assert subjects(report) == []
    assert any("1 commit of release branches is not in every target" in note for note in report.notes)
    assert [fix.id for fix in ask(repo, commits=True).fixes] == [left]


def test_a_hotfix_between_releases_is_found_and_stays_listed_when_merged(tmp_path):
    repo = make_flow(tmp_path)
    release(repo, "1.1")
    repo.branch("hotfix/1.1.1", "main")
    repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="hotfix/1.1.1")
    merge = repo.merge("hotfix/1.1.1", into="main", message="Merge branch 'hotfix/1.1.1'")
    repo.tag("v1.1.1", "main", message="1.1.1")
    repo.merge("main", into="develop", message="Merge branch 'main' into develop")
    release(repo, "1.2")
    report = ask(repo)
    assert subjects(report) == ["TICKET-7 round"]
    fix = fix_of(report, merge)
    assert (fix.shipped_in, fix.verdicts["develop"].verdict) == ("v1.1.1", Code.MERGED)


def test_a_hotfix_merge_survives_a_back_merge_that_fast_forwarded(tmp_path):
    repo = make_flow(tmp_path)
    release(repo, "1.1")
    repo.branch("hotfix/TICKET-7", "main")
    repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="hotfix/TICKET-7")
    repo.merge("hotfix/TICKET-7", into="main", message="Merge branch 'hotfix/TICKET-7'")
    repo.force("develop", "main")
    repo.commit({"next.py": "next = 1\n"}, "TICKET-14 next", branch="develop")
    release(repo, "1.2")
    report = ask(repo)
    assert subjects(report) == ["TICKET-7 round"]
    assert report.owed == 0


def test_a_patch_release_branch_cut_from_production_is_a_hotfix(tmp_path):
    repo = make_flow(tmp_path)
    repo.branch("release/1.0.1", "main")
    repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="release/1.0.1")
    merge = repo.merge("release/1.0.1", into="main", message="Merge branch 'release/1.0.1'")
    assert fix_of(ask(repo), merge).subject == "TICKET-7 round"


def test_a_hotfix_cut_from_develop_by_mistake_brings_only_its_own_commits(tmp_path):
    repo = make_flow(tmp_path)
    repo.commit({"more.py": "more = 1\n"}, "TICKET-12 more", branch="develop")
    repo.branch("hotfix/TICKET-7", "develop")
    own = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="hotfix/TICKET-7")
    merge = repo.merge("hotfix/TICKET-7", into="main", message="Merge branch 'hotfix/TICKET-7'")
    fix = fix_of(ask(repo), merge)
    assert [commit.sha for commit in fix.commits] == [own]


def test_commits_picks_and_squash_merges_straight_on_production(tmp_path):
    repo = make_flow(tmp_path)
    origin = repo.commit({"feature.py": "feature = 2\n", "tax.py": "t = 1\n"}, "TICKET-8 tax", branch="develop")
    direct = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    pick = repo.pick(origin, onto="main", x=True, files={"feature.py": None, "tax.py": "t = 1\n"})
    squash = repo.commit({"app.py": edited(APP, line5="five", line9="nine")}, "TICKET-9 login (#44)", branch="main")
    report = ask(repo)
    assert {fix.id: fix.kind for fix in report.fixes} == {direct: "direct", pick: "pick", squash: "direct"}
    assert {fix.ticket for fix in report.fixes} == {"TICKET-7", "TICKET-8", "TICKET-9"}


def test_a_release_that_is_one_squashed_commit_is_no_fix(tmp_path):
    repo = make_flow(tmp_path)
    for number in range(3):
        repo.commit({f"part{number}.py": f"part = {number}\n"}, f"TICKET-2{number} part", branch="develop")
    repo.squash("develop", into="main", message="Sprint 14 (#33)")
    repo.tag("v1.1.0", "main", message="1.1.0")
    fix = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    assert [found.id for found in ask(repo).fixes] == [fix]


def test_a_squashed_release_on_top_of_a_hotfix_is_known_by_its_words(tmp_path):
    repo = make_flow(tmp_path)
    fix = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    for number in range(6):
        repo.commit({f"part{number}.py": f"part = {number}\n"}, f"TICKET-2{number} part", branch="develop")
    repo.squash("develop", into="main", message="Release 1.1.0 (#34)")
    assert [found.id for found in ask(repo).fixes] == [fix]


def test_a_fix_picked_from_develop_is_not_taken_for_a_release(tmp_path):
    repo = make_flow(tmp_path)
    base = repo.sha("main")
    repo.force("develop", base)
    origin = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="develop")
    pick = repo.pick(origin, onto="main")
    report = ask(repo)
    assert verdict_on(report, pick).verdict is Code.EQUIVALENT


def test_a_version_bump_is_a_chore_and_a_mixed_commit_is_a_fix(tmp_path):
    repo = make_flow(tmp_path)
    repo.commit({"VERSION": "1.0.0\n"}, "Version file", branch="main")
    repo.merge("main", into="develop")
    bump = repo.commit({"VERSION": "1.0.1\n", "CHANGELOG.md": "- Round\n"}, "Bump version to 1.0.1", branch="main")
    mixed = repo.commit({"VERSION": "1.0.2\n", "app.py": edited(APP, line5="five")}, "Release 1.0.2", branch="main")
    report = ask(repo)
    assert {fix.id: fix.chore for fix in report.fixes if fix.id in (bump, mixed)} == {bump: True, mixed: False}
    assert report.owed == 1


def test_an_evil_merge_is_part_of_the_fix(tmp_path):
    repo = make_flow(tmp_path)
    repo.branch("hotfix/TICKET-7", "main")
    one = repo.commit({"tax.py": "table = {}\n"}, "TICKET-7 table", branch="hotfix/TICKET-7")
    merge = repo.merge(
        "hotfix/TICKET-7", into="main", message="Merge branch 'hotfix/TICKET-7'",
        files={"app.py": edited(APP, line5="slipped in")},
    )  # fmt: skip
    repo.pick(one, onto="develop")
    report = ask(repo)
    fix = fix_of(report, merge)
    assert [commit.sha for commit in fix.commits] == [one, merge]
    assert fix.verdicts["develop"].verdict is Code.PARTIAL
    assert [part.verdict for part in fix.verdicts["develop"].commits] == [Code.EQUIVALENT, Code.MISSING]
    assert merge in [found.id for found in ask(repo, commits=True).fixes]


def test_a_merge_that_only_resolves_conflicts_adds_nothing(tmp_path):
    repo = make_flow(tmp_path)
    repo.branch("hotfix/TICKET-7", "main")
    one = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="hotfix/TICKET-7")
    repo.commit({"app.py": edited(APP, line5="FIVE")}, "TICKET-6 shout", branch="main")
    merge = repo.merge(
        "hotfix/TICKET-7", into="main", message="Merge branch 'hotfix/TICKET-7'",
        files={"app.py": edited(APP, line5="FIVE, rounded")},
    )  # fmt: skip
    assert [commit.sha for commit in fix_of(ask(repo), merge).commits] == [one]


def make_line(tmp_path):
    """main with stable/1.x cut from it, then both go on."""
    repo = make_repo(tmp_path)
    repo.commit({"app.py": APP}, "Start", branch="main")
    repo.commit({"one.py": "one = 1\n"}, "TICKET-1 one", branch="main")
    repo.branch("stable/1.x", "main")
    repo.tag("v1.0.0", "stable/1.x", message="1.0.0")
    repo.commit({"two.py": "two = 2\n"}, "TICKET-2 two", branch="main")
    return repo


def test_every_commit_of_a_maintenance_line_is_a_fix(tmp_path):
    repo = make_line(tmp_path)
    origin = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    pick = repo.pick(origin, onto="stable/1.x", x=True)
    only = repo.commit({"old.py": "old = 1\n"}, "TICKET-8 only here", branch="stable/1.x")
    report = ask(repo, production=("stable/1.x",), targets=("main",))
    assert {fix.id: fix.verdicts["main"].verdict for fix in report.fixes} == {
        pick: Code.EQUIVALENT, only: Code.MISSING,
    }  # fmt: skip


def test_pull_requests_on_a_maintenance_line_may_be_called_like_releases(tmp_path):
    repo = make_line(tmp_path)
    repo.branch("topic", "stable/1.x")
    repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="topic")
    merge = repo.merge("topic", into="stable/1.x", message="Merge pull request #9 from kim/release/1.7-round")
    report = ask(repo, production=("stable/1.x",), targets=("main",))
    assert [fix.id for fix in report.fixes] == [merge]


def test_a_line_that_is_merged_up_keeps_its_merged_fixes(tmp_path):
    repo = make_line(tmp_path)
    fix = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="stable/1.x")
    repo.merge("stable/1.x", into="main", message="Merge branch 'stable/1.x'")
    later = repo.commit({"app.py": edited(APP, line5="five", line9="nine")}, "TICKET-8 more", branch="stable/1.x")
    report = ask(repo, production=("stable/1.x",), targets=("main",))
    assert {found.id: found.verdicts["main"].verdict for found in report.fixes} == {
        fix: Code.MERGED, later: Code.MISSING,
    }  # fmt: skip


def test_several_production_lines_are_asked_at_once(tmp_path):
    repo = make_line(tmp_path)
    repo.branch("stable/2.x", "main")
    old = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="stable/1.x")
    new = repo.commit({"app.py": edited(APP, line9="nine")}, "TICKET-8 more", branch="stable/2.x")
    report = ask(repo, production=("stable/2.x", "stable/1.x"), targets=("main",))
    assert {fix.id: fix.production_ref for fix in report.fixes} == {old: "stable/1.x", new: "stable/2.x"}


def test_under_trunk_a_hotfix_goes_out_from_the_production_tag(tmp_path):
    repo = make_repo(tmp_path)
    repo.commit({"app.py": APP}, "Start", branch="main")
    repo.tag("v1.0.0", "main", message="1.0.0")
    repo.commit({"two.py": "two = 2\n"}, "TICKET-2 two", branch="main")
    repo.branch("hotfix/TICKET-7", "v1.0.0")
    fix = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="hotfix/TICKET-7")
    repo.tag("v1.0.1", "hotfix/TICKET-7", message="1.0.1")
    repo.delete("hotfix/TICKET-7")
    repo.commit({"three.py": "three = 3\n"}, "TICKET-3 three", branch="main")
    repo.tag("v1.1.0", "main", message="1.1.0")
    repo.tag("v1.2.0-rc1", repo.commit({"rc.py": "rc\n"}, "Try", branch="rc"), message="rc")
    report = ask(repo, production=("tags:v*",), targets=("main",))
    assert [(found.id, found.shipped_in) for found in report.fixes] == [(fix, "v1.0.1")]
    assert verdict_on(report, fix, "main").verdict is Code.MISSING


def test_neighbours_of_one_ticket_and_author_are_one_fix(tmp_path):
    repo = make_flow(tmp_path)
    one = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    two = repo.commit({"tax.py": "table = {}\n"}, "TICKET-7 add the table", branch="main")
    other = repo.commit({"b.py": "b = 1\n"}, "TICKET-7 by another person", branch="main", author="sam")
    late = repo.commit({"c.py": "c = 1\n"}, "TICKET-9 c", branch="main", date=repo.clock + 60)
    report = ask(repo)
    assert [[c.sha for c in fix.commits] for fix in report.fixes] == [[late], [other], [one, two]]
    assert fix_of(report, one).id == two
    assert fix_of(report, one).subject == "TICKET-7 round"
    assert len(ask(repo, commits=True).fixes) == 4


def test_neighbours_on_both_sides_of_a_tag_are_two_fixes(tmp_path):
    repo = make_flow(tmp_path)
    repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    repo.tag("v1.0.1", "main", message="1.0.1")
    repo.commit({"tax.py": "table = {}\n"}, "TICKET-7 add the table", branch="main")
    assert [fix.shipped_in for fix in ask(repo).fixes] == [None, "v1.0.1"]


def test_since_a_tag_or_a_date_leaves_out_what_was_live_before(tmp_path):
    repo = make_flow(tmp_path)
    repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    repo.tag("v1.0.1", "main", message="1.0.1")
    repo.clock += 40 * 86400
    repo.commit({"tax.py": "table = {}\n"}, "TICKET-8 table", branch="main")
    assert subjects(ask(repo, since="v1.0.1")) == ["TICKET-8 table"]
    assert subjects(ask(repo, since="v1.0.0")) == ["TICKET-8 table", "TICKET-7 round"]
    assert subjects(ask(repo, since="2026-01-20")) == ["TICKET-8 table"]
    assert subjects(ask(repo, since="2025-01-01")) == ["TICKET-8 table", "TICKET-7 round"]


def test_live_since_is_the_first_version_that_has_it(tmp_path):
    repo = make_flow(tmp_path)
    fix = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    landed = repo.clock
    report = ask(repo)
    assert (fix_of(report, fix).shipped_in, fix_of(report, fix).live_since) == (None, landed)
    assert fix_of(report, fix).live_since_source == "commit"
    repo.tag("v1.0.1", "main", message="1.0.1", date=landed + 5000)
    repo.commit({"tax.py": "table = {}\n"}, "TICKET-8 table", branch="main")
    repo.tag("v1.0.2", "main", message="1.0.2", date=landed + 9000)
    shipped = fix_of(ask(repo), fix)
    assert (shipped.shipped_in, shipped.live_since, shipped.live_since_source) == ("v1.0.1", landed + 5000, "tag")


def test_the_lag_is_how_long_the_target_was_behind(tmp_path):
    repo = make_flow(tmp_path)
    fix = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    repo.tag("v1.0.1", "main", message="1.0.1", date=repo.clock + 100)
    live = repo.clock + 100
    repo.clock += 30_000
    repo.pick(fix, onto="develop")
    verdict = verdict_on(ask(repo), fix)
    assert verdict.settled_at == repo.clock
    assert verdict.lag_seconds == repo.clock - live


def test_open_release_branches_are_targets_until_they_are_released(tmp_path):
    repo = make_flow(tmp_path)
    release(repo, "1.1")
    repo.branch("release/1.2", "develop")
    repo.commit({"VERSION": "1.2.0\n"}, "Bump version to 1.2.0", branch="release/1.2")
    repo.branch("release/1.3", "develop")
    repo.commit({"VERSION": "1.3.0\n"}, "Bump version to 1.3.0", branch="release/1.3")
    fix = repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    report = ask(repo, targets=("develop", "release/*"))
    assert report.targets == ("develop", "release/1.2", "release/1.3")
    assert set(fix_of(report, fix).verdicts) == set(report.targets)
    repo.tag("v1.2.0", "release/1.2", message="1.2.0")
    assert ask(repo, targets=("develop", "release/*")).targets == ("develop", "release/1.3")


def test_security_fixes_are_marked(tmp_path):
    repo = make_flow(tmp_path)
    repo.commit({"app.py": edited(APP, line5="five")}, "Mask card numbers\n\nCVE-2026-12345", branch="main")
    assert ask(repo).fixes[0].security
