"""Turning raw output into lines that every database and every browser can take."""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST_LINE = 8192
"""Characters; a longer line is broken."""
CHUNK = 64 << 10
"""Bytes of one chunk of the log, about."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")
_CONTROL_BYTES = bytes(byte for byte in (*range(32), 127) if byte not in b"\t\n\r\x1b")


def clean(data: bytes) -> str:
    """Lines that end with a line feed each.

    What is no UTF-8, and control characters but for tab and escape, become replacement characters. Of a line that a
    program wrote over again and again (a progress bar), the last state stays, as on a screen.
    """
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    if not text:
        return ""
    if not text.endswith("\n"):
        text += "\n"
    if "\r" in text:
        text = "\n".join(_last_state(line) for line in text.split("\n"))
    if _has_controls(data):
        text = _CONTROL.sub("\ufffd", text)
    if max(map(len, text.split("\n"))) > LONGEST_LINE:
        text = "".join(_broken(text))
    return text


def chunks(text: str) -> Iterator[str]:
    """Whole lines in pieces of about CHUNK bytes (characters, for most text)."""
    at = 0
    while at < len(text):
        end = text.rfind("\n", at, at + CHUNK) + 1
        yield text[at : end or len(text)]
        at = end or len(text)


def char_start(data: bytes, at: int) -> int:
    """The place at or shortly before `at` where a UTF-8 character begins."""
    for back in range(min(4, at)):
        if at - back < len(data) and data[at - back] & 0xC0 != 0x80:
            return at - back
    return at


def _has_controls(data: bytes) -> bool:
    """Whether there may be any: told by bytes, many times quicker than by an expression."""
    return len(data.translate(None, _CONTROL_BYTES)) != len(data) or b"\xc2" in data


def _last_state(line: str) -> str:
    return line.rstrip("\r").rpartition("\r")[2] if "\r" in line else line


def _broken(text: str) -> Iterator[str]:
    for line in text.split("\n")[:-1]:
        for at in range(0, len(line) or 1, LONGEST_LINE):
            yield line[at : at + LONGEST_LINE]
            yield "\n"
