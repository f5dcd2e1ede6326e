"""Plain factories of rows: each makes one thing, with ordinary values unless told otherwise."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group

from hotfixdash.accounts.models import User
from releases.deploys.models import Approval, Environment, LogChunk, Pipeline, Run, Step
from releases.deploys.spec import PipelineSpec, StepKind, StepSpec
from releases.evidence.verdicts import Code, CommitVerdict, Evidence, FixCommit, FixReport, FixVerdict, Preview, Report
from releases.operations.models import Operation
from releases.policies.models import Fix, Target, Verdict
from releases.projects.models import FetchRun, Project, ProjectAccess, Ref, Release
from releases.projects.versions import tag_version

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"
_numbers = itertools.count(1)


def sha(seed: object) -> str:
    """Forty hexadecimal digits that differ for each seed."""
    import hashlib

    return hashlib.sha1(str(seed).encode()).hexdigest()


def make_user(username: str = "", role: str = "viewer", *, projects: Sequence[Project] = (), **fields: Any) -> User:
    username = username or f"person{next(_numbers)}"
    user = User(username=username, **fields)
    user.set_password(PASSWORD)
    user.save()
    user.groups.add(Group.objects.get_or_create(name=role)[0])
    for project in projects:
        ProjectAccess.objects.create(project=project, user=user)
    return user


def make_project(name: str = "", **fields: Any) -> Project:
    name = name or f"project{next(_numbers)}"
    defaults = {"slug": name.lower().replace(" ", "-"), "remote_url": f"https://git.example.com/{name}.git"}
    return Project.objects.create(name=name, **(defaults | fields))


def make_run(project: Project, **fields: Any) -> FetchRun:
    return FetchRun.objects.create(project=project, **({"trigger": "timer"} | fields))


def make_ref(project: Project, name: str = "refs/heads/main", **fields: Any) -> Ref:
    tip = sha((project.pk, name))
    return Ref.objects.create(project=project, name=name, **({"sha": tip, "commit": tip} | fields))


def make_release(project: Project, tag: str = "v1.0.0", **fields: Any) -> Release:
    version = tag_version(tag)
    assert version is not None
    defaults: dict[str, Any] = {
        "commit": sha((project.pk, tag)), "kind": version.kind, "version": version.version,
        "sort_key": version.sort_key, "tagged_at": NOW - timedelta(days=30), "on_production": True,
    }  # fmt: skip
    return Release.objects.create(project=project, tag=tag, **(defaults | fields))


def make_target(project: Project, branch: str = "develop", **fields: Any) -> Target:
    defaults = {"kind": Target.Kind.DEVELOP, "tip": sha((project.pk, branch))}
    return Target.objects.create(project=project, branch=branch, **(defaults | fields))


def make_fix(project: Project, subject: str = "Fix rounding", **fields: Any) -> Fix:
    key = fields.pop("key", None) or sha(("fix", next(_numbers)))
    defaults: dict[str, Any] = {
        "kind": Fix.Kind.MERGE, "production_ref": "main", "author_name": "Mira", "authored_at": NOW - timedelta(days=3),
        "live_since": NOW - timedelta(days=2), "live_since_source": "tag",
        "commits": [{"sha": key, "subject": subject, "author_name": "Mira", "author_email": "mira@example.com",
                     "authored_at": int((NOW - timedelta(days=3)).timestamp())}],
    }  # fmt: skip
    return Fix.objects.create(project=project, key=key, subject=subject, **(defaults | fields))


def make_verdict(fix: Fix, target: Target, code: Code = Code.MISSING, **fields: Any) -> Verdict:
    settled = code in (Code.MERGED, Code.EQUIVALENT, Code.NOTHING_OWED, Code.WAIVED)
    owed = not settled and not fix.chore and fix.present and target.closed_at is None
    defaults: dict[str, Any] = {
        "project": fix.project, "code": code.value, "settled": settled, "owed": owed, "why": f"It is {code.label}.",
        "owed_since": fix.live_since if owed else None,
    }  # fmt: skip
    return Verdict.objects.create(fix=fix, target=target, **(defaults | fields))


def make_fix_verdict(code: Code = Code.MISSING, *, settled: bool | None = None, **fields: Any) -> FixVerdict:
    """An answer of the engine, as data."""
    is_settled = code in (Code.MERGED, Code.EQUIVALENT, Code.NOTHING_OWED) if settled is None else settled
    return FixVerdict(**({"verdict": code, "settled": is_settled, "why": f"It is {code.label}."} | fields))


def make_commit_verdict(seed: object, code: Code = Code.MISSING, *evidence: Evidence) -> CommitVerdict:
    return CommitVerdict(
        sha(seed), code, code is Code.EQUIVALENT, (sha((seed, "there")),) if evidence else (), evidence
    )


def make_fix_report(seed: object, verdicts: dict[str, FixVerdict], **fields: Any) -> FixReport:
    """One fix with its answers by target."""
    commit = FixCommit(sha(seed), f"Fix {seed}", "Mira", "mira@example.com", int(NOW.timestamp()) - 86_400)
    defaults: dict[str, Any] = {
        "id": sha(seed), "kind": "merge", "subject": f"Fix {seed}", "commits": (commit,), "production_ref": "main",
        "live_since": int(NOW.timestamp()) - 3600, "live_since_source": "tag", "verdicts": verdicts,
    }  # fmt: skip
    return FixReport(**(defaults | fields))


def make_report(fixes: list[FixReport], targets: Sequence[str] = ("develop",), **tips: str) -> Report:
    git = {"main": sha("main")} | {name: sha(name) for name in targets} | tips
    return Report("example", ("main",), tuple(targets), git, fixes)


def make_preview(*conflicts: str) -> Preview:
    return Preview(clean=not conflicts, conflicts=conflicts)


def make_operation(project: Project, kind: str = "cut", **fields: Any) -> Operation:
    """An operation as asked for, waiting."""
    params = {"branch": "hotfix/TICKET-1", "tag": "v1.0.0", "commit": sha("v1.0.0")} | fields.pop("params", {})
    defaults: dict[str, Any] = {
        "key": f"{kind}:{params['branch']}", "subject": "hotfix:TICKET-1", "actor_name": "Mira",
        "actor_email": "mira@example.com", "asked_at": NOW,
    }  # fmt: skip
    return Operation.objects.create(project=project, kind=kind, params=params, **(defaults | fields))


def make_environment(project: Project, name: str = "production", **fields: Any) -> Environment:
    kind = Environment.Kind.PRODUCTION if name == "production" else Environment.Kind.STAGING
    order = {"hotfix-staging": 0, "staging": 1, "production": 2}.get(name, 5)
    return Environment.objects.create(project=project, name=name, **({"kind": kind, "order": order} | fields))


def make_pipeline(project: Project, *steps: StepSpec, **fields: Any) -> Pipeline:
    """The next version; a check, a build and a deploy step unless told otherwise."""
    told = steps or (
        StepSpec("critical tests", StepKind.CHECK, "true"),
        StepSpec("build", StepKind.BUILD, "true", artifact="app"),
        StepSpec("switch", StepKind.DEPLOY, "true"),
    )
    version = Pipeline.objects.filter(project=project).count() + 1
    spec = PipelineSpec(steps=told).as_data()
    return Pipeline.objects.create(project=project, **({"version": version, "spec": spec} | fields))


def make_shipment(environment: Environment, tag: str = "v1.0.1", **fields: Any) -> Run:
    """A deployment of `tag`, done unless told otherwise."""
    project = environment.project
    pipeline = fields.pop("pipeline", None) or Pipeline.objects.filter(project=project).first()
    defaults: dict[str, Any] = {
        "kind": Run.Kind.DEPLOY, "state": Run.State.DONE, "tag": tag, "commit": sha((project.pk, tag)),
        "tag_object": sha(("tag", project.pk, tag)), "pipeline": pipeline or make_pipeline(project),
        "digest": f"sha256:{sha(tag)}{sha(tag)[:24]}", "trigger": "person", "asked_at": NOW,
    }  # fmt: skip
    return Run.objects.create(project=project, environment=environment, **(defaults | fields))


def make_build(project: Project, tag: str = "v1.0.1", **fields: Any) -> Run:
    """A build of `tag`, done unless told otherwise."""
    pipeline = fields.pop("pipeline", None) or Pipeline.objects.filter(project=project).first()
    defaults: dict[str, Any] = {
        "kind": Run.Kind.BUILD, "state": Run.State.DONE, "tag": tag, "commit": sha((project.pk, tag)),
        "tag_object": sha(("tag", project.pk, tag)), "pipeline": pipeline or make_pipeline(project),
        "digest": f"sha256:{sha(tag)}{sha(tag)[:24]}", "artifact": "app.tar", "trigger": "tag", "asked_at": NOW,
    }  # fmt: skip
    return Run.objects.create(project=project, **(defaults | fields))


def make_step(shipment: Run, name: str = "switch", kind: str = "deploy", **fields: Any) -> Step:
    index = fields.pop("index", shipment.steps.count())
    spec = StepSpec(name, StepKind(kind), fields.pop("run", "true"), text=fields.pop("text", "")).as_data()
    defaults: dict[str, Any] = {"state": Step.State.TODO, "spec": spec}
    return Step.objects.create(run=shipment, index=index, name=name, kind=kind, **(defaults | fields))


def make_lines(shipment: Run, *lines: str, step: int = 0, at: datetime = NOW) -> LogChunk:
    """Append lines to the log, as one chunk."""
    text = "".join(f"{line}\n" for line in lines)
    chunk = LogChunk.objects.create(
        run=shipment, sequence=shipment.log_chunks, step=step, at=at, first_line=shipment.log_lines + 1,
        lines=len(lines), text=text,
    )  # fmt: skip
    shipment.log_chunks += 1
    shipment.log_lines += len(lines)
    shipment.log_bytes += len(text.encode())
    shipment.save(update_fields=["log_chunks", "log_lines", "log_bytes"])
    return chunk


def make_approval(shipment: Run, person: User, says: str = "approve", **fields: Any) -> Approval:
    return Approval.objects.create(run=shipment, person=person, says=says, **({"binding": {}} | fields))
