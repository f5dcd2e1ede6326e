"""`manage.py rollback`: bring back what ran well in an environment before."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from hotfixdash.accounts.roles import Act
from releases.deploys.models import Environment, Run
from releases.management.shipping import Missing, ShippingCommand, environment_called, person_called, project_called
from releases.tasks.deploys import rollback_ask, run_nudge


class Command(ShippingCommand):
    help = "Take back what runs in an environment, ahead of the queue; what ran there well before is deployed again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", metavar="PROJECT", help="The project's name.")
        parser.add_argument("--env", required=True, metavar="E", help="Where.")
        parser.add_argument("--why", required=True, metavar="TEXT", help="What is wrong with what runs there now.")
        parser.add_argument("--to", metavar="TAG", help="An earlier release; by itself the last one that was verified.")
        parser.add_argument(
            "--anew",
            action="store_true",
            help="Build it first when its artifact is kept no longer; it must be the same.",
        )
        parser.add_argument("--by", metavar="NAME", help="Who asks; left out, it is the operator.")
        self.add_answer(parser)

    def act(self, options: dict[str, Any]) -> int:
        project = project_called(options["project"])
        environment = environment_called(project, options["env"])
        actor = person_called(options["by"], project, Act.DEPLOY)
        to = _earlier(environment, options["to"]) if options["to"] else None
        run = rollback_ask(environment, actor=actor, why=options["why"], to=to, trigger="command", anew=options["anew"])
        nudged = run_nudge(run.pk) if options["wait"] else True
        return self.finish(options, run, environment, nudged)


def _earlier(environment: Environment, tag: str) -> Run:
    """The last run that brought this release live there. Raises `Missing`."""
    runs = Run.objects.filter(environment=environment, live_at__isnull=False).order_by("-live_at")
    run = runs.filter(tag=tag).select_related("build", "release", "project").first()
    if run is None:
        known = ", ".join(dict.fromkeys(runs.values_list("tag", flat=True)[:20])) or "nothing yet"
        raise Missing("nothing-before", f"{tag} has never run in {environment.name}.", f"What did: {known}.")
    return run
