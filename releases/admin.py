"""Django admin: the rows as they are, to look at; changes go through the services and their ledger rows."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from releases.models import (
    Debt,
    Event,
    FetchRun,
    Fix,
    Hotfix,
    Operation,
    Project,
    ProjectAccess,
    Ref,
    Release,
    Settlement,
    Target,
    Verdict,
)


class Looking(admin.ModelAdmin):  # type: ignore[type-arg]
    """Shows rows; nothing is added, changed or removed here."""

    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Project)
class ProjectAdmin(Looking):
    list_display = ("name", "slug", "remote_url", "visibility", "fetched_at", "judged_at", "failures", "error_code")
    list_filter = ("visibility", "error_code")
    search_fields = ("name", "slug", "remote_url")
    exclude = ("hook_secret",)


@admin.register(FetchRun)
class FetchRunAdmin(Looking):
    list_display = ("pk", "project", "state", "trigger", "stage", "worker", "queued_at", "finished_at", "error_code")
    list_filter = ("state", "trigger")
    list_select_related = ("project",)


@admin.register(Operation)
class OperationAdmin(Looking):
    list_display = (
        "pk", "project", "kind", "subject", "state", "step", "actor_name", "attempts", "replans", "worker",
        "asked_at", "heartbeat_at", "finished_at", "error_code",
    )  # fmt: skip
    list_filter = ("state", "kind", "error_code", "retryable")
    list_select_related = ("project",)
    search_fields = ("subject", "key", "actor_name")


@admin.register(Hotfix)
class HotfixAdmin(Looking):
    list_display = (
        "key", "project", "title", "severity", "stage", "closed", "owed_count", "branch", "tag", "observed_at",
    )  # fmt: skip
    list_filter = ("stage", "closed", "severity")
    list_select_related = ("project",)
    search_fields = ("key", "title", "branch", "tag")


@admin.register(Debt)
class DebtAdmin(Looking):
    list_display = ("subject", "project", "hotfix", "branch", "owed_since", "settled_at")
    list_select_related = ("project", "hotfix")


@admin.register(Settlement)
class SettlementAdmin(Looking):
    list_display = ("kind", "project", "fix", "target", "by_name", "at", "until", "ended_at", "ended_why")
    list_filter = ("kind",)
    list_select_related = ("project", "fix", "target")


@admin.register(Event)
class EventAdmin(Looking):
    list_display = ("at", "project", "kind", "actor_name", "subject", "target", "old", "new")
    list_filter = ("kind",)
    list_select_related = ("project",)
    search_fields = ("subject", "why")


@admin.register(Release)
class ReleaseAdmin(Looking):
    list_display = ("tag", "project", "kind", "tagged_at", "on_production", "commit_total", "moved_at", "deleted_at")
    list_filter = ("kind", "on_production")
    list_select_related = ("project",)
    search_fields = ("tag", "commit")


@admin.register(Ref)
class RefAdmin(Looking):
    list_display = ("name", "project", "sha", "changed_at", "forced_at", "deleted_at")
    list_select_related = ("project",)
    search_fields = ("name", "sha")


@admin.register(Target)
class TargetAdmin(Looking):
    list_display = ("branch", "project", "kind", "planned_version", "planned_for", "opened_at", "closed_at")
    list_filter = ("kind",)
    list_select_related = ("project",)


@admin.register(Fix)
class FixAdmin(Looking):
    list_display = ("subject", "project", "kind", "ticket", "shipped_in", "live_since", "chore", "present")
    list_filter = ("kind", "chore", "present")
    list_select_related = ("project",)
    search_fields = ("subject", "ticket", "key")


@admin.register(Verdict)
class VerdictAdmin(Looking):
    list_display = ("fix", "target", "project", "code", "owed", "owed_since", "settled_at", "judged_at")
    list_filter = ("code", "owed")
    list_select_related = ("fix", "target", "project")


@admin.register(ProjectAccess)
class ProjectAccessAdmin(Looking):
    list_display = ("user", "project")
    list_select_related = ("user", "project")
