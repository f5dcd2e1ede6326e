"""A report for people: as a table in a terminal, or as Markdown. Text from messages is made harmless first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from releases.evidence.verdicts import Code, FixReport, FixVerdict, Report

from .wording import age, count, fit, harmless, width

_COLOURS = {
    Code.MISSING: "1;31", Code.REVERTED: "1;31", Code.PARTIAL: "1;33", Code.UNKNOWN: "33", Code.LIKELY: "36",
    Code.DECLARED: "36", Code.MERGED: "32", Code.EQUIVALENT: "32", Code.NOTHING_OWED: "2", Code.WAIVED: "2",
}  # fmt: skip
_LIVE = 8
_SUBJECT = 36
"""Columns that the subject keeps; where targets leave less, their cells hold the verdict alone."""
_NARROW = 16
"""Columns that the subject keeps whatever comes."""


@dataclass(frozen=True, slots=True)
class Style:
    """How wide the terminal is, whether it shows colours, and what time it is."""

    columns: int = 100
    colour: bool = False
    now: float = 0.0
    """Unix seconds; ages are counted up to it."""
    chores: bool = False
    """List version bumps and changelogs too."""

    def paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and code else text


def sentence(report: Report) -> str:
    """The answer in one sentence."""
    fixes = [fix for fix in report.fixes if not fix.chore]
    to, live = _and(report.targets) or "no target", _and([_live(name) for name in report.production])
    if not report.targets:
        return f"{count(len(fixes), 'fix', 'fixes')} in {live}; no branch is named that must have them."
    if not fixes:
        return f"No fix in {live} was made outside the normal release: nothing is owed to {to}."
    if not report.owed:
        return f"Nothing is owed: {to} {_has(report)} {_all(len(fixes))} of {live}."
    if len(fixes) == 1:
        return f"The one fix live in {live} is owed to {to}."
    return f"{report.owed:,} of {len(fixes):,} fixes live in {live} {_is(report.owed)} owed to {to}."


def _live(name: str) -> str:
    return f"version tags ({name.removeprefix('tags:')})" if name.startswith("tags:") else name


def _has(report: Report) -> str:
    return "has" if len(report.targets) == 1 else "have"


def _is(number: int) -> str:
    return "is" if number == 1 else "are"


def _all(number: int) -> str:
    return "the one fix" if number == 1 else f"all {number:,} fixes"


def _and(names: Sequence[str]) -> str:
    safe = [harmless(name) for name in names]
    return safe[0] if len(safe) == 1 else ", ".join(safe[:-1]) + " and " + safe[-1] if safe else ""


def groups(report: Report, *, chores: bool) -> list[tuple[str, list[FixReport]]]:
    """Fixes by what is to be done about them, empty groups left out."""
    fixes = [fix for fix in report.fixes if not fix.chore]
    found = [
        ("Owed", [fix for fix in fixes if fix.owed_to]),
        ("Settled", [fix for fix in fixes if not fix.owed_to]),
        ("Chores", [fix for fix in report.fixes if fix.chore] if chores else []),
    ]
    return [(title, members) for title, members in found if members]


def cell(verdict: FixVerdict) -> str:
    """A verdict and its second line, short: `Partial · 2 of 3 commits`."""
    detail = verdict.detail
    if verdict.preview and not verdict.settled and verdict.verdict in (Code.MISSING, Code.REVERTED):
        detail = preview_words(verdict)
    return harmless(f"{verdict.verdict.label} · {detail}" if detail else verdict.verdict.label)


def preview_words(verdict: FixVerdict) -> str:
    if verdict.preview is None:
        return ""
    if verdict.preview.clean:
        return "a pick changes nothing" if verdict.preview.changes_nothing else "merges cleanly"
    return f"conflicts in {count(len(verdict.preview.conflicts), 'file')}"


def table(report: Report, style: Style) -> str:
    """The report as a table for a terminal of 80 columns or more."""
    lines = [style.paint(sentence(report), "1")]
    lines += [f"Note: {harmless(note)}" for note in report.notes]
    sections = groups(report, chores=style.chores)
    if not sections:
        return "\n".join(lines)
    layout = _Layout.of(report, [fix for _title, members in sections for fix in members], style)
    lines += ["", style.paint(layout.header(), "2")]
    for title, members in sections:
        lines += ["", style.paint(f"{title} ({len(members):,})", "1")]
        for fix in members:
            lines += layout.rows(fix, explain=title == "Owed")
    hidden = sum(fix.chore for fix in report.fixes)
    if hidden and not style.chores:
        lines += [
            "",
            style.paint(f"{count(hidden, 'chore')} (version bumps, changelogs) not listed; see --chores.", "2"),
        ]
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Column widths that fit the terminal and the contents."""

    style: Style
    targets: tuple[str, ...]
    ticket: int
    shipped: int
    subject: int
    cell: int
    brief: bool
    """Cells hold the verdict alone."""

    @classmethod
    def of(cls, report: Report, fixes: list[FixReport], style: Style) -> _Layout:
        ticket = min(14, max((width(harmless(fix.ticket)) for fix in fixes if fix.ticket), default=0))
        shipped = min(14, max((width(harmless(fix.shipped_in)) for fix in fixes if fix.shipped_in), default=0))
        names = [width(harmless(name)) for name in report.targets]
        verdicts = [fix.verdicts[name] for fix in fixes for name in report.targets if name in fix.verdicts]
        fixed = 9 + (ticket + 2 if ticket else 0) + (shipped + 2 if shipped else 0) + _LIVE + 2
        free = max(78, style.columns) - fixed
        wanted = max([*names, *(width(cell(verdict)) for verdict in verdicts)], default=8)
        brief = free - (wanted + 2) * len(names) < _SUBJECT
        if brief:
            labels = max((len(verdict.verdict.label) for verdict in verdicts), default=8)
            wanted = max(labels, min(max(names, default=8), (free - _SUBJECT) // max(1, len(names)) - 2))
            wanted = min(wanted, max(6, (free - _NARROW) // max(1, len(names)) - 2))
        subject = max(_NARROW, free - (wanted + 2) * len(names))
        return cls(style, report.targets, ticket, shipped, subject, wanted, brief)

    def header(self) -> str:
        columns = ["commit ".ljust(7)]
        if self.ticket:
            columns.append(fit("ticket", self.ticket))
        columns.append(fit("fix, live in production", self.subject))
        if self.shipped:
            columns.append(fit("in", self.shipped))
        columns.append(fit("live", _LIVE))
        columns += [fit(harmless(name), self.cell) for name in self.targets]
        return "  ".join(columns).rstrip()

    def rows(self, fix: FixReport, *, explain: bool) -> list[str]:
        columns = [self.style.paint(fix.id[:7], "33")]
        if self.ticket:
            columns.append(fit(harmless(fix.ticket or ""), self.ticket))
        mark = "[security] " if fix.security else ""
        columns.append(fit(mark + harmless(fix.subject), self.subject))
        if self.shipped:
            columns.append(fit(harmless(fix.shipped_in or "-"), self.shipped))
        columns.append(fit(self._live(fix), _LIVE))
        for name in self.targets:
            verdict = fix.verdicts.get(name)
            said = "-" if verdict is None else verdict.verdict.label if self.brief else cell(verdict)
            text = fit(said, self.cell)
            columns.append(self.style.paint(text, _COLOURS[verdict.verdict]) if verdict else text)
        lines = ["  ".join(columns).rstrip()]
        return lines + (self._reasons(fix) if explain else [])

    def _live(self, fix: FixReport) -> str:
        return age(self.style.now - fix.live_since) if fix.live_since is not None else "-"

    def _reasons(self, fix: FixReport) -> list[str]:
        """One line per different reason, with the targets it holds for."""
        reasons: dict[str, list[str]] = {}
        for name in fix.owed_to:
            said = _reason(fix.verdicts[name], name)
            reasons.setdefault(harmless(said.replace(name, _TARGET)), []).append(name)
        lines = []
        for said, names in reasons.items():
            text = said.replace(harmless(_TARGET), harmless(names[0]) if len(names) == 1 else "the target")
            if len(self.targets) > 1:
                text = f"{_and(names)}: {text}"
            lines += [self.style.paint(f"         {line}", "2") for line in _wrap(text, self.style.columns - 9)]
        return lines


_TARGET = "\uffff"
"""Stands for the target's name while reasons are compared."""


def _reason(verdict: FixVerdict, target: str) -> str:
    """Why, and what a pick would meet."""
    said = verdict.why.removeprefix(f"{target}: ")
    if verdict.preview is None:
        return said
    if verdict.preview.clean:
        return (
            f"{said} A pick changes nothing." if verdict.preview.changes_nothing else f"{said} A pick applies cleanly."
        )
    paths = verdict.preview.conflicts
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return f"{said} A pick conflicts in {', '.join(paths[:3])}{more}."


def _wrap(text: str, columns: int) -> Iterable[str]:
    line = ""
    for word in text.split(" "):
        if line and width(line) + 1 + width(word) > columns:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield line


_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#|!~&$^-])")
_MENTION = re.compile(r"@(?=\w)")


def escaped(text: str) -> str:
    """Text from a message as plain words in Markdown: no markup, link, mention, HTML or table border."""
    return _MENTION.sub("@&#8203;", _MARKDOWN.sub(r"\\\1", harmless(text)))


def markdown(report: Report, style: Style) -> str:
    """The report as Markdown tables, one per group."""
    lines = [f"**{escaped(sentence(report))}**"]
    lines += [f"- {escaped(note)}" for note in report.notes]
    for title, members in groups(report, chores=style.chores):
        lines += ["", f"### {title} ({len(members):,})", ""]
        names = [escaped(name) for name in report.targets]
        lines.append("| " + " | ".join(["Commit", "Ticket", "Fix", "Shipped in", "Live", *names]) + " |")
        lines.append("|" + " --- |" * (5 + len(names)))
        lines += [_markdown_row(fix, report.targets, style) for fix in members]
    return "\n".join(lines)


def _markdown_row(fix: FixReport, targets: Sequence[str], style: Style) -> str:
    live = age(style.now - fix.live_since) if fix.live_since is not None else ""
    columns = [f"`{fix.id[:10]}`", escaped(fix.ticket or ""), escaped(fix.subject), escaped(fix.shipped_in or ""), live]
    for name in targets:
        verdict = fix.verdicts.get(name)
        text = escaped(cell(verdict)) if verdict else ""
        columns.append(f"**{text}**" if verdict and not verdict.settled and not fix.chore else text)
    return "| " + " | ".join(columns) + " |"
