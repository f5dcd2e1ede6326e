"""Forms of the settings for shipping: they parse and check, nothing more."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from hotfixdash.accounts.roles import Act, Role, role_allows
from releases.deploys.checking import faults
from releases.deploys.freezing import DAYS
from releases.deploys.models import Environment
from releases.deploys.probing import Probe
from releases.deploys.spec import LANES, Answer, Naming, StepKind, StepSpec, Trigger
from releases.forms import DashForm, LinesField, SecretInput

LANE_WORDS = {"release": "Releases", "hotfix": "Hotfixes"}
KIND_WORDS = {
    StepKind.CHECK: "Check: a command that must succeed",
    StepKind.MANUAL: "Manual: a person confirms",
    StepKind.PROVE: "Prove: the fix's tests fail without it",
    StepKind.BUILD: "Build: makes the artifact",
    StepKind.DEPLOY: "Deploy: brings it to an environment",
    StepKind.VERIFY: "Verify: does it run well there?",
    StepKind.ROLLBACK: "Roll back: brings back what ran before",
}
TRIGGER_WORDS = {
    Trigger.TAG: "Every new version tag",
    Trigger.HAND: "Somebody, by hand",
    Trigger.MAIN: "Every merge to main, which is tagged by itself",
}
NAMING_WORDS = {Naming.PATCH: "The next patch version", Naming.DATE: "The date"}
_MB = 1 << 20
_SHIPPERS = [(role.value, role.label) for role in Role if role_allows(role, Act.SHIP)]
_APPROVERS = [(role.value, role.label) for role in Role if role_allows(role, Act.APPROVE)]


class NamesField(forms.CharField):
    """Names in one line, between spaces or commas; a tuple of them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"required": False, "max_length": 2000, **kwargs})
        self.widget.attrs |= {"spellcheck": "false", "class": "mono", "autocomplete": "off"}

    def prepare_value(self, value: Any) -> Any:
        return " ".join(value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> tuple[str, ...]:
        return tuple(dict.fromkeys(re.split(r"[\s,]+", str(super().clean(value)).strip(" ,")))) if value else ()


class PairsField(forms.CharField):
    """One name and its text a line; a dict."""

    widget = forms.Textarea

    def __init__(self, between: str = "=", **kwargs: Any) -> None:
        super().__init__(**{"required": False, "strip": False, "max_length": 50_000, **kwargs})
        self.between = between
        self.widget.attrs |= {"rows": 3, "spellcheck": "false", "class": "mono", "autocomplete": "off"}

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            gap = " " if self.between == ":" else ""
            return "\n".join(f"{name}{self.between}{gap}{text}" for name, text in value.items())
        return value

    def clean(self, value: Any) -> dict[str, str]:
        found: dict[str, str] = {}
        for line in super().clean(value).splitlines():
            name, sign, text = line.partition(self.between)
            name = name.strip()
            if not line.strip():
                continue
            if not sign:
                raise ValidationError(f"Each line is a name, {self.between} and a text.")
            if name in found:
                raise ValidationError(f"{name} stands there twice.")
            found[name] = text.strip() if self.between == ":" else text
        return found


def _flag(label: str, yes: str, no: str) -> forms.TypedChoiceField:
    return forms.TypedChoiceField(
        label=label, choices=[("True", yes), ("False", no)], coerce=lambda said: said == "True"
    )  # fmt: skip


def _seconds(label: str, hint: str = "") -> forms.FloatField:
    return forms.FloatField(label=label, min_value=0, help_text=hint, widget=forms.NumberInput(attrs={"step": "any"}))


def _plain(number: float) -> float | int:
    return int(number) if float(number).is_integer() else number


# --- pipeline -----------------------------------------------------------------------------------------------------


class StartForm(DashForm):
    """What starts a build, and how releases made by itself are called."""

    trigger = forms.ChoiceField(label="What starts a build", choices=list(TRIGGER_WORDS.items()))
    naming = forms.ChoiceField(
        label="Name of a release tagged by itself", choices=list(NAMING_WORDS.items()),
        help_text="Only where every merge to main is one.",
    )  # fmt: skip


class StepForm(DashForm):
    """One step. What its kind has no use for is left out when it is read."""

    name = forms.CharField(label="Name", max_length=80)
    kind = forms.ChoiceField(label="Kind", choices=[(kind.value, words) for kind, words in KIND_WORDS.items()])
    run = forms.CharField(
        label="Command", required=False, max_length=20_000, strip=False,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "class": "mono", "autocomplete": "off"}),
        help_text="For /bin/sh, in a fresh checkout of the commit. A verify step without one asks the probe only.",
    )  # fmt: skip
    lanes = forms.MultipleChoiceField(
        label="For", choices=[(lane, LANE_WORDS[lane]) for lane in LANES], widget=forms.CheckboxSelectMultiple
    )
    environments = NamesField(
        label="Only in these environments",
        help_text="Patterns like prod-* may be used. Empty: in each, or in the build.",
    )
    timeout = _seconds("Ended after, in seconds")
    silence = _seconds("Ended when silent for, in seconds", "0: no such limit")
    retries = forms.IntegerField(label="Tried again when it fails", min_value=0, max_value=10)
    cpu = _seconds("Processor time, in seconds", "0: no limit")
    size = forms.FloatField(
        label="Size of its folder, in MB", min_value=1, widget=forms.NumberInput(attrs={"step": "any"})
    )
    env = PairsField(label="Variables", help_text="NAME=value, one a line.")
    secrets = NamesField(label="Secrets", help_text="Names; the command gets them as variables.")
    answer = forms.ChoiceField(
        label="It has succeeded when", required=False,
        choices=[(Answer.EXIT.value, "the command ends with 0"), (Answer.CALLBACK.value, "a callback says so later")],
    )  # fmt: skip
    text = forms.CharField(
        label="What the person is asked to do", required=False, max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )  # fmt: skip
    tests = LinesField(label="Files that are the fix's tests", help_text="Patterns, one a line: tests/**")
    artifact = forms.CharField(
        label="File or folder that it leaves", required=False, max_length=500,
        widget=forms.TextInput(attrs={"class": "mono", "spellcheck": "false"}),
        help_text="Empty when it writes artifact=… and digest=… to $HOTFIXDASH_OUTPUT itself.",
    )  # fmt: skip

    def __init__(self, data: Any = None, *, step: StepSpec | None = None, number: int = 0) -> None:
        self.former = step or StepSpec("", StepKind.CHECK)
        values = self.former.as_data() | {"size": _plain(self.former.max_size / _MB)}
        values |= {name: _plain(values[name]) for name in ("timeout", "silence", "cpu")}
        super().__init__(data, initial=values, auto_id=f"s{number}_%s")
        if any("\n" in text for text in self.former.env.values()):
            # A line cannot hold them; whoever wrote them as TOML changes them there.
            del self.fields["env"]

    def clean(self) -> dict[str, Any]:
        """What is wrong with the step as a whole is said here, by the same rules as of a file."""
        data = super().clean() or {}
        if not self.errors:
            for said in faults(self.step):
                self.add_error(None, said[:1].upper() + said[1:])
        return data

    @property
    def step(self) -> StepSpec:
        """As filled in."""
        data = {name: value for name, value in self.cleaned_data.items() if name != "size"}
        kind = StepKind(data.pop("kind"))
        data["run"] = data["run"].replace("\r\n", "\n").strip("\n")
        data["answer"] = Answer(data["answer"] or Answer.EXIT)
        data["text"] = data["text"].replace("\r\n", "\n")
        data["lanes"] = tuple(lane for lane in LANES if lane in data["lanes"])
        filled = replace(self.former, kind=kind, max_size=round(self.cleaned_data["size"] * _MB), **data)
        return _of_kind(filled)


def _of_kind(step: StepSpec) -> StepSpec:
    """Without what a step of this kind has no use for; the page does not show it."""
    drop: dict[str, Any] = {}
    if step.kind is StepKind.MANUAL:
        drop |= {"run": "", "env": {}, "secrets": (), "answer": Answer.EXIT}
    else:
        drop["text"] = ""
    if step.kind is StepKind.PROVE:
        drop["answer"] = Answer.EXIT
    else:
        drop["tests"] = ()
    if step.kind is not StepKind.BUILD:
        drop["artifact"] = ""
    if step.kind in (StepKind.BUILD, StepKind.PROVE):
        drop["environments"] = ()
    return replace(step, **drop)


class SaveForm(DashForm):
    """A word about a new version of the pipeline."""

    note = forms.CharField(label="What changes, and why", required=False, max_length=200)


class TomlForm(DashForm):
    """Settings as text."""

    text = forms.CharField(
        label="As TOML", strip=False, required=False, max_length=1_000_000,
        widget=forms.Textarea(attrs={"rows": 28, "spellcheck": "false", "class": "mono", "autocomplete": "off"}),
    )  # fmt: skip


# --- environments -------------------------------------------------------------------------------------------------


class NewEnvironmentForm(DashForm):
    """Its name stays; everything else is filled in on its page."""

    name = forms.CharField(label="Name", max_length=60, help_text="Lower-case letters, digits and dashes.")
    kind = forms.ChoiceField(label="Kind", choices=Environment.Kind.choices)


class EnvironmentForm(DashForm):
    """How releases get to an environment."""

    kind = forms.ChoiceField(label="Kind", choices=Environment.Kind.choices)
    url = forms.CharField(label="Address", required=False, max_length=500, help_text="Where people open it.")
    hotfixes = forms.ChoiceField(label="Hotfixes", choices=Environment.Hotfixes.choices)
    promotes = _flag("What passed the one before", "comes here, or asks to", "waits until somebody asks")
    approvals = forms.IntegerField(label="People who must approve", min_value=0, max_value=9)
    approver_role = forms.ChoiceField(label="Who may, at least", choices=_APPROVERS)
    approvers = NamesField(label="Only these people", help_text="User names. Empty: everybody of that role.")
    approval_hours = forms.IntegerField(label="An approval holds, in hours", min_value=1, max_value=720)
    breakers_role = forms.ChoiceField(label="Who may break the glass", choices=_SHIPPERS)
    time_zone = forms.CharField(label="Time zone", required=False, max_length=60, help_text="Of its freezes.")

    @classmethod
    def of(cls, row: Environment, data: Any = None) -> EnvironmentForm:
        initial = {name: getattr(row, name) for name in cls.base_fields if name != "approvers"}
        initial["approvers"] = [user.get_username() for user in row.approvers.all()]
        form = cls(data, initial=initial)
        form.fields["time_zone"].widget.attrs["placeholder"] = str(timezone.get_default_timezone())
        return form


class ProbeForm(DashForm):
    """How to ask what runs there. Only what fits the kind counts."""

    kind = forms.ChoiceField(
        label="Asked by", required=False,
        choices=[("", "Nothing: it is not asked"), ("http-json", "HTTP: a field of JSON"),
                 ("http-text", "HTTP: the text"), ("http-header", "HTTP: a header"), ("command", "A command")],
    )  # fmt: skip
    url = forms.CharField(label="Address of the version", required=False, max_length=500, help_text="Empty: its own.")
    path = forms.CharField(label="Field", required=False, max_length=200, help_text="With dots: build.commit")
    header = forms.CharField(label="Header", required=False, max_length=100, help_text="X-Revision")
    command = forms.CharField(
        label="Command", required=False, max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "mono"}),
        help_text="For /bin/sh; the last line that it prints names the revision.",
    )  # fmt: skip
    pattern = forms.CharField(
        label="Pattern", required=False, max_length=300, help_text="A regular expression; its first group is taken."
    )
    health_url = forms.CharField(label="Address of its health", required=False, max_length=500)
    health_status = forms.IntegerField(
        label="Good status", required=False, min_value=0, max_value=599, help_text="0: each from 200 to 299."
    )
    headers = PairsField(":", label="Headers sent along", help_text="Name: text; ${NAME} stands for a secret.")
    secrets = NamesField(label="Secrets", help_text="Names.")
    timeout = forms.FloatField(
        label="Answer within, in seconds", min_value=0.1, max_value=30,
        widget=forms.NumberInput(attrs={"step": "any"}),
    )  # fmt: skip
    probe_every = forms.IntegerField(label="Asked every, in seconds", min_value=5, max_value=86_400)
    settle_seconds = forms.IntegerField(
        label="Names a new version within, in seconds", min_value=0, max_value=3600,
    )  # fmt: skip
    watch_seconds = forms.IntegerField(
        label="Stays well for, in seconds", min_value=0, max_value=172_800,
        help_text="Then a deployment counts as verified.",
    )  # fmt: skip
    rolls_back = _flag("When that fails", "it is rolled back by itself", "rolling back is offered")

    RHYTHM = ("probe_every", "settle_seconds", "watch_seconds", "rolls_back")
    _FIT = {
        "http-json": ("url", "path", "pattern", "health_url", "health_status", "headers", "secrets", "timeout"),
        "http-text": ("url", "pattern", "health_url", "health_status", "headers", "secrets", "timeout"),
        "http-header": ("url", "header", "pattern", "health_url", "health_status", "headers", "secrets", "timeout"),
        "command": ("command", "pattern", "secrets", "timeout"),
    }

    @classmethod
    def of(cls, row: Environment, data: Any = None) -> ProbeForm:
        known = Probe.from_data({"kind": "", **row.probe})
        initial = known.as_data() | {name: getattr(row, name) for name in cls.RHYTHM}
        initial["timeout"] = _plain(known.timeout)
        return cls(data, initial=initial, auto_id="probe_%s")

    @property
    def probe(self) -> dict[str, Any]:
        """As data: what is filled in and fits the kind."""
        data = self.cleaned_data
        kind = data["kind"]
        usual = Probe(kind).as_data()
        fit = {name: data[name] for name in self._FIT.get(kind, ()) if data[name] is not None}
        fit = {name: list(value) if isinstance(value, tuple) else value for name, value in fit.items()}
        return {"kind": kind} | {k: v for k, v in fit.items() if v != usual[k]} if kind else {}


class FreezeForm(DashForm):
    """A window without deployments: between two moments, or on days of every week."""

    why = forms.CharField(label="Why", max_length=200)
    weekdays = forms.TypedMultipleChoiceField(
        label="Every week, beginning on", required=False, coerce=int, choices=list(enumerate(DAYS)),
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    from_time = forms.TimeField(label="From", required=False, widget=forms.TimeInput(attrs={"type": "time"}))
    until_time = forms.TimeField(
        label="Until", required=False, widget=forms.TimeInput(attrs={"type": "time"}),
        help_text="Not after “From”: on the next day.",
    )  # fmt: skip
    starts_at = forms.DateTimeField(
        label="Or once, from", required=False, widget=forms.DateTimeInput(attrs={"type": "datetime-local"})
    )
    ends_at = forms.DateTimeField(
        label="Until", required=False, widget=forms.DateTimeInput(attrs={"type": "datetime-local"})
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, auto_id="freeze_%s")

    def valid_in(self, zone: ZoneInfo) -> bool:
        """Whether it can be read, with its moments in this zone."""
        with timezone.override(zone):
            return self.is_valid()


class DeploySecretForm(DashForm):
    """A value for steps; the stored one is never shown."""

    name = forms.CharField(
        label="Name", max_length=80, help_text="Capitals, digits and underscores: DEPLOY_TOKEN",
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip
    value = forms.CharField(
        label="Value", strip=False, max_length=20_000, help_text="Kept encrypted and never shown again.",
        widget=SecretInput(attrs={"rows": 2, "class": "mono", "autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip

    def clean_value(self) -> str:
        """As typed, but for the line ends that browsers send, and the one that pasting leaves at the end."""
        text = str(self.cleaned_data["value"]).replace("\r\n", "\n")
        return text if text.count("\n") > 1 else text.rstrip("\n")
