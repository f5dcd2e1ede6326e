import pytest

from releases.policies.names import matches, merge_name, version_in


@pytest.mark.parametrize(
    ("subject", "body", "source", "into", "title"),
    [
        ("Merge branch 'hotfix/1.2.1'", "", "hotfix/1.2.1", "", ""),
        ("Merge branch 'hotfix/1.2.1' into main", "", "hotfix/1.2.1", "main", ""),
        (
            "Merge branch 'hotfix/T-1' into 'main'",
            "Fix VAT\n\nSee merge request a/b!7",
            "hotfix/T-1",
            "main",
            "Fix VAT",
        ),
        ("Merge branch 'hotfix/x' of https://example.org/a/b into develop", "", "hotfix/x", "develop", ""),
        ("Merge remote-tracking branch 'origin/release/1.2'", "", "release/1.2", "", ""),
        ("Merge pull request #12 from org/hotfix/TICKET-1", "Fix VAT\n\nmore", "hotfix/TICKET-1", "", "Fix VAT"),
        ("Merge pull request #12 from org/hotfix-9", "", "hotfix-9", "", ""),
        ("Merge pull request 'Fix VAT' (#3) from hotfix/x into main", "", "hotfix/x", "main", "Fix VAT"),
        ("Merge pull request #3 in SHOP/web from hotfix/x to main", "", "hotfix/x", "main", ""),
        ("Pull request #3: Fix VAT", "Merge in SHOP/web from hotfix/x to main\n", "hotfix/x", "main", "Fix VAT"),
        ("Merged in hotfix/x (pull request #3)", "Fix VAT\n\nApproved-by: somebody", "hotfix/x", "", "Fix VAT"),
        ('Merge "Fix VAT" into stable/2025.1', "", "", "stable/2025.1", "Fix VAT"),
        ("Merge tag 'v1.2' into develop", "", "v1.2", "develop", ""),
        ("Merged PR 9: Fix VAT", "", "", "", "Fix VAT"),
        ("Merge hotfix/1.2.3 into main", "", "hotfix/1.2.3", "main", ""),
        ("Merge commit 'abc123'", "", "", "", ""),
        ("Round VAT per line (#12)", "", "", "", ""),
    ],
)
def test_merges_of_git_and_of_the_forges_are_read(subject, body, source, into, title):
    found = merge_name(subject, body)
    assert (found.source, found.into, found.title) == (source, into, title)


def test_remarks_of_the_forge_are_no_title():
    for body in ("Approved-by: somebody", "See merge request a/b!7", "* commit 'a':\n  Fix", "# Conflicts:\n#\tx"):
        assert merge_name("Merge branch 'hotfix/x'", body).title == ""


def test_globs_tell_kinds_of_branches():
    assert matches("hotfix/a/b", ("hotfix/*",))
    assert not matches("feature/hotfix/a", ("hotfix/*",))


def test_a_version_is_read_from_a_branch_or_tag():
    assert version_in("release/1.3") == (1, 3, 0)
    assert version_in("v2.10.4") == (2, 10, 4)
    assert version_in("hotfix/login") is None
