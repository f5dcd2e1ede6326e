"""The one address under which something is done to a run: asked on GET, done on POST."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from releases.deploys.errors import DeployRefused

from . import approval_acts, deploy_acts, links
from .access import get_project
from .asking import Done
from .deploy_acts import Doer
from .deploy_page import get_run

VERBS = deploy_acts.VERBS | approval_acts.VERBS


@require_http_methods(["GET", "HEAD", "POST"])
def act(request: HttpRequest, slug: str, pk: int, verb: str) -> HttpResponse:
    """Ask for one of `VERBS`, and on POST do it. What cannot be done as things stand is answered with 409 and why."""
    known = VERBS.get(verb)
    if known is None:
        raise Http404("There is no such thing to do.")
    needed, prepare = known
    project = get_project(request, slug, needed)
    doer = Doer(request, project, get_run(project, pk))
    try:
        question, do = prepare(doer)
    except DeployRefused as refused:
        return deploy_acts.refusal(request, project, refused, links.run(slug, pk))

    def done() -> Done:
        result = do()
        deploy_acts.told(project, doer.run, request.user)
        return result

    return deploy_acts.answer(request, project, question, done)
