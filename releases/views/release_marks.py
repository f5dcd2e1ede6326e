"""Marking a release as bad by hand, and taking the mark away."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from hotfixdash.accounts.roles import Act
from releases.deploy_forms import ReasonForm
from releases.deploys.bad_releases import release_lift, release_mark_bad
from releases.deploys.models import BadRelease
from releases.projects.release_selectors import release_find

from . import asking, fetching, links, words
from .access import get_project
from .asking import Done, Question
from .deploy_acts import answer


@require_http_methods(["GET", "HEAD", "POST"])
def mark(request: HttpRequest, slug: str, tag: str) -> HttpResponse:
    """Ask for one or the other, as the release stands; a reason is needed for both."""
    project = get_project(request, slug, Act.DEPLOY)
    release = release_find(project, tag)
    if release is None:
        raise Http404("No such release.")
    standing = BadRelease.objects.filter(project=project, tag=release.tag, lifted_at=None).first()
    form = ReasonForm(request.POST if request.method == "POST" else None)
    name, page = words.visible(release.tag), links.release(slug, release.tag)
    question = Question(
        f"May {name} ship again?" if standing else f"Mark {name} as bad?",
        "Lift the mark" if standing else "Mark it",
        asking.back_to(request, page), form=form, icon="check" if standing else "triangle-alert", tab="releases",
        crumbs=[(f"{project.name}, releases", page), (name, page)],
        says=[
            f"It was taken back: “{words.visible(standing.why)}”"
            if standing
            else "It is not shipped again without a reason, and later releases that still contain it are warned about."
        ],
    )  # fmt: skip

    def do() -> Done:
        why = form.cleaned_data["why"]
        if standing is not None:
            release_lift(standing, request.user, why)
        else:
            release_mark_bad(project, release.tag, release.commit, why, actor=request.user)
        fetching.tell(project)
        return Done(f"{name} may ship again." if standing else f"{name} is marked as bad.")

    return answer(request, project, question, do)
