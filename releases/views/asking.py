"""Asking before something is done: the same form as a page of its own, and as a dialog where script runs.

Every action of the pages goes this way: a link opens the question, the form posts to the same address. Without
script it is a page, and the answer a redirect with a message; in a dialog the answer is a toast, and the page behind
keeps its scroll and focus.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from django.contrib import messages
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme

from releases.policies.typed import Refused
from releases.projects.models import Project

DIALOG = "dialog"
"""The id of the element that asks for a question as a dialog."""


@dataclass(slots=True)
class Question:
    """What is asked before it is done."""

    title: str
    verb: str
    """What the button says; it repeats the title's verb."""
    back: str
    """Where the person came from."""
    says: list[str] = field(default_factory=list)
    """What will happen, a paragraph each."""
    form: BaseForm | None = None
    facts: list[tuple[str, str]] = field(default_factory=list)
    """Names and values, the values in the mono face."""
    hidden: Mapping[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    crumbs: list[tuple[str, str]] = field(default_factory=list)
    """Words and address of the pages above."""
    tab: str = "hotfixes"
    icon: str = ""
    cautious: bool = False
    """It takes something away: the button is red."""
    commands: list[str] = field(default_factory=list)
    """The same by hand."""


@dataclass(frozen=True, slots=True)
class Done:
    """It was done, or asked for."""

    says: str
    url: str = ""
    """Where to go on; empty for where the person came from."""
    level: int = messages.SUCCESS


def in_dialog(request: HttpRequest) -> bool:
    return request.headers.get("HX-Target") == DIALOG


def show(request: HttpRequest, project: Project | None, question: Question, status: int = 200) -> HttpResponse:
    """The question, as a page or for the dialog."""
    if question.form is not None and question.form.errors and status == 200:
        status = 422
    template = "releases/_ask.html" if in_dialog(request) else "releases/ask.html"
    context = {
        "question": question,
        "project": project,
        "tab": question.tab,
        "commands": question.commands,
        "commands_text": "\n".join(question.commands),
        "in_dialog": in_dialog(request),
    }
    response = render(request, template, context, status=status)
    patch_vary_headers(response, ["HX-Target"])
    return response


def answer(
    request: HttpRequest, project: Project, question: Question, do: Callable[[], Done | HttpResponse]
) -> HttpResponse:
    """On POST do it; what cannot be done stands in the form, beside the field it is about."""
    if request.method != "POST" or (question.form is not None and not question.form.is_valid()):
        return show(request, project, question)
    try:
        done = do()
    except Refused as refused:
        form = question.form
        if form is not None:
            named = {bound.name for bound in form.visible_fields()}
            form.add_error(refused.field if refused.field in named else None, refused.sentence)
            return show(request, project, question, 422)
        return not_now(request, project, refused.sentence, question.back, question.crumbs, question.tab)
    return done if isinstance(done, HttpResponse) else finish(request, done, question.back)


def finish(request: HttpRequest, done: Done, back: str) -> HttpResponse:
    """Say that it was done: a toast beside the page that stays open, or a message on the next page."""
    if in_dialog(request) and not done.url:
        response = render(request, "releases/_done.html", {"done": done})
        response["HX-Trigger"] = json.dumps({"answered": {}})
        return response
    messages.add_message(request, done.level, done.says)
    if in_dialog(request):
        return HttpResponse(status=204, headers={"HX-Redirect": done.url})
    return HttpResponseRedirect(done.url or back)


def not_now(
    request: HttpRequest, project: Project | None, why: str, back: str, crumbs: list[tuple[str, str]] | None = None,
    tab: str = "hotfixes",
) -> HttpResponse:  # fmt: skip
    """409 in plain words: why it cannot be done as things stand, and the way back."""
    context = {
        "why": why, "back": back, "project": project, "tab": tab, "crumbs": crumbs or [],
        "in_dialog": in_dialog(request),
    }  # fmt: skip
    template = "releases/_not_now.html" if in_dialog(request) else "releases/not_now.html"
    response = render(request, template, context, status=409)
    patch_vary_headers(response, ["HX-Target"])
    return response


def back_to(request: HttpRequest, otherwise: str) -> str:
    """Where the person came from, when that is a page of ours; asked for as `next`."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    if url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure()):
        return wanted
    return otherwise
