"""What the two scripts share: which pairs are asked for, and how a table is set."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .histories import Pair, git_dir, known_pairs


def add_repository(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("repository", help="a repository, or a folder of clones")
    parser.add_argument("--production", metavar="REF")
    parser.add_argument("--target", metavar="REF")
    parser.add_argument("--only", metavar="TEXT", help="only known pairs whose title holds this")
    parser.add_argument("--json", metavar="FILE", type=Path)


def chosen(options: argparse.Namespace) -> list[Pair]:
    """The pairs that were asked for. Exits when there are none."""
    place = Path(options.repository)
    if options.production and options.target:
        repository = git_dir(place)
        if repository is None:
            sys.exit(f"{place} is no git repository.")
        return [Pair(repository, place.resolve().name.removesuffix(".git"), options.production, options.target)]
    pairs = list(known_pairs(place)) if place.is_dir() else []
    pairs = [pair for pair in pairs if not options.only or options.only in pair.title]
    if not pairs:
        sys.exit("Name a repository with --production and --target, or a folder with clones of the known histories.")
    return pairs


def columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in plain text: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = []
    for row in (head, *rows):
        cells = [cell.rjust(width) if at else cell.ljust(width)
                 for at, (cell, width) in enumerate(zip(row, widths, strict=True))]  # fmt: skip
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
