"""How a report reads: sentences, widths, and nothing that could steer a terminal or a page."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from releases.evidence.verdicts import Code, CommitVerdict, FixCommit, FixReport, FixVerdict, Preview, Report
from releases.policies.formats import Style, escaped, markdown, sentence, table
from releases.policies.gate import gate, gate_data
from releases.policies.report_data import report_data
from releases.policies.wording import age, fit, harmless, width

NOW = 1_767_700_000
DOCS = Path(__file__).resolve().parents[2] / "docs"


def make_fix(name="a", code=Code.MISSING, *, settled=False, targets=("develop",), **values):
    sha = (name * 40)[:40]
    why = f"No commit of {targets[0]} carries this change."
    verdicts = {
        t: FixVerdict(code, settled, why.replace(targets[0], t), (CommitVerdict(sha, code, settled),)) for t in targets
    }
    commit = FixCommit(sha, "Round VAT", "Robin", "robin@example.org", NOW - 9000)
    known = {"subject": "Round VAT", "ticket": "TICKET-7", "shipped_in": "v1.0.1", "live_since": NOW - 8700} | values
    return FixReport(id=sha, kind="direct", commits=(commit,), production_ref="main", verdicts=verdicts, **known)


def make_report(*fixes, targets=("develop",)):
    return Report("shop", ("main",), targets, {"main": "1" * 40, "develop": "2" * 40}, list(fixes))


@pytest.mark.parametrize(
    ("fixes", "said"),
    [
        ([], "No fix in main was made outside the normal release: nothing is owed to develop."),
        ([make_fix()], "The one fix live in main is owed to develop."),
        ([make_fix(code=Code.MERGED, settled=True)], "Nothing is owed: develop has the one fix of main."),
        ([make_fix(), make_fix("b", Code.MERGED, settled=True)], "1 of 2 fixes live in main is owed to develop."),
        ([make_fix(), make_fix("b"), make_fix("c")], "3 of 3 fixes live in main are owed to develop."),
        ([make_fix(chore=True)], "No fix in main was made outside the normal release: nothing is owed to develop."),
    ],
)
def test_the_answer_is_one_sentence(fixes, said):
    assert sentence(make_report(*fixes)) == said


@pytest.mark.parametrize("columns", [80, 100, 120, 160])
@pytest.mark.parametrize(
    "targets", [("develop",), ("develop", "release/1.3"), ("develop", "release/1.3", "support/1.1")]
)
def test_the_table_fits_the_terminal(columns, targets):
    long = "Round the value-added tax of every line, not of the sum of all lines, as the tax office wants it"
    fixes = [make_fix(subject=long, targets=targets), make_fix("b", Code.EQUIVALENT, settled=True, targets=targets)]
    shown = table(make_report(*fixes, targets=targets), Style(columns, now=NOW))
    assert max(map(width, shown.splitlines())) <= columns
    assert "2 h 25 m" in shown
    assert "v1.0.1" in shown


def test_reasons_that_hold_for_several_targets_are_said_once():
    shown = table(make_report(make_fix(targets=("develop", "next")), targets=("develop", "next")), Style(120, now=NOW))
    assert "develop and next: No commit of the target carries this change." in shown


def test_colour_is_only_for_terminals():
    report = make_report(make_fix())
    assert "\x1b" not in table(report, Style(100, now=NOW))
    assert "\x1b[" in table(report, Style(100, colour=True, now=NOW))


def test_text_of_strangers_is_harmless():
    evil = "a\x1b[31m\u202eb\u200bc\r\nd\te\x07\ud800"
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\ud800-\udfff]", harmless(evil))
    assert harmless("Prüfung: 日本語 – ok") == "Prüfung: 日本語 – ok"
    fix = make_fix(subject=evil, ticket="\x1bT-1", shipped_in="v1\x9b")
    for shown in (table(make_report(fix), Style(now=NOW)), markdown(make_report(fix), Style(now=NOW))):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown)


def test_markdown_keeps_words_and_loses_markup():
    assert escaped("<b> | [x](y) `c` *d* _e_ #1") == r"\<b\> \| \[x\]\(y\) \`c\` \*d\* \_e\_ \#1"
    assert "@somebody" not in escaped("thanks @somebody")


def test_wide_characters_count_twice():
    assert width("日本") == 4
    assert fit("日本語の件名", 7) == "日本語…"
    assert fit("ab", 4) == "ab  "


def test_ages_are_two_units_at_most():
    assert [age(n) for n in (-5, 40, 90, 8700, 378_000, 86_400 * 24 + 7)] == [
        "0 s", "40 s", "1 m", "2 h 25 m", "4 d 9 h", "24 d",
    ]  # fmt: skip


def test_chores_show_only_when_asked_for():
    report = make_report(make_fix(), make_fix("b", chore=True, subject="Bump version"))
    assert "Bump version" not in table(report, Style(now=NOW))
    assert "1 chore (version bumps, changelogs) not listed" in table(report, Style(now=NOW))
    assert "Chores (1)" in table(report, Style(now=NOW, chores=True))
    assert [fix["chore"] for fix in report_data(report, chores=True)["fixes"]] == [False, True]
    assert report_data(report)["owed"] == 1


def test_the_gate_sorts_fixes_by_what_the_candidate_would_do():
    report = make_report(
        make_fix(), make_fix("b", Code.LIKELY), make_fix("c", Code.MERGED, settled=True), make_fix("d", chore=True)
    )
    found = gate(report, "develop")
    assert ([f.id[0] for f in found.returning], [f.id[0] for f in found.to_check], found.kept) == (["a"], ["b"], 1)
    assert not found.safe
    assert found.sentence == (
        "develop would bring 1 fixed bug back. 1 fix cannot be proved to be in develop: look at it."
    )
    assert gate(make_report(), "develop").safe


def keys_of(data):
    if isinstance(data, dict):
        return set(data) | {key for value in data.values() for key in keys_of(value)}
    return {key for value in data for key in keys_of(value)} if isinstance(data, list) else set()


def test_every_field_is_documented():
    fix = make_fix()
    preview = Preview(False, ("app.py",))
    fix.verdicts["develop"] = replace(fix.verdicts["develop"], preview=preview)
    report = make_report(fix)
    text = (DOCS / "mergeback-json.md").read_text()
    fields = keys_of(report_data(report)) | keys_of(gate_data(report, gate(report, "develop")))
    names = {"main", "develop"}
    assert {key for key in fields - names if f"`{key}`" not in text and f'"{key}"' not in text} == set()


def test_every_verdict_is_explained_to_users():
    text = (DOCS / "verdicts.md").read_text()
    assert [code for code in Code if f"### {code.label}" not in text] == []
