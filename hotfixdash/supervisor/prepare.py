"""What must be there before the first page: tables, static files, log-ins, something to look at."""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from hotfixdash.accounts.demo import demo_accounts_create, logins_shown
from hotfixdash.accounts.models import User
from releases.demo.others import public_pages

from .console import Console


def pending_migrations() -> int:
    """How many migrations the database still lacks."""
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def prepare_database(console: Console) -> None:
    """Bring the tables up to date."""
    if pending_migrations():
        console.say("Preparing the database …")
        call_command("migrate", interactive=False, verbosity=0)


def _static_fingerprint() -> str:
    digest = hashlib.sha256(str(settings.STORAGES["staticfiles"]).encode())
    for finder in get_finders():
        for path, storage in finder.list([]):
            found = Path(storage.path(path)).stat()
            digest.update(f"{path}\0{found.st_mtime_ns}\0{found.st_size}\n".encode())
    return digest.hexdigest()


def prepare_static() -> None:
    """Copy and compress the static files when any has changed since the last time."""
    if settings.DEBUG:
        return
    stamp = Path(settings.STATIC_ROOT) / ".collected"
    now = _static_fingerprint()
    if stamp.exists() and stamp.read_text() == now:
        return
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(now)


def has_projects() -> bool:
    """Whether anything is tracked."""
    return bool(apps.get_model("releases", "Project").objects.exists())


def prepare_demo(console: Console) -> None:
    """On a database with nothing in it: the demo project and its log-ins."""
    if has_projects() or User.objects.exists():
        return
    console.say("Building the demo: small repositories with a fix for every verdict …")
    call_command("demo", verbosity=0)


def project_name(repository: str) -> str:
    """What a repository is called here: the last part of its path, without `.git`."""
    return repository.rstrip("/").rpartition("/")[2].rpartition(":")[2].removesuffix(".git") or "repository"


def prepare_project(repository: str) -> FirstLook:
    """Track `repository` unless it is tracked already. Raises `CommandError` with a sentence when it cannot be."""
    path = Path(repository).expanduser()
    remote = str(path.resolve()) if path.exists() else repository.strip()
    if not User.objects.exists() and settings.DEMO_LOGINS_ALLOWED:
        demo_accounts_create()
    projects = apps.get_model("releases", "Project").objects
    # A local path may be kept otherwise than it was typed: as `file://…`, or through a link.
    kept = remote.removeprefix("file://")
    known = {remote, kept, str(Path(kept).resolve())}
    if not projects.filter(remote_url__in=known).exists():
        name = _free_name(project_name(remote))
        call_command("project", "add", remote, "--name", name)
        known.update(projects.filter(name=name).values_list("remote_url", flat=True))
    return FirstLook(projects.filter(remote_url__in=known).latest("pk").pk)


class FirstLook:
    """Waits for the first fetch of a project, to say which flow policy was guessed, or what went wrong."""

    def __init__(self, pk: int) -> None:
        self.pk = pk

    def __call__(self, address: str) -> str:
        """What to say about it; empty while there is nothing to say yet."""
        project = apps.get_model("releases", "Project").objects.filter(pk=self.pk).first()
        if project is None:
            return f"Project {self.pk} is gone."
        if project.error_text and not project.fetched_at:
            return f"{project.name}: {project.error_text} It is tried again by itself."
        if not project.judged_at:
            return ""
        guessed = apps.get_model("releases", "Event").objects.filter(project_id=self.pk, kind="policy.guessed").last()
        owed = project.verdicts.filter(owed=True).values("fix").distinct().count()
        lines = [
            f"{project.name}: {owed} owed. {guessed.why if guessed else ''}".rstrip(),
            f"  production: {', '.join(project.policy.get('production', []))}",
            f"  must have every fix: {', '.join(project.policy.get('targets', []))}",
            f"  Change this at {address}/projects/{project.slug}/settings/",
        ]
        return "\n".join(lines)


def _free_name(wanted: str) -> str:
    taken = set(apps.get_model("releases", "Project").objects.values_list("name", flat=True))
    return next(name for name in (wanted, *(f"{wanted}-{n}" for n in range(2, 1000))) if name not in taken)


def greeting(address: str) -> str:
    """What is printed once everything answers."""
    lines = ["", f"Hotfixdash is ready: {address}"]
    lines += [f"{label}, for everybody: {address}{path}" for label, path in public_pages()]
    logins = logins_shown()
    if logins:
        lines += ["", "Sign in as            password"]
        lines += [f"  {login.username:<20}{login.password:<18}{login.role.label.lower()}" for login in logins]
    elif not User.objects.filter(is_active=True, is_demo=False).exists():
        lines += ["", "Nobody can sign in yet. Make an account:"]
        # Typed in another terminal, the command must find this database.
        where = (
            "" if settings.DATA_DIR == settings.BASE_DIR / "var" else f"DATA_DIR={shlex.quote(str(settings.DATA_DIR))} "
        )
        lines += [f"  {where}.venv/bin/python manage.py account create NAME --role administrator"]
    return "\n".join([*lines, "", "Ctrl-C stops it.", ""])
