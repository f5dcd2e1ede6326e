"""A made-up history of a few thousand commits with picks that say where they come from, the same every time.

It stands in where no real history is at hand. Real ones are harder: see `accuracy.py` and `speed.py`.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterable
from pathlib import Path

from .histories import Pair

FILES, LINES = 120, 60
COMMITS, PICKS = 3000, 600
WORDS = ("parse", "render", "cache", "retry", "token", "header", "locale", "upload", "queue", "login", "index", "price")
START = 1_600_000_000


def build(folder: Path) -> Pair:
    """A bare repository with `main` and `stable`, which took fixes from it: a third as they were, others adapted."""
    repository = folder / "synthetic.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(repository)], check=True)
    dice = random.Random(20)
    state = {f"src/part{number % 12}/file{number}.py": _file(number) for number in range(FILES)}
    changes = [_change(dice, state, number) for number in range(COMMITS)]
    forked = {path: list(rows) for path, rows in state.items()}
    marks = folder / "marks"
    _import(repository, _line("main", state, changes), f"--export-marks={marks}")
    names = dict(line.split(" ") for line in marks.read_text().splitlines())
    later = sorted(dice.sample(range(COMMITS // 2, COMMITS), PICKS))
    for path, row, text, _said in changes[: COMMITS // 2]:
        forked[path][row] = text
    picks = []
    for number in later:
        path, row, text, said = changes[number]
        # A third of them meets other surroundings, and some are worded anew on the way.
        if number % 3 == 0:
            forked[path][max(0, row - 1)] = f"kept as it was in the stable line {number}"
            picks.append((path, max(0, row - 1), forked[path][max(0, row - 1)], f"Keep the old way {number}"))
        picks.append((path, row, text if number % 5 else f"{text}  # as far as it goes here",
                      f"{said}\n\n(cherry picked from commit {names[f':{number + 2}']})"))  # fmt: skip
    base = names[f":{COMMITS // 2 + 1}"]
    _import(repository, _line("stable", forked, picks, base))
    subprocess.run(["git", f"--git-dir={repository}", "repack", "-adq"], check=True)
    return Pair(repository, "synthetic", "stable", "main")


def _file(number: int) -> list[str]:
    return [f"line {row} of file {number}" for row in range(LINES)]


Change = tuple[str, int, str, str]


def _change(dice: random.Random, state: dict[str, list[str]], number: int) -> Change:
    path = dice.choice(list(state))
    verb, noun = dice.choice(WORDS), dice.choice(WORDS)
    text = f"    {verb}_{noun}(timeout={number}, attempts={dice.randrange(9)})"
    return path, dice.randrange(LINES), text, f"Let {verb} mind the {noun}, case {number} (#{number + 100})"


def _line(branch: str, state: dict[str, list[str]], changes: Iterable[Change], base: str = "") -> Iterable[bytes]:
    """A fast-import stream that makes these changes one after the other."""
    state = {path: list(rows) for path, rows in state.items()}
    ref = f"refs/heads/{branch}"
    if not base:
        yield _commit(ref, 1, START, "Start")
        for path, rows in state.items():
            yield _blob(path, rows)
    for number, (path, row, text, said) in enumerate(changes):
        state[path][row] = text
        yield _commit(ref, number + 2, START + (number + 1) * (600 if not base else 1900), said)
        if base and number == 0:
            yield f"from {base}\n".encode()
        yield _blob(path, state[path])


def _commit(ref: str, mark: int, when: int, message: str) -> bytes:
    said = message.encode()
    who = f"Robin <robin{mark % 7}@example.org> {when} +0000"
    return f"commit {ref}\nmark :{mark}\nauthor {who}\ncommitter {who}\ndata {len(said)}\n".encode() + said + b"\n"


def _blob(path: str, rows: Iterable[str]) -> bytes:
    text = "".join(f"{row}\n" for row in rows).encode()
    return f"M 100644 inline {path}\ndata {len(text)}\n".encode() + text + b"\n"


def _import(repository: Path, stream: Iterable[bytes], *options: str) -> None:
    command = ["git", f"--git-dir={repository}", "fast-import", "--quiet", *options]
    subprocess.run(command, input=b"".join(stream), check=True)
