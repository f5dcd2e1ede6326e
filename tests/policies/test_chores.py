import pytest

from releases.policies.chores import LineChange, could_be_chore, is_chore
from releases.policies.flow import FlowPolicy

POLICY = FlowPolicy()


def bump(old: str, new: str) -> LineChange:
    return LineChange((old,), (new,))


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("VERSION", "1.2.0", "1.2.1"),
        ("package.json", '  "version": "1.2.0",', '  "version": "1.2.1",'),
        ("pyproject.toml", 'version = "1.2.0"', 'version = "1.2.1"'),
        ("setup.py", "    version='1.2.0',", "    version='1.2.1',"),
        ("shop/__init__.py", '__version__ = "1.2.0.dev0"', '__version__ = "1.2.0"'),
        ("django/__init__.py", 'VERSION = (4, 2, 1, "final", 0)', 'VERSION = (4, 2, 2, "alpha", 0)'),
        ("configure.ac", "AC_INIT([tool], [1.2.0])", "AC_INIT([tool], [1.2.1])"),
        ("version/version.go", 'Version = "1.7.3+unknown"', 'Version = "1.7.4+unknown"'),
    ],
)
def test_a_version_bump_is_a_chore_whatever_the_subject(path, old, new):
    assert is_chore("Next", {path: bump(old, new)}, POLICY)


def test_changelogs_and_translations_are_chores():
    changes = {"CHANGELOG.md": LineChange((), ("- Fixed VAT",)), "shop/locale/de/LC_MESSAGES/django.po": None}
    assert is_chore("Update", changes, POLICY)
    assert is_chore("x", {"docs/releases/4.2.1.txt": LineChange((), ("new",))}, POLICY)
    assert is_chore("x", {"Misc/NEWS.d/next/Library/x.rst": LineChange((), ("new",))}, POLICY)


def test_a_fix_that_also_bumps_the_version_is_a_fix():
    changes = {"VERSION": bump("1.2.0", "1.2.1"), "shop/vat.py": LineChange(("a",), ("b",))}
    assert not is_chore("Release 1.2.1", changes, POLICY)


def test_a_version_file_that_changes_more_than_the_version_is_a_fix():
    assert not is_chore("Release 1.2.1", {"setup.py": LineChange(("a = 1",), ("import os",))}, POLICY)
    assert not is_chore("Release", {"pyproject.toml": LineChange((), ('dependencies = ["x"]',))}, POLICY)


def test_a_dependency_bump_is_a_fix():
    lodash = bump('    "lodash": "^4.17.20",', '    "lodash": "^4.17.21",')
    assert not is_chore("Bump lodash from 4.17.20 to 4.17.21", {"package.json": lodash}, POLICY)
    locked = bump('      "version": "4.17.20",', '      "version": "4.17.21",')
    assert not is_chore("Bump lodash from 4.17.20 to 4.17.21", {"package-lock.json": locked}, POLICY)
    assert not is_chore("deps", {"pom.xml": bump("<version>2.1</version>", "<version>2.2</version>")}, POLICY)


def test_a_number_that_is_no_version_is_a_fix():
    assert not is_chore("Retry more", {"shop/__init__.py": bump("RETRIES = 3", "RETRIES = 5")}, POLICY)
    assert not is_chore("Release the lock", {"shop/lock.py": bump("TIMEOUT = 3", "TIMEOUT = 5")}, POLICY)


def test_a_program_named_like_a_changelog_is_a_program():
    assert not is_chore("x", {"shop/changes.py": LineChange(("a",), ("b",))}, POLICY)
    assert not is_chore("x", {"templates/news/list.html": LineChange(("a",), ("b",))}, POLICY)


def test_unknown_lines_and_no_paths_are_no_chore():
    assert not is_chore("Release 1.2.1", {"VERSION.bin": None}, POLICY)
    assert not is_chore("Release 1.2.1", {}, POLICY)


def test_only_what_can_be_a_chore_is_read():
    assert could_be_chore("x", ("VERSION", "CHANGELOG.md"), POLICY)
    assert could_be_chore("Release 1.2.1", ("README.md",), POLICY)
    assert not could_be_chore("Round VAT", ("shop/vat.py", "VERSION"), POLICY)
    assert not could_be_chore("Release 1.2.1", (), POLICY)
