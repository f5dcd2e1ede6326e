"""From a queued fetch to verdicts, releases and open pages: the one street that the worker and the command line walk.

Every stage writes in transactions that check whether this worker still holds the run, so it may be killed anywhere:
what was written is true, what was not is written by the next run. Verdicts come first, without trial merges, because
somebody waits for them; the counts of releases follow, and previews where something is owed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from datetime import datetime
from pathlib import Path

from django.utils import timezone

from releases import live
from releases.evidence.verdicts import Report
from releases.git.containment import tags_merged
from releases.git.errors import GitError
from releases.git.values import shown
from releases.ledger.services import event_write
from releases.projects.lineage import TaggedCommit, lineage
from releases.projects.models import FetchRun, Project, Release
from releases.projects.secrets import SecretUnreadable
from releases.projects.services import (
    FetchLost,
    Heartbeat,
    fetch_claim,
    fetch_fail,
    fetch_finish,
    fetch_held,
    fetches_due,
    fetches_lost,
    fetches_to_nudge,
    refs_record,
    releases_link,
    releases_record,
)
from releases.projects.services.mirrors import Glance, Look, facts_file, history_walk, mirror_fetch, mirror_look
from releases.projects.versions import tag_version

from .flow import FlowPolicy
from .guess import Guess, fitted, guess
from .names import matches
from .newer_lines import answer_for_lines as answer
from .question import Question, QuestionError
from .services import report_record

log = logging.getLogger(__name__)

_GLOB = re.compile(r"[*?\[]")
ENGINE = 1
"""Grows when the same refs and policy may be judged otherwise than before; every project is then judged anew."""


def project_refresh(run_pk: int, worker: str) -> FetchRun | None:
    """Carry out one queued fetch. Returns the run as it ended, or None when somebody else has it or will."""
    run = fetch_claim(run_pk, worker)
    if run is None:
        return None
    topic, in_trouble = live.project_topic(run.project_id), run.project.error_code != ""
    if run.trigger != "timer":
        live.publish(topic)  # Somebody may be waiting to see it begin.
    try:
        with Heartbeat(run) as heart:
            _carry_out(run, heart)
    except FetchLost as lost:
        log.warning("fetch given up: %s", lost)
    # The project may have been removed meanwhile, and its runs with it.
    ended = FetchRun.objects.filter(pk=run_pk).first()
    # Most polls find nothing: they show in the project's own pages, and leave those of all projects alone.
    news = ended is None or in_trouble or ended.state != FetchRun.State.DONE or ended.trigger != "timer"
    live.publish(topic, *([live.OVERVIEW] if news or (ended and ended.refs_changed) else []))
    return ended


def sweep() -> list[int]:
    """Name lost workers, queue what is due; returns the runs that need a nudge. Cheap when there is nothing to do."""
    now = timezone.now()
    lost = fetches_lost(now)
    if lost:
        live.publish(live.OVERVIEW, *{live.project_topic(run.project_id) for run in lost})
    fetches_due(now)
    return fetches_to_nudge(now)


def _carry_out(run: FetchRun, heart: Heartbeat) -> None:
    """All stages; what goes wrong is written down as a sentence on the project, whose last verdicts stay."""
    try:
        _stages(run, heart)
    except FetchLost:
        raise
    except GitError as error:
        fetch_fail(run, error.code, error.sentence, detail=error.detail)
    except SecretUnreadable as error:
        fetch_fail(run, "secret", str(error), back_off=False)
    except QuestionError as error:
        fetch_fail(run, error.code, f"{error.message} {error.hint}".strip(), back_off=False)
    except Exception as error:
        log.exception("fetch %s of project %s failed", run.pk, run.project_id)
        sentence = "Something went wrong here, not at the remote. The worker's log has the details; it is tried again."
        fetch_fail(run, "failed", sentence, detail=type(error).__name__)


def _stages(run: FetchRun, heart: Heartbeat) -> None:
    heart.stage("Fetching")
    glance = mirror_fetch(run.project)
    at = timezone.now()
    project = Project.objects.get(pk=run.project_id)
    refs_changed = verdicts_changed = 0
    if judged_key(project, glance) == project.judged_key:
        # Nothing moved: the verdicts are as good now as then.
        with fetch_held(run):
            mirror_state = {"fetched_at": at, "judged_at": at, "mirror_bytes": glance.result.bytes}
            Project.objects.filter(pk=project.pk).update(**mirror_state)
    else:
        heart.stage("Reading refs")
        project, look, refs_changed = _look_record(run, project, glance, at)
        heart.stage("Judging")
        verdicts_changed, owed = _judge(run, project, glance, look, at, previews=False)
        heart.stage("Counting releases")
        _releases_count(run, project, glance.git_dir)
        if owed:
            heart.stage("Trying merges")
            verdicts_changed += _judge(run, project, glance, look, at, previews=True)[0]
        with fetch_held(run):
            Project.objects.filter(pk=project.pk).update(judged_key=judged_key(project, glance))
    problem = policy_problem(FlowPolicy.from_data(project.policy), glance)
    if problem is not None:
        fetch_fail(run, *problem, back_off=False)
    else:
        fetch_finish(run, refs_changed=refs_changed, verdicts_changed=verdicts_changed)


def policy_problem(policy: FlowPolicy, glance: Glance) -> tuple[str, str] | None:
    """What keeps this policy from being answered for this repository: a code and a sentence, or None."""
    if not glance.listing:
        return "empty", "This repository has no commits yet. Push something; it is looked at again by itself."
    branches, names = glance.branches, {*glance.branches, *glance.tags}
    for name in (*policy.production, *policy.targets):
        if not name.startswith("tags:") and not _GLOB.search(name) and name not in names:
            return "no-such-ref", f"There is no branch called {shown(name)} here. Push it, or edit the flow policy."
    globs = [name for name in policy.production if _GLOB.search(name) and not name.startswith("tags:")]
    if globs and len(globs) == len(policy.production) and not any(matches(name, globs) for name in branches):
        return "no-such-ref", f"No branch is called like {shown(globs[0])}. Push one, or edit the flow policy."
    return None


def judged_key(project: Project, glance: Glance) -> str:
    """What verdicts stand on: every branch and tag, the policy with the lines that ended by now, and how we judge."""
    today, policy = timezone.now().date(), FlowPolicy.from_data(project.policy)
    ended = [name for name in glance.branches if not policy.supported(name, today)] if policy.supported_until else []
    ground = [ENGINE, sorted(glance.listing.items()), project.policy, *([ended] if ended else [])]
    return hashlib.sha256(json.dumps(ground, sort_keys=True, default=str).encode()).hexdigest()


def _look_record(run: FetchRun, project: Project, glance: Glance, at: datetime) -> tuple[Project, Look, int]:
    """Refs and releases as rows; a project without a policy gets the one that its names suggest.

    So does one that was added with a preset, within that preset.

    Git is asked before the transaction begins: nobody else's writing waits for it.
    """
    look = mirror_look(project, glance)
    guessed, asked_with = _guessed(project, glance), project.policy
    policy = guessed.policy if guessed else FlowPolicy.from_data(project.policy)
    in_production = production_tags(policy, glance, look)
    with fetch_held(run) as project:
        project.fetched_at, project.shallow = at, look.shallow
        project.mirror_bytes, project.commit_count = glance.result.bytes, look.commits
        if guessed and project.policy == asked_with:
            _policy_write(project, guessed)
        project.save(update_fields=["fetched_at", "shallow", "mirror_bytes", "commit_count", "policy"])
        change = refs_record(project, look.refs, look.forced, at)
        tags = [ref for ref in look.refs if ref.is_tag]
        releases_record(project, tags, in_production, policy.tag_pattern, at)
    return project, look, change.total


def _guessed(project: Project, glance: Glance) -> Guess | None:
    """What the names suggest where nobody has decided: no policy at all, or a preset at the very first look."""
    names = (glance.branches, glance.tags, glance.result.head_branch)
    if not glance.listing:
        return None
    if not project.policy:
        return guess(*names)
    return fitted(FlowPolicy.from_data(project.policy), *names) if project.fetched_at is None else None


def _policy_write(project: Project, guessed: Guess) -> None:
    project.policy = guessed.policy.as_data()
    event_write("policy.guessed", project_id=project.pk, actor_name="worker", why=guessed.why, evidence=project.policy)


def production_tags(policy: FlowPolicy, glance: Glance, look: Look) -> set[str]:
    """Short names of the tags that production contains: those it consists of, and those its branches reach."""
    globs = [name.removeprefix("tags:") for name in policy.production if name.startswith("tags:")]
    tags = {tag for tag in glance.tags if matches(tag, globs)} if globs else set()
    tips = [ref.commit for ref in look.refs if ref.is_branch and ref.commit and matches(ref.short, policy.production)]
    return tags | tags_merged(glance.git_dir, tips)


def _judge(
    run: FetchRun, project: Project, glance: Glance, look: Look, at: datetime, *, previews: bool
) -> tuple[int, bool]:
    """Ask the question, record the answer, tell the pages; how many verdicts changed, and whether anything is owed."""
    report = _nothing(project)
    if any(ref.commit for ref in look.refs):
        question = Question.of(FlowPolicy.from_data(project.policy))
        report = answer(glance.git_dir, question, store=_facts(project), preview=previews)
    recorded = report_record(project, report, at, run=run, previews=previews)
    if recorded.changed or not previews:
        live.publish(live.project_topic(project.pk), live.OVERVIEW)
    return recorded.verdicts, any(fix.owed_to for fix in report.fixes)


def _facts(project: Project) -> Path:
    path = facts_file(project)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _nothing(project: Project) -> Report:
    """The answer for a repository without a commit: there is nothing to judge yet, and that is no error."""
    return Report(project.name, (), (), {}, [])


def _releases_count(run: FetchRun, project: Project, git_dir: Path) -> None:
    """Which release came before which; only when a release appeared, since it walks the whole graph."""
    uncounted = Release.objects.filter(project=project, deleted_at=None, commit_total=0)
    if not uncounted.exists():
        return
    rows = Release.objects.filter(project=project, deleted_at=None).values_list("tag", "commit", "sort_key")
    tags = [
        TaggedCommit(tag, commit, sort_key, version.finished)
        for tag, commit, sort_key in rows
        if (version := tag_version(tag)) is not None
    ]
    steps = lineage(history_walk(git_dir, sorted({tag.commit for tag in tags})), tags)
    with fetch_held(run):
        releases_link(project, steps)
