"""What people do to an environment: deploy a release, roll back, lock, unlock. Asked on GET, done on POST."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.forms import BaseForm
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from hotfixdash.accounts.roles import Act
from releases import deploy_forms as forms
from releases.deploys.bad_releases import bad_in
from releases.deploys.errors import DeployRefused
from releases.deploys.freezing import freeze_now
from releases.deploys.gates import environment_lock, environment_unlock, freeze_holds, lock_says, locked
from releases.deploys.models import Environment, Run
from releases.deploys.selectors import rollback_target, rollback_targets, touched_last
from releases.projects.models import Project, Release
from releases.tasks import deploy_ask, environment_nudge, rollback_ask

from . import asking, fetching, links, words
from .access import get_project
from .asking import Done, Question
from .deploy_acts import Asked, answer, refusal
from .deploy_words import ShownRun

OFFERED = 30
"""Releases to choose from, the newest."""
EARLIER = 15
"""Deployments to go back to."""


@dataclass(slots=True)
class Placed:
    """One request about one environment."""

    request: HttpRequest
    project: Project
    environment: Environment

    @property
    def data(self) -> Any:
        return self.request.POST if self.request.method == "POST" else None

    @property
    def name(self) -> str:
        return self.environment.name

    def question(self, title: str, verb: str, form: BaseForm | None = None, **more: Any) -> Question:
        board = links.deploys(self.project.slug)
        crumbs = [(f"{self.project.name}, deploys", board), (self.name, board)]
        return Question(
            title, verb, asking.back_to(self.request, board), form=form, crumbs=crumbs, tab="deploys", **more
        )


def releases_offered(project: Project, tag: str = "") -> list[str]:
    """Tags that can be deployed, the newest first; `tag` is among them when it is one."""
    rows = Release.objects.filter(project=project, deleted_at=None).order_by("-sort_key")
    tags = list(rows.values_list("tag", flat=True)[:OFFERED])
    if tag and tag not in tags and rows.filter(tag=tag).exists():
        tags.insert(0, tag)
    return tags


def _warnings(environment: Environment) -> list[str]:
    """What will hold it back."""
    now = timezone.now()
    found = [lock_says(environment)] if locked(environment, now) else []
    window = freeze_now(environment, now)
    if window is not None:
        found += [freeze_holds(environment, window), "It waits until then."]
    return found


def _deploy(placed: Placed) -> Asked:
    asked = placed.request.GET.get("tag", "")[:250]
    tags = releases_offered(placed.project, asked)
    if not tags:
        raise DeployRefused("no-tag", f"{placed.project.name} has no release yet.")
    chosen = asked if asked in tags else tags[0]
    form = forms.DeployForm(tags, placed.data, initial={"tag": chosen})
    place = placed.environment
    says = ["Without a good build of it, it is built first."]
    if place.approvals:
        says.append(f"{words.plural(place.approvals, 'person', 'people')} must approve before it goes to {place.name}.")
    question = placed.question(
        f"Deploy a release to {placed.name}", "Ask for it", form, icon="rocket", says=says, warnings=_warnings(place)
    )

    def do() -> Done:
        data = form.cleaned_data
        release = Release.objects.filter(project=placed.project, tag=data["tag"], deleted_at=None).first()
        if release is None:
            raise DeployRefused("no-tag", f"The tag {data['tag']} is gone from the repository.")
        run, made = deploy_ask(place, release, trigger="person", actor=placed.request.user, why=data["why"])
        return _asked_for(placed, run, made, _inside(placed.project, release))

    return question, do


def _inside(project: Project, release: Release) -> str:
    """A word of warning about what it still contains."""
    marks = bad_in(project, release.commit, but=release.tag)
    return f" It still contains {words.visible(marks[0].tag)}, which was taken back." if marks else ""


def _asked_for(placed: Placed, run: Run, made: bool, more: str = "") -> Done:
    shown = ShownRun(run, placed.project.slug)
    if not made:
        return Done(f"It was asked for already: {shown.title}, {shown.state.lower()}.", shown.url, messages.INFO)
    level = messages.WARNING if more else messages.INFO
    url = shown.approval_url if run.state == Run.State.ASKED else shown.url
    return Done(f"{shown.title}: {shown.state.lower()}.{more}", url, level)


def _rollback(placed: Placed) -> Asked:
    place = placed.environment
    bad = touched_last(place)
    before = rollback_target(place, bad)
    rows = list(rollback_targets(place, bad)[:EARLIER])
    if before is not None:
        rows = [before, *(row for row in rows if row.pk != before.pk)]
    if not rows:
        raise DeployRefused("nothing-before", f"Nothing that ran well in {place.name} before is known.")
    gone = any(row.artifact_gone_at for row in rows)
    form = forms.RollbackForm([_earlier(row) for row in rows], placed.data, initial={"to": rows[0].pk}, gone=gone)
    how = "runs there now" if bad is not None and bad.pk == place.live_id else "was begun there last"
    now = f"{words.visible(bad.tag)} {how}. It" if bad is not None else "What runs there now"
    question = placed.question(
        f"Roll {placed.name} back?", "Roll back", form, icon="undo-2", cautious=True,
        says=[f"{now} is marked as bad and not shipped again without a reason.",
              "It needs no approval and goes before everything that waits."],
    )  # fmt: skip

    def do() -> Done:
        data = form.cleaned_data
        to = next(row for row in rows if row.pk == data["to"])
        run = rollback_ask(place, actor=placed.request.user, why=data["why"], to=to, anew=data.get("anew", False))
        return _asked_for(placed, run, True)

    return question, do


def _earlier(row: Run) -> tuple[int, str]:
    """One that can be brought back, as a choice."""
    gone = ", artifact kept no longer" if row.artifact_gone_at else ""
    return row.pk, f"{words.visible(row.tag)}, live {words.clock(row.live_at)}{gone}"


def _lock(placed: Placed) -> Asked:
    form = forms.LockForm(placed.data)
    question = placed.question(
        f"Lock {placed.name}?", "Lock it", form, icon="lock",
        says=["Nothing is deployed there until it is unlocked. What runs goes on; what is asked for waits."],
    )  # fmt: skip

    def do() -> Done:
        data = form.cleaned_data
        environment_lock(placed.environment, placed.request.user, data["why"], data["until"])
        return Done(f"{placed.name} is locked.")

    return question, do


def _unlock(placed: Placed) -> Asked:
    form = forms.WhyForm(placed.data)
    row = placed.environment
    says = [lock_says(row)] if row.locked_at is not None else []
    question = placed.question(f"Unlock {placed.name}?", "Unlock it", form, icon="lock", says=says)

    def do() -> Done:
        if not environment_unlock(row, placed.request.user, form.cleaned_data["why"]):
            return Done(f"{placed.name} was not locked any more.", level=messages.INFO)
        transaction.on_commit(lambda: environment_nudge(row))
        return Done(f"{placed.name} is unlocked.")

    return question, do


VERBS: dict[str, tuple[Act, Callable[[Placed], Asked]]] = {
    "deploy": (Act.SHIP, _deploy),
    "rollback": (Act.DEPLOY, _rollback),
    "lock": (Act.DEPLOY, _lock),
    "unlock": (Act.DEPLOY, _unlock),
}


@require_http_methods(["GET", "HEAD", "POST"])
def act(request: HttpRequest, slug: str, name: str, verb: str) -> HttpResponse:
    """Ask for one of `VERBS`, and on POST do it. What cannot be done as things stand is answered with 409 and why."""
    known = VERBS.get(verb)
    if known is None:
        raise Http404("There is no such thing to do.")
    needed, prepare = known
    project = get_project(request, slug, needed)
    rows = Environment.objects.filter(project=project, name=name, retired_at=None)
    environment = rows.select_related("project", "live", "locked_by").first()
    if environment is None:
        raise Http404("No such environment.")
    placed = Placed(request, project, environment)
    try:
        question, do = prepare(placed)
    except DeployRefused as refused:
        return refusal(request, project, refused, asking.back_to(request, links.deploys(slug)))

    def done() -> Done:
        result = do()
        fetching.tell(project)
        return result

    return answer(request, project, question, done)
