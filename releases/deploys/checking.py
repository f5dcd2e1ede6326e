"""What is wrong with a pipeline or an environment, as sentences; the same for pages and files. No I/O."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Protocol
from zoneinfo import available_timezones

from hotfixdash.accounts.roles import Act, Role, role_allows

from .spec import LANES, Answer, PipelineSpec, StepKind, StepSpec

MOST_STEPS = 100
LONGEST_NAME = 80
LONGEST_COMMAND = 20_000
LONGEST_VALUE = 4_000
LONGEST_TEXT = 4_000
MOST_RETRIES = 10
MOST_SECONDS = 86_400.0
LEAST_SIZE, MOST_SIZE = 1 << 20, 1 << 40

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
SECRET = re.compile(r"[A-Z_][A-Z0-9_]*\Z")
OWN_PREFIX = "HOTFIXDASH_"
OWN_NAMES = frozenset({"HOME", "TMPDIR"})
"""Variables that each step gets made for it; a value of somebody else's would lead it out of its folder."""
_GLOB = re.compile(r"[a-z0-9*?\[\]!-]+\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NEEDS_COMMAND = (StepKind.CHECK, StepKind.PROVE, StepKind.BUILD, StepKind.DEPLOY, StepKind.ROLLBACK)


def pipeline_check(spec: PipelineSpec) -> list[str]:
    """Sentences that say what to change; empty when the pipeline can be run."""
    return [
        *_as_a_whole(spec),
        *(f"{_called(n, s)}: {said}" for n, s in enumerate(spec.steps, 1) for said in faults(s)),
    ]


def _called(number: int, step: StepSpec) -> str:
    return f"Step {number}, {_CONTROL.sub(' ', step.name)[:LONGEST_NAME]}" if step.name.strip() else f"Step {number}"


def _as_a_whole(spec: PipelineSpec) -> Iterator[str]:
    if not spec.steps:
        yield "A pipeline needs at least one step."
    if len(spec.steps) > MOST_STEPS:
        yield f"A pipeline has at most {MOST_STEPS} steps; this one has {len(spec.steps)}."
    for name, times in Counter(step.name for step in spec.steps).items():
        if times > 1 and name:
            yield f"{times} steps are called {name}. Each needs a name of its own."
    for lane in LANES:
        yield from _in_lane(spec, lane)


def _in_lane(spec: PipelineSpec, lane: str) -> Iterator[str]:
    """A lane brings something somewhere when any lane does, and makes one artifact."""
    mine = [step for step in spec.steps if lane in step.lanes]
    if any(step.kind is StepKind.DEPLOY for step in spec.steps) and not any(s.kind is StepKind.DEPLOY for s in mine):
        yield f"No deploy step is in the {lane} lane, so nothing of it would ever be shipped."
    makers = [step.name for step in mine if step.kind is StepKind.BUILD and step.artifact]
    if len(makers) > 1:
        yield f"{' and '.join(makers)} both leave an artifact in the {lane} lane. A release has one."


def faults(step: StepSpec) -> Iterator[str]:
    """What is wrong with one step."""
    yield from _name(step)
    yield from _command(step)
    yield from _place(step)
    yield from _limits(step)
    yield from _variables(step)
    yield from _of_its_kind(step)


def _name(step: StepSpec) -> Iterator[str]:
    if not step.name.strip():
        yield "give it a name."
    elif step.name != step.name.strip() or _CONTROL.search(step.name):
        yield "its name is one line without spaces at its ends."
    if len(step.name) > LONGEST_NAME:
        yield f"its name has more than {LONGEST_NAME} characters."


def _command(step: StepSpec) -> Iterator[str]:
    if step.kind is StepKind.MANUAL and step.run:
        yield "a person confirms a manual step; it runs no command."
    if step.kind in _NEEDS_COMMAND and not step.run.strip():
        yield f"a {step.kind.value} step needs a command."
    if "\x00" in step.run:
        yield "its command holds a null character."
    if len(step.run) > LONGEST_COMMAND:
        yield f"its command has more than {LONGEST_COMMAND:,} characters. Put it into a script in the repository."
    if step.answer is Answer.CALLBACK and (step.kind is StepKind.PROVE or not step.run.strip()):
        yield "only a command can start something that answers by a callback, and a prove step cannot wait for one."


def _place(step: StepSpec) -> Iterator[str]:
    if not step.lanes:
        yield "choose at least one lane."
    for lane in dict.fromkeys(step.lanes):
        if lane not in LANES:
            yield f"there is no lane {lane}; there are {' and '.join(LANES)}."
    if step.kind is StepKind.BUILD and step.environments:
        yield "an artifact is built once for all environments, so a build step names none."
    if step.kind is StepKind.PROVE and step.environments:
        yield "what a fix does is proved once, before anything is deployed, so a prove step names no environment."
    for glob in step.environments:
        if not _GLOB.match(glob):
            yield f"{_quoted(glob)} is not the name of an environment, nor a pattern for some."


def _limits(step: StepSpec) -> Iterator[str]:
    if not 1 <= step.timeout <= MOST_SECONDS:
        yield "its time limit is between 1 second and 24 hours."
    if not 0 <= step.silence <= MOST_SECONDS:
        yield "its limit without output is between 0 (none) and 24 hours."
    if not 0 <= step.cpu <= MOST_SECONDS * 64:
        yield "its processor time is 0 (no limit) or a number of seconds."
    if not 0 <= step.retries <= MOST_RETRIES:
        yield f"it is tried again at most {MOST_RETRIES} times."
    if not LEAST_SIZE <= step.max_size <= MOST_SIZE:
        yield "its folder may hold between 1 MB and 1 TB."


def _variables(step: StepSpec) -> Iterator[str]:
    for name, value in step.env.items():
        if said := variable_fault(name):
            yield said
        if "\x00" in value or len(value) > LONGEST_VALUE:
            yield f"the value of {_quoted(name)} is too long, or holds a null character."
    for name in step.secrets:
        if not SECRET.match(name):
            yield f"{_quoted(name)} cannot name a secret: capitals, digits and underscores."
        elif said := variable_fault(name):
            yield said
    yield from _twice("the secret", step.secrets)
    for name in sorted(set(step.env) & set(step.secrets)):
        yield f"{_quoted(name)} is a variable and a secret at once."
    if (step.env or step.secrets) and not step.run.strip():
        yield "without a command nothing reads its variables and secrets."


def variable_fault(name: str) -> str:
    """Why no step may be given a variable of this name; empty when it may."""
    if not VARIABLE.match(name):
        return f"{_quoted(name)} cannot name a variable: letters, digits and underscores."
    if name in OWN_NAMES or name.startswith(OWN_PREFIX):
        return f"{name} is set by the dashboard."
    return ""


def _of_its_kind(step: StepSpec) -> Iterator[str]:
    if step.kind is StepKind.PROVE and not step.tests:
        yield "say which files of a fix are its tests: tests/**."
    if step.tests and step.kind is not StepKind.PROVE:
        yield "only a prove step has files of tests."
    for glob in step.tests:
        if _outside(glob):
            yield f"{_quoted(glob)} is not a pattern for files inside the repository."
    if step.artifact and step.kind is not StepKind.BUILD:
        yield "only a build step leaves an artifact."
    if step.artifact and _outside(step.artifact):
        yield f"{_quoted(step.artifact)} does not lie inside the step's folder."
    if step.text and step.kind is not StepKind.MANUAL:
        yield "only a manual step asks a person to do something."
    if len(step.text) > LONGEST_TEXT:
        yield f"what it asks for has more than {LONGEST_TEXT:,} characters."


def _outside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return (
        not parts or path.startswith(("/", "-")) or ".." in parts or parts[0] == ".git" or bool(_CONTROL.search(path))
    )


def _twice(what: str, names: Iterable[str]) -> Iterator[str]:
    for name, times in Counter(names).items():
        if times > 1:
            yield f"{what} {_quoted(name)} stands there {times} times."


def _quoted(text: str) -> str:
    """A name that somebody typed, told from our own words around it."""
    return f"“{_CONTROL.sub('�', text)[:LONGEST_NAME]}”" if text else "An empty text"


# --- environments -------------------------------------------------------------------------------------------------

MOST_APPROVALS = 9
_BETWEEN = {
    "approvals": (0, MOST_APPROVALS), "approval_hours": (1, 720), "probe_every": (5, 86_400),
    "settle_seconds": (0, 3_600), "watch_seconds": (0, 172_800),
}  # fmt: skip


class Described(Protocol):
    """What is set up about an environment."""

    url: str
    time_zone: str
    approver_role: str
    breakers_role: str


def environment_faults(environment: Described) -> dict[str, str]:
    """By field, what to change, beyond what its column refuses; empty when it can be used."""
    found = {}
    for name, (least, most) in _BETWEEN.items():
        if not least <= getattr(environment, name) <= most:
            found[name] = f"A number from {least:,} to {most:,}."
    if environment.url and not environment.url.startswith(("http://", "https://")):
        found["url"] = "An address that begins with http:// or https://."
    if environment.time_zone and environment.time_zone not in available_timezones():
        found["time_zone"] = f"{_quoted(environment.time_zone)} is no time zone: Europe/Berlin."
    if not role_allows(Role(environment.approver_role), Act.APPROVE):
        found["approver_role"] = "Somebody of this role may not approve anything."
    if not role_allows(Role(environment.breakers_role), Act.SHIP):
        found["breakers_role"] = "Somebody of this role may not ship anything."
    return found
