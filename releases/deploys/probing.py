"""What really runs in an environment: its probe asks for the revision, and whether it is well.

`Environment.probe` holds a `Probe` as data, written by administrators only. It asks by HTTP, under the rules that hold
for remotes (no private addresses but the allowed ones), or by a command that runs like a step's. Nothing from a
repository or a release is ever put into a command line: a command gets it as environment variables.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from django.conf import settings

from releases.git.remotes import RemotePolicy
from releases.projects.versions import tag_version

from .asking import Answered, NoAnswer, ask
from .models import Environment, Run
from .runner.execution import Job, execute
from .runner.masking import Mask
from .settings_services import SecretMissing, secret_values

KINDS = ("http-json", "http-text", "http-header", "command")
LONGEST = 250
"""Characters of a revision."""
LONGEST_TIMEOUT = 30.0
KEPT = 64 << 10
"""Bytes of a command's output that are kept."""
LARGEST_FOLDER = 64 << 20
"""Bytes that a probe's command may leave in its folder."""
PROBE_GRACE = 30.0
"""Seconds after its time limit in which a probe's processes end by themselves; then the sweep ends them."""
READ = 100_000
"""Characters of an answer that a pattern is looked for in."""
_NAME = re.compile(r"\$\{([A-Z_][A-Z0-9_]*)\}")
_HEADER = re.compile(r"[A-Za-z0-9-]+\Z")
_HEX = re.compile(r"[0-9a-f]{7,64}\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class Probe:
    """How to ask what runs there. Times are seconds."""

    kind: str
    url: str = ""
    """Empty: the environment's own address."""
    path: str = ""
    """Of http-json: names and places on the way to the value, with dots: `build.commit`, `instances.0.version`."""
    header: str = ""
    """Of http-header: which header names the revision."""
    pattern: str = ""
    """Regex in what was found; its first group, or all of what fits, is the revision."""
    command: str = ""
    """Of command: a line for /bin/sh; the last line that it prints holds the revision."""
    health_url: str = ""
    """Asked, too; empty: it is well when the first answer has a good status."""
    health_status: int = 0
    """The status that is good; 0: each from 200 to 299."""
    timeout: float = 5.0
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent along; `${NAME}` stands for a secret."""
    secrets: tuple[str, ...] = ()
    """Names of stored values: for `headers`, or in a command's environment."""

    def as_data(self) -> dict[str, Any]:
        data = asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in data.items()}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Probe:
        """Read stored data, which was checked when it was stored."""
        known = {f.name for f in fields(cls)}
        clean: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items() if k in known}
        return cls(**clean)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a probe found."""

    revision: str = ""
    """Empty when it could not be told."""
    healthy: bool = False
    error: str = ""
    """Why it could not be asked, or is not well; a sentence."""
    took: float = 0.0


def probe_check(data: Mapping[str, Any], url: str = "") -> list[str]:
    """What is wrong with a probe, as sentences; `url` is the environment's own. An empty probe asks nothing."""
    if not data:
        return []
    try:
        found = Probe.from_data(data)
    except TypeError:
        return ["A probe needs a kind."]
    if found.kind not in KINDS:
        return [f"A probe is one of {', '.join(KINDS)}."]
    problems = [f"A probe has no “{name}”." for name in sorted(set(data) - {f.name for f in fields(Probe)})]
    return problems + _faults_of_kind(found, url) + _faults(found)


def _faults_of_kind(probe: Probe, url: str) -> list[str]:
    found = []
    if probe.kind == "command":
        if not probe.command.strip() or "\x00" in probe.command:
            found.append("A probe by command needs a command.")
    elif not (probe.url or url).startswith(("https://", "http://")):
        found.append("A probe by HTTP needs an address that begins with https:// or http://.")
    if probe.kind == "http-json" and not probe.path:
        found.append("Say which field of the JSON names the revision: build.commit.")
    if probe.kind == "http-header" and not _HEADER.match(probe.header):
        found.append("Say which header names the revision: X-Revision.")
    return found


def _faults(probe: Probe) -> list[str]:
    found = []
    if probe.health_url and not probe.health_url.startswith(("https://", "http://")):
        found.append("The address of its health begins with https:// or http://.")
    if probe.health_status and not 100 <= probe.health_status <= 599:
        found.append("A good status is a number from 100 to 599, or 0 for each from 200 to 299.")
    if not 0.1 <= probe.timeout <= LONGEST_TIMEOUT:
        found.append(f"Its time limit is between 0.1 and {LONGEST_TIMEOUT:.0f} seconds.")
    try:
        re.compile(probe.pattern)
    except re.error as error:
        found.append(f"Its pattern is no regular expression: {error}.")
    for name, value in probe.headers.items():
        if not _HEADER.match(name) or _CONTROL.search(value):
            found.append(f"“{_CONTROL.sub(' ', name)[:80]}” cannot be sent as a header.")
        for secret in _NAME.findall(value):
            if secret not in probe.secrets:
                found.append(f"The header “{name}” uses {secret}, which is not among the probe's secrets.")
    return found


# --- asking -----------------------------------------------------------------------------------------------------------


def probe(environment: Environment) -> Seen:
    """Ask once. Never raises: whatever goes wrong is the answer. Writes nothing."""
    begun = time.monotonic()
    how = Probe.from_data(environment.probe) if environment.probe else None
    if how is None:
        return Seen(error="It has no probe.")
    asked = _by_command if how.kind == "command" else _by_http
    mask = Mask()
    try:
        secrets = secret_values(environment.project, how.secrets)
        mask = Mask(secrets)
        revision, fault = asked(environment, how, secrets)
    except (NoAnswer, SecretMissing) as problem:
        return Seen(error=mask.text(str(problem)), took=time.monotonic() - begun)
    return Seen(mask.text(revision), not fault, mask.text(fault), time.monotonic() - begun)


def _by_http(environment: Environment, how: Probe, secrets: Mapping[str, str]) -> tuple[str, str]:
    """The revision, and what is wrong with its health (empty when it is well). Raises `NoAnswer`."""
    policy = _policy(environment)
    headers = {name: _NAME.sub(lambda m: secrets.get(m[1], ""), value) for name, value in how.headers.items()}
    begun = time.monotonic()
    answered = ask(how.url or environment.url, policy, timeout=how.timeout, headers=headers)
    status = "" if how.health_url else _status_fault(answered, how)
    try:
        revision = _revision(answered, how)
    except NoAnswer as problem:
        raise NoAnswer(status or str(problem)) from None
    if how.health_url:
        left = max(0.1, how.timeout - (time.monotonic() - begun))
        try:
            status = _status_fault(ask(how.health_url, policy, timeout=left, headers=headers), how)
        except NoAnswer as problem:
            status = f"Its health could not be asked. {problem}"
    return revision, status


def _by_command(environment: Environment, how: Probe, secrets: Mapping[str, str]) -> tuple[str, str]:
    """The same by a command; one that fails says that the environment is not well. Raises `NoAnswer`."""
    kept = bytearray()

    def keep(data: bytes) -> None:
        kept.extend(data)
        del kept[:-KEPT]  # It may print for as long as it likes; the last line is what counts.

    work = Path(settings.DATA_DIR) / "work"
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="probe-", dir=work, ignore_cleanup_errors=True) as folder:
        env = {
            "HOME": folder, "TMPDIR": folder, "HOTFIXDASH_PROJECT": environment.project.slug,
            "HOTFIXDASH_ENVIRONMENT": environment.name, "HOTFIXDASH_URL": environment.url,
        }  # fmt: skip
        job = Job(
            how.command, Path(folder), env, how.timeout, 0, 0, LARGEST_FOLDER, probe_marker(environment, how),
            secrets=secrets, grace=1.0,
        )  # fmt: skip
        ended = execute(job, keep, lambda: "")
    if not ended.good:
        raise NoAnswer(f"Its command did not answer. {ended.why}".strip())
    lines = kept.decode("utf-8", "replace").strip().splitlines()
    return _picked(lines[-1] if lines else "", how.pattern), ""


def probe_marker(environment: Environment, how: Probe) -> str:
    """By it the processes of a probe are found; it says itself until when it may live, in Unix seconds."""
    return f"probe-{environment.pk}:{int(time.time() + how.timeout + PROBE_GRACE)}"


def probe_lives(marker: str) -> bool:
    """Whether the probe with this marker may still run; False for what is no probe's marker."""
    place, _, until = marker.partition(":")
    return place.startswith("probe-") and until.isdecimal() and time.time() < int(until)


def _policy(environment: Environment) -> RemotePolicy:
    return RemotePolicy(
        private_hosts=tuple(settings.GIT_ALLOW_PRIVATE_HOSTS), operator=environment.project.operator_path
    )


def _status_fault(answered: Answered, how: Probe) -> str:
    good = answered.status == how.health_status if how.health_status else 200 <= answered.status <= 299
    return "" if good else f"It answers with status {answered.status}."


def _revision(answered: Answered, how: Probe) -> str:
    """The revision in an answer. Raises `NoAnswer`."""
    if how.kind == "http-header":
        found = answered.headers.get(how.header.lower(), "")
        if not found:
            raise NoAnswer(f"Its answer has no header {how.header}.")
    else:
        text = answered.body.decode("utf-8", "replace")
        found = _in_json(text, how.path) if how.kind == "http-json" else text
    return _picked(found, how.pattern)


def _in_json(text: str, path: str) -> str:
    try:
        at: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise NoAnswer("Its answer is not JSON.") from None
    for name in path.split("."):
        if isinstance(at, dict) and name in at:
            at = at[name]
        elif isinstance(at, list) and name.isdecimal() and int(name) < len(at):
            at = at[int(name)]
        else:
            raise NoAnswer(f"Its answer has no field {path}.")
    if isinstance(at, bool) or not isinstance(at, str | int | float):
        raise NoAnswer(f"The field {path} of its answer is no text.")
    return str(at)


def _picked(text: str, pattern: str) -> str:
    """What names the revision in a text, fit to be kept. Raises `NoAnswer`."""
    if pattern:
        match = re.search(pattern, text[:READ])
        if match is None:
            raise NoAnswer("Its answer does not fit the pattern.")
        text = next((group for group in match.groups() if group is not None), match[0])
    text = " ".join(_CONTROL.sub(" ", text).split())
    if not text:
        raise NoAnswer("Its answer is empty.")
    return text[:LONGEST]


# --- comparing --------------------------------------------------------------------------------------------------------


def names(revision: str, run: Run) -> bool:
    """Whether a revision that a probe named is what this run brought: its commit, tag, version or digest."""
    if not revision:
        return False
    if revision in (run.tag, run.commit) or (run.digest and run.digest in revision):
        return True
    low = revision.lower()
    if _HEX.match(low) and run.commit.startswith(low):
        return True
    version = tag_version(run.tag)
    return version is not None and revision.removeprefix("v") == version.version.removeprefix("v")
