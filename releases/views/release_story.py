"""What the page of a release tells beside its commits: who looked at it, and what was in flux when it was tagged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from releases.deploys.models import Approval, Run, Step
from releases.deploys.spec import StepKind
from releases.git.page_reads import CommitInfo
from releases.hotfixes.ground import integration
from releases.hotfixes.models import Hotfix, Review
from releases.hotfixes.sight import Sight
from releases.policies.copies import copies
from releases.policies.models import Target
from releases.projects.history import History
from releases.projects.models import Project, Release
from releases.projects.unreleased import unreleased

from . import links, words
from .deploy_words import name_of

FLUX = 15
"""Commits that were in flux which the page lists."""
MOST = 40
"""Voices of each sort."""
_TESTS = (StepKind.CHECK.value, StepKind.PROVE.value, StepKind.VERIFY.value)
_SAID = {
    "Reviewed-by": "reviewed", "Tested-by": "tested", "Acked-by": "acknowledged", "Approved-by": "approved",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Voice:
    """Somebody, or a step of the pipeline, with what they said of the release."""

    who: str
    did: str
    tone: str = "ok"
    icon: str = "circle-check"
    about: str = ""
    """What it was about: a ticket, an environment."""
    url: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Flux:
    """What the integration branch had and the release had not."""

    branch: str
    commits: tuple[CommitInfo, ...]
    """Made before the tag, the newest of them."""
    at_tag: int
    """How many there were when it was tagged."""
    now: int
    """How many there are by now, those included."""
    compare_url: str

    @property
    def says(self) -> str:
        """In a sentence or two."""
        if self.at_tag:
            verb = "is" if self.at_tag == 1 else "are"
            said = f"{words.plural(self.at_tag, 'commit')} made there before the tag {verb} not in it."
        else:
            said = "Everything that was made there before the tag is in it."
        since = self.now - self.at_tag
        return f"{said} {since:,} more came since." if since else said


def voices(project: Project, release: Release, repo: History, person: Any) -> list[Voice]:
    """Who reviewed, approved and tested what: on tickets, in commits, and, for signed-in people, in the pipeline."""
    before = release.previous.commit if release.previous else ""
    found = [*_reviews(project, release), *_witnesses(repo.witnesses(before, release.commit) if before else ())]
    if not person.is_authenticated:
        return found
    return [*found, *_approvals(project, release), *_steps(project, release)]


def _reviews(project: Project, release: Release) -> Iterable[Voice]:
    """Of the tickets that it shipped, those about the tip as it went out."""
    tickets = Hotfix.objects.filter(project=project, tag=release.tag).prefetch_related("reviews__reviewer")
    for ticket in tickets[:MOST]:
        for review in ticket.reviews.all():
            if review.head != ticket.head or review.says == Review.Says.COMMENT:
                continue
            good = review.says == Review.Says.APPROVE
            did = "reviewed" if good else "asked for changes"
            yield Voice(
                name_of(review.reviewer), f"{did}, {words.clock(review.at)}",
                "ok" if good else "bad", "circle-check" if good else "circle-x", ticket.key,
                links.hotfix(project.slug, ticket.key), review.text,
            )  # fmt: skip


def _witnesses(found: Sequence[tuple[str, str]] | None) -> Iterable[Voice]:
    """From the trailers of its commits, by person."""
    counted = Counter(found or ())
    for (trailer, name), number in counted.most_common(MOST):
        yield Voice(words.visible(name), f"{_SAID[trailer]} {words.plural(number, 'commit')}", about=f"by {trailer}")


def _approvals(project: Project, release: Release) -> Iterable[Voice]:
    given = Approval.objects.filter(
        run__project=project, run__tag=release.tag, run__commit=release.commit, withdrawn_at=None
    )
    for voice in given.select_related("person", "run__environment").order_by("pk")[:MOST]:
        good = voice.says == Approval.Says.APPROVE
        place = voice.run.environment.name if voice.run.environment else ""
        yield Voice(
            name_of(voice.person), f"{'approved' if good else 'rejected'}, {words.clock(voice.at)}",
            "ok" if good else "bad", "circle-check" if good else "circle-x", f"for {place}",
            links.run(project.slug, voice.run_id), voice.comment,
        )  # fmt: skip


def _steps(project: Project, release: Release) -> Iterable[Voice]:
    """What people confirmed and what was tested by itself, the newest word on each."""
    told = Step.objects.filter(
        run__project=project, run__tag=release.tag, run__commit=release.commit,
        state__in=(Step.State.DONE, Step.State.FAILED), kind__in=(*_TESTS, StepKind.MANUAL.value),
    ).exclude(run__kind=Run.Kind.ROLLBACK)  # fmt: skip
    newest = {
        (step.run.environment_id, step.name): step
        for step in told.select_related("by", "run__environment").order_by("run_id", "index")
    }
    for step in list(newest.values())[:MOST]:
        good = step.state == Step.State.DONE
        place = step.run.environment.name if step.run.environment else "the build"
        manual = step.kind == StepKind.MANUAL
        who = name_of(step.by) if manual and step.by else "The pipeline"
        did = ("confirmed" if good else "said no to") if manual else ("tested" if good else "failed in")
        at = f", {words.clock(step.finished_at)}" if step.finished_at else ""
        yield Voice(
            who, f"{did} “{words.visible(step.name)}”{at}", "ok" if good else "bad",
            "circle-check" if good else "circle-x", f"in {place}", links.run(project.slug, step.run_id),
            step.why if manual else "",
        )  # fmt: skip


def in_flux(project: Project, release: Release, repo: History) -> Flux | None:
    """What was on the integration branch and not in it, by the dates of commits; None where there is no such branch."""
    main = integration(list(Target.objects.filter(project=project, closed_at=None).order_by("position", "branch")))
    if main is None or not main.tip or release.tagged_at is None or release.deleted_at is not None:
        return None
    sight, known = Sight(project, repo), copies(main.pk)

    def there(shas: Sequence[str]) -> set[str]:
        return sight.there(shas, release.commit, "release")

    tagged = int(release.tagged_at.timestamp())
    commits, at_tag = unreleased(repo, release.commit, main.tip, known, there, FLUX, tagged)
    now = unreleased(repo, release.commit, main.tip, known, lambda _shas: set(), FLUX)[1]
    if repo.problem:
        return None
    compare = (
        f"{reverse('releases:compare', args=[project.slug])}?{urlencode({'from': release.tag, 'to': main.branch})}"
    )
    return Flux(main.branch, commits, at_tag, max(now, at_tag), compare)
