"""Projects are added, changed and removed here, with their credential and the people who may see them."""

from __future__ import annotations

import re
import secrets
import unicodedata
from functools import partial
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from releases.git.remotes import RemotePolicy, split_remote
from releases.ledger.services import event_write

from ..models import Credential, FetchRun, Project, ProjectAccess
from ..secrets import decrypt, encrypt
from .fetches import fetch_request
from .mirrors import drill_policy, facts_file, mirror_folder, mirror_remove

CHANGEABLE = ("name", "policy", "visibility", "fetch_every", "remote_url", "operator_path")
_SLUG = 80


class ProjectError(Exception):
    """What was asked for cannot be; `field` is the part of the form it is about, the text a sentence for people."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def remote_policy(*, operator: bool = False) -> RemotePolicy:
    """What this installation allows as a remote; `operator` is the command line, which may name any local path."""
    return RemotePolicy(
        roots=tuple(settings.GIT_ALLOWED_ROOTS),
        private_hosts=tuple(settings.GIT_ALLOW_PRIVATE_HOSTS),
        operator=operator,
    )


def project_add(
    name: str,
    url: str,
    *,
    policy: dict[str, Any] | None = None,
    actor: Any = None,
    operator: bool = False,
    visibility: str = Project.Visibility.MEMBERS,
    fetch_every: int = 60,
    drill_of: Project | None = None,
) -> tuple[Project, FetchRun]:
    """Track a repository; its first fetch is queued (the caller nudges). Raises `ProjectError` and `GitError`.

    `policy` is a `FlowPolicy` as data; without one it is guessed from the branches and tags at the first fetch.
    `operator`: added at the command line, where any local path is allowed. `drill_of`: it is a drill's throw-away copy
    of that project; only a folder of drills can be its remote.
    """
    name = " ".join(name.split())
    url = _checked_url(url, operator=operator, drill=drill_of is not None)
    with transaction.atomic():
        project = Project(
            name=name,
            slug=_free_slug(name),
            remote_url=url,
            operator_path=operator and drill_of is None and split_remote(url).protocol == "file",
            policy=policy or {},
            drill_of=drill_of,
            visibility=visibility,
            fetch_every=fetch_every,
            hook_secret=encrypt(secrets.token_urlsafe(32)),
        )
        _validate(project)
        project.save()
        if actor is not None and drill_of is None and not getattr(actor, "all_projects", False):
            ProjectAccess.objects.get_or_create(project=project, user=actor)
        event_write(
            "project.added", project_id=project.pk, actor=actor, actor_name="" if actor else "operator",
            subject=f"project:{project.slug}", new=url, why=f"{name} is tracked from {url}.",
        )  # fmt: skip
        return project, fetch_request(project, "first", actor)


def _checked_url(url: str, *, operator: bool, drill: bool = False) -> str:
    """The address to keep: a local path is kept resolved, anything else as typed."""
    policy = drill_policy() if drill else remote_policy(operator=operator)
    checked = policy.check(url)
    return checked.url if checked.protocol == "file" else url.strip()


def _validate(project: Project) -> None:
    try:
        project.full_clean(exclude=["policy"])
    except ValidationError as error:
        field, problems = next(iter(error.message_dict.items()))
        raise ProjectError(field, problems[0]) from None


def _free_slug(name: str) -> str:
    """The name in lower-case letters, digits, dots and dashes, with a number when another project has that."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9._]+", "-", plain).strip("-._")[: _SLUG - 5] or "project"
    taken = set(Project.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    return next(slug for slug in (base, *(f"{base}-{n}" for n in range(2, 10_000))) if slug not in taken)


def project_update(project: Project, actor: Any = None, *, operator: bool = False, **changes: Any) -> Project:
    """Change name, policy, visibility, rhythm or address; what changed is one ledger row. Raises like `project_add`.

    Another policy or address leaves the verdicts in need of judging, so a fetch is queued.
    """
    unknown = set(changes) - set(CHANGEABLE)
    if unknown:
        raise TypeError(f"cannot change {', '.join(sorted(unknown))}")
    if "remote_url" in changes and changes["remote_url"] != project.remote_url:
        _must_be_real(project, "remote_url")
        changes["remote_url"] = _checked_url(changes["remote_url"], operator=operator)
        changes["operator_path"] = operator and split_remote(changes["remote_url"]).protocol == "file"
    with transaction.atomic():
        project = Project.objects.select_for_update().get(pk=project.pk)
        old = {name: getattr(project, name) for name in changes}
        different = {name: value for name, value in changes.items() if value != old[name]}
        if not different:
            return project
        for name, value in different.items():
            setattr(project, name, value)
        _validate(project)
        project.save(update_fields=list(different))
        event_write(
            "project.changed", project_id=project.pk, actor=actor, actor_name="" if actor else "operator",
            subject=f"project:{project.slug}", why=f"Changed: {', '.join(sorted(different))}.",
            evidence={"old": {name: old[name] for name in different}, "new": different},
        )  # fmt: skip
        if {"policy", "remote_url"} & set(different):
            fetch_request(project, "person", actor)
    return project


def project_delete(project: Project, actor: Any = None) -> None:
    """Stop tracking; everything that was recorded about it goes, the mirror on this machine and drills included."""
    with transaction.atomic():
        event_write(
            "project.removed", actor=actor, actor_name="" if actor else "operator",
            subject=f"project:{project.slug}", old=project.remote_url, why=f"{project.name} is no longer tracked.",
        )  # fmt: skip
        gone = [(mirror_folder(row), facts_file(row)) for row in (*project.copies.all(), project)]
        project.delete()
        for folder, facts in gone:
            transaction.on_commit(partial(mirror_remove, folder, facts))


def hook_secret(project: Project) -> str:
    """The secret that signs this project's webhook, in the clear. Raises `SecretUnreadable`."""
    return decrypt(project.hook_secret) if project.hook_secret else ""


def hook_secret_renew(project: Project, actor: Any = None) -> str:
    """Make a new webhook secret; the old one is refused from now on."""
    fresh = secrets.token_urlsafe(32)
    with transaction.atomic():
        Project.objects.filter(pk=project.pk).update(hook_secret=encrypt(fresh))
        event_write("hook.renewed", project_id=project.pk, actor=actor, why="The webhook has a new secret.")
    return fresh


def credential_set(
    project: Project, kind: str, secret: str, *, username: str = "", known_hosts: str = "", actor: Any = None
) -> Credential:
    """Keep a token or an SSH key, encrypted, and queue a fetch that tries it. The ledger never has the value.

    Raises `ProjectError` for a drill's copy, which is let in nowhere.
    """
    _must_be_real(project, "secret")
    with transaction.atomic():
        credential, _created = Credential.objects.update_or_create(
            project=project,
            defaults={
                "kind": kind,
                "username": username,
                "secret": encrypt(secret),
                "known_hosts": known_hosts,
            },
        )
        event_write("credential.set", project_id=project.pk, actor=actor, new=kind, why="The credential was set.")
        fetch_request(project, "person", actor)
    return credential


def _must_be_real(project: Project, field: str) -> None:
    if project.is_drill:
        raise ProjectError(field, "This is a drill's throw-away copy: it reaches no other repository than its own.")


def credential_remove(project: Project, actor: Any = None) -> bool:
    """Forget the credential; False when there was none."""
    with transaction.atomic():
        removed, _by_model = Credential.objects.filter(project=project).delete()
        if removed:
            event_write("credential.removed", project_id=project.pk, actor=actor, why="The credential was removed.")
    return bool(removed)


def access_grant(project: Project, user: Any, actor: Any = None) -> bool:
    """Let somebody see the project; False when they may already."""
    with transaction.atomic():
        try:
            with transaction.atomic():
                ProjectAccess.objects.create(project=project, user=user)
        except IntegrityError:
            return False
        why = f"{user.get_username()} may see this project."
        event_write("access.granted", project_id=project.pk, actor=actor, new=user.get_username(), why=why)
    return True


def access_revoke(project: Project, user: Any, actor: Any = None) -> bool:
    """Take the access away; False when there was none."""
    with transaction.atomic():
        removed, _by_model = ProjectAccess.objects.filter(project=project, user=user).delete()
        if removed:
            why = f"{user.get_username()} may no longer see this project."
            event_write("access.revoked", project_id=project.pk, actor=actor, old=user.get_username(), why=why)
    return bool(removed)
