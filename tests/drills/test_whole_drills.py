"""Each scenario played through, with real git on a clone of the copy and the real pipeline of the sandbox."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from incidents.drills.copying import drill_folder
from incidents.drills.models import Drill
from incidents.drills.observing import observed
from incidents.drills.removing import drill_remove, drills_to_remove
from incidents.drills.scoring import compared
from incidents.drills.services import drill_end, drill_hint
from incidents.postmortems.models import PostMortem
from incidents.postmortems.timeline import entries
from incidents.response.models import Incident
from incidents.response.services import incident_link, incident_say
from releases.deploys.acting import run_retry
from releases.deploys.models import Environment, Run
from releases.deploys.runner.artifacts import store
from releases.ledger.models import Event
from releases.projects.models import Project
from releases.projects.services.mirrors import facts_file, mirror_folder
from tests.drills.playing import AFTER, FILLER, Player, Real, git, make_drill, make_real
from tests.factories import make_environment, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> tuple[Any, Any]:
    """Who leads, and who reviews and approves."""
    lead = make_user("lea", "release-manager", all_projects=True, email="lea@example.org")
    return lead, make_user("rob", "release-manager", all_projects=True, email="rob@example.org")


@pytest.fixture
def real(tmp_path: Path) -> Real:
    real = make_real(tmp_path)
    make_environment(real.project, "staging")
    make_environment(real.project, "production", kind="production", approvals=1)
    return real


def steps(drill: Drill) -> dict[str, bool]:
    return {step.key: step.done for step in observed(drill, timezone.now()).steps if step.needed}


@pytest.mark.long
def test_a_past_hotfix_is_done_again(tmp_path: Path, real: Real, people: tuple[Any, Any]) -> None:
    lead, other = people
    before = real.refs()
    drill = make_drill(real, "replay", lead)
    assert not any(steps(drill).values())
    player = Player(drill, tmp_path / "ela", lead, other)
    assert "round" not in (player.clone / "shop.py").read_text()

    hotfix = player.write_fix()
    assert {key for key, done in steps(drill).items() if done} == {"triage", "branch", "fix", "test"}
    player.review()
    player.finish()
    assert hotfix.tag == "v1.0.1"
    assert player.ship() is None
    done = steps(drill)
    assert done["production"]
    assert done["verify"]
    assert done["approval"]
    assert not done["merge-back"]
    player.merge_back()
    player.clean_up()
    incident = drill.incidents.get()
    incident_link(incident, hotfix, lead)
    incident_say(incident, "It is mended.", state="resolved", public=False, actor=lead)
    seen = observed(drill, timezone.now())
    assert seen.over, [step.key for step in seen.steps if not step.done]

    postmortem = drill_end(drill, "Nobody knew where the tests are.", lead)
    drill.refresh_from_db()
    assert drill.score["done"] == drill.score["total"]
    assert set(drill.score["times"]) == {"branch", "tag", "production", "verify", "merge-back"}
    assert all(took >= 0 for took in drill.score["times"].values())
    # The commit that was merged is older than production: what counts is when develop got it.
    assert drill.score["times"]["merge-back"] >= drill.score["times"]["production"]
    assert drill.score["within_sla"] is True
    assert not drill.score["hint"]
    assert postmortem is not None
    assert (postmortem.project, postmortem.drill, postmortem.owner) == (real.project, drill, lead)
    texts = {section.key: section.text for section in postmortem.sections.all()}
    assert texts["summary"].endswith("\n\nWhat was noticed: Nobody knew where the tests are.")
    assert not texts.get("well")
    assert "14 of 14 steps" in texts["summary"]
    told = [entry.text for entry in entries(postmortem)]
    assert any("live in production" in text for text in told)
    # What matters most: the real repository is as it was.
    assert real.refs() == before


@pytest.mark.long
def test_a_conflict_and_a_verify_that_fails(tmp_path: Path, real: Real, people: tuple[Any, Any]) -> None:
    lead, other = people
    before = real.refs()
    drill = make_drill(real, "conflict", lead)
    player = Player(drill, tmp_path / "ela", lead, other)
    hotfix = player.write_fix()
    player.review()
    player.finish()

    failed = player.ship()
    assert failed is not None
    assert failed.environment is not None
    assert failed.environment.kind == Environment.Kind.PRODUCTION
    step = failed.steps.get(state="failed")
    assert step.name == "Sample requests"
    seen = observed(drill, timezone.now())
    assert seen.failed == failed
    assert not steps(drill)["verify"]
    run_retry(failed, actor=lead)
    assert player.ship() is None
    assert observed(drill, timezone.now()).failed is None
    assert steps(drill)["verify"]

    said = player.merge_back(resolved=FILLER + AFTER)
    assert "CONFLICT" in said
    assert "shop.py" in said
    assert steps(drill)["merge-back"], hotfix.stages
    drill_end(drill, "", lead)
    drill.refresh_from_db()
    skipped = {step["key"] for step in drill.score["steps"] if not step["done"]}
    assert skipped == {"clean-up", "incident", "notes"}
    assert real.refs() == before


def test_what_was_left_out_is_said(tmp_path: Path, real: Real, people: tuple[Any, Any]) -> None:
    """Somebody merges and tags by hand, without a review and without a test, and looks at the hint."""
    lead, other = people
    drill = make_drill(real, "replay", lead)
    drill_hint(drill, other)
    first = drill.hint_at
    drill_hint(drill, lead)
    assert (drill.hint_at, drill.hint_by) == (first, other)
    player = Player(drill, tmp_path / "ela", lead, other)
    git(player.clone, "switch", "--quiet", "main")
    (player.clone / "shop.py").write_text(FILLER + AFTER)
    git(player.clone, "commit", "--quiet", "-am", "[HOTFIX] TICKET-9: keep cents whole again")
    git(player.clone, "tag", "-m", "Version 1.0.1", "v1.0.1")
    git(player.clone, "push", "--quiet", "origin", "main", "v1.0.1")
    player.see()
    drill_end(drill, "", lead)
    drill.refresh_from_db()
    skipped = {step["key"] for step in drill.score["steps"] if not step["done"]}
    assert {"triage", "branch", "review", "test", "merge-back", "incident", "notes"} <= skipped
    assert drill.score["hint"]
    assert drill.score["merge_back_seconds"] is None
    assert drill.score["within_sla"] is None


@pytest.mark.long
def test_the_copy_goes_with_all_its_files_and_the_result_stays(
    tmp_path: Path, real: Real, people: tuple[Any, Any], settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    lead, other = people
    drill = make_drill(real, "replay", lead)
    player = Player(drill, tmp_path / "ela", lead, other)
    player.write_fix()
    player.review()
    player.finish()
    player.ship()
    incident_say(drill.incidents.get(), "Over.", state="resolved", public=False, actor=lead)
    postmortem = drill_end(drill, "Fine.", lead)
    assert postmortem is not None
    drill.refresh_from_db()
    copy = drill.copy
    assert copy is not None
    pk = copy.pk
    told = [entry.text for entry in entries(postmortem)]
    files = [mirror_folder(copy), facts_file(copy), drill_folder(drill)]
    artifacts = [
        Path(name) for name in Run.objects.filter(project=copy).exclude(artifact="").values_list("artifact", flat=True)
    ]
    assert all(path.exists() for path in files + artifacts)
    assert artifacts
    assert copy.fetch_every > 3600
    now = timezone.now()
    assert drills_to_remove(now) == []
    assert drills_to_remove(now + timedelta(days=settings.DRILL_KEEP_DAYS, minutes=1)) == [drill.pk]

    with django_capture_on_commit_callbacks(execute=True):
        assert drill_remove(drill)
    assert not any(path.exists() for path in files + artifacts)
    assert not any(path.is_file() for path in store().rglob("*"))
    assert not list(Path(settings.MIRROR_DIR).glob(f"{pk}.git*"))
    assert not Project.objects.filter(pk=pk).exists()
    assert not Incident.objects.filter(drill=drill).exists()
    assert not Event.objects.filter(project=pk).exists()
    drill.refresh_from_db()
    assert (drill.copy, drill.state) == (None, Drill.State.ENDED)
    assert drill.removed_at is not None
    assert drill.score["done"] > 5
    assert "refs" not in drill.params
    standing = PostMortem.objects.get(pk=postmortem.pk)
    kept = [entry.text for entry in entries(standing)]
    assert len(kept) == len(told)
    assert any("live in production" in text for text in kept)
    # Once more harms nobody, and the real project is there.
    assert drill_remove(drill)
    assert mirror_folder(real.project).exists()
    assert Project.objects.filter(pk=real.project.pk).exists()


def test_a_worker_that_dies_while_removing_leaves_it_to_the_next(
    tmp_path: Path, real: Real, people: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:  # fmt: skip
    drill = make_drill(real, "replay", people[0])
    drill_end(drill, "", people[0])
    drill.refresh_from_db()

    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, django_capture_on_commit_callbacks(execute=True):
        patch.setattr("incidents.drills.removing._files_remove", dies)
        with pytest.raises(KeyboardInterrupt):
            drill_remove(drill)
    drill.refresh_from_db()
    assert drill.copy is None
    assert drill_folder(drill).exists()
    assert drills_to_remove(timezone.now() + timedelta(days=400)) == [drill.pk]
    assert drill_remove(drill)
    assert not drill_folder(drill).exists()


def test_times_stand_beside_those_of_the_drills_before() -> None:
    past = [{"times": {"branch": 60.0, "tag": 600.0}}, {"times": {"branch": 120.0}}, {"times": {"branch": 300.0}}]
    rows = {row.key: row for row in compared({"times": {"branch": 90.0}}, past)}
    assert (rows["branch"].took, rows["branch"].before, rows["branch"].change) == (90.0, 120.0, -30.0)
    assert (rows["tag"].took, rows["tag"].before, rows["tag"].change) == (None, 600.0, None)
    assert (rows["verify"].took, rows["verify"].before) == (None, None)
