"""What is wrong with a flow policy, field by field; the same for the form, the command line and a file. No I/O."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from datetime import date

from releases.git.errors import InvalidValue
from releases.git.values import BranchName, shown

from .flow import FlowPolicy

FINISHES = {
    "merge": "Merge commit, always",
    "ff": "Fast-forward where possible",
    "squash": "One squashed commit",
}
MERGE_BACKS = {"merge": "Merge", "pick": "Cherry-pick commit by commit"}
MOST_REVIEWERS = 9
_REPEATED = re.compile(r"\([^()]*[+*][^()]*\)(?:[+*]|\{\d*,\})")
"""A repetition without bounds of something that repeats without bounds."""


def policy_faults(policy: FlowPolicy) -> dict[str, str]:
    """By field, a sentence that says what to change; empty when the policy can be worked with."""
    wrong = _wrong_kinds(policy)
    if wrong:
        return wrong
    found = {name: check(policy) for name, check in _CHECKS.items()}
    return {name: said for name, said in found.items() if said}


def _wrong_kinds(policy: FlowPolicy) -> dict[str, str]:
    """Fields whose value is of another kind than it should be, as only a file can have it."""
    usual = FlowPolicy()
    found = {}
    for item in fields(FlowPolicy):
        value, wanted = getattr(policy, item.name), getattr(usual, item.name)
        fine = isinstance(value, type(wanted)) and not isinstance(value, bool)
        if fine and isinstance(value, tuple):
            fine = all(isinstance(line, str) for line in value)
        if not fine:
            found[item.name] = {str: "A text.", int: "A whole number."}.get(type(wanted), "A list of texts.")
    return found


def pattern_fault(text: str) -> str:
    """Why this is no regular expression to work with: it is none, or can take for ever on a long subject."""
    try:
        re.compile(text)
    except re.error as problem:
        return f"{shown(text)} is not a regular expression: {problem}."
    if _REPEATED.search(text):
        return f"{shown(text)} repeats a repetition, which can take for ever. Simplify it."
    return ""


def _hotfix_branch(policy: FlowPolicy) -> str:
    if policy.hotfix_branch.count("{ticket}") != 1:
        return "Write {ticket} once, where the key of the ticket goes: hotfix/{ticket}."
    try:
        BranchName.parse(policy.hotfix_branch.replace("{ticket}", "T-1"))
    except InvalidValue as fault:
        return fault.sentence
    return ""


def _commit_pattern(policy: FlowPolicy) -> str:
    return pattern_fault(policy.commit_pattern.replace("{ticket}", "T-1")) if policy.commit_pattern else ""


def _one_of(value: str, known: dict[str, str]) -> str:
    return "" if value in known else f"Choose one of {', '.join(known)}."


def _between(value: object, least: int, most: int) -> str:
    fine = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
    return "" if fine else f"A whole number from {least:,} to {most:,}."


def _pairs(lines: tuple[str, ...], example: str, check: Callable[[str, str], bool] = lambda left, right: True) -> str:
    for line in lines:
        left, sign, right = (part.strip() for part in line.partition("="))
        if not (left and sign and right) or not check(left, right):
            return f"{shown(line)} cannot be read. Write it like {example}."
    return ""


def _is_day(_left: str, right: str) -> bool:
    try:
        date.fromisoformat(right)
    except ValueError:
        return False
    return True


def _regular_url(policy: FlowPolicy) -> str:
    fine = not policy.regular_url or re.fullmatch(r"https?://[^\s\"'<>\\]+", policy.regular_url)
    return "" if fine else "An address that begins with https:// or http://."


_CHECKS: dict[str, Callable[[FlowPolicy], str]] = {
    "hotfix_branch": _hotfix_branch,
    "finish": lambda policy: _one_of(policy.finish, FINISHES),
    "merge_back": lambda policy: _one_of(policy.merge_back, MERGE_BACKS),
    "commit_pattern": _commit_pattern,
    "reviewers": lambda policy: _between(policy.reviewers, 0, MOST_REVIEWERS),
    "reviewers_sev1": lambda policy: _between(policy.reviewers_sev1, 0, MOST_REVIEWERS),
    "max_files": lambda policy: _between(policy.max_files, 1, 10_000),
    "max_lines": lambda policy: _between(policy.max_lines, 1, 1_000_000),
    "risky_paths": lambda policy: _pairs(policy.risky_paths, "migration=**/migrations/**"),
    "retest": lambda policy: _pairs(policy.retest, "src/payments/**=Pay with every card"),
    "supported_until": lambda policy: _pairs(policy.supported_until, "stable/1.2=2027-03-31", _is_day),
    "regular_url": _regular_url,
    "tag_pattern": lambda policy: pattern_fault(policy.tag_pattern),
    "ticket_pattern": lambda policy: pattern_fault(policy.ticket_pattern),
}
