"""How durations, days and odd text are said."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from releases.templatetags import dash
from releases.views import words


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"), (-5, "0 s"), (40.9, "40 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (8700, "2 h 25 m"),
        (86_400, "1 d"), (788_400, "9 d 3 h"), (86_400 * 400, "400 d"),
    ],
)  # fmt: skip
def test_a_duration_has_two_units_at_most(seconds: float, said: str) -> None:
    assert words.duration(seconds) == said
    assert dash.age(seconds) == said
    assert dash.age(timedelta(seconds=seconds)) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(59, "59 seconds"), (60, "1 minute"), (7200, "2 hours"), (86_400, "1 day")]
)
def test_a_sentence_rounds_to_one_unit(seconds: float, said: str) -> None:
    assert words.duration_round(seconds) == said


@pytest.mark.parametrize(
    ("age", "css", "said"),
    [(3600, "due", "due in 1 d 23 h"), (46 * 3600, "soon", "due in 2 h"), (50 * 3600, "over", "2 h over the limit")],
)
def test_an_age_is_told_against_its_limit(age: float, css: str, said: str) -> None:
    assert words.due_words(age, 48 * 3600) == (css, said)


@pytest.mark.parametrize("odd", ["\u202e", "\u2066", "\u200f", "\x00", "\x1b", "\x7f", "\u2028", "\ufeff", "\u061c"])
def test_characters_that_deceive_are_spelled_out(odd: str) -> None:
    assert words.visible(f"a{odd}b") == f"a⟨U+{ord(odd):04X}⟩b"


@pytest.mark.parametrize("fine", ["Größe", "日本語", "a\tb", "naïve 🎉", "two words"])
def test_ordinary_text_is_left_alone(fine: str) -> None:
    assert words.visible(fine) == fine


def test_days_near_now_have_names() -> None:
    now = timezone.now()
    assert words.day(now) == "today"
    assert words.day(now + timedelta(days=1)) == "tomorrow"
    assert words.day(now - timedelta(days=1)) == "yesterday"
    assert words.day(now + timedelta(days=400)).endswith(str((now + timedelta(days=400)).year))


def test_a_bar_keeps_inside_its_scale() -> None:
    bar = dash.age_bar_markup(10 * 86_400, 2 * 86_400, 10 * 86_400)
    assert 'class="bar-in" y="2" width="20.00%"' in bar
    assert 'class="bar-over" x="20.00%" y="2" width="80.00%"' in bar
    assert "style=" not in bar
    assert "bar-over" not in dash.age_bar_markup(3600, 2 * 86_400, 10 * 86_400)
    assert 'width="100.00%"' not in dash.age_bar_markup(0, 3600, 0)


def test_tags_escape_what_comes_from_git() -> None:
    assert "<b>" not in dash.ref("<b>main</b>")
    assert "<b>" not in dash.copy("<b>")
    assert '"onclick' not in dash.copy('"onclick=1')
    assert dash.short_sha(None) == ""
    assert dash.short_sha("0123456789") == "0123456"
