"""Marking a release as bad by hand, saying what mends it, and taking the mark away."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from hotfixdash.accounts.roles import Act
from releases.deploy_forms import MendForm, ReasonForm
from releases.deploys.bad_releases import release_lift, release_mark_bad, release_mended
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


@require_http_methods(["GET", "HEAD", "POST"])
def mend(request: HttpRequest, slug: str, tag: str) -> HttpResponse:
    """Ask what mends the release, for one that is marked as bad."""
    project = get_project(request, slug, Act.DEPLOY)
    standing = BadRelease.objects.select_related("project").filter(project=project, tag=tag, lifted_at=None).first()
    if standing is None:
        raise Http404("No such mark.")
    form = MendForm(request.POST if request.method == "POST" else None, initial={"commit": standing.fixed_by})
    name, page = words.visible(tag), links.release(slug, tag)
    question = Question(
        f"What mends {name}?", "Name it", asking.back_to(request, page), form=form, icon="check", tab="releases",
        crumbs=[(f"{project.name}, releases", page), (name, page)],
        says=[
            f"It was taken back: “{words.visible(standing.why)}”",
            "Later releases that contain it are warned about until they contain this, too. The mark itself stays.",
        ],
    )  # fmt: skip

    def do() -> Done:
        data = form.cleaned_data
        release_mended(standing, data["commit"], request.user, data["why"])
        fetching.tell(project)
        return Done(f"{standing.fixed_by[:7]} is named as what mends {name}.")

    return answer(request, project, question, do)
