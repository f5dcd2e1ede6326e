"""Secrets are replaced in every form in which tools print them, also when they come in two pieces."""

from __future__ import annotations

import base64
import json
import shlex
import subprocess
import urllib.parse

import pytest

from releases.deploys.runner.masking import Mask

SECRET = "s3cr3t/Wörd+with ünïcode&more=yes"
KEY = "-----BEGIN KEY-----\n" + "\n".join(f"k{n:03}" * 16 for n in range(12)) + "\n-----END KEY-----\n"


def masked(text: str, **secrets: str) -> str:
    return Mask(secrets or {"S": SECRET}).text(text)


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        urllib.parse.quote(SECRET),
        urllib.parse.quote(SECRET, safe=""),
        urllib.parse.quote_plus(SECRET),
        urllib.parse.quote(SECRET, safe="").lower(),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
    ],
)
def test_every_form_is_replaced(form):
    # Padding at the end of base64 tells nothing.
    assert masked(f"before {form} after").replace("=", "") == "before *** after"


@pytest.mark.parametrize("before", ["", "u", "us", "use", "user:", "longer user:"])
@pytest.mark.parametrize("after", ["", "\n", ":x", "tail"])
def test_base64_of_more_than_the_secret_does_not_give_it_away(before, after):
    coded = base64.b64encode(f"{before}token-5f2e9a77c1{after}".encode()).decode()
    left = masked(f"Authorization: Basic {coded}", T="token-5f2e9a77c1")
    rest = left.removeprefix("Authorization: Basic ")
    assert "***" in rest
    for piece in rest.split("***"):
        for shift in range(4):
            whole = piece.rstrip("=")[shift:]
            read = base64.b64decode(whole[: len(whole) // 4 * 4] or b"")
            assert not any(part in read for part in (b"token-5", b"f2e9a", b"77c1"))


def test_a_key_is_replaced_as_a_whole_line_by_line_and_broken_into_lines_of_base64():
    assert masked(KEY, K=KEY).strip() == "***"
    carriage = masked(KEY.replace("\n", "\r\n"), K=KEY)
    spaced = masked("".join(f"| {line} |\n" for line in KEY.splitlines()), K=KEY)
    wrapped = subprocess.run(["base64"], input=KEY.encode(), capture_output=True, check=True).stdout.decode()
    for text in (carriage, spaced, masked(wrapped, K=KEY)):
        assert "***" in text
        assert "k003k003" not in text
    for line in wrapped.splitlines()[:-1]:
        assert line not in masked(wrapped, K=KEY)


def test_a_shells_trace_of_a_secret_with_quotes_is_replaced():
    secret = 'it\'s a "secret" $HOME `x`'
    traced = subprocess.run(
        ["bash", "-xc", 'true "$S"'], env={"S": secret, "PATH": "/usr/bin:/bin"}, capture_output=True, check=True
    ).stderr.decode()
    assert "it'\\''s" in traced
    assert "secret" not in masked(traced, S=secret)
    assert "secret" not in masked(shlex.quote(secret), S=secret)


def test_the_longer_of_two_secrets_goes_first():
    mask = Mask({"A": "password", "B": "password-for-production"})
    assert mask.text("x password-for-production y password z") == "x *** y *** z"


def test_short_words_stay():
    assert masked("yes and no", A="yes", B="", C="no") == "yes and no"


def test_without_secrets_nothing_changes():
    mask = Mask({})
    assert not mask
    assert mask.masked(b"\xff\x00 any") == b"\xff\x00 any"
    assert mask.held(b"any") == 0
    assert mask.whole(b"any", 2) == 2


def test_the_beginning_of_a_secret_at_the_end_is_held():
    mask = Mask({"A": "abcdef"})
    assert mask.held(b"xx abc") == 3
    assert mask.held(b"xx abcdef") == 0
    assert mask.held(b"xx abcx") == 0
    assert mask.held(b"") == 0
    assert Mask({"A": "aaaab"}).held(b"x" + b"a" * 9) == 4


def test_a_cut_moves_before_a_secret():
    mask = Mask({"A": "abcdef", "B": "xyzabc"})
    assert mask.whole(b"..abcdef..", 5) == 2
    assert mask.whole(b"..abcdef..", 2) == 2
    assert mask.whole(b"..abcdef..", 8) == 8
    assert mask.whole(b".xyzabcdef.", 6) == 1
