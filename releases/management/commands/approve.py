"""`manage.py approve`: somebody's yes or no to a deployment that waits for approval, bound to what is shown here."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import CommandParser

from hotfixdash.accounts.roles import Act
from releases.deploys.approving import approve, reject
from releases.deploys.binding import binding_of
from releases.deploys.errors import DeployRefused
from releases.deploys.models import Environment, Run
from releases.deploys.voices import quorum
from releases.management.shipping import (
    Missing,
    ShippingCommand,
    called,
    environment_called,
    person_called,
    project_called,
)
from releases.policies.wording import harmless
from releases.tasks.deploys import run_changed


class Command(ShippingCommand):
    help = "Approve a deployment that waits for it, or reject it, in the name of somebody who may."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", metavar="PROJECT", help="The project's name.")
        parser.add_argument("tag", metavar="TAG", help="The release that waits.")
        parser.add_argument("--env", required=True, metavar="E", help="Where it would go.")
        parser.add_argument("--by", required=True, metavar="NAME", help="Whose word it is; the rules for them hold.")
        parser.add_argument("--comment", default="", metavar="TEXT", help="Needed to reject.")
        parser.add_argument("--reject", action="store_true", help="Say no.")
        parser.add_argument("--commit", metavar="SHA", help="Only if it is this commit; the whole id.")
        parser.add_argument("--digest", metavar="D", help="Only if the artifact has this digest.")
        parser.add_argument("--yes", action="store_true", help="Do not ask.")
        self.add_answer(parser, waits=False)

    def act(self, options: dict[str, Any]) -> int:
        project = project_called(options["project"])
        environment = environment_called(project, options["env"])
        person = person_called(options["by"], project, Act.APPROVE)
        run = _waiting(environment, options["tag"])
        shown = binding_of(run)
        for name in ("commit", "digest"):
            if options[name] and options[name] != shown[name]:
                raise DeployRefused("stale", f"The {name} is {shown[name] or 'not known'}, not {options[name]}.")
        if not options["yes"] and not self._asked(run, shown, options):
            return self.fail(options, "interrupted", "Nothing was said.", "")
        if options["reject"]:
            run = reject(run, person, options["comment"], binding=shown)
        else:
            run = approve(run, person, options["comment"], binding=shown)
        run_changed(run)
        self.answer(options, run, self._says(run, person.get_username()))
        return 0

    def _asked(self, run: Run, shown: dict[str, Any], options: dict[str, Any]) -> bool:
        """Show what the word would be about, and have the tag typed."""
        for name, value in shown.items():
            sys.stderr.write(f"{name}: {harmless(str(value))}\n")
        verb = "Reject" if options["reject"] else "Approve"
        sys.stderr.write(f"{verb} this? Type its tag: ")
        sys.stderr.flush()
        return sys.stdin.readline().strip() == run.tag

    def _says(self, run: Run, name: str) -> str:
        if run.state == Run.State.REJECTED:
            return f"{called(run)} is rejected by {name}."
        voices = quorum(run)
        if run.state != Run.State.ASKED:
            return f"{called(run)} is approved: {run.get_state_display().lower()}."
        return f"{called(run)}: {len(voices.given)} of {voices.needed} approvals, {name}'s among them."


def _waiting(environment: Environment, tag: str) -> Run:
    """The request that waits for approval. Raises `Missing`."""
    waiting = Run.objects.filter(environment=environment, state=Run.State.ASKED).order_by("pk")
    run = waiting.filter(tag=tag).select_related("project", "environment", "pipeline", "build", "release").first()
    if run is None:
        known = ", ".join(waiting.values_list("tag", flat=True)) or "nothing"
        raise Missing(
            "not-waiting", f"{tag} does not wait for approval for {environment.name}.", f"What does: {known}."
        )
    return run
