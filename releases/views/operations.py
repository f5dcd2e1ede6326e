"""One operation on a remote: how far it came, what stood in the way, and trying it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_POST, require_safe

from hotfixdash.accounts.roles import Act
from releases.operations.models import Operation
from releases.operations.services import OperationRefused, operation_cancel, operation_retry
from releases.policies import trials
from releases.projects.models import Project
from releases.projects.patches import Hunk, visible
from releases.tasks import operation_nudge

from . import asking, fetching, links, live_part
from .access import get_project, may, open_to_visitors

_TONES = {"queued": "run", "running": "run", "done": "ok", "conflict": "bad", "failed": "bad"}
_ICONS = {
    "queued": "clock",
    "running": "loader",
    "done": "circle-check",
    "conflict": "triangle-alert",
    "failed": "circle-x",
}
_STEPS = {"": "reading the remote and planning", "planned": "pushing", "pushed": "checking what the remote has"}


@dataclass(slots=True)
class ShownConflict:
    """A file that conflicts, with its hunks."""

    path: str
    kind: str
    hunks: list[Hunk]


@dataclass(slots=True)
class ShownOperation:
    """An operation as its page, and the page of its hotfix, show it."""

    row: Operation
    slug: str
    may_act: bool = False

    @property
    def url(self) -> str:
        return links.operation(self.slug, self.row.pk)

    @property
    def tone(self) -> str:
        return _TONES[self.row.state]

    @property
    def icon(self) -> str:
        return _ICONS[self.row.state]

    @property
    def title(self) -> str:
        """`Merge back into develop`."""
        params = self.row.params
        target, branch, tag = (str(params.get(name) or "") for name in ("target", "branch", "tag"))
        kind = Operation.Kind(self.row.kind)
        named = {
            Operation.Kind.CUT: f"Cut {branch}", Operation.Kind.FINISH: f"Finish as {tag}",
            Operation.Kind.MERGE_BACK: f"Merge back into {target}", Operation.Kind.CLEAN_UP: f"Delete {branch}",
            Operation.Kind.REVERT: f"Revert on {branch}", Operation.Kind.REAPPLY: f"Re-apply on {branch}",
            Operation.Kind.TAG: f"Tag {str(params.get('head') or '')[:9]} of {branch}",
        }  # fmt: skip
        return named[kind]

    @property
    def state(self) -> str:
        """In words: `Running, pushing`, `Waiting for its turn`."""
        if self.row.state == Operation.State.QUEUED:
            return "Waiting for its turn"
        if self.row.state == Operation.State.RUNNING:
            return f"Running: {_STEPS[self.row.step]}"
        return str(self.row.get_state_display())

    @property
    def says(self) -> str:
        return str(self.row.error_text or self.row.outcome.get("says") or "")

    @property
    def names(self) -> list[str]:
        """Branches and tags that its sentences may speak of."""
        params = self.row.params
        asked = [str(params.get(name) or "") for name in ("branch", "target", "onto_branch", "production", "tag")]
        also = [str(name) for name in params.get("also") or []]
        return [*asked, *also, *(ref["name"] for ref in self.refs)]

    @property
    def notes(self) -> list[str]:
        return [str(note) for note in self.row.outcome.get("notes", [])]

    @property
    def refs(self) -> list[dict[str, str]]:
        """What moved on the remote: name, old and new, shortened."""
        return [
            {"name": str(ref.get("name", "")).removeprefix("refs/heads/").removeprefix("refs/tags/"),
             "old": str(ref.get("old", ""))[:9], "new": str(ref.get("new", ""))[:9]}
            for ref in self.row.outcome.get("refs", [])
        ]  # fmt: skip

    @property
    def remote_said(self) -> str:
        return str(self.row.outcome.get("remote") or "")

    @property
    def commands(self) -> list[str]:
        return [str(line) for line in self.row.outcome.get("commands", [])]

    @property
    def commands_text(self) -> str:
        return "\n".join(self.commands)

    @property
    def conflicts(self) -> list[ShownConflict]:
        return [shown_conflict(entry) for entry in self.row.outcome.get("conflicts", [])]

    @property
    def can_retry(self) -> bool:
        ended = self.row.state in (Operation.State.CONFLICT, Operation.State.FAILED)
        return self.may_act and ended and (self.row.retryable or self.row.state == Operation.State.CONFLICT)

    @property
    def can_cancel(self) -> bool:
        return self.may_act and self.row.state == Operation.State.QUEUED and not self.row.step

    @property
    def aside_url(self) -> str:
        """Where the work can be pushed to a branch of its own, when the target takes no push or conflicts."""
        row = self.row
        stuck = row.state == Operation.State.FAILED and row.error_code in ("protected", "hook")
        if not (self.may_act and stuck and row.kind == Operation.Kind.MERGE_BACK) or row.params.get("onto_branch"):
            return ""
        key, target = str(row.params.get("fix_key", "")), str(row.params.get("target", ""))
        return links.settle(self.slug, "merge-back", key, target, aside="1")


def shown_conflict(entry: dict[str, Any]) -> ShownConflict:
    """One conflict as stored: path, kind, and the hunks of a trial merge."""
    path = str(entry.get("path", ""))
    stored = [{"path": path, **hunk} for hunk in entry.get("hunks") or [] if isinstance(hunk, dict)]
    hunks = [hunk for _path, hunk in trials.stored_hunks({"hunks": stored})]
    return ShownConflict(visible(path, 300), str(entry.get("kind", "")), hunks)


def of_project(project: Project, pk: int) -> Operation:
    """Raises Http404."""
    found = Operation.objects.filter(project=project, pk=pk).select_related("actor").first()
    if found is None:
        raise Http404("No such operation.")
    return found


@open_to_visitors
@require_safe
def operation_page(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """How one operation is doing, live."""
    project = get_project(request, slug)
    topics = live_part.of_project(project.pk)
    shown = ShownOperation(of_project(project, pk), slug, may(request, Act.OPERATE))
    part = request.headers.get("HX-Target") == "operation"
    context = {
        "tab": "hotfixes", "project": project, "operation": shown, "live": topics,
        "about": about(project, shown.row), "commands": shown.commands, "commands_text": shown.commands_text,
    }  # fmt: skip
    response = render(request, "releases/_operation_page.html" if part else "releases/operation.html", context)
    patch_vary_headers(response, ["HX-Target"])
    return response


def about(project: Project, operation: Operation) -> tuple[str, str]:
    """What the operation is about, and the address of its page."""
    kind, _, key = operation.subject.partition(":")
    if kind == "hotfix":
        return key, links.hotfix(project.slug, key)
    return key[:9], links.fix(project.slug, key)


@require_POST
def retry(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Try again what conflicted or failed."""
    project = get_project(request, slug, Act.OPERATE)
    operation = of_project(project, pk)
    _check_finish(request, operation)
    back = asking.back_to(request, links.operation(slug, pk))
    try:
        standing = operation_retry(operation, request.user)
    except OperationRefused as refused:
        return asking.not_now(request, project, str(refused), back)
    operation_nudge(standing.pk)
    fetching.tell(project)
    messages.info(request, "Trying again. The page follows by itself.")
    return HttpResponseRedirect(back)


@require_POST
def cancel(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Take back what has not begun."""
    project = get_project(request, slug, Act.OPERATE)
    operation = of_project(project, pk)
    back = asking.back_to(request, links.operation(slug, pk))
    try:
        operation_cancel(operation, request.user)
    except OperationRefused as refused:
        return asking.not_now(request, project, str(refused), back)
    fetching.tell(project)
    messages.info(request, "Cancelled before it began; nothing happened.")
    return HttpResponseRedirect(back)


def _check_finish(request: HttpRequest, operation: Operation) -> None:
    """Finishing is for release managers, also the second time."""
    if operation.kind in (Operation.Kind.FINISH, Operation.Kind.TAG):
        get_project(request, operation.project.slug, Act.RELEASE)
