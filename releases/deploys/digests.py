"""What the facts of a step mean for its run: the artifact, which is the same from the build to the last environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from releases.operations.services import storable

from .models import Run


class DigestDiffers(Exception):
    """A step named another artifact than the one that this run is about; the message is a sentence."""


def taken_over(run: Run, facts: Mapping[str, str]) -> dict[str, Any]:
    """What the run's row gets from facts that a step said: `artifact` and `digest`, of a build only, and all by name.

    Raises `DigestDiffers`: one release has one artifact, and each environment gets exactly that.
    """
    clean: dict[str, str] = storable(dict(facts))
    digest, artifact = clean.get("digest", "").strip(), clean.get("artifact", "").strip()
    changes: dict[str, Any] = {"facts": run.facts | clean} if clean else {}
    if digest and run.digest and digest != run.digest:
        raise DigestDiffers(_differs(run, digest))
    if run.kind == Run.Kind.BUILD:
        if artifact and run.artifact and artifact != run.artifact and not digest:
            raise DigestDiffers(f"A second artifact was named: {artifact}, after {run.artifact}. A build makes one.")
        if digest:
            changes["digest"] = digest[:100]
        if artifact:
            changes["artifact"] = artifact[:500]
    elif digest and not run.digest:
        raise DigestDiffers(f"This step brought {digest}, but the build named no digest that it could be.")
    return changes


def _differs(run: Run, digest: str) -> str:
    if run.kind == Run.Kind.BUILD:
        return f"Two artifacts were made: {run.digest}, then {digest}. A build makes one."
    where = run.environment.name if run.environment else ""
    return (
        f"This step brought {digest} to {where}, but the build of {run.tag} made {run.digest}. "
        "Nothing goes on: what was checked and approved is not what arrived."
    )
