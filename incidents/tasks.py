"""Celery tasks of incidents: rows are the truth, tasks only nudge."""

from __future__ import annotations

from datetime import datetime

from celery import shared_task
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from incidents.announcements.collecting import announcements_collect
from incidents.announcements.delivering import channel_deliver, channels_due, messages_lost
from incidents.announcements.models import Channel
from incidents.drills.models import Drill
from incidents.drills.preparing import drill_prepare, drills_to_nudge
from incidents.drills.removing import drill_remove, drills_to_remove, orphans_remove
from incidents.postmortems.actions import actions_observe, actions_stamp, projects_with_actions
from incidents.postmortems.mailing import owners_channel, owners_of
from incidents.postmortems.models import PostMortem
from incidents.postmortems.opening import postmortems_open_due
from incidents.postmortems.reviewing import acted, postmortems_remind
from incidents.response.reminders import incidents_remind
from incidents.status.services import recipients_of, subscribers_forget
from releases.ledger.models import Event
from releases.projects.models import Project
from releases.projects.worker_names import worker_name
from releases.tasks import fetch_carry_out, run_carry_out_here
from releases.tasks.sending import NUDGE_LIVES, send

LOOK_EVERY = 15
"""Seconds between two looks at post-mortems: nobody waits for them as for an announcement."""
ASK_AGAIN = 600
"""Seconds after which git is asked about action items even when nothing moved: it may not have answered."""


@shared_task(name="incidents.tasks.sweep")  # type: ignore[untyped-decorator]
def sweep() -> None:
    """Every few seconds: what happened becomes messages, what is due is sent, who is silent is reminded."""
    sweep_now()


@shared_task(name="incidents.tasks.announce")  # type: ignore[untyped-decorator]
def announce(project_pk: int) -> None:
    """Right after something happened in a project: it becomes messages, and they are on their way."""
    announcements_collect(_recipients)
    channels_nudge()


@shared_task(name="incidents.tasks.deliver")  # type: ignore[untyped-decorator]
def deliver(channel_pk: int) -> None:
    """Send what this channel's turn has come for; then again, when there was more than one turn takes."""
    if channel_deliver(channel_pk, worker_name()):
        send(deliver, channel_pk, expires=NUDGE_LIVES)


# Taken off the queue when it begins: a worker that died over it must not get it again at once, the sweep sees to that.
@shared_task(name="incidents.tasks.prepare_drill", acks_late=False)  # type: ignore[untyped-decorator]
def prepare_drill(drill_pk: int) -> None:
    """Prepare one drill, unless somebody is at it."""
    drill_prepare(drill_pk, worker_name(), fetch_carry_out, run_carry_out_here)


@shared_task(name="incidents.tasks.remove_drill")  # type: ignore[untyped-decorator]
def remove_drill(drill_pk: int) -> None:
    """Remove the copy of one drill that is over, with its files."""
    drill = Drill.objects.filter(pk=drill_pk, removed_at=None).select_related("project", "copy").first()
    if drill is not None:
        drill_remove(drill)


def drill_nudge(drill_pk: int) -> None:
    """For doors: when the transaction commits, a worker prepares the drill; without a broker the sweep sees to it."""
    transaction.on_commit(lambda: send(prepare_drill, drill_pk, queue="deploy", expires=NUDGE_LIVES), robust=True)


def drills_look(now: datetime) -> None:
    """Drills that nobody prepares, and copies that are to go."""
    for pk in drills_to_nudge(now):
        send(prepare_drill, pk, queue="deploy", expires=NUDGE_LIVES)
    for pk in drills_to_remove(now):
        send(remove_drill, pk, expires=NUDGE_LIVES)
    orphans_remove()


def sweep_now() -> int:
    """One sweep, in this process; returns for how many channels something is due."""
    now = timezone.now()
    incidents_remind(now)
    messages_lost(now)
    subscribers_forget(now)
    postmortems_look(now)
    announcements_collect(_recipients)
    drills_look(now)
    return channels_nudge()


def _recipients(channel: Channel, event: Event) -> list[tuple[str, str]]:
    """Who gets a row by mail: the subscribers of a status page, or the owner of what it is about."""
    return recipients_of(channel, event) if channel.page_id is not None else owners_of(channel, event)


def postmortems_look(now: datetime) -> None:
    """Post-mortems that are due are opened, owners are reminded, and commits are looked through for action items."""
    owners_channel()
    if not cache.add("postmortems-looked", 1, LOOK_EVERY):
        return
    postmortems_open_due(now)
    postmortems_remind(now)
    for project in projects_with_actions():
        if cache.get(_stamp_key(project.pk)) != actions_stamp(project):
            send(check_actions, project.pk, queue="git", expires=NUDGE_LIVES)


@shared_task(name="incidents.tasks.check_actions")  # type: ignore[untyped-decorator]
def check_actions(project_pk: int) -> None:
    """Close the action items of a project that a commit in production names, and open those whose commit is gone."""
    project = Project.objects.filter(pk=project_pk).first()
    if project is None:
        return
    actions_observe(project)
    out = (PostMortem.State.PUBLISHED, PostMortem.State.ACTED)
    for row in PostMortem.objects.filter(project=project, state__in=out):
        acted(row)
    cache.set(_stamp_key(project.pk), actions_stamp(project), ASK_AGAIN)


def _stamp_key(project_pk: int) -> str:
    return f"actions-seen:{project_pk}"


def channels_nudge() -> int:
    """Send a task for each channel that has something due; without a broker it waits for the next sweep."""
    due = channels_due(timezone.now())
    for pk in due:
        send(deliver, pk, expires=NUDGE_LIVES)
    return len(due)


def announce_soon(project_pk: int) -> None:
    """For doors: what the transaction does is announced as soon as it commits, and by the sweep at the latest."""
    transaction.on_commit(lambda: send(announce, project_pk, expires=NUDGE_LIVES), robust=True)
