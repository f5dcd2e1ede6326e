"""A project's shipping settings as a TOML file, and back: environments, freezes, pipeline, names of secrets.

What a file leaves out of a step or an environment is as usual. What it leaves out altogether (the pipeline, the
environments, the freezes of one of them) it says nothing about.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from hotfixdash.accounts.roles import Role

from .environment_services import SETTABLE
from .freezing import DAYS, zone_of
from .models import Environment, Freeze
from .probing import KINDS, Probe
from .spec import LANES, Answer, Naming, PipelineSpec, StepKind, StepSpec, Trigger
from .toml_reading import TableReader
from .toml_text import toml_text

FORMAT = 1
"""Grows when an older file would mean something else."""
LONGEST = 1_000_000
"""Characters of a file."""
_DAYS = tuple(day.lower() for day in DAYS)
_USUAL = Environment()
_CHOICES: dict[str, Sequence[str]] = {
    "kind": Environment.Kind.values,
    "hotfixes": Environment.Hotfixes.values,
    "approver_role": list(Role),
    "breakers_role": list(Role),
}


class NotReadable(Exception):
    """The text is no such file; `problems` are sentences that say where."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = list(problems)


@dataclass(frozen=True, slots=True)
class WantedFreeze:
    """A window as a file says it; moments without an offset are the environment's own time."""

    why: str
    starts: datetime | None = None
    ends: datetime | None = None
    weekdays: tuple[int, ...] = ()
    from_time: time | None = None
    until_time: time | None = None


@dataclass(frozen=True, slots=True)
class WantedEnvironment:
    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    approvers: tuple[str, ...] = ()
    freezes: tuple[WantedFreeze, ...] | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a file says; None where it says nothing."""

    pipeline: PipelineSpec | None = None
    environments: tuple[WantedEnvironment, ...] | None = None
    secrets: tuple[str, ...] = ()


# --- writing ------------------------------------------------------------------------------------------------------


def shipping_text(
    name: str, environments: Iterable[Environment], spec: PipelineSpec | None, secrets: Iterable[str], now: datetime
) -> str:
    """The whole file. Environments come with approvers and freezes loaded; windows that are over are left out."""
    data: dict[str, Any] = {"format": FORMAT, "secrets": list(secrets) or None}
    if spec is not None:
        data["pipeline"] = pipeline_data(spec)
    data["environments"] = [environment_data(row, now) for row in environments]
    head = f"# How {name} is shipped. Values of secrets are not part of it.\n\n"
    return head.replace("\r", " ") + toml_text({key: value for key, value in data.items() if value != []})


def pipeline_text(spec: PipelineSpec) -> str:
    """The pipeline alone, as the page's editor shows it."""
    return toml_text(pipeline_data(spec))


def pipeline_data(spec: PipelineSpec) -> dict[str, Any]:
    return {
        "trigger": spec.trigger.value,
        "naming": spec.naming.value if spec.trigger is Trigger.MAIN or spec.naming is not Naming.PATCH else None,
        "steps": [step_data(step) for step in spec.steps],
    }


def step_data(step: StepSpec) -> dict[str, Any]:
    """What is not as usual; `env` comes last, because it is a table of its own."""
    usual, data = StepSpec("", step.kind).as_data(), step.as_data()
    kept = {key: value for key, value in data.items() if key in ("name", "kind") or value != usual[key]}
    kept["kind"] = step.kind.value
    env = kept.pop("env", None)
    if "answer" in kept:
        kept["answer"] = step.answer.value
    return kept | ({"env": dict(env)} if env else {})


def environment_data(row: Environment, now: datetime) -> dict[str, Any]:
    """What is not as usual; tables come last."""
    kept = {name: getattr(row, name) for name in SETTABLE if getattr(row, name) != getattr(_USUAL, name)}
    probe = kept.pop("probe", None)
    approvers = sorted(user.get_username() for user in row.approvers.all())
    freezes = [freeze_data(window) for window in row.freezes.all() if window.ends_at is None or window.ends_at > now]
    data = {"name": row.name, **kept, "approvers": approvers or None, "probe": probe, "freezes": freezes or None}
    return {key: value for key, value in data.items() if value is not None}


def freeze_data(window: Freeze) -> dict[str, Any]:
    if window.starts_at is not None and window.ends_at is not None:
        zone = zone_of(window.environment)
        return {
            "why": window.why,
            "starts": window.starts_at.astimezone(zone),
            "ends": window.ends_at.astimezone(zone),
        }
    days = [_DAYS[number] for number in sorted(window.weekdays)]
    return {"why": window.why, "weekdays": days, "from": window.from_time, "until": window.until_time}


# --- reading ------------------------------------------------------------------------------------------------------


def shipping_read(text: str) -> Wanted:
    """What the file says. Raises `NotReadable` with everything that is wrong with its form."""
    problems: list[str] = []
    top = TableReader(_parsed(text), "", problems)
    if top.whole("format", FORMAT) != FORMAT:
        raise NotReadable([f"format: this is not a file of format {FORMAT}."])
    secrets = top.texts("secrets")
    pipeline = _pipeline(top.table("pipeline"), "pipeline", problems) if top.has("pipeline") else None
    environments = None
    if top.has("environments"):
        found = top.tables("environments")
        environments = tuple(_environment(item, n, problems) for n, item in enumerate(found, 1))
        names = [item.name for item in environments]
        for name in dict.fromkeys(name for name in names if names.count(name) > 1):
            problems.append(f"environments: {names.count(name)} are called {name}.")
    top.done()
    if problems:
        raise NotReadable(problems)
    return Wanted(pipeline, environments, secrets)


def pipeline_read(text: str) -> PipelineSpec:
    """A pipeline alone. Raises `NotReadable`."""
    problems: list[str] = []
    spec = _pipeline(_parsed(text), "", problems)
    if problems:
        raise NotReadable(problems)
    return spec


def _parsed(text: str) -> dict[str, Any]:
    if len(text) > LONGEST:
        raise NotReadable([f"A file of more than {LONGEST:,} characters is not read."])
    try:
        return tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as fault:
        raise NotReadable([f"This is not TOML: {fault}."]) from None
    except RecursionError:
        raise NotReadable(["This is not TOML: it is nested too deeply."]) from None


def _pipeline(data: Mapping[str, Any], where: str, problems: list[str]) -> PipelineSpec:
    table = TableReader(data, where, problems)
    trigger = Trigger(table.choice("trigger", Trigger, Trigger.TAG.value))
    naming = Naming(table.choice("naming", Naming, Naming.PATCH.value))
    before = f"{where}.steps" if where else "steps"
    steps = tuple(_step(item, f"{before}[{n}]", problems) for n, item in enumerate(table.tables("steps"), 1))
    table.done()
    return PipelineSpec(trigger, naming, steps)


def _step(data: Mapping[str, Any], where: str, problems: list[str]) -> StepSpec:
    table = TableReader(data, where, problems)
    usual = StepSpec("", StepKind.CHECK)
    values: dict[str, Any] = {
        "name": table.text("name"),
        "kind": StepKind(table.choice("kind", StepKind, StepKind.CHECK.value)),
        "lanes": table.texts("lanes", LANES),
        "environments": table.texts("environments"),
        "retries": table.whole("retries", usual.retries),
        "max_size": table.whole("max_size", usual.max_size),
        "env": table.mapping("env"),
        "secrets": table.texts("secrets"),
        "tests": table.texts("tests"),
        "answer": Answer(table.choice("answer", Answer, usual.answer.value)),
    }
    values |= {name: table.number(name, getattr(usual, name)) for name in ("timeout", "silence", "cpu")}
    values |= {name: table.text(name) for name in ("run", "text", "artifact")}
    if not table.has("kind"):
        table.wrong("kind", f"choose one of {', '.join(StepKind)}.")
    table.done()
    return StepSpec(**values)


def _environment(data: Mapping[str, Any], number: int, problems: list[str]) -> WantedEnvironment:
    table = TableReader(data, f"environments[{number}]", problems)
    name = table.text("name")
    if not name:
        table.wrong("name", "give it a name.")
    settings = {key: _setting(table, key) for key in SETTABLE if key != "probe"}
    settings["probe"] = _probe(table.table("probe"), f"{table.where}.probe", problems) if table.has("probe") else {}
    freezes = None
    if table.has("freezes"):
        found = enumerate(table.tables("freezes"), 1)
        freezes = tuple(_freeze(item, f"{table.where}.freezes[{n}]", problems) for n, item in found)
    approvers = table.texts("approvers")
    table.done()
    return WantedEnvironment(name, settings, approvers, freezes)


def _setting(table: TableReader, name: str) -> Any:
    """As its column wants it."""
    usual = getattr(_USUAL, name)
    if isinstance(usual, bool):
        return table.flag(name, usual)
    if isinstance(usual, int):
        return table.whole(name, usual)
    return table.choice(name, _CHOICES[name], usual) if name in _CHOICES else table.text(name, usual)


def _probe(data: Mapping[str, Any], where: str, problems: list[str]) -> dict[str, Any]:
    """Of the right kinds; whether it can be asked is checked where it is stored."""
    table = TableReader(data, where, problems)
    usual = Probe(table.choice("kind", KINDS, KINDS[0]))
    found: dict[str, Any] = {"kind": usual.kind, "headers": table.mapping("headers")}
    found |= {name: table.text(name) for name in ("url", "path", "header", "pattern", "command", "health_url")}
    found |= {"secrets": list(table.texts("secrets")), "health_status": table.whole("health_status", 0)}
    found["timeout"] = table.number("timeout", usual.timeout)
    table.done()
    return {name: value for name, value in found.items() if name == "kind" or value != usual.as_data()[name]}


def _freeze(data: Mapping[str, Any], where: str, problems: list[str]) -> WantedFreeze:
    table = TableReader(data, where, problems)
    found = WantedFreeze(
        table.text("why"), table.moment("starts"), table.moment("ends"), _weekdays(table),
        table.clock("from"), table.clock("until"),
    )  # fmt: skip
    table.done()
    return found


def _weekdays(table: TableReader) -> tuple[int, ...]:
    names = table.texts("weekdays")
    for name in names:
        if name not in _DAYS:
            table.wrong("weekdays", f"{name} is no day; they are called {', '.join(_DAYS)}.")
    return tuple(sorted({_DAYS.index(name) for name in names if name in _DAYS}))


def local(moment: datetime | None, zone: ZoneInfo) -> datetime | None:
    """A moment that a file gave without an offset, in the environment's zone."""
    return moment.replace(tzinfo=zone) if moment is not None and moment.tzinfo is None else moment
