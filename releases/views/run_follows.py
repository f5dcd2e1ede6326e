"""What follows when a build ends well: the places that wait for it."""

from __future__ import annotations

from releases.deploys.models import Environment, Run

from . import words


def follows(run: Run) -> list[str]:
    """In sentences, while it is not over; of most builds nothing, and then without a query."""
    if run.is_over or not run.then:
        return []
    places = Environment.objects.filter(pk__in=[wish["environment"] for wish in run.then])
    names = dict(places.values_list("pk", "name"))
    return [_says(run, wish, names[wish["environment"]]) for wish in run.then if wish["environment"] in names]


def _says(run: Run, wish: dict[str, object], where: str) -> str:
    tag = words.visible(run.tag)
    why = f" The reason given: {words.visible(wish['why'])}" if wish.get("why") else ""
    if wish.get("back_to"):
        return f"{where} goes back to {tag} when exactly the artifact comes out that ran there before.{why}"
    return f"{tag} goes to {where} when it is built.{why}"
