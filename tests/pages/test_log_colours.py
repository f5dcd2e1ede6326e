"""A line of a terminal as markup: colours stay, tricks do not."""

from __future__ import annotations

import pytest

from releases.views.logs.ansi import LONGEST, markup, plain


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m and not", '<span class="lc-r">red</span> and not'),
        ("\x1b[1;32mbold\x1b[22m thin", '<span class="lc-g l-b">bold</span><span class="lc-g"> thin</span>'),
        ("\x1b[38;5;208morange\x1b[m", '<span class="lc-y">orange</span>'),
        ("\x1b[38;2;10;20;220mblue", '<span class="lc-b">blue</span>'),
        ("\x1b[30;41mon red\x1b[0m", '<span class="lg-r">on red</span>'),
        ("\x1b[36;7mturned\x1b[27m", '<span class="lg-c">turned</span>'),
        ("\x1b[37mwhite\x1b[90mgrey", 'white<span class="lc-x">grey</span>'),
        ("10 %\r50 %\r100 %\r", "100 %"),
        ("\r", ""),
    ],
)  # fmt: skip
def test_colours_and_progress_bars(line: str, shown: str) -> None:
    assert markup(line) == shown


@pytest.mark.parametrize(
    "line",
    [
        "<script>alert(1)</script>", '\x1b[31m"><img src=x onerror=alert(1)>',
        "\x1b]8;;javascript:alert(1)\x07x\x1b]8;;\x07",
        "\x1b[2J\x1b[1;1Hcleared", "\x1b]0;title\x1b\\", "\x1b[<script>m", "a\x1b", "\x1bP1;2|<b>\x1b\\",
    ],
)  # fmt: skip
def test_nothing_of_a_hostile_line_becomes_markup_or_control(line: str) -> None:
    shown = markup(line)
    assert "<script" not in shown
    assert "<img" not in shown
    assert "<b>" not in shown
    assert "javascript" not in shown
    assert "\x1b" not in shown


def test_direction_and_control_characters_are_spelled_out() -> None:
    assert markup("abc\u202edef\x00") == "abc⟨U+202E⟩def⟨U+0000⟩"
    assert markup("\x1b[31mx\u2066\x1b[0m") == '<span class="lc-r">x⟨U+2066⟩</span>'


def test_a_very_long_line_is_cut_and_says_so() -> None:
    shown = markup("x" * (LONGEST + 1234))
    assert "1,234 more characters" in shown
    assert len(shown) < LONGEST + 200


def test_a_colour_ends_with_its_line() -> None:
    assert markup("\x1b[31mnever ended") == '<span class="lc-r">never ended</span>'
    assert markup("next") == "next"


def test_absurd_colour_codes_do_no_harm() -> None:
    assert markup("\x1b[38;5m\x1b[38;2;1m\x1b[999999999999999999m\x1b[38;5;999m\x1b[;;;mx") == "x"
    assert markup("\x1b[" + "1;" * 1000 + "31mx").endswith("x</span>")


def test_plain_is_what_a_reader_sees() -> None:
    assert plain("\x1b[1;31merror\x1b[0m: no") == "error: no"
    assert plain("1 %\r99 %") == "99 %"
