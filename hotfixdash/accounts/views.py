"""Sign-in, sign-out, the person's own page, the theme."""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_not_required
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from .demo import logins_shown
from .forms import NameForm, OwnPasswordForm, SignInForm
from .models import User
from .theme import AUTO, COOKIE, THEMES, YEAR_SECONDS

TOO_MANY_REQUESTS = 429


class SignIn(auth_views.LoginView):
    """`/accounts/login/`: fields `username` and `password`; back to where the person came from."""

    template_name = "accounts/login.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"demo_logins": logins_shown()}


def locked_out(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """The page after too many failed sign-ins; called by the throttle."""
    seconds = int(float(settings.AXES_COOLOFF_TIME) * 3600)
    context = {"minutes": max(1, seconds // 60)}
    response = render(request, "429.html", context, status=TOO_MANY_REQUESTS)
    response["Retry-After"] = str(seconds)
    return response


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """The person's own page: name, password, theme, role, projects."""
    user = cast(User, request.user)
    asked = request.POST.get("form", "")
    name_form = NameForm(request.POST if asked == "name" else None, instance=user)
    password_form = OwnPasswordForm(user, request.POST if asked == "password" else None)
    if asked == "name" and name_form.is_valid():
        name_form.save()
        messages.success(request, "Saved.")
        return redirect("account")
    if asked == "password" and not user.is_demo and password_form.is_valid():
        password_form.save()
        update_session_auth_hash(request, user)
        messages.success(request, "Password changed. Other places where you were signed in are signed out.")
        return redirect("account")
    context = {
        "tab": "account",
        "name_form": name_form,
        "password_form": password_form,
        "role": user.role,
        "projects": user.project_access.select_related("project").order_by("project__name"),
        "themes": THEMES,
    }
    return render(request, "accounts/account.html", context, status=422 if asked else 200)


@require_POST
def sign_out_everywhere(request: HttpRequest) -> HttpResponse:
    """End every session of this person but the one that asks."""
    own = request.session.session_key
    mine = str(cast(User, request.user).pk)
    ended = 0
    for session in Session.objects.exclude(session_key=own).iterator():
        if session.get_decoded().get("_auth_user_id") == mine:
            session.delete()
            ended += 1
    messages.success(request, f"Signed out in {ended} other place{'' if ended == 1 else 's'}.")
    return redirect("account")


@login_not_required
@require_POST
def theme_set(request: HttpRequest) -> HttpResponse:
    """`POST /theme/` with `theme=light|dark|auto` and `next`: remembered in a cookie for a year."""
    chosen = request.POST.get("theme", AUTO)
    if chosen not in THEMES:
        return HttpResponse("Choose light, dark or auto.", status=400, content_type="text/plain")
    target = request.POST.get("next", "") or request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        target = "/"
    response = HttpResponse(status=204) if request.headers.get("HX-Request") else redirect(target)
    response.set_cookie(COOKIE, chosen, max_age=YEAR_SECONDS, samesite="Lax", secure=settings.HTTPS, httponly=False)
    return response
