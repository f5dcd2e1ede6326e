"""The one address under which something is done to a hotfix: asked on GET, done on POST."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from releases.policies.typed import Refused

from . import asking, fetching, hotfix_acts, links, remote_acts
from .access import get_project
from .asking import Done
from .hotfix_acts import Ticket, get_hotfix

VERBS = hotfix_acts.VERBS | remote_acts.VERBS


@require_http_methods(["GET", "HEAD", "POST"])
def act(request: HttpRequest, slug: str, verb: str, key: str) -> HttpResponse:
    """Ask for one of `VERBS`, and on POST do it. What cannot be done as things stand is answered with 409 and why."""
    known = VERBS.get(verb)
    if known is None:
        raise Http404("There is no such thing to do.")
    needed, prepare = known
    project = get_project(request, slug, needed)
    ticket = Ticket(request, project, get_hotfix(project, key))
    try:
        question, do = prepare(ticket)
    except Refused as refused:
        back = asking.back_to(request, links.hotfix(slug, ticket.hotfix.key))
        return asking.not_now(request, project, refused.sentence, back)

    def done() -> Done | HttpResponse:
        result = do()
        fetching.tell(project)
        return result

    return asking.answer(request, project, question, done)
