"""Facts that a command leaves: `name=value` lines in the file it was told of."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from .masking import Mask

MOST_BYTES = 1 << 16
MOST_FACTS = 100
LONGEST_VALUE = 4000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,79}\Z")
_NO_FILE = "HOTFIXDASH_OUTPUT cannot be read: it is no plain file any more."
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def read_facts(path: Path, mask: Mask) -> tuple[dict[str, str], list[str]]:
    """Facts by name (the last of a name counts), and a sentence for each thing that could not be taken over."""
    data, problems = _read(path)
    facts: dict[str, str] = {}
    for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
        if not line.strip():
            continue
        name, equals, value = line.rstrip("\r").partition("=")
        name = name.strip()
        if not equals or not _NAME.match(name):
            problems.append(f"Line {number} of HOTFIXDASH_OUTPUT is no name=value.")
        elif name not in facts and len(facts) >= MOST_FACTS:
            problems.append(f"HOTFIXDASH_OUTPUT holds more than {MOST_FACTS} facts; the rest is left out.")
            break
        else:
            if len(value) > LONGEST_VALUE:
                problems.append(f"The fact {name} is longer than {LONGEST_VALUE} characters and was cut.")
            facts[name] = _CONTROL.sub("\ufffd", mask.text(value)[:LONGEST_VALUE])
    return facts, problems[:20]


def _read(path: Path) -> tuple[bytes, list[str]]:
    """Its content, when it still is a plain file: a command could have put a link or a pipe into its place."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return b"", []
    except OSError:
        return b"", [_NO_FILE]
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return b"", [_NO_FILE]
    with open(descriptor, "rb") as handle:
        data = handle.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        return data[:MOST_BYTES].rpartition(b"\n")[0], [
            f"HOTFIXDASH_OUTPUT holds more than {MOST_BYTES:,} bytes; the rest is left out."
        ]
    return data, []
