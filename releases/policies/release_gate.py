"""The gate for one release: shipped now, which fixed bugs would it bring back? Asked by a person, from a page."""

from __future__ import annotations

from dataclasses import dataclass, replace

from releases.evidence.verdicts import FixReport
from releases.git.errors import GitError
from releases.projects.history import NO_MIRROR, remembered
from releases.projects.models import Project, Ref, Release
from releases.projects.services.mirrors import facts_file, mirror_folder

from .answer import answer
from .flow import FlowPolicy
from .gate import Gate, gate
from .question import Question, QuestionError


@dataclass(frozen=True, slots=True)
class ReleaseGate:
    """The answer, or in `problem` why there is none."""

    safe: bool = False
    sentence: str = ""
    returning: tuple[FixReport, ...] = ()
    to_check: tuple[FixReport, ...] = ()
    problem: str = ""


def release_gate(project: Project, release: Release) -> ReleaseGate:
    """Compare the release with what production has now, by the same evidence as every verdict.

    What the worker learned of each commit is read from its facts, so that this costs a moment; without them nothing
    is asked, because a page cannot wait for a whole history.
    """
    folder, facts = mirror_folder(project), facts_file(project)
    if not (folder / "HEAD").exists():
        return ReleaseGate(problem=NO_MIRROR)
    if not facts.exists() or project.judged_at is None:
        return ReleaseGate(problem="The history was not judged yet on this machine.")
    policy = FlowPolicy.from_data(project.policy)
    question = replace(Question.of(policy), targets=(f"refs/tags/{release.tag}",))

    def asked() -> Gate:
        report = answer(folder, question, store=facts, preview=False, name=project.name)
        return gate(report, question.targets[0])

    try:
        found = remembered(("gate", project.pk, release.commit, _standing(project), repr(policy)), asked)
    except (GitError, QuestionError, OSError) as error:
        return ReleaseGate(problem=error.sentence if isinstance(error, GitError) else str(error))
    sentence = found.sentence.replace(question.targets[0], release.tag)
    return ReleaseGate(found.safe, sentence, tuple(found.returning), tuple(found.to_check))


def _standing(project: Project) -> tuple[str, ...]:
    """Where every branch and tag stands: the answer holds as long as this does."""
    refs = Ref.objects.filter(project=project, deleted_at=None).order_by("name")
    moved = refs.order_by("-changed_at").values_list("changed_at", flat=True).first()
    return (str(moved), str(refs.count()))
