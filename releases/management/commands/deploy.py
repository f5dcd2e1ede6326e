"""`manage.py deploy`: bring a release to an environment, building it first when nobody has."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from hotfixdash.accounts.roles import Act
from releases.deploys.spec import LANES
from releases.management.shipping import (
    ShippingCommand,
    environment_called,
    person_called,
    project_called,
    release_called,
)
from releases.tasks.deploys import deploy_ask, run_nudge


class Command(ShippingCommand):
    help = "Ask for a deployment of a release; with --wait, see it through (also without a running worker)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", metavar="PROJECT", help="The project's name.")
        parser.add_argument("tag", metavar="TAG", help="The release.")
        parser.add_argument("--env", required=True, metavar="E", help="Where it goes.")
        parser.add_argument(
            "--lane", choices=LANES, default="", help="By itself a release that carries a fix is a hotfix."
        )
        parser.add_argument("--why", default="", metavar="TEXT", help="Needed for a release that was taken back.")
        parser.add_argument("--by", metavar="NAME", help="Who asks; left out, it is the operator.")
        self.add_answer(parser)

    def act(self, options: dict[str, Any]) -> int:
        project = project_called(options["project"])
        environment = environment_called(project, options["env"])
        release = release_called(project, options["tag"])
        actor = person_called(options["by"], project, Act.SHIP)
        run, _made = deploy_ask(
            environment, release, lane=options["lane"], trigger="command", actor=actor, why=options["why"]
        )
        nudged = run_nudge(run.pk) if options["wait"] and run.state == run.State.QUEUED else True
        return self.finish(options, run, environment, nudged)
