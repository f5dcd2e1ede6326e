"""Role and access together decide; what one may not see does not exist."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.test import RequestFactory

from hotfixdash.accounts.models import User
from hotfixdash.accounts.roles import Act, Role
from hotfixdash.accounts.services import account_create
from releases.projects.models import Project, ProjectAccess
from releases.views.access import SignInNeeded, get_project, may, open_to_visitors, require

pytestmark = pytest.mark.django_db


def make_project(visibility: str) -> Project:
    return Project.objects.create(name="shop", slug="shop", remote_url="/r", visibility=visibility)


def asking(rf: RequestFactory, user: User | AnonymousUser, **headers: str) -> HttpRequest:
    request = rf.get("/p/shop/", headers=headers)
    request.user = user
    return request


def person(role: Role) -> User:
    return account_create(role.value, role, "correct horse battery")


def test_members_only_project_does_not_exist_for_others(rf: RequestFactory) -> None:
    make_project("members")
    with pytest.raises(Http404):
        get_project(asking(rf, person(Role.RELEASE_MANAGER)), "shop")


def test_access_opens_it_and_role_limits_it(rf: RequestFactory) -> None:
    project = make_project("members")
    viewer = person(Role.VIEWER)
    ProjectAccess.objects.create(project=project, user=viewer)
    assert get_project(asking(rf, viewer), "shop") == project
    with pytest.raises(PermissionDenied, match="Viewer"):
        get_project(asking(rf, viewer), "shop", Act.CHECK)


def test_administrators_see_everything(rf: RequestFactory) -> None:
    project = make_project("members")
    assert get_project(asking(rf, person(Role.ADMINISTRATOR)), "shop", Act.MANAGE) == project


@pytest.mark.parametrize("visibility", ["members", "signed-in"])
def test_visitors_are_asked_to_sign_in_whether_or_not_it_exists(rf: RequestFactory, visibility: str) -> None:
    make_project(visibility)
    for slug in ("shop", "nothing"):
        with pytest.raises(SignInNeeded):
            get_project(asking(rf, AnonymousUser()), slug)


def test_visitors_see_a_public_project_and_change_nothing(rf: RequestFactory) -> None:
    project = make_project("public")
    visitor = asking(rf, AnonymousUser())
    assert get_project(visitor, "shop") == project
    assert not may(visitor, Act.CHECK)
    with pytest.raises(SignInNeeded):
        get_project(visitor, "shop", Act.CHECK)


def test_require_and_may_agree(rf: RequestFactory) -> None:
    for role in Role:
        request = asking(rf, person(role))
        for act in Act:
            if may(request, act):
                require(request, act)
            else:
                with pytest.raises(PermissionDenied):
                    require(request, act)


def test_open_view_sends_visitors_to_sign_in_and_reloads_for_fragments(rf: RequestFactory) -> None:
    @open_to_visitors
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(get_project(request, "shop").name)

    make_project("members")
    assert view.login_required is False  # type: ignore[attr-defined]
    sent = view(asking(rf, AnonymousUser()))
    assert sent.status_code == 302
    assert sent.headers["Location"] == "/accounts/login/?next=/p/shop/"
    fragment = view(asking(rf, AnonymousUser(), **{"HX-Request": "true"}))
    assert fragment.headers["HX-Refresh"] == "true"
