"""Django admin: the rows as they are, to look at; changes go through the services and their ledger rows."""

from __future__ import annotations

from django.contrib.admin import register

from hotfixdash.admin import Looking, site
from releases.models import (
    Approval,
    ApprovalMail,
    BadRelease,
    Debt,
    Environment,
    Event,
    FetchRun,
    Fix,
    FollowUp,
    Freeze,
    Hotfix,
    LogChunk,
    Operation,
    Pipeline,
    PipelineDraft,
    Project,
    ProjectAccess,
    Ref,
    Release,
    Run,
    Settlement,
    Shown,
    Step,
    Target,
    Verdict,
)


@register(Project, site=site)
class ProjectAdmin(Looking):
    list_display = ("name", "slug", "remote_url", "visibility", "fetched_at", "judged_at", "failures", "error_code")
    list_filter = ("visibility", "error_code")
    search_fields = ("name", "slug", "remote_url")
    exclude = ("hook_secret",)


@register(FetchRun, site=site)
class FetchRunAdmin(Looking):
    list_display = ("pk", "project", "state", "trigger", "stage", "worker", "queued_at", "finished_at", "error_code")
    list_filter = ("state", "trigger")
    list_select_related = ("project",)


@register(Operation, site=site)
class OperationAdmin(Looking):
    list_display = (
        "pk", "project", "kind", "subject", "state", "step", "actor_name", "attempts", "replans", "worker",
        "asked_at", "heartbeat_at", "finished_at", "error_code",
    )  # fmt: skip
    list_filter = ("state", "kind", "error_code", "retryable")
    list_select_related = ("project",)
    search_fields = ("subject", "key", "actor_name")


@register(Hotfix, site=site)
class HotfixAdmin(Looking):
    list_display = (
        "key", "project", "title", "severity", "stage", "closed", "owed_count", "branch", "tag", "observed_at",
    )  # fmt: skip
    list_filter = ("stage", "closed", "severity")
    list_select_related = ("project",)
    search_fields = ("key", "title", "branch", "tag")


@register(Debt, site=site)
class DebtAdmin(Looking):
    list_display = ("subject", "project", "hotfix", "branch", "owed_since", "settled_at")
    list_select_related = ("project", "hotfix")


@register(Settlement, site=site)
class SettlementAdmin(Looking):
    list_display = ("kind", "project", "fix", "target", "by_name", "at", "until", "ended_at", "ended_why")
    list_filter = ("kind",)
    list_select_related = ("project", "fix", "target")


@register(Event, site=site)
class EventAdmin(Looking):
    list_display = ("at", "project", "kind", "actor_name", "subject", "target", "old", "new")
    list_filter = ("kind",)
    list_select_related = ("project",)
    search_fields = ("subject", "why")


@register(Release, site=site)
class ReleaseAdmin(Looking):
    list_display = ("tag", "project", "kind", "tagged_at", "on_production", "commit_total", "moved_at", "deleted_at")
    list_filter = ("kind", "on_production")
    list_select_related = ("project",)
    search_fields = ("tag", "commit")


@register(Ref, site=site)
class RefAdmin(Looking):
    list_display = ("name", "project", "sha", "changed_at", "forced_at", "deleted_at")
    list_select_related = ("project",)
    search_fields = ("name", "sha")


@register(Target, site=site)
class TargetAdmin(Looking):
    list_display = ("branch", "project", "kind", "planned_version", "planned_for", "opened_at", "closed_at")
    list_filter = ("kind",)
    list_select_related = ("project",)


@register(Fix, site=site)
class FixAdmin(Looking):
    list_display = ("subject", "project", "kind", "ticket", "shipped_in", "live_since", "chore", "present")
    list_filter = ("kind", "chore", "present")
    list_select_related = ("project",)
    search_fields = ("subject", "ticket", "key")


@register(Verdict, site=site)
class VerdictAdmin(Looking):
    list_display = ("fix", "target", "project", "code", "owed", "owed_since", "settled_at", "judged_at")
    list_filter = ("code", "owed")
    list_select_related = ("fix", "target", "project")


@register(ProjectAccess, site=site)
class ProjectAccessAdmin(Looking):
    list_display = ("user", "project")
    list_select_related = ("user", "project")


@register(Environment, site=site)
class EnvironmentAdmin(Looking):
    list_display = (
        "name", "project", "kind", "order", "approvals", "live", "seen", "healthy", "drift_since", "locked_at",
        "retired_at",
    )  # fmt: skip
    list_filter = ("kind", "healthy")
    list_select_related = ("project", "live")
    search_fields = ("name", "project__name")


@register(Freeze, site=site)
class FreezeAdmin(Looking):
    list_display = ("environment", "why", "starts_at", "ends_at", "weekdays", "from_time", "until_time", "made_by")
    list_select_related = ("environment__project", "made_by")


@register(Pipeline, site=site)
class PipelineAdmin(Looking):
    list_display = ("project", "version", "note", "made_by", "made_at")
    list_select_related = ("project", "made_by")


@register(PipelineDraft, site=site)
class PipelineDraftAdmin(Looking):
    list_display = ("project", "base", "changed_by", "changed_at")
    list_select_related = ("project", "changed_by")


@register(Run, site=site)
class RunAdmin(Looking):
    list_display = (
        "pk", "project", "kind", "tag", "environment", "lane", "state", "trigger", "asked_by", "asked_at", "attempts",
        "fence", "worker", "heartbeat_at", "finished_at", "artifact_gone_at", "error_code",
    )  # fmt: skip
    list_filter = ("state", "kind", "lane", "trigger")
    list_select_related = ("project", "environment__project", "asked_by")
    search_fields = ("tag", "commit", "digest")


@register(Step, site=site)
class StepAdmin(Looking):
    list_display = (
        "run", "index", "name", "kind", "state", "attempts", "fence", "ended", "exit_code", "signal", "finished_at",
    )  # fmt: skip
    list_filter = ("state", "kind", "ended")
    list_select_related = ("run",)
    search_fields = ("name",)
    exclude = ("answer_digest",)


@register(LogChunk, site=site)
class LogChunkAdmin(Looking):
    list_display = ("run", "sequence", "step", "first_line", "lines", "at")
    list_select_related = ("run",)


@register(Approval, site=site)
class ApprovalAdmin(Looking):
    list_display = ("run", "person", "says", "at", "withdrawn_at", "carried_from")
    list_filter = ("says",)
    list_select_related = ("run", "person", "carried_from__person")


@register(Shown, site=site)
class ShownAdmin(Looking):
    list_display = ("run", "approval", "at")
    list_select_related = ("run", "approval__person")


@register(ApprovalMail, site=site)
class ApprovalMailAdmin(Looking):
    list_display = ("run", "person", "state", "due_at", "attempts", "sent_at", "error")
    list_filter = ("state",)
    list_select_related = ("run", "person")


@register(FollowUp, site=site)
class FollowUpAdmin(Looking):
    list_display = ("run", "opened_at", "closed_at", "closed_by")
    list_select_related = ("run", "closed_by")


@register(BadRelease, site=site)
class BadReleaseAdmin(Looking):
    list_display = ("tag", "project", "why", "marked_by", "marked_at", "fixed_by", "lifted_at", "lifted_by")
    list_select_related = ("project", "marked_by", "lifted_by")
    search_fields = ("tag", "commit")
