"""The one address under which something is done to a post-mortem: asked on GET, done on POST."""

from __future__ import annotations

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from incidents.forms_postmortems import (
    AboutForm,
    ActionForm,
    CloseForm,
    FactorForm,
    LineForm,
    NumberForm,
    PublishForm,
    ReviewForm,
)
from incidents.postmortems.actions import action_add, action_edit, action_set
from incidents.postmortems.document import changed_since
from incidents.postmortems.editing import (
    factor_save,
    measure_save,
    part_remove,
    postmortem_edit,
    postmortem_take_back,
)
from incidents.postmortems.models import ActionItem, Factor, Line, Measure, PostMortem, Reading
from incidents.postmortems.reviewing import CHECKS, acted, publish, readiness, review_ask, review_give
from incidents.postmortems.timeline import fact_hide, line_add, line_remove
from incidents.tasks import announce_soon
from releases.hotfix_forms import ReasonForm
from releases.ledger.models import Event
from releases.views import asking
from releases.views.asking import Done, Question

from . import postmortem_links as here
from .postmortem_access import WRITE, get_postmortem, signed_in

Asked = tuple[Question, Callable[[], Done]]


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def act(request: HttpRequest, key: str, verb: str) -> HttpResponse:
    """Ask for one of `VERBS`, and on POST do it."""
    prepare = VERBS.get(verb)
    if prepare is None:
        raise Http404("There is no such thing to do.")
    row = get_postmortem(request, key, WRITE)
    question, do = prepare(request, row)

    def done() -> Done:
        result = do()
        announce_soon(row.project_id)
        return result

    return asking.answer(request, row.project, question, done)


def _question(request: HttpRequest, row: PostMortem, title: str, verb: str, part: str = "", **more: object) -> Question:
    back = asking.back_to(request, here.document(row.key, part))
    crumbs = [(row.key, here.document(row.key))]
    return Question(title, verb, back, tab="postmortems", crumbs=crumbs, **more)  # type: ignore[arg-type]


def _asked_for(request: HttpRequest, name: str) -> int:
    """A number in the address; 0 for none, which no row has."""
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0


def _edit(request: HttpRequest, row: PostMortem) -> Asked:
    form = AboutForm(row, request.POST or None)
    question = _question(request, row, f"Edit {row.key}", "Save", form=form)

    def do() -> Done:
        postmortem_edit(row, request.user, **form.changes)
        return Done("Saved.")

    return question, do


def _line(request: HttpRequest, row: PostMortem) -> Asked:
    form = LineForm(request.POST or None, initial={"at": _usual_moment(row)})
    question = _question(request, row, "Add a line to the timeline", "Add it", "s-timeline", form=form, icon="plus")

    def do() -> Done:
        data = form.cleaned_data
        line_add(row, data["at"], data["text"], request.user, data["link"])
        return Done("It stands in the timeline.")

    return question, do


def _usual_moment(row: PostMortem) -> object:
    """What a new line is likely about: the time of the incident."""
    incident = row.incident
    return (incident.started_at or incident.detected_at or incident.declared_at) if incident else timezone.now()


def _line_remove(request: HttpRequest, row: PostMortem) -> Asked:
    line = get_object_or_404(Line, postmortem=row, event=None, pk=_asked_for(request, "line"))
    question = _question(request, row, "Remove this line?", "Remove it", "s-timeline", says=[line.text], cautious=True)

    def do() -> Done:
        line_remove(line)
        return Done("It is removed.")

    return question, do


def _hide(request: HttpRequest, row: PostMortem) -> Asked:
    event = get_object_or_404(Event, project=row.project_id, pk=_asked_for(request, "event"))
    hidden = "back" not in request.GET
    says = [event.why, "In the ledger it stays; you can bring it back." if hidden else ""]
    title = "Leave this line out?" if hidden else "Bring this line back?"
    verb = "Leave it out" if hidden else "Bring it back"
    question = _question(request, row, title, verb, "s-timeline", says=[text for text in says if text])

    def do() -> Done:
        fact_hide(row, event, hidden, request.user)
        return Done("It is left out." if hidden else "It is back.")

    return question, do


def _number(request: HttpRequest, row: PostMortem) -> Asked:
    asked = _asked_for(request, "number")
    measure = get_object_or_404(Measure, postmortem=row, pk=asked) if asked else None
    form = NumberForm(measure, request.POST or None)
    title = "Change this number" if measure else "Add a number to the impact"
    question = _question(request, row, title, "Save", "s-impact", form=form)

    def do() -> Done:
        data = form.cleaned_data
        if measure is not None and data["remove"]:
            part_remove(row, measure)
            return Done("It is gone.")
        measure_save(row, data["name"], data["value"], measure)
        return Done("Saved.")

    return question, do


def _factor(request: HttpRequest, row: PostMortem) -> Asked:
    own, above = _asked_for(request, "factor"), _asked_for(request, "under")
    factor = get_object_or_404(Factor, postmortem=row, pk=own) if own else None
    parent = get_object_or_404(Factor, postmortem=row, pk=above) if above else None
    form = FactorForm(factor, request.POST or None)
    title = "How did that come to be possible?" if parent else "What made it possible?"
    says = [f"“{parent.text}”"] if parent else ["Tools, code, time, knowledge. There is usually more than one."]
    question = _question(request, row, title, "Save", "s-factors", form=form, says=says)

    def do() -> Done:
        data = form.cleaned_data
        if factor is not None and data["remove"]:
            part_remove(row, factor)
            return Done("It is gone.")
        factor_save(row, data["text"], parent=parent, factor=factor)
        return Done("Saved.")

    return question, do


def _action(request: HttpRequest, row: PostMortem) -> Asked:
    asked = _asked_for(request, "item")
    item = get_object_or_404(ActionItem, postmortem=row, number=asked) if asked else None
    form = ActionForm(item, row.project, request.POST or None)
    question = _question(request, row, f"Edit {item.key}" if item else "Add an action item", "Save", "s-actions",
                         form=form)  # fmt: skip

    def do() -> Done:
        data = form.cleaned_data
        if item is not None:
            action_edit(item, request.user, **data)
            return Done("Saved.")
        made = action_add(
            row, data["title"], data["kind"], owner=data["owner"], due_on=data["due_on"], link=data["link"],
            actor=request.user,
        )  # fmt: skip
        acted(row)
        return Done(f"{made.key} is added.")

    return question, do


def _settle(request: HttpRequest, row: PostMortem) -> Asked:
    item = get_object_or_404(ActionItem, postmortem=row, number=_asked_for(request, "item"))
    closes = item.state == ActionItem.State.OPEN
    form = CloseForm(request.POST or None) if closes else ReasonForm(request.POST or None)
    says = [item.title]
    if closes:
        says.append("A commit in production that names it closes it by itself, with the evidence.")
    title = f"Close {item.key} by hand?" if closes else f"Reopen {item.key}?"
    verb = "Close it" if closes else "Reopen it"
    question = _question(request, row, title, verb, "s-actions", form=form, says=says)

    def do() -> Done:
        state = ActionItem.State(form.cleaned_data["how"]) if closes else ActionItem.State.OPEN
        action_set(item, state, form.cleaned_data["why"], request.user)
        acted(row)
        return Done({"open": "It is open again.", "done": "It is done.", "dropped": "It is dropped."}[state.value])

    return question, do


def _ask(request: HttpRequest, row: PostMortem) -> Asked:
    missing = [text for done, text in readiness(row).rows if not done]
    says = ["Somebody else reads it for facts and tone. You can go on mending it meanwhile."]
    question = _question(request, row, f"Ask for a review of {row.key}?", "Ask for review", says=says,
                         warnings=missing)  # fmt: skip

    def do() -> Done:
        review_ask(row, request.user)
        return Done("It is ready to be read.")

    return question, do


def _review(request: HttpRequest, row: PostMortem) -> Asked:
    form = ReviewForm(request.POST or None)
    question = _question(request, row, f"What did you find in {row.key}?", "Say it", form=form)

    def do() -> Done:
        data = form.cleaned_data
        review_give(row, request.user, data["says"], {key: key in data["checks"] for key in CHECKS}, data["text"])
        ready = data["says"] == Reading.Says.READY
        return Done("It is ready to be published." if ready else "It is a draft again, with what is missing.")

    return question, do


def _publish(request: HttpRequest, row: PostMortem) -> Asked:
    form = PublishForm(request.POST or None)
    latest = row.readings.first()
    late = changed_since(row, latest)
    warnings = [f"Changed since it was found ready: {', '.join(late)}."] if late else []
    says = ["It goes into the library, where everybody who sees the project can read it."]
    if row.incident is None or not row.incident.public:
        says.append("No public incident belongs to it: a summary for people outside would be shown nowhere.")
    question = _question(request, row, f"Publish {row.key}?", "Publish", form=form, says=says, warnings=warnings)

    def do() -> Done:
        publish(row, request.user, form.cleaned_data["summary"])
        acted(row)
        return Done("It is published.", here.document(row.key))

    return question, do


def _withdraw(request: HttpRequest, row: PostMortem) -> Asked:
    form = ReasonForm(request.POST or None)
    says = ["It can be written again, and has to be read and published anew."]
    if row.public_summary:
        says.append("Its summary for people outside is taken back at once.")
    question = _question(request, row, f"Take {row.key} back to a draft?", "Take it back", form=form, says=says)

    def do() -> Done:
        postmortem_take_back(row, form.cleaned_data["why"], request.user)
        return Done("It is a draft again.", here.document(row.key))

    return question, do


VERBS: dict[str, Callable[[HttpRequest, PostMortem], Asked]] = {
    "edit": _edit, "line": _line, "line-remove": _line_remove, "hide": _hide, "number": _number, "factor": _factor,
    "action": _action, "settle": _settle, "ask": _ask, "review": _review, "publish": _publish, "withdraw": _withdraw,
}  # fmt: skip
