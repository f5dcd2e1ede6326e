"""The Django admin at /admin/: rows as they are, to look at, for administrators who see every project.

It has the dashboard's own sign-in. Nothing is added, changed or removed here: every change of a row goes through the
services, which write the ledger.
"""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from hotfixdash.accounts.roles import Act


class RowsSite(AdminSite):
    """Open to administrators of all projects: rows of every project are listed side by side."""

    site_header = site_title = "HOTFIXDASH rows"
    index_title = "To look at; nothing can be changed here"

    def has_permission(self, request: HttpRequest) -> bool:
        person: Any = request.user
        everywhere = getattr(person, "is_superuser", False) or getattr(person, "all_projects", False)
        return bool(person.is_authenticated and person.may(Act.MANAGE) and everywhere)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """To the dashboard's own sign-in; whoever is signed in already lacks the role."""
        if request.user.is_authenticated:
            raise PermissionDenied("These rows are for administrators who may see every project.")
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"))


site = RowsSite(name="admin")


class Looking(ModelAdmin):  # type: ignore[type-arg]
    """Shows rows; nothing is added, changed or removed here."""

    list_per_page = 50
    show_full_result_count = False
    actions = None

    def has_module_permission(self, request: HttpRequest) -> bool:
        return site.has_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return site.has_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
