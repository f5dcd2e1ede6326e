"""Settings of one project. Each part of the page is a form of its own, told apart by the field `form`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from hotfixdash.accounts.roles import Act
from releases.forms import AccessForm, CredentialForm, GeneralForm, PlanForm, PolicyForm, SigningKeyForm
from releases.git.errors import GitError, InvalidValue
from releases.policies.flow import FlowPolicy
from releases.policies.guess import guess
from releases.policies.plans import plan_set, planned_targets
from releases.projects import selectors
from releases.projects.models import Credential, Project, ProjectAccess
from releases.projects.services import projects as services
from releases.projects.services import signing
from releases.projects.signatures import allowed_signers, signing_key

from . import fetching
from .access import get_project, may

Handled = HttpResponse | None
Handler = Callable[[HttpRequest, Project, dict[str, Any]], Handled]


@sensitive_post_parameters("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def project_settings(request: HttpRequest, slug: str) -> HttpResponse:
    """Flow policy and release dates for release managers; everything else for administrators."""
    project = get_project(request, slug, Act.EDIT_POLICY)
    shown: dict[str, Any] = {}
    if request.method == "POST":
        act, handler = _HANDLERS.get(request.POST.get("form", ""), (Act.MANAGE, _unknown))
        if not may(request, act):
            raise PermissionDenied("Your role does not include this.")
        answer = handler(request, project, shown)
        if answer is not None:
            return answer
    response = render(request, "releases/project_settings.html", _context(request, project, shown),
                      status=422 if request.method == "POST" and not shown.get("fresh_secret") else 200)  # fmt: skip
    # The page may hold a secret that is shown once.
    response["Cache-Control"] = "no-store"
    return response


def _context(request: HttpRequest, project: Project, shown: dict[str, Any]) -> dict[str, Any]:
    project = Project.objects.get(pk=project.pk)
    policy = FlowPolicy.from_data(project.policy)
    branches = selectors.branch_names(project)
    guessed = guess(branches, selectors.tag_names(project)) if branches else None
    manage = may(request, Act.MANAGE)
    initial = {name: getattr(project, name) for name in ("name", "remote_url", "visibility", "fetch_every")}
    context: dict[str, Any] = {
        "tab": "projects",
        "project": project,
        "may_manage": manage,
        "policy_form": PolicyForm.of(policy),
        "guess": guessed,
        "guess_differs": guessed is not None and _leads_elsewhere(guessed.policy, policy),
        "guess_taken": guessed is not None and _same_branches(guessed.policy, policy),
        "plans": [(target, PlanForm.of(target)) for target in planned_targets(project.pk)],
        "branches": branches,
        "history": selectors.settings_history(project),
    }
    if manage:
        context |= {
            "general_form": GeneralForm(initial=initial),
            "credential": Credential.objects.filter(project=project).only("kind", "username", "changed_at").first(),
            "credential_form": CredentialForm(),
            "signing_key": signing_key(project),
            "signing_form": SigningKeyForm(),
            "allowed_signers": allowed_signers(project),
            "access_form": AccessForm(),
            "people": ProjectAccess.objects.filter(project=project).select_related("user").order_by("user__username"),
            "hook_url": request.build_absolute_uri(f"/hooks/{project.slug}"),
        }
    return context | shown


def _same_branches(guessed: FlowPolicy, policy: FlowPolicy) -> bool:
    return (guessed.preset, set(guessed.production), set(guessed.targets)) == (
        policy.preset, set(policy.production), set(policy.targets)
    )  # fmt: skip


def _leads_elsewhere(guessed: FlowPolicy, policy: FlowPolicy) -> bool:
    """Whether the guess holds a branch that the policy lacks; a policy that asks for more is no reason to speak up."""
    return bool(set(guessed.production) - set(policy.production) or set(guessed.targets) - set(policy.targets))


def _saved(request: HttpRequest, project: Project, text: str, part: str) -> HttpResponse:
    messages.success(request, text)
    return redirect(SafeString(f"{reverse('releases:project-settings', args=[project.slug])}#{part}"))


def _update(request: HttpRequest, project: Project, form: Form, **changes: Any) -> bool:
    """Write the changes; False with the reason in the form."""
    try:
        services.project_update(project, request.user, **changes)
    except services.ProjectError as problem:
        form.add_error(problem.field if problem.field in form.fields else None, str(problem))
    except (GitError, InvalidValue) as problem:
        form.add_error("remote_url" if "remote_url" in form.fields else None, str(problem))
    else:
        fetching.nudge_queued(project)
        return True
    return False


def _policy(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    form = shown["policy_form"] = PolicyForm(request.POST)
    if form.is_valid() and _update(request, project, form, policy=form.policy(project.policy)):
        return _saved(request, project, "The flow policy is saved. Verdicts are being worked out again.", "flow")
    return None


def _guessed(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    found = guess(selectors.branch_names(project), selectors.tag_names(project))
    kept = FlowPolicy.from_data(project.policy)
    policy = found.policy.as_data() | {"sla_hours": kept.sla_hours, "ticket_url": kept.ticket_url}
    services.project_update(project, request.user, policy=policy)
    fetching.nudge_queued(project)
    return _saved(request, project, "The guessed policy is in use. Verdicts are being worked out again.", "flow")


def _plan(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    forms = [(target, PlanForm.of(target, request.POST)) for target in planned_targets(project.pk)]
    shown["plans"] = forms
    if not all(form.is_valid() for _target, form in forms):
        return None
    for target, form in forms:
        plan_set(target, form.when, request.user)
    fetching.tell(project)
    return _saved(request, project, "The release dates are saved.", "dates")


def _general(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    form = shown["general_form"] = GeneralForm(request.POST)
    if form.is_valid() and _update(request, project, form, **form.cleaned_data):
        return _saved(request, project, "Saved.", "general")
    return None


def _credential(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    form = shown["credential_form"] = CredentialForm(request.POST)
    if not form.is_valid():
        return None
    data = form.cleaned_data
    services.credential_set(
        project, data["kind"], data["secret"],
        username=data["username"], known_hosts=data["known_hosts"], actor=request.user,
    )  # fmt: skip
    fetching.nudge_queued(project)
    return _saved(request, project, "The credential is stored, encrypted. It is being tried now.", "credential")


def _credential_remove(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    services.credential_remove(project, request.user)
    return _saved(request, project, "The credential is removed.", "credential")


def _signing(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    form = shown["signing_form"] = SigningKeyForm(request.POST)
    if not form.is_valid():
        return None
    try:
        signing.signing_key_set(project, form.cleaned_data["secret"], request.user)
    except InvalidValue as problem:
        form.add_error("secret", str(problem))
        return None
    return _saved(request, project, "The signing key is stored, encrypted. It signs every tag from now on.", "signing")


def _signing_make(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    signing.signing_key_make(project, request.user)
    return _saved(request, project, "A new key signs every tag from now on.", "signing")


def _signing_remove(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    signing.signing_key_remove(project, request.user)
    return _saved(request, project, "Tags are no longer signed. The private key is erased.", "signing")


def _hook(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    shown["fresh_secret"] = services.hook_secret_renew(project, request.user)
    return None


def _grant(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    form = shown["access_form"] = AccessForm(request.POST)
    if not form.is_valid():
        return None
    user = get_user_model().objects.filter(username=form.cleaned_data["username"].strip(), is_active=True).first()
    if user is None:
        form.add_error("username", "Nobody has this user name.")
        return None
    services.access_grant(project, user, request.user)
    return _saved(request, project, f"{user.get_username()} may see {project.name}.", "access")


def _revoke(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    chosen = request.POST.get("user", "")
    row = project.access.select_related("user").filter(user_id=chosen if chosen.isdecimal() else 0).first()
    if row is not None:
        services.access_revoke(project, row.user, request.user)
    return _saved(request, project, "The access is taken away.", "access")


def _unknown(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    return HttpResponse("This form is not known.", status=400, content_type="text/plain")


_HANDLERS: dict[str, tuple[Act, Handler]] = {
    "policy": (Act.EDIT_POLICY, _policy),
    "guess": (Act.EDIT_POLICY, _guessed),
    "plan": (Act.EDIT_POLICY, _plan),
    "general": (Act.MANAGE, _general),
    "credential": (Act.MANAGE, _credential),
    "credential-remove": (Act.MANAGE, _credential_remove),
    "signing": (Act.MANAGE, _signing),
    "signing-make": (Act.MANAGE, _signing_make),
    "signing-remove": (Act.MANAGE, _signing_remove),
    "hook": (Act.MANAGE, _hook),
    "grant": (Act.MANAGE, _grant),
    "revoke": (Act.MANAGE, _revoke),
}
