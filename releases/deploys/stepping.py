"""Carrying out one step: its folder, its variables, its command, its artifact; and what kind of step does what.

Knows no state of a run: whoever calls says when it begins and writes down how it ended.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_urlsafe

from django.conf import settings

from releases.git.repository import locate
from releases.hotfixes.models import Hotfix
from releases.projects.models import Release
from releases.projects.services.mirrors import mirror_folder
from releases.projects.versions import tag_version

from .models import Run, Step
from .runner.artifacts import check, keep
from .runner.execution import Ended, Job, execute
from .runner.logs import LogWriter
from .runner.workspaces import Workspace, overlay, workspace
from .settings_services import secret_values
from .spec import Answer, StepKind, StepSpec
from .watching import settle

Stop = Callable[[], str]
NOT_RUN = 126
"""From this exit status on a shell says that a command was not found, not executable, or ended by a signal."""
GRACE = 1.5
"""Seconds that a command gets to end by itself when it is aborted or takes too long: whoever aborts is waiting."""
NOT_CARRIED_OUT = "refused"
"""How a step ended whose command was not even begun."""


@dataclass(frozen=True, slots=True)
class Doing:
    """One attempt at one step."""

    run: Run
    step: Step
    spec: StepSpec
    stop: Stop
    log: LogWriter
    secrets: dict[str, str]
    token: str = ""
    """Of a step that a callback answers: what the answer must be signed with."""

    @property
    def marker(self) -> str:
        return marker_of(self.run)


def marker_of(run: Run) -> str:
    """By it all processes of this attempt are found."""
    return f"{run.pk}:{run.fence}"


def token_new(spec: StepSpec) -> tuple[str, str]:
    """A one-time token for a step that a callback answers, and its digest for the row; both empty for others."""
    if spec.answer is not Answer.CALLBACK:
        return "", ""
    token = token_urlsafe(32)
    return token, hashlib.sha256(token.encode()).hexdigest()


def step_carry_out(run: Run, step: Step, spec: StepSpec, stop: Stop, token: str = "") -> Ended:
    """Carry out one step here; nothing of it runs any more when this returns or raises.

    Raises `RunLost`, `SecretMissing`, `GitError`, `ArtifactRefused`, `OSError`.
    """
    secrets = secret_values(run.project, spec.secrets)
    with LogWriter(run.pk, run.fence, step.index, secrets | ({"token": token} if token else {})) as log:
        doing = Doing(run, step, spec, stop, log, secrets, token)
        if spec.kind is StepKind.VERIFY and not spec.run:
            return settle(run, stop, log.write)
        ended = _prove(doing) if spec.kind is StepKind.PROVE else _command(doing)
        for note in ended.notes:
            log.line(f"[{note}]")
        if ended.why:
            log.line(f"[{ended.why}]")
    return ended


def _command(doing: Doing) -> Ended:
    """A check, build, deploy, verify or rollback step: its command, in a fresh checkout of the run's commit."""
    run, spec = doing.run, doing.spec
    kept = Path(run.artifact) if run.artifact else None
    if run.kind != Run.Kind.BUILD and kept is not None and kept.is_absolute() and not check(kept, run.digest):
        return refused(f"The artifact {kept.name} is gone or is not what was built any more. Build {run.tag} again.")
    with _checkout(run, run.commit, run.tag, run.tag_object) as place:
        ended = execute(_job(doing, place), doing.log.write, doing.stop)
        if not ended.good or spec.kind is not StepKind.BUILD or not spec.artifact:
            return ended
        made = keep(place.source / spec.artifact, within=place.source)
    return replace(ended, facts=ended.facts | {"artifact": str(made.path), "digest": made.digest})


def _prove(doing: Doing) -> Ended:
    """The fix's own tests must fail on the release that it was cut from, and pass on the fix."""
    run, spec, log = doing.run, doing.spec, doing.log
    base = base_of(run)
    if base is None:
        return refused(f"It is not known which release {run.tag} was cut from, so nothing can be proved on it.")
    tag, commit = base
    with _checkout(run, commit, tag) as place:
        files = overlay(place, run.commit, spec.tests)
        if not files:
            return refused(f"{run.tag} changes no file that matches {', '.join(spec.tests)}: it proves nothing.")
        log.line(f"[On {tag}, with {_counted(files)} of {run.tag}: this must fail]")
        before = execute(_job(doing, place), log.write, doing.stop)
    if before.how in ("aborted", "lost"):
        return before
    if before.how != "exited" or (before.code or 0) >= NOT_RUN:
        return replace(before, why=f"On {tag} the tests could not be run to their end. {before.why}".strip())
    if before.code == 0:
        why = f"The tests of {run.tag} pass on {tag}, too: they do not show what was wrong there."
        return replace(before, how="exited", code=1, why=why)
    log.line(f"[On {run.tag}: this must pass]")
    with _checkout(run, run.commit, run.tag, run.tag_object) as place:
        after = execute(_job(doing, place), log.write, doing.stop)
    return replace(after, facts=after.facts | {"proved_on": tag})


def _counted(files: list[str]) -> str:
    return files[0] if len(files) == 1 else f"{len(files)} test files"


def base_of(run: Run) -> tuple[str, str] | None:
    """Tag and commit of the release that this one was cut from: as its ticket says, else the one before it."""
    ticket = Hotfix.objects.filter(project=run.project_id, tag=run.tag).exclude(base_commit="").first()
    if ticket is not None:
        return ticket.base_tag or ticket.base_commit[:12], ticket.base_commit
    release = Release.objects.filter(project=run.project_id, tag=run.tag).select_related("previous").first()
    if release is None or release.previous is None:
        return None
    return release.previous.tag, release.previous.commit


def refused(why: str) -> Ended:
    """The end of a step whose command was not begun."""
    return Ended(NOT_CARRIED_OUT, None, None, {}, 0.0, why)


# --- folder and variables -----------------------------------------------------------------------------------------


@contextmanager
def _checkout(run: Run, commit: str, tag: str, tag_object: str = "") -> Iterator[Workspace]:
    git_dir = locate(mirror_folder(run.project))
    with workspace(git_dir, commit, tag, root=work_root(), tag_object=tag_object) as place:
        yield place


def work_root() -> Path:
    """Where the throw-away folders of steps are made."""
    return Path(settings.DATA_DIR) / "work"


def _job(doing: Doing, place: Workspace) -> Job:
    spec = doing.spec
    # A secret, too: the token must not come out again as a fact.
    token = {"HOTFIXDASH_CALLBACK_TOKEN": doing.token} if doing.token else {}
    return Job(
        command=spec.run, folder=place.source, env=variables(doing, place), timeout=spec.timeout,
        silence=spec.silence, cpu=spec.cpu, max_size=spec.max_size, marker=doing.marker,
        secrets=doing.secrets | token, measured=place.root, output_file=place.output_file, grace=GRACE,
    )  # fmt: skip


def variables(doing: Doing, place: Workspace) -> dict[str, str]:
    """What a step's command finds in its environment; the step's own variables never hide ours."""
    run, where = doing.run, doing.run.environment
    version = tag_version(run.tag)
    before_tag, before_commit = _previous(run)
    ours = {
        "PROJECT": run.project.slug, "TAG": run.tag, "VERSION": version.version if version else run.tag,
        "COMMIT": run.commit, "LANE": run.lane, "RUN": str(run.pk), "ENVIRONMENT": where.name if where else "",
        "URL": where.url if where else "", "ARTIFACT": run.artifact, "DIGEST": run.digest,
        "PREVIOUS_TAG": before_tag, "PREVIOUS_COMMIT": before_commit,
    }  # fmt: skip
    if doing.token:
        ours |= {"CALLBACK_URL": callback_url(doing.step), "CALLBACK_TOKEN": doing.token}
    named = {f"HOTFIXDASH_{name}": value for name, value in ours.items()}
    return dict(doing.spec.env) | named | place.env


def _previous(run: Run) -> tuple[str, str]:
    """What runs there now, of a build the release before; empty when nothing is known."""
    if run.environment is not None:
        return (run.replaces.tag, run.replaces.commit) if run.replaces else ("", "")
    release = Release.objects.filter(project=run.project_id, tag=run.tag).select_related("previous").first()
    before = release.previous if release else None
    return (before.tag, before.commit) if before else ("", "")


def callback_url(step: Step) -> str:
    """Where the answer to this step is to be sent."""
    return f"{settings.PUBLIC_URL.rstrip('/')}/hooks/steps/{step.pk}"
