"""Action items: who does what until when; closed by a commit in production that names them, reopened by its revert."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from incidents.numbering import numbered
from releases import live
from releases.git.errors import GitError
from releases.git.objects import walk
from releases.git.reader import Reader
from releases.ledger.services import event_write
from releases.policies.flow import FlowPolicy
from releases.policies.names import matches
from releases.projects.models import Project, Ref, Release
from releases.projects.services.mirrors import mirror_folder

from .errors import PostMortemError
from .models import ActionItem, PostMortem
from .opening import evidence_of, subject_of
from .writing import topic_of

TRAILER = re.compile(r"^Action:[ \t]*(PM-(\d{1,9})-(\d{1,4}))[ \t]*$", re.MULTILINE | re.IGNORECASE)
REVERT = re.compile(r"^This reverts commit ([0-9a-f]{40,64})\b", re.MULTILINE)
MOST_COMMITS = 5_000
"""Of production, from the newest on, that mention an action or a revert."""
HEADS = "refs/heads/"


def action_add(
    postmortem: PostMortem, title: str, kind: str, *, owner: Any = None, due_on: date | None = None, link: str = "",
    actor: Any = None,
) -> ActionItem:  # fmt: skip
    """Add one. Raises PostMortemError (field: title, kind, link)."""
    said = _title(title)
    if kind not in ActionItem.Kind.values:
        raise PostMortemError("kind", "Choose what it does: prevent, detect, mitigate, or change how we work.")
    _link(link)

    def make(number: int) -> ActionItem:
        item = ActionItem.objects.create(
            postmortem=postmortem, number=number, kind=kind, title=said, owner=owner, due_on=due_on, link=link
        )
        _tell(item, "action.added", actor, new=item.title, why=f"{item.key}: {item.title}.")
        return item

    return numbered(postmortem.actions, make)


def action_edit(item: ActionItem, actor: Any = None, **changes: Any) -> ActionItem:
    """Change title, kind, owner, due_on or link. Raises PostMortemError."""
    unknown = set(changes) - {"title", "kind", "owner", "due_on", "link"}
    if unknown:
        raise TypeError(f"not editable: {', '.join(sorted(unknown))}")
    if "title" in changes:
        changes["title"] = _title(changes["title"])
    _link(changes.get("link", ""))
    with transaction.atomic():
        row = ActionItem.objects.select_for_update().get(pk=item.pk)
        told = [name for name, value in changes.items() if getattr(row, name) != value]
        for name, value in changes.items():
            setattr(row, name, value)
        if told:
            row.save(update_fields=list(changes))
            _tell(row, "action.changed", actor, why=f"{row.key}: changed {', '.join(told).replace('_', ' ')}.")
    return row


def action_set(item: ActionItem, state: str, why: str, actor: Any = None) -> ActionItem:
    """A person says that it is done, is open after all, or is dropped, with a reason. Raises PostMortemError."""
    reason = why.strip()
    target = ActionItem.State(state)
    if not reason:
        raise PostMortemError("why", "Say why, for those who read it later.")
    with transaction.atomic():
        row = ActionItem.objects.select_for_update().get(pk=item.pk)
        if row.state == target:
            return row
        old, row.state, row.why = row.state, target, reason[:2000]
        row.done_at = timezone.now() if target == ActionItem.State.DONE else None
        row.done_by = ""
        row.save(update_fields=["state", "why", "done_at", "done_by"])
        kind = {"open": "action.reopened", "done": "action.done", "dropped": "action.dropped"}[target.value]
        _tell(row, kind, actor, old=old, new=target.value, why=reason)
    return row


def action_trailer(item: ActionItem) -> str:
    """The line in a commit's message that closes it."""
    return f"Action: {item.key}"


@dataclass(frozen=True, slots=True)
class Named:
    """Commits in production that speak of actions."""

    closes: dict[str, list[str]]
    """By action, in small letters: commits whose trailer names it, newest first."""
    undone: dict[str, str]
    """Commits that were taken back, with what took them back, in force now."""


def projects_with_actions() -> Iterable[Project]:
    """Projects in which a commit could change an action."""
    live_items = ActionItem.objects.exclude(state=ActionItem.State.DROPPED)
    return Project.objects.filter(pk__in=live_items.values("postmortem__project")).order_by("pk")


def actions_stamp(project: Project) -> str:
    """Another one when production's commits or the actions are others: while it is the same, git need not be asked."""
    items = ActionItem.objects.filter(postmortem__project=project).order_by("pk").values_list("pk", "number", "state")
    seen = repr((production_tips(project), list(items)))
    return hashlib.sha256(seen.encode()).hexdigest()


def actions_observe(project: Project) -> int:
    """Bring the actions of a project in line with production's commits; returns how many changed.

    Nothing changes while git cannot be asked.
    """
    items = list(
        ActionItem.objects.filter(postmortem__project=project)
        .exclude(state=ActionItem.State.DROPPED)
        .select_related("postmortem")
    )
    if not items:
        return 0
    named = actions_named(mirror_folder(project), production_tips(project))
    return sum(_observe(item, named) for item in items) if named is not None else 0


def production_tips(project: Project) -> list[str]:
    """The commits that production stands at."""
    policy = FlowPolicy.from_data(project.policy)
    refs = Ref.objects.filter(project=project, deleted_at=None, name__startswith=HEADS).exclude(commit="")
    tips = {ref.commit for ref in refs if matches(ref.name.removeprefix(HEADS), policy.production)}
    newest = Release.objects.filter(project=project, on_production=True, deleted_at=None).order_by("-sort_key").first()
    return sorted(tips | ({newest.commit} if newest else set()))


def actions_named(git_dir: Path, tips: Sequence[str]) -> Named | None:
    """What the commits that these tips contain say; None when git cannot tell."""
    if not tips:
        return Named({}, {})
    options = ("--topo-order", "--grep=^Action:", "--grep=^This reverts commit", "-i", f"--max-count={MOST_COMMITS}")
    try:
        shas = list(walk(git_dir, list(tips), *options))
        with Reader(git_dir) as reader:
            messages = [(sha, reader.commit(sha).text) for sha in shas]
    except GitError:
        return None
    return _named(messages)


def _named(messages: Iterable[tuple[str, str]]) -> Named:
    """From commits and their messages, newest first. A revert that was itself reverted counts for nothing."""
    closes: dict[str, list[str]] = {}
    undone: dict[str, str] = {}
    for sha, message in messages:
        taken_back = sha in undone
        for match in REVERT.finditer(message):
            if not taken_back:
                undone.setdefault(match[1], sha)
        if REVERT.search(message):
            # Its message repeats the subject of what it takes back; trailers in it are not a promise of its own.
            continue
        for match in TRAILER.finditer(message):
            closes.setdefault(match[1].casefold(), []).append(sha)
    return Named(closes, undone)


def _observe(item: ActionItem, named: Named) -> bool:
    commits = named.closes.get(item.key.casefold(), [])
    standing = next((sha for sha in commits if sha not in named.undone), "")
    if standing and item.state == ActionItem.State.OPEN:
        return _settle(item, ActionItem.State.DONE, done=standing)
    if item.state == ActionItem.State.DONE and item.done_by and not standing:
        return _settle(item, ActionItem.State.OPEN, undone=named.undone.get(item.done_by, ""))
    return False


def _settle(item: ActionItem, state: str, *, done: str = "", undone: str = "") -> bool:
    """Written only while the row is as it was read: a person's word of the same moment is not overwritten."""
    with transaction.atomic():
        mine = ActionItem.objects.filter(pk=item.pk, state=item.state, done_by=item.done_by)
        changed = mine.update(
            state=state, done_by=done, undone_by=undone, done_at=timezone.now() if done else None, why=""
        )
        if not changed:
            return False
        if done:
            _tell(item, "action.done", None, new=done, why=f"{item.key} is in production: {done[:9]} names it.")
        else:
            by = f"{undone[:9]} took it back" if undone else "its commit is not in production any more"
            _tell(item, "action.reopened", None, old=item.done_by, new=undone, why=f"{item.key} is open again: {by}.")
    return True


def overdue(now: datetime) -> QuerySet[ActionItem]:
    """Open ones whose day is over."""
    today = timezone.localdate(now)
    return ActionItem.objects.filter(
        state=ActionItem.State.OPEN, due_on__lt=today, postmortem__drill=None
    ).select_related("postmortem__project", "owner")


def _tell(item: ActionItem, kind: str, actor: Any, *, old: str = "", new: str = "", why: str = "") -> None:
    event_write(
        kind, project_id=item.postmortem.project_id, actor=actor, actor_name="" if actor else "git",
        subject=subject_of(item.postmortem), target=item.key, old=old, new=new, why=why,
        evidence=evidence_of(item.postmortem) | {"action": item.key},
    )  # fmt: skip
    live.publish(topic_of(item.postmortem), live.project_topic(item.postmortem.project_id), live.OVERVIEW)


def _title(text: str) -> str:
    said = " ".join(text.split())
    if not said or len(said) > 200:
        raise PostMortemError("title", "Say in one line what is done, in at most 200 characters.")
    return said


def _link(link: str) -> None:
    if link and not link.startswith(("https://", "http://")):
        raise PostMortemError("link", "A link begins with https://.")
