"""What a pipeline is, as plain data: steps in order, for two lanes. No I/O, no Django."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any


class StepKind(StrEnum):
    CHECK = "check"
    """A command that must succeed."""
    MANUAL = "manual"
    """A person confirms, with a note of what was tested."""
    PROVE = "prove"
    """The fix's own tests fail on the release it was cut from and pass on the fix."""
    BUILD = "build"
    """Makes the artifact."""
    DEPLOY = "deploy"
    """Brings the artifact to an environment."""
    VERIFY = "verify"
    """Looks, after a deploy, whether it runs well."""
    ROLLBACK = "rollback"
    """Brings back what ran before; without one, the deploy steps do it with the former artifact."""

    @property
    def in_build(self) -> bool:
        """Whether steps of this kind belong to the build when they name no environment."""
        return self in (StepKind.CHECK, StepKind.MANUAL, StepKind.PROVE, StepKind.BUILD)


class Trigger(StrEnum):
    """What starts a build by itself."""

    TAG = "tag"
    HAND = "hand"
    MAIN = "main"
    """Every merge to main is tagged and released."""


class Naming(StrEnum):
    """How a release that the dashboard tags by itself is called."""

    PATCH = "patch"
    DATE = "date"


class Answer(StrEnum):
    EXIT = "exit"
    """The command's exit status."""
    CALLBACK = "callback"
    """The command only starts something elsewhere; a signed callback brings the answer."""


LANES = ("release", "hotfix")


@dataclass(frozen=True, slots=True)
class StepSpec:
    """One step. Times are seconds, sizes bytes."""

    name: str
    kind: StepKind
    run: str = ""
    """A command line for /bin/sh; empty for a manual step, and for a verify step that only asks the probe."""
    lanes: tuple[str, ...] = LANES
    environments: tuple[str, ...] = ()
    """Globs on names. Empty: of a deploy, verify or rollback step every environment; of other kinds the build."""
    timeout: float = 900.0
    silence: float = 300.0
    """Without any output for this long, it is ended; 0 for no such limit."""
    retries: int = 0
    """So often it is tried again when it fails."""
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    """Names of stored values that the command gets as environment variables."""
    text: str = ""
    """Of a manual step: what the person is asked to do."""
    tests: tuple[str, ...] = ()
    """Of a prove step: globs; files of the fix that match are put onto the release that it was cut from."""
    artifact: str = ""
    """Of a build step: the file or folder that it leaves, kept by digest; empty when it says `artifact=` itself."""
    answer: Answer = Answer.EXIT
    max_size: int = 2 << 30
    """Of its folder."""
    cpu: float = 0.0
    """Processor time of all its processes; 0 for no limit."""

    def as_data(self) -> dict[str, Any]:
        data = asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in data.items()}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> StepSpec:
        """Read stored data, which was checked when it was stored."""
        known = {f.name for f in fields(cls)}
        clean: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items() if k in known}
        clean["kind"] = StepKind(clean["kind"])
        clean["answer"] = Answer(clean.get("answer", Answer.EXIT))
        return cls(**clean)

    def runs_in(self, environment: str) -> bool:
        """Whether a run in this environment (empty: a build) has this step."""
        if not environment:
            return self.kind.in_build and not self.environments
        if self.environments:
            return any(fnmatchcase(environment, glob) for glob in self.environments)
        return not self.kind.in_build


@dataclass(frozen=True, slots=True)
class PipelineSpec:
    """All steps of a project, and what starts them."""

    trigger: Trigger = Trigger.TAG
    naming: Naming = Naming.PATCH
    steps: tuple[StepSpec, ...] = ()

    def build_steps(self, lane: str) -> list[StepSpec]:
        """Of the build, in order."""
        return [step for step in self.steps if lane in step.lanes and step.runs_in("")]

    def environment_steps(self, lane: str, environment: str) -> list[StepSpec]:
        """Of a deployment, in order."""
        return [
            step
            for step in self.steps
            if lane in step.lanes and step.kind is not StepKind.ROLLBACK and step.runs_in(environment)
        ]

    def rollback_steps(self, lane: str, environment: str) -> list[StepSpec]:
        """Of a rollback: the rollback steps, or without any the deploy steps; then what verifies them."""
        mine = [step for step in self.steps if lane in step.lanes and step.runs_in(environment)]
        back = [step for step in mine if step.kind is StepKind.ROLLBACK]
        back = back or [step for step in mine if step.kind is StepKind.DEPLOY]
        return back + [step for step in mine if step.kind is StepKind.VERIFY]

    def as_data(self) -> dict[str, Any]:
        return {"trigger": self.trigger.value, "naming": self.naming.value, "steps": [s.as_data() for s in self.steps]}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> PipelineSpec:
        return cls(
            Trigger(data.get("trigger", Trigger.TAG)),
            Naming(data.get("naming", Naming.PATCH)),
            tuple(StepSpec.from_data(step) for step in data.get("steps", ())),
        )
