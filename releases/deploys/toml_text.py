"""Plain data as TOML, laid out for people; `tomllib` reads it back to the same. No I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")
_LINE = 100


def toml_text(data: Mapping[str, Any]) -> str:
    """A document: values first, then tables and lists of tables, each in the order given. None is left out."""
    return "\n".join(_table(data, ())).strip() + "\n"


def _table(data: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    lines = [f"{_key(name)} = {_value(value)}" for name, value in data.items() if value is not None and _plain(value)]
    for name, value in data.items():
        here = (*path, name)
        if isinstance(value, Mapping):
            lines += ["", f"[{_dotted(here)}]", *_table(value, here)]
        elif not _plain(value):
            for item in value:
                lines += ["", f"[[{_dotted(here)}]]", *_table(item, here)]
    return lines


def _plain(value: Any) -> bool:
    """Whether it stands on the line of its key."""
    if isinstance(value, Mapping):
        return False
    return not (isinstance(value, Sequence) and value and isinstance(value[0], Mapping))


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(_key(name) for name in path)


def _key(name: str) -> str:
    return name if _BARE.match(name) else _string(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, str):
        return _text(value)
    return _list([_value(item) for item in value])


def _list(items: list[str]) -> str:
    line = f"[{', '.join(items)}]"
    return line if len(line) <= _LINE else "[\n" + "".join(f"  {item},\n" for item in items) + "]"


def _text(text: str) -> str:
    """Commands stand as they are typed, without escapes, wherever TOML can say them so."""
    if all(char == "\n" or char == "\t" or char.isprintable() for char in text) and "'''" not in text:
        if "\n" in text:
            # A line feed right after the opening quotes is not part of the text; neither may it end in a quote.
            return f"'''\n{text}'''" if not text.endswith("'") else _string(text)
        if ('"' in text or "\\" in text) and "'" not in text:
            return f"'{text}'"
    return _string(text)


def _string(text: str) -> str:
    """Between double quotes; JSON escapes the same characters the same way, but for DEL, which TOML wants escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
