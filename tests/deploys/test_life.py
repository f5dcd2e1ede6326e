"""The life of a run: from a request through its steps to the end, and on to the next environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from releases.deploys.models import LogChunk, Run
from releases.deploys.requesting import build_request
from releases.ledger.models import Event

from .shop import again, carried, kinds, make_shop, states

pytestmark = pytest.mark.django_db


def test_a_tag_goes_through_build_staging_and_production(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    build, made = build_request(shop.project, shop.release("v1.0.1"), trigger="person")
    assert made
    build = carried(build)
    assert (build.state, build.error_text) == ("done", "")
    assert states(build) == ["done", "done"]
    assert build.digest.startswith("sha256:")
    assert Path(build.artifact).is_file()
    staging = Run.objects.get(environment=shop.place("staging"))
    assert (staging.state, staging.trigger, staging.build, staging.digest) == (
        "queued",
        "promotion",
        build,
        build.digest,
    )
    assert (carried(staging).state, states(staging)) == ("done", ["done", "done"])
    production = Run.objects.get(environment=shop.place("production"))
    assert carried(production).state == "done"
    assert shop.place("production").live == production
    assert (tmp_path / "production" / "TAG").read_text() == "v1.0.1\n"
    assert (tmp_path / "production" / "app.py").read_text() == "shop v1.0.1\n"
    assert shop.did() == [
        "tests v1.0.1", "build v1.0.1", "deploy staging v1.0.1", "verify staging v1.0.1", "deploy production v1.0.1",
        "verify production v1.0.1",
    ]  # fmt: skip
    rows = Event.objects.filter(subject=f"run:{production.pk}").order_by("pk")
    assert kinds(rows) == ["run.queued", "run.started", "run.live", "run.verified"]
    assert again(production).verified_at is not None
    assert not LogChunk.objects.filter(run=production).exists()
