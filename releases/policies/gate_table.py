"""The gate for a terminal."""

from __future__ import annotations

from dataclasses import replace

from releases.evidence.verdicts import Report

from .formats import Style, table
from .gate import Gate


def gate_table(report: Report, found: Gate, style: Style) -> str:
    """The sentence, and below it the fixes that the candidate lacks or may lack."""
    colour = "1;32" if found.safe else "1;31"
    lines = [style.paint(found.sentence, colour)]
    for fixes, title in ((found.returning, "Would come back"), (found.to_check, "To check")):
        if fixes:
            part = replace(report, fixes=fixes, notes=[])
            _sentence, *rest = table(part, style).split("\n")
            lines += [line.replace("Owed (", f"{title} (", 1) for line in rest]
    lines += [f"Note: {note}" for note in report.notes]
    return "\n".join(lines)
