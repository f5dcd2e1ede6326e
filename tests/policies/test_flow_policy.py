"""The flow policy: presets are whole, faults are named field by field, lines end by date, every field is documented."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from releases.forms import PolicyForm
from releases.policies.flow import PRESETS, FlowPolicy, Preset
from releases.policies.flow_checks import policy_faults

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "flow-policy.md"


@pytest.mark.parametrize("preset", list(Preset))
def test_every_preset_can_be_worked_with(preset: Preset) -> None:
    policy = PRESETS[preset]
    assert policy.preset is preset
    assert policy_faults(policy) == {}
    assert FlowPolicy.from_data(policy.as_data()) == policy
    assert policy.production
    assert policy.targets


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hotfix_branch", "hotfix"), ("hotfix_branch", "-{ticket}"), ("hotfix_branch", "a..{ticket}"),
        ("hotfix_branch", "{ticket}/{ticket}"), ("finish", "rebase"), ("merge_back", "squash"),
        ("commit_pattern", "("), ("commit_pattern", "(a+)+$"), ("reviewers", -1), ("reviewers", 99),
        ("reviewers_sev1", True), ("max_files", 0), ("max_lines", 2_000_000), ("risky_paths", ("migrations/**",)),
        ("retest", ("=what",)), ("supported_until", ("stable/1.2=soon",)), ("supported_until", ("stable/1.2",)),
        ("regular_url", "javascript:alert(1)"), ("regular_url", 'https://x.example.org/"><b>'),
        ("max_files", "5"), ("retest", ["a=b"]), ("finish", 5), ("production", (1,)),
    ],
)  # fmt: skip
def test_a_fault_is_named_at_its_field(field: str, value: Any) -> None:
    faults = policy_faults(replace(FlowPolicy(), **{field: value}))
    assert list(faults) == [field]


def test_a_line_ends_after_its_last_day() -> None:
    policy = FlowPolicy(supported_until=("stable/1.*=2027-03-31", "stable/2.0=not a day"))
    assert policy.supported("stable/1.2", date(2027, 3, 31))
    assert not policy.supported("stable/1.2", date(2027, 4, 1))
    assert policy.supported("stable/2.0", date(2040, 1, 1))
    assert policy.supported("main", date(2040, 1, 1))


def test_every_field_can_be_edited() -> None:
    assert {item.name for item in fields(FlowPolicy)} == set(PolicyForm.base_fields)


def sent(**changes: Any) -> dict[str, Any]:
    """What a browser sends for the form as it stands, with changes."""
    data = FlowPolicy().as_data() | changes
    return {name: "\n".join(value) if isinstance(value, list) else value for name, value in data.items()}


def test_the_form_gives_back_what_it_was_given() -> None:
    form = PolicyForm(sent())
    assert form.is_valid(), form.errors
    assert FlowPolicy.from_data(form.policy({})) == FlowPolicy()


def test_the_form_changes_the_new_fields() -> None:
    form = PolicyForm(
        sent(
            finish="squash", merge_back="pick", reviewers="2", max_files="9", commit_pattern="",
            supported_until="stable/1.2=2027-03-31", retest="src/pay/**=Pay with every card",
        )
    )  # fmt: skip
    assert form.is_valid(), form.errors
    policy = FlowPolicy.from_data(form.policy(FlowPolicy().as_data()))
    assert (policy.finish, policy.merge_back, policy.reviewers, policy.max_files) == ("squash", "pick", 2, 9)
    assert policy.commit_pattern == ""
    assert policy.supported_until == ("stable/1.2=2027-03-31",)


@pytest.mark.parametrize(("field", "value"), [("hotfix_branch", "hotfix"), ("supported_until", "stable/1.2=soon")])
def test_the_form_names_faults_at_their_fields(field: str, value: str) -> None:
    form = PolicyForm(sent(**{field: value}))
    assert not form.is_valid()
    assert list(form.errors) == [field]


def test_what_a_page_does_not_show_is_kept() -> None:
    old = FlowPolicy(max_files=3, version_files=("VERSION",)).as_data()
    data = {name: value for name, value in sent().items() if name not in ("max_files", "version_files")}
    form = PolicyForm(data)
    assert form.is_valid(), form.errors
    policy = FlowPolicy.from_data(form.policy(old))
    assert (policy.max_files, policy.version_files) == (3, ("VERSION",))


def test_every_field_is_documented() -> None:
    told = set(re.findall(r"^\| `(\w+)` \|", DOCUMENT.read_text(), re.MULTILINE))
    assert told == {item.name for item in fields(FlowPolicy)}
