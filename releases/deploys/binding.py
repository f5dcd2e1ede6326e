"""What an approval is bound to, and whether that still is as it was: the tag, its commit, the artifact, the pipeline,
the environment. Reads rows; changes none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import Max

from .models import Pipeline, Run

FACTS = ("tag", "tag_object", "commit", "digest", "pipeline", "environment")
"""The keys of a binding."""


def binding_of(run: Run) -> dict[str, Any]:
    """The facts that a yes to this run is a yes to; stored with each approval and compared as a whole."""
    return {
        "tag": run.tag,
        "tag_object": run.tag_object,
        "commit": run.commit,
        "digest": run.digest,
        "pipeline": run.pipeline.version,
        "environment": run.environment.name if run.environment else "",
    }


def binding_key(binding: Mapping[str, Any]) -> str:
    """A binding as 64 hexadecimal digits, for the hidden field of a form: it says what the person looked at."""
    plain = json.dumps([[name, binding.get(name)] for name in FACTS], ensure_ascii=True)
    return hashlib.sha256(plain.encode()).hexdigest()


def same_binding(run: Run, shown: Mapping[str, Any] | str) -> bool:
    """Whether what was shown to somebody, as a binding or as its key, is what the run is bound to now."""
    key = shown if isinstance(shown, str) else binding_key(shown)
    return key == binding_key(binding_of(run))


def changed(run: Run) -> list[str]:
    """What is other now than this waiting run was asked for with, a sentence each; empty while all is the same."""
    return changed_of([run])[run.pk]


def changed_of(runs: Sequence[Run]) -> dict[int, list[str]]:
    """`changed` for many runs, in two queries; they come with `for_binding`'s rows beside them."""
    projects = {run.project_id for run in runs}
    newest = dict(
        Pipeline.objects.filter(project_id__in=projects).order_by().values_list("project_id").annotate(Max("version"))
    )
    built = _built(projects, {run.tag for run in runs if _needs_say(run)})
    return {run.pk: _changed(run, newest.get(run.project_id, 0), built) for run in runs}


RELATED = ("project", "release__previous", "pipeline", "environment__live", "build", "replaces")
"""What `select_related` has to bring for all of this to ask nothing more."""


def _changed(run: Run, pipeline: int, built: Mapping[tuple[int, str, str], str]) -> list[str]:
    if run.kind == Run.Kind.ROLLBACK:
        # What ran well before is brought back as it was, whatever became of its tag since.
        return _environment_changed(run)
    said = [*_tag_changed(run), *_environment_changed(run)]
    if not _needs_say(run):
        return said
    digest = built.get((run.project_id, run.tag, run.commit), run.digest)
    if digest != run.digest:
        said.append(f"The artifact was built again: {_short(run.digest)} was asked for, {_short(digest)} is there now.")
    if pipeline != run.pipeline.version:
        said.append(
            f"The pipeline was changed: version {run.pipeline.version} was asked for, version {pipeline} counts now."
        )
    return said


def _needs_say(run: Run) -> bool:
    """Whether people must agree to it: only then a new pipeline or artifact is more than what it was asked for with."""
    return run.kind == Run.Kind.DEPLOY and run.environment is not None and run.environment.approvals > 0


def _tag_changed(run: Run) -> list[str]:
    release = run.release
    if release is None or release.deleted_at is not None:
        return [f"The tag {run.tag} was deleted."]
    if release.commit != run.commit:
        return [f"The tag {run.tag} was moved: it named {run.commit[:7]}, now {release.commit[:7]}."]
    if release.tag_object != run.tag_object:
        return [f"The tag {run.tag} was made again: its object is another one, though it names the same commit."]
    return []


def _environment_changed(run: Run) -> list[str]:
    place = run.environment
    return [f"{place.name} was taken out of use."] if place is not None and place.retired_at is not None else []


def _built(projects: Iterable[int], tags: Iterable[str]) -> dict[tuple[int, str, str], str]:
    """The digest of the newest good build of each (project, tag, commit)."""
    done = Run.objects.filter(
        project_id__in=projects, tag__in=tags, kind=Run.Kind.BUILD, state=Run.State.DONE
    ).exclude(digest="")  # fmt: skip
    rows = done.order_by("pk").values_list("project_id", "tag", "commit", "digest")
    return {(project, tag, commit): digest for project, tag, commit, digest in rows}


def _short(digest: str) -> str:
    """`sha256:1234567…`, as people compare it."""
    kind, colon, value = digest.rpartition(":")
    return f"{kind}{colon}{value[:12]}" if digest else "none"
