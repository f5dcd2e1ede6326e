"""`manage.py project`: add, list, show, set up and remove tracked repositories without the web."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from releases.deploys.applying import project_apply, project_export
from releases.deploys.settings_services import SettingsRefused
from releases.git.errors import GitError, InvalidValue
from releases.management.reporting import ERROR
from releases.policies.flow import PRESETS, FlowPolicy, Preset
from releases.policies.flow_checks import policy_faults
from releases.policies.guess import fitted
from releases.policies.wording import harmless
from releases.projects.in_production import release_in_production
from releases.projects.models import Project
from releases.projects.selectors import branch_names, tag_names
from releases.projects.services import (
    ProjectError,
    hook_secret,
    hook_secret_renew,
    project_add,
    project_delete,
    project_update,
    signing_key_make,
    signing_key_remove,
    signing_key_set,
)
from releases.projects.signatures import allowed_signers, signing_key
from releases.tasks import fetch_nudge


class Command(BaseCommand):
    """add, list, policy, hook, signing-key, remove."""

    help = "Add, list, change and remove tracked repositories."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        add = actions.add_parser("add", help="Track a repository.")
        add.add_argument("url", metavar="URL", help="https or ssh address, or any local path.")
        add.add_argument("--name", required=True, metavar="N")
        self._policy_option(add, "guessed at the first fetch when left out")
        add.add_argument("--every", type=int, default=60, metavar="SECONDS", help="Time between two polls (60).")
        add.add_argument("--visibility", choices=Project.Visibility.values, default=Project.Visibility.MEMBERS)
        actions.add_parser("list", help="Every project with its state.")
        policy = actions.add_parser("policy", help="Show a project's flow policy, or set another.")
        policy.add_argument("name", metavar="N")
        self._policy_option(policy, "shown when left out")
        hook = actions.add_parser("hook", help="Show what a webhook needs: its address and its secret.")
        hook.add_argument("name", metavar="N")
        hook.add_argument("--renew", action="store_true", help="Make a new secret; the old one is refused then.")
        signing = actions.add_parser(
            "signing-key", help="Show the key that signs tags, for git to know it; or set one."
        )
        signing.add_argument("name", metavar="N")
        which = signing.add_mutually_exclusive_group()
        which.add_argument("--make", action="store_true", help="Make a new Ed25519 key; its private half stays here.")
        which.add_argument("--file", metavar="PATH", help="Use the private key in this file; - reads standard input.")
        which.add_argument("--remove", action="store_true", help="Sign no more tags, and erase the private key.")
        export = actions.add_parser("export", help="How it is shipped, as TOML; of secrets only the names.")
        export.add_argument("name", metavar="N")
        apply = actions.add_parser("apply", help="Ship it as a TOML file says: all of it, or nothing.")
        apply.add_argument("name", metavar="N")
        apply.add_argument("file", metavar="FILE", help="As `export` writes it; - for standard input.")
        apply.add_argument("--dry-run", action="store_true", help="Say what would change, and change nothing.")
        apply.add_argument("--note", default="", metavar="TEXT", help="Kept with the new version of the pipeline.")
        apply.add_argument("--exit-code", action="store_true", help="1 when something changed, or would.")
        apply.add_argument("--format", choices=("text", "json"), default="text", help="How it answers (text).")
        remove = actions.add_parser("remove", help="Stop tracking; removes everything recorded about it.")
        remove.add_argument("name", metavar="N")
        remove.add_argument("--yes", action="store_true", help="Do not ask.")

    @staticmethod
    def _policy_option(parser: CommandParser, otherwise: str) -> None:
        names = ", ".join(preset.value for preset in Preset)
        parser.add_argument(
            "--policy", metavar="P", help=f"{names}, or a JSON file with a flow policy; {otherwise}."
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['action'].replace('-', '_')}")(options)
        except ProjectError as error:
            raise CommandError(f"{error.field}: {error}") from error
        except GitError as error:
            raise CommandError(error.sentence) from error

    def _add(self, options: dict[str, Any]) -> None:
        if options["every"] < 5:
            raise CommandError("A project is looked at every 5 seconds at most.")
        project, run = project_add(
            options["name"],
            options["url"],
            policy=read_policy(options["policy"]) if options["policy"] else None,
            operator=True,
            visibility=options["visibility"],
            fetch_every=options["every"],
        )
        self.stdout.write(f"{project.name} is tracked from {project.remote_url}, as {project.slug}.")
        if not fetch_nudge(run.pk):
            self.stdout.write(f"No broker is running. Look now with: manage.py fetch {project.slug} --wait")

    def _list(self, options: dict[str, Any]) -> None:
        rows = Project.objects.real().select_related("production_release")
        for project in rows:
            release = release_in_production(project)
            live = release.tag if release else "no release"
            state = project.error_text or (
                f"fetched {project.fetched_at:%Y-%m-%d %H:%M} UTC" if project.fetched_at else "not fetched yet"
            )
            self.stdout.write(f"{project.slug}\t{live}\t{project.remote_url}\t{state}")
        if not rows:
            self.stdout.write("No project yet. Add one with: manage.py project add URL --name N")

    def _policy(self, options: dict[str, Any]) -> None:
        project = find_project(options["name"])
        if options["policy"]:
            policy = FlowPolicy.from_data(read_policy(options["policy"]))
            found = fitted(policy, branch_names(project), tag_names(project))
            project_update(project, policy=(found.policy if found else policy).as_data())
            self.stdout.write(f"{project.name} has another flow policy; it is judged anew at the next fetch.")
        else:
            self.stdout.write(json.dumps(FlowPolicy.from_data(project.policy).as_data(), indent=2))

    def _hook(self, options: dict[str, Any]) -> None:
        project = find_project(options["name"])
        secret = hook_secret_renew(project) if options["renew"] else hook_secret(project)
        self.stdout.write(
            f"POST /hooks/{project.slug}\nX-Hub-Signature-256: sha256=<HMAC of the body>\nsecret: {secret}"
        )

    def _signing_key(self, options: dict[str, Any]) -> None:
        project = find_project(options["name"])
        if options["make"]:
            signing_key_make(project)
        elif options["file"]:
            try:
                signing_key_set(project, read_secret(options["file"]))
            except InvalidValue as problem:
                raise CommandError(str(problem)) from None
        elif options["remove"] and not signing_key_remove(project):
            raise CommandError(f"{project.name} has no signing key.")
        key = signing_key(project)
        if key is None:
            self.stdout.write(f"Tags of {project.name} are not signed.")
        else:
            self.stdout.write(f"Tags of {project.name} are signed with {key.fingerprint}.")
        if lines := allowed_signers(project):
            self.stdout.write(f"For the file that gpg.ssh.allowedSignersFile names:\n{lines.rstrip()}")

    def _export(self, options: dict[str, Any]) -> None:
        self.stdout.write(project_export(find_project(options["name"])), ending="")

    def _apply(self, options: dict[str, Any]) -> None:
        project = find_project(options["name"])
        as_json = options["format"] == "json"
        try:
            told = project_apply(project, _text_of(options["file"]), note=options["note"], dry_run=options["dry_run"])
        except SettingsRefused as refusal:
            if not as_json:
                raise CommandError("\n".join(map(harmless, refusal.problems)), returncode=ERROR) from None
            fault = {"code": "refused", "message": str(refusal), "problems": refusal.problems}
            self.stdout.write(json.dumps({"error": fault}, indent=2))
            sys.exit(ERROR)
        if as_json:
            answer = {"applied": not options["dry_run"], "changes": told.changes, "missing": told.missing}
            self.stdout.write(json.dumps(answer, indent=2))
        else:
            for said in told.changes or ("Nothing is to be changed.",):
                self.stdout.write(harmless(said))
            for said in told.missing:
                self.stderr.write(harmless(f"Missing: {said}"))
            if told.changes and options["dry_run"]:
                self.stderr.write("Nothing was changed: this was a dry run.")
        if options["exit_code"] and told.changes:
            sys.exit(1)

    def _remove(self, options: dict[str, Any]) -> None:
        project = find_project(options["name"])
        if not options["yes"]:
            answer = input(f"Remove {project.name} with all its verdicts and history? Type its name: ")
            if answer.strip() != project.name:
                raise CommandError("Nothing was removed.")
        project_delete(project)
        self.stdout.write(f"{project.name} is no longer tracked.")


def find_project(name: str) -> Project:
    """The project of this slug or name. Raises `CommandError`."""
    project = Project.objects.filter(slug=name).first() or Project.objects.filter(name=name).first()
    if project is None:
        known = ", ".join(Project.objects.real().values_list("slug", flat=True)[:20]) or "none yet"
        raise CommandError(f"There is no project called {name}. Tracked: {known}.")
    return project


def read_secret(path: str) -> str:
    """What a file, or standard input for `-`, holds. Raises `CommandError`; no secret is ever an argument."""
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text("utf-8")
    except (OSError, UnicodeError) as problem:
        raise CommandError(f"{path} cannot be read: {getattr(problem, 'strerror', None) or 'it is no text'}.") from None


def _text_of(name: str) -> str:
    """What a file, or standard input, holds. Raises `CommandError`."""
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{name} cannot be read as text: {error}.", returncode=ERROR) from None


def read_policy(text: str) -> dict[str, Any]:
    """A preset's name, or the name of a JSON file, as policy data. Raises `CommandError`."""
    if text in list(Preset):
        return PRESETS[Preset(text)].as_data()
    try:
        data = json.loads(Path(text).read_text("utf-8"))
        if not isinstance(data, dict):
            raise ValueError("it is not an object")
        policy = FlowPolicy.from_data(data)
        faults = [f"{name}: {said}" for name, said in policy_faults(policy).items()]
        if faults:
            raise ValueError(" ".join(faults).removesuffix("."))
        return policy.as_data()
    except OSError:
        names = ", ".join(preset.value for preset in Preset)
        raise CommandError(f"{text} is neither a preset ({names}) nor a file that can be read.") from None
    except (ValueError, TypeError) as error:
        raise CommandError(f"{text} is not a flow policy: {error}.") from None
