"""Raw output becomes lines that every database and browser can take."""

from __future__ import annotations

import random

from releases.deploys.runner.lines import CHUNK, LONGEST_LINE, char_start, chunks, clean


def test_text_stays_as_it_is_and_ends_with_a_line_feed():
    assert clean(b"one\ntwo") == "one\ntwo\n"
    assert clean("grün ✓\n".encode()) == "grün ✓\n"
    assert clean(b"") == ""
    assert clean(b"\n\n") == "\n\n"


def test_colours_and_tabs_stay_other_controls_and_broken_text_do_not():
    assert clean(b"\x1b[31mred\x1b[0m\tx\n") == "\x1b[31mred\x1b[0m\tx\n"
    assert clean(b"a\x00b\x07c\xffd\x7f\xc2\x85\n") == "a\ufffdb\ufffdc\ufffdd\ufffd\ufffd\n"


def test_a_line_written_over_again_keeps_its_last_state():
    assert clean(b" 10%\r 50%\r100%\ndone\r\n") == "100%\ndone\n"
    assert clean(b"10%\r100%\r\n") == "100%\n"
    assert clean(b"a\r\nb\r\r\n") == "a\nb\n"


def test_long_lines_are_broken():
    text = clean(b"x" * (LONGEST_LINE * 2 + 5) + b"\nshort\n")
    assert [len(line) for line in text.splitlines()] == [LONGEST_LINE, LONGEST_LINE, 5, 5]
    empty = clean(b"\n" * (LONGEST_LINE + 9))
    assert empty == "\n" * (LONGEST_LINE + 9)


def test_anything_at_all_becomes_lines_that_can_be_stored():
    chance = random.Random(7)
    for size in (1, 10, 1000, 50_000):
        text = clean(chance.randbytes(size))
        assert text.endswith("\n")
        assert text.encode().decode() == text
        assert not any(ch < " " and ch not in "\n\t\x1b" for ch in text)
        assert max(map(len, text.split("\n"))) <= LONGEST_LINE


def test_chunks_hold_whole_lines():
    text = "".join(f"line {n} {'x' * (n % 90)}\n" for n in range(5000))
    pieces = list(chunks(text))
    assert "".join(pieces) == text
    assert all(piece.endswith("\n") and len(piece) <= CHUNK for piece in pieces)
    assert len(pieces) == -(-len(text) // CHUNK) or len(pieces) == -(-len(text) // CHUNK) + 1
    assert list(chunks("")) == []


def test_a_character_is_not_cut_in_two():
    data = "aé✓😀".encode()
    starts = {at for at in range(len(data)) if data[at] & 0xC0 != 0x80}
    for at in range(1, len(data)):
        assert char_start(data, at) in starts
        assert 0 <= at - char_start(data, at) <= 3
    assert char_start(data, len(data)) == len(data)
    assert char_start(b"\x80" * 9, 6) == 6
