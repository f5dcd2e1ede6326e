"""The page on which people say yes or no to a deployment."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_http_methods

from hotfixdash.accounts.roles import Act
from releases.deploy_forms import DecisionForm
from releases.deploys import approving
from releases.deploys.errors import DeployRefused
from releases.deploys.models import Run
from releases.projects.models import Project

from . import approval_acts, deploy_acts, links, live_part
from .access import get_project
from .approval_page import ApprovalPage
from .deploy_page import get_run


@require_http_methods(["GET", "HEAD", "POST"])
def approval(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """What would change and why it is safe; on POST the decision, bound to what was shown."""
    project = get_project(request, slug, Act.APPROVE if request.method == "POST" else Act.VIEW)
    topics = live_part.of_project(project.pk)
    run = get_run(project, pk)
    if run.environment is None:
        raise Http404("A build needs nobody's approval.")
    if request.method == "POST":
        return _decide(request, project, run)
    return _show(request, ApprovalPage(run, request.user, then=request.GET.get("then", "")), topics)


def _show(request: HttpRequest, page: ApprovalPage, topics: str, status: int = 200, refused: str = "") -> HttpResponse:
    context = {
        "tab": "deploys", "project": page.project, "run": page.run, "page": page, "live": topics, "refused": refused,
    }  # fmt: skip
    part = request.headers.get("HX-Target") == "approval"
    response = render(request, "releases/_approval.html" if part else "releases/approval.html", context, status=status)
    patch_vary_headers(response, ["HX-Target"])
    return response


def _decide(request: HttpRequest, project: Project, run: Run) -> HttpResponse:
    form = DecisionForm(request.POST)
    topics = live_part.of_project(project.pk)
    if not form.is_valid():
        return _show(request, ApprovalPage(run, request.user, form), topics, 422)
    data, no = form.cleaned_data, request.POST.get("says") == "reject"
    try:
        speak = approving.reject if no else approving.approve
        after = speak(run, request.user, data["comment"], binding=data["binding"])
    except DeployRefused as refused:
        return _refused(request, run, refused, form, topics)
    deploy_acts.told(project, after, request.user)
    messages.success(request, "You rejected it." if no else approval_acts.said(after).says)
    return HttpResponseRedirect(links.approval(project.slug, run.pk))


def _refused(
    request: HttpRequest, run: Run, refused: DeployRefused, form: DecisionForm, topics: str
) -> HttpResponse:  # fmt: skip
    if refused.code == "unseen":
        raise Http404(refused.sentence)
    if refused.code in deploy_acts.FORBIDDEN:
        raise PermissionDenied(refused.sentence)
    if refused.code == "comment":
        form.add_error("comment", refused.sentence)
        return _show(request, ApprovalPage(run, request.user, form), topics, 422)
    fresh = get_run(run.project, run.pk)
    return _show(request, ApprovalPage(fresh, request.user), topics, 409, refused.sentence)
