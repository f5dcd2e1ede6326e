"""The minimality meter, the convention for subjects, and what to test again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from releases.git.page_reads import FileCount
from releases.hotfixes.change import ChangeSize, badly_named, convention, fits, measure
from releases.policies.flow import FlowPolicy

POLICY = FlowPolicy()


def size(*files: tuple[str, int | None, int | None], policy: FlowPolicy = POLICY) -> ChangeSize:
    counted = [FileCount(*file) for file in files]
    return measure(counted, len(counted), [], policy, "T-1")


def test_a_small_change_is_minimal() -> None:
    found = size(("src/app.py", 9, 3), ("tests/test_app.py", 5, 0))
    assert (found.files, found.added, found.removed, found.lines) == (2, 14, 3, 17)
    assert found.minimal


def test_each_limit_has_its_sentence() -> None:
    found = size(*((f"src/{n}.py", 10, 0) for n in range(6)))
    assert found.faults == ("It changes 6 files; 5 is the limit.", "It changes 60 lines; 40 is the limit.")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("shop/migrations/0002_add.py", "migration"), ("migrations/0001.py", "migration"), ("db/up.sql", "migration"),
        ("requirements/base.txt", "dependency"), ("uv.lock", "dependency"), ("web/package-lock.json", "dependency"),
        ("shop/settings/base.py", "setting"), ("settings.py", "setting"), ("deploy/app.yml", "setting"),
        ("src/app.py", ""), ("docs/migrating.md", ""),
    ],
)  # fmt: skip
def test_what_a_minimal_fix_leaves_alone(path: str, kind: str) -> None:
    found = size((path, 1, 0))
    assert [risk.kind for risk in found.risks] == ([kind] if kind else [])
    assert found.faults == ((f"It touches a {kind}: {path}.",) if kind else ())


def test_binary_files_count_without_lines() -> None:
    found = size(("logo.png", None, None))
    assert (found.binary, found.lines) == (1, 0)


def test_what_to_test_again_comes_from_the_paths() -> None:
    policy = replace(POLICY, retest=("src/pay/**=Pay with every card", "*.css=Look at the till", "docs/**=Read it"))
    found = size(("src/pay/card.py", 1, 1), ("src/pay/iban.py", 1, 1), ("till.css", 1, 0), policy=policy)
    assert found.retest == ("Pay with every card", "Look at the till")


def test_subjects_follow_the_convention() -> None:
    commits = [
        {"sha": "a", "subject": "[HOTFIX] T-1: mend"}, {"sha": "b", "subject": "[hotfix] t-1: mend"},
        {"sha": "c", "subject": "[HOTFIX] T-12: mend"}, {"sha": "d", "subject": "mend"},
        {"sha": "e", "subject": 'Revert "mend"'},
    ]  # fmt: skip
    assert badly_named(commits, POLICY, "T-1") == ("c", "d")
    assert badly_named(commits, replace(POLICY, commit_pattern=""), "T-1") == ()
    assert convention(POLICY, "T-1") == "[HOTFIX] T-1: …"


def test_a_key_is_no_pattern() -> None:
    assert badly_named([{"sha": "a", "subject": "[HOTFIX] TX1: mend"}], POLICY, "T.1") == ("a",)


@pytest.mark.parametrize(
    ("path", "glob", "fit"),
    [
        ("a/b/c.py", "**/b/**", True), ("b/c.py", "**/b/**", True), ("a/b.py", "b.py", True), ("a/b.py", "/a/*", True),
        ("ab/c.py", "**/b/**", False), ("a/b.py", "a.py", False),
    ],
)  # fmt: skip
def test_globs(path: str, glob: str, fit: bool) -> None:
    assert fits(path, glob) is fit


def test_a_size_survives_being_stored() -> None:
    found = size(("shop/migrations/0002.py", 1, 0), ("src/app.py", 90, 3))
    assert ChangeSize.from_data(found.as_data()) == found
    assert ChangeSize.from_data({}) is None
