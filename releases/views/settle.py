"""Settling one fix in one branch by hand: confirm, not the same, waive, withdraw; and asking for its merge-back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from hotfixdash.accounts.roles import Act
from releases.hotfix_forms import DecisionForm, WaiveForm
from releases.hotfixes.observing import hotfixes_observe
from releases.policies import settling
from releases.policies.models import Settlement, Verdict
from releases.policies.selectors import FixInTarget, fix_in_target
from releases.policies.typed import Refused
from releases.projects.models import Project

from . import asking, fetching, links, words
from .access import get_project
from .asking import Done, Question

Asked = tuple[Question, Callable[[], Done]]


@dataclass(slots=True)
class Settling:
    """One request about one fix in one branch."""

    request: HttpRequest
    project: Project
    shown: FixInTarget
    verdict: Verdict

    @property
    def data(self) -> Any:
        return self.request.POST if self.request.method == "POST" else None

    @property
    def named(self) -> str:
        """The fix as people call it."""
        return self.shown.fix.ticket or self.shown.fix.subject[:80]

    @property
    def branch(self) -> str:
        return self.shown.target.branch

    def question(self, title: str, verb: str, **more: Any) -> Question:
        slug, fix = self.project.slug, self.shown.fix
        evidence = links.evidence(slug, fix.key, self.branch)
        crumbs = [
            (f"{self.project.name}, merge-back", links.matrix(slug)),
            (f"{self.named} in {self.branch}", evidence),
        ]
        more.setdefault("tab", "matrix")
        return Question(title, verb, asking.back_to(self.request, evidence), crumbs=crumbs, **more)


@require_http_methods(["GET", "HEAD", "POST"])
def settle(request: HttpRequest, slug: str, sha: str, verb: str, branch: str) -> HttpResponse:
    """Ask for one of `VERBS`, and on POST do it."""
    prepare = VERBS.get(verb)
    if prepare is None:
        raise Http404("There is no such thing to do.")
    project = get_project(request, slug, Act.SETTLE)
    asked = find(request, project, sha, branch)
    try:
        question, do = prepare(asked)
    except Refused as refused:
        back = links.evidence(slug, asked.shown.fix.key, branch)
        return asking.not_now(request, project, refused.sentence, asking.back_to(request, back))

    def done() -> Done:
        result = do()
        # Tickets of this fix may owe one branch more or less from now on.
        hotfixes_observe(project)
        fetching.tell(project)
        return result

    return asking.answer(request, project, question, done)


def find(request: HttpRequest, project: Project, sha: str, branch: str) -> Settling:
    """The verdict that is spoken of. Raises Http404."""
    shown = fix_in_target(project, sha, branch)
    if shown is None or shown.verdict is None:
        raise Http404("No such fix, or this branch never had to receive it.")
    return Settling(request, project, shown, shown.verdict)


def _confirm(asked: Settling) -> Asked:
    form = DecisionForm(asked.data)
    question = asked.question(
        f"Confirm that {asked.branch} has {asked.named}", "Confirm", form=form, icon="check",
        says=[
            asked.verdict.why,
            "It counts as settled until other evidence turns up. Your name and reason stay on record.",
        ],
    )  # fmt: skip

    def do() -> Done:
        settling.settle_confirm(asked.verdict, form.cleaned_data["reason"], asked.request.user)
        return Done(f"Confirmed: {asked.branch} has {asked.named}.")

    return question, do


def _different(asked: Settling) -> Asked:
    form = DecisionForm(asked.data)
    question = asked.question(
        "Not the same", "It is not the same", form=form,
        says=[f"What git found in {asked.branch} is then not counted, and {asked.named} is owed there."],
    )  # fmt: skip

    def do() -> Done:
        settling.settle_different(asked.verdict, form.cleaned_data["reason"], asked.request.user)
        return Done(f"Noted: {asked.branch} lacks {asked.named}.")

    return question, do


def _waive(asked: Settling) -> Asked:
    form = WaiveForm(asked.data)
    standing = asked.verdict.settlement
    extending = standing is not None and standing.kind == Settlement.Kind.WAIVED
    verb = "Extend the waiver" if extending else "Waive"
    question = asked.question(
        f"{verb} of {asked.named} for {asked.branch}?" if extending else f"Waive {asked.named} for {asked.branch}?",
        verb, form=form, icon="circle-pause",
        says=["The fix will count as settled there until the date. Your name and reason stay on record."],
    )  # fmt: skip

    def do() -> Done:
        settling.settle_waive(asked.verdict, form.cleaned_data["reason"], form.ends_at, asked.request.user)
        return Done(f"Waived for {asked.branch} until {words.day(form.ends_at)}.")

    return question, do


def _withdraw(asked: Settling) -> Asked:
    standing = asked.verdict.settlement
    if standing is None or standing.ended_at is not None:
        raise Refused("", "Nothing was decided by hand here, or it was withdrawn already.")
    form = DecisionForm(asked.data)
    ended = "End the waiver" if standing.kind == Settlement.Kind.WAIVED else "Withdraw it"
    question = asked.question(
        f"{ended}: {asked.named} in {asked.branch}", ended, form=form,
        says=[
            f"{standing.by_name} decided {words.on_day(standing.at)}: “{standing.reason}”",
            "What git says counts again.",
        ],
    )  # fmt: skip

    def do() -> Done:
        settling.settlement_withdraw(standing, form.cleaned_data["reason"], asked.request.user)
        return Done(f"Withdrawn. What git says of {asked.named} in {asked.branch} counts again.")

    return question, do


VERBS: dict[str, Callable[[Settling], Asked]] = {
    "confirm": _confirm,
    "different": _different,
    "waive": _waive,
    "withdraw": _withdraw,
}
