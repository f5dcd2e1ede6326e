"""What people do to a ticket: answer triage, choose a way, review, edit, close. One question and one service each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.forms import BaseForm
from django.http import Http404, HttpRequest, HttpResponse

from hotfixdash.accounts.roles import Act
from releases import hotfix_forms as forms
from releases.hotfixes import services
from releases.hotfixes.errors import HotfixError
from releases.hotfixes.models import Hotfix, Review
from releases.hotfixes.triage import Track
from releases.projects.models import Project

from . import asking, links
from .asking import Done, Question

Doing = Callable[[], Done | HttpResponse]
Asked = tuple[Question, Doing]


def get_hotfix(project: Project, key: str) -> Hotfix:
    """The hotfix of this project with this key, in any case. Raises Http404."""
    found = Hotfix.objects.select_related("project", "owner", "superseded_by", "follows")
    hotfix = found.filter(project=project, key__iexact=key[:80]).first()
    if hotfix is None:
        raise Http404("No such hotfix.")
    return hotfix


@dataclass(slots=True)
class Ticket:
    """One request about one hotfix."""

    request: HttpRequest
    project: Project
    hotfix: Hotfix

    @property
    def data(self) -> Any:
        return self.request.POST if self.request.method == "POST" else None

    def question(self, title: str, verb: str, form: BaseForm | None = None, **more: Any) -> Question:
        slug, key = self.project.slug, self.hotfix.key
        back = asking.back_to(self.request, links.hotfix(slug, key))
        crumbs = [(f"{self.project.name}, hotfixes", links.hotfixes(slug)), (key, links.hotfix(slug, key))]
        return Question(title, verb, back, form=form, crumbs=crumbs, **more)


def _triage(ticket: Ticket) -> Asked:
    form = forms.TriageForm.of(ticket.hotfix, ticket.data)
    question = ticket.question(
        f"Triage {ticket.hotfix.key}", "Answer", form,
        says=["Three times yes is a hotfix. Otherwise it goes into the next regular release."],
    )  # fmt: skip

    def do() -> Done:
        found = services.hotfix_triage(ticket.hotfix, form.answers, ticket.request.user)
        return Done(str(found.triage.get("follows", "")))

    return question, do


def _decide(ticket: Ticket) -> Asked:
    standing = services.track_of(ticket.hotfix)
    other = Track.HOTFIX if standing is Track.REGULAR else Track.REGULAR
    form = forms.DecideForm(ticket.data, initial={"track": other.value})
    said = f"Triage says: {standing.label.lower()}." if standing else "Triage is not answered yet."
    question = ticket.question(f"Decide otherwise for {ticket.hotfix.key}", "Decide", form, says=[said])

    def do() -> Done:
        data = form.cleaned_data
        services.hotfix_decide(ticket.hotfix, data["track"], data["why"], ticket.request.user)
        return Done(f"{ticket.hotfix.key} goes the way you decided.")

    return question, do


def _way(ticket: Ticket) -> Asked:
    chosen = ticket.request.GET.get("way", "")
    initial = {"way": chosen if chosen in Hotfix.Way.values else ticket.hotfix.way or Hotfix.Way.CUT}
    form = forms.WayForm(ticket.data, initial=initial)
    question = ticket.question(
        "Choose the way out", "Choose", form, says=["The choice and your reason go into the timeline."]
    )  # fmt: skip

    def do() -> Done:
        data = form.cleaned_data
        services.hotfix_choose_way(ticket.hotfix, data["way"], data["why"], ticket.request.user)
        return Done(f"The way out is chosen: {Hotfix.Way(data['way']).label.lower()}.")

    return question, do


def _review(ticket: Ticket) -> Asked:
    asked = ticket.request.GET.get("says", "")
    initial = {"head": ticket.hotfix.head, "says": asked if asked in Review.Says.values else Review.Says.APPROVE}
    form = forms.ReviewForm(ticket.data, initial=initial)
    question = ticket.question(
        f"Review {ticket.hotfix.key}", "Record the review", form,
        says=["It counts for this state of the branch, and is void when the branch moves."],
        facts=_reviewed(ticket.hotfix),
    )  # fmt: skip

    def do() -> Done:
        data = form.cleaned_data
        try:
            found = services.hotfix_review(ticket.hotfix, data["says"], data["text"], data["head"], ticket.request.user)
        except HotfixError:
            # Shown again with the head of now: whoever was told may send it for that one.
            again = ticket.request.POST.copy()
            again["head"] = ticket.hotfix.head
            form.data = again
            raise
        return Done({"approve": "You approved it.", "changes": "You asked for changes."}.get(found.says, "Noted."))

    return question, do


def _reviewed(hotfix: Hotfix) -> list[tuple[str, str]]:
    """Exactly what the review is about: the branch, its tip, and that commit's subject."""
    if not hotfix.head:
        return []
    tip: dict[str, Any] = next((commit for commit in hotfix.commits if commit.get("sha") == hotfix.head), {})
    subject = str(tip.get("subject", ""))
    return [("Branch", hotfix.branch), ("Head", f"{hotfix.head[:12]} {subject}".strip())]


def _edit(ticket: Ticket) -> Asked:
    form = forms.EditForm.of(ticket.hotfix, ticket.data)
    question = ticket.question(f"Edit {ticket.hotfix.key}", "Save", form)

    def do() -> Done:
        services.hotfix_edit(ticket.hotfix, ticket.request.user, **form.cleaned_data)
        return Done(f"{ticket.hotfix.key} is changed.")

    return question, do


def _close(ticket: Ticket) -> Asked:
    how = ticket.request.GET.get("how", "")
    form = forms.CloseForm(ticket.data, initial={"how": how if how in Hotfix.Closed.values else "abandoned"})
    question = ticket.question(
        f"Close {ticket.hotfix.key}", "Close it", form, cautious=True,
        says=["Nothing happens to the branch or to any tag. It can be opened again."],
    )  # fmt: skip

    def do() -> Done:
        data = form.cleaned_data
        by = None
        if data["how"] == Hotfix.Closed.SUPERSEDED and data["by"]:
            by = Hotfix.objects.filter(project=ticket.project, key__iexact=data["by"].strip()).first()
            if by is None:
                raise HotfixError("by", f"There is no hotfix {data['by']} in this project.", "unknown")
        services.hotfix_close(ticket.hotfix, data["how"], data["why"], ticket.request.user, by)
        return Done(f"{ticket.hotfix.key} is {data['how']}.")

    return question, do


def _reopen(ticket: Ticket) -> Asked:
    form = forms.ReasonForm(ticket.data)
    question = ticket.question(f"Open {ticket.hotfix.key} again", "Open it again", form)

    def do() -> Done:
        services.hotfix_reopen(ticket.hotfix, form.cleaned_data["why"], ticket.request.user)
        return Done(f"{ticket.hotfix.key} is open again.")

    return question, do


def _split(ticket: Ticket) -> Asked:
    form = forms.SplitForm(ticket.data)
    question = ticket.question(
        f"Split off a follow-up from {ticket.hotfix.key}", "Split it off", form,
        says=["For what is worth doing while somebody is here, but not in an emergency."],
    )  # fmt: skip

    def do() -> Done:
        data = form.cleaned_data
        fresh = services.hotfix_split(ticket.hotfix, data["title"], ticket.request.user, key=data["key"])
        return Done(f"{fresh.key} was opened for it.", links.hotfix(ticket.project.slug, fresh.key))

    return question, do


VERBS: dict[str, tuple[Act, Callable[[Ticket], Asked]]] = {
    "triage": (Act.HOTFIX, _triage),
    "decide": (Act.RELEASE, _decide),
    "choose-way": (Act.HOTFIX, _way),
    "review": (Act.HOTFIX, _review),
    "edit": (Act.HOTFIX, _edit),
    "close": (Act.HOTFIX, _close),
    "reopen": (Act.HOTFIX, _reopen),
    "split": (Act.HOTFIX, _split),
}
