"""The wordings that are hinted at, as a team wants them."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from hotfixdash.accounts.roles import Act
from incidents.forms_postmortems import WordForm
from incidents.postmortems.hints import hints_of
from incidents.postmortems.wordlists import left_out, own_words, word_remove, word_save, word_switch
from releases.views import asking
from releases.views.access import may, require
from releases.views.asking import Done, Question

from . import postmortem_links as here
from .postmortem_access import signed_in

MANAGE_WORDS = Act.EDIT_POLICY
"""Whoever sets how a team works sets which wordings it asks about."""


@signed_in
@require_safe
def words(request: HttpRequest) -> HttpResponse:
    """Every wording with its reason and its question; for everybody who writes."""
    require(request, Act.HOTFIX)
    off, url = set(left_out()), here.words()
    context = {
        "tab": "postmortems", "project": None, "library_url": here.library(), "url": url,
        "built_in": [(hint, hint.name not in off) for hint in hints_of("en")], "own": own_words(),
        "may_words": may(request, MANAGE_WORDS),
    }  # fmt: skip
    return render(request, "incidents/postmortem_words.html", context)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def word(request: HttpRequest, what: str) -> HttpResponse:
    """Add or change one of the team's own, remove it, or switch one of the list on or off: `?name=`."""
    require(request, MANAGE_WORDS)
    name = request.GET.get("name", "")
    if what == "save":
        return _save(request, name)
    if what == "remove":
        question = _ask(request, f"Remove “{name}”?", "Remove it", cautious=True)

        def gone() -> Done:
            word_remove(name, request.user)
            return Done("It is removed.", here.words())

        return asking.answer(request, None, question, gone)  # type: ignore[arg-type]
    if what not in ("on", "off") or name not in {hint.name for hint in hints_of("en")}:
        raise Http404("There is no such wording.")
    on = what == "on"
    title = f"Ask about “{name}” again?" if on else f"Leave “{name}” out?"
    question = _ask(request, title, "Ask again" if on else "Leave it out")

    def switched() -> Done:
        word_switch(name, on, request.user)
        return Done("Hints ask about it again." if on else "Hints do not ask about it any more.", here.words())

    return asking.answer(request, None, question, switched)  # type: ignore[arg-type]


def _save(request: HttpRequest, name: str) -> HttpResponse:
    known = next((row for row in own_words() if row.get("name") == name), None)
    form = WordForm(request.POST or None, initial=known)
    question = _ask(request, "Change this wording" if known else "Add a wording", "Save", form=form)

    def do() -> Done:
        word_save(form.cleaned_data, name if known else "", request.user)
        return Done("Saved.", here.words())

    return asking.answer(request, None, question, do)  # type: ignore[arg-type]


def _ask(request: HttpRequest, title: str, verb: str, **more: object) -> Question:
    crumbs = [("Wordings", here.words())]
    back = asking.back_to(request, here.words())
    return Question(title, verb, back, tab="postmortems", crumbs=crumbs, **more)  # type: ignore[arg-type]
