"""What steps do to a run: retries, questions to people and to others, proofs, artifacts, and failures."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from releases.deploys import carrying
from releases.deploys.acting import answers_overdue, run_answer, run_confirm, run_retry
from releases.deploys.errors import DeployRefused
from releases.deploys.models import Environment, LogChunk, Run, Step
from releases.deploys.requesting import build_request, deploy_request
from releases.deploys.runner.execution import Ended
from releases.deploys.spec import Answer, StepKind, StepSpec
from tests.factories import make_user

from .shop import Shop, again, carried, events_of, make_shop, states

pytestmark = pytest.mark.django_db

DEPLOY = StepSpec("switch", StepKind.DEPLOY, "true")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return make_shop(tmp_path, "staging")


def build(shop: Shop, *steps: StepSpec, tag: str = "v1.0.1") -> Run:
    """A build with these steps, carried out as far as it goes by itself."""
    shop.pipeline(*steps)
    run, _made = build_request(shop.project, shop.release(tag), trigger="person")
    return carried(run)


def deployed(shop: Shop, *steps: StepSpec) -> Run:
    """A deployment to staging with these steps, of a build that has none."""
    build(shop, *steps)
    return carried(Run.objects.get(environment__name="staging"))


def step_of(run: Run, name: str) -> Step:
    return Step.objects.select_related("run").get(run=run, name=name)


def log_of(run: Run) -> str:
    return "".join(LogChunk.objects.filter(run=run).order_by("sequence").values_list("text", flat=True))


# --- commands -------------------------------------------------------------------------------------------------------


def test_a_command_that_fails_ends_the_run_and_says_so(shop: Shop) -> None:
    run = build(
        shop, StepSpec("tests", StepKind.CHECK, "echo 2 of 214 fail; exit 3"), StepSpec("b", StepKind.BUILD, "x")
    )
    assert (run.state, run.error_code) == ("failed", "step")
    assert run.error_text.startswith("“tests” failed: ")
    assert states(run) == ["failed", "todo"]
    step = step_of(run, "tests")
    assert (step.ended, step.exit_code, step.attempts, step.first_line) == ("exited", 3, 1, 1)
    assert "2 of 214 fail\n" in log_of(run)
    assert events_of(run) == ["run.queued", "run.started", "run.failed"]
    assert run.finished_at is not None


def test_it_is_tried_again_as_often_as_it_may(shop: Shop) -> None:
    flaky = shop.says("try", f'[ "$(wc -l < "{shop.journal}")" -ge 3 ]')
    run = build(shop, StepSpec("flaky", StepKind.CHECK, flaky, retries=2))
    assert (run.state, len(shop.did()), step_of(run, "flaky").attempts) == ("done", 3, 3)


def test_it_is_not_tried_more_often_than_it_may(shop: Shop) -> None:
    run = build(shop, StepSpec("flaky", StepKind.CHECK, shop.says("try", "false"), retries=1))
    assert (run.state, len(shop.did())) == ("failed", 2)


def test_going_on_does_not_repeat_what_is_done(shop: Shop) -> None:
    gate = shop.folder / "gate"
    run = build(
        shop,
        StepSpec("tests", StepKind.CHECK, shop.says("tests")),
        StepSpec("build", StepKind.BUILD, shop.says("build", f'test -e "{gate}"')),
    )
    assert states(run) == ["done", "failed"]
    gate.touch()
    again_run = run_retry(run)
    assert (again_run.state, states(run)) == ("queued", ["done", "todo"])
    assert carried(run).state == "done"
    assert shop.did() == ["tests v1.0.1", "build v1.0.1", "build v1.0.1"]


def test_every_step_finds_its_variables(shop: Shop) -> None:
    names = "PROJECT TAG VERSION COMMIT ENVIRONMENT URL LANE RUN PREVIOUS_TAG PREVIOUS_COMMIT"
    show = "\n".join(f'echo "{name}=$HOTFIXDASH_{name}"' for name in names.split())
    Environment.objects.update(url="https://staging.example.com")
    run = deployed(shop, StepSpec("show", StepKind.DEPLOY, f'{show}\necho "$SHADE $HOME"', env={"SHADE": "blue"}))
    commit = shop.repo.sha("v1.0.1")
    assert log_of(run).splitlines()[:8] == [
        "PROJECT=shop", "TAG=v1.0.1", "VERSION=1.0.1", f"COMMIT={commit}", "ENVIRONMENT=staging",
        "URL=https://staging.example.com", f"LANE={run.lane}", f"RUN={run.pk}",
    ]  # fmt: skip
    assert "blue /" in log_of(run)
    second, _made = deploy_request(shop.place("staging"), shop.release("v1.0.0"), trigger="person")
    carried(second)
    third = (
        carried(Run.objects.filter(environment__name="staging", tag="v1.0.0").get())
        if second.kind == "build"
        else second
    )
    assert f"PREVIOUS_TAG=v1.0.1\nPREVIOUS_COMMIT={commit}\n" in log_of(third)


def test_a_secret_that_is_missing_is_named_before_anything_is_begun(shop: Shop) -> None:
    run = build(shop, StepSpec("push", StepKind.CHECK, shop.says("push"), secrets=("DEPLOY_TOKEN",)))
    assert run.error_text == (
        "“push” failed: No value is stored for DEPLOY_TOKEN. An administrator can set it."
    )  # fmt: skip
    assert shop.did() == []
    assert step_of(run, "push").ended == ""


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_for_a_moment_loses_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first answer says that nothing was written, the second is lost although it was."""
    shop = make_shop(tmp_path, "staging")
    monkeypatch.setattr(carrying, "WRITE_AGAIN", 0.01)
    real, turns = carrying.step_end, iter(["before", "after"])

    def shaky(*args: Any, **options: Any) -> None:
        turn = next(turns, "")
        if turn == "before":
            raise OperationalError("the server closed the connection")
        real(*args, **options)
        if turn == "after":
            raise OperationalError("the server closed the connection")

    monkeypatch.setattr(carrying, "step_end", shaky)
    run = build(shop, StepSpec("one", StepKind.CHECK, shop.says("one")), StepSpec("b", StepKind.BUILD, shop.says("b")))
    assert (run.state, shop.did()) == ("done", ["one v1.0.1", "b v1.0.1"])


# --- artifacts ------------------------------------------------------------------------------------------------------


def test_an_artifact_that_the_step_did_not_leave_is_missed(shop: Shop) -> None:
    run = build(shop, StepSpec("build", StepKind.BUILD, "true", artifact="dist/app.tar"))
    assert (run.state, run.error_text) == ("failed", "“build” failed: app.tar is not there: the step did not make it.")


def test_a_step_may_name_its_artifact_itself(shop: Shop) -> None:
    said = 'printf "artifact=registry.example.com/shop:1.0.1\\ndigest=sha256:abc\\n" >> "$HOTFIXDASH_OUTPUT"'
    run = build(shop, StepSpec("image", StepKind.BUILD, said))
    assert (run.artifact, run.digest) == ("registry.example.com/shop:1.0.1", "sha256:abc")
    assert run.facts == {"artifact": "registry.example.com/shop:1.0.1", "digest": "sha256:abc"}


def test_a_digest_that_differs_stops_the_run(shop: Shop) -> None:
    built = StepSpec("image", StepKind.BUILD, 'echo "digest=sha256:abc" >> "$HOTFIXDASH_OUTPUT"')
    other = StepSpec("roll out", StepKind.DEPLOY, 'echo "digest=sha256:def" >> "$HOTFIXDASH_OUTPUT"')
    run = deployed(shop, built, other, StepSpec("smoke", StepKind.VERIFY, shop.says("smoke")))
    assert (run.state, run.error_code) == ("failed", "digest")
    assert run.error_text == (
        "This step brought sha256:def to staging, but the build of v1.0.1 made sha256:abc. "
        "Nothing goes on: what was checked and approved is not what arrived."
    )
    assert (states(run), shop.did(), run.live_at) == (["failed", "todo"], [], None)


def test_the_same_digest_is_fine(shop: Shop) -> None:
    same = 'echo "digest=sha256:abc" >> "$HOTFIXDASH_OUTPUT"'
    run = deployed(shop, StepSpec("image", StepKind.BUILD, same), StepSpec("roll out", StepKind.DEPLOY, same))
    assert run.state == "done"


def test_an_artifact_that_was_changed_is_not_deployed(shop: Shop) -> None:
    build(shop, *shop.steps())
    run = Run.objects.get(environment__name="staging")
    path = Path(run.artifact)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"x")
    run = carried(run)
    assert run.state == "failed"
    assert "is not what was built any more" in run.error_text
    assert "deploy staging v1.0.1" not in shop.did()


# --- people ---------------------------------------------------------------------------------------------------------


def test_a_manual_step_waits_without_a_worker_and_goes_on_with_a_note(shop: Shop) -> None:
    mira = make_user("mira")
    asks = StepSpec("look at the till", StepKind.MANUAL, text="Pay in cash.", environments=("staging",))
    run = deployed(shop, DEPLOY, asks, StepSpec("smoke", StepKind.VERIFY, shop.says("smoke")))
    assert (run.state, run.worker, states(run)) == ("paused", "", ["done", "waiting", "todo"])
    assert carried(run).state == "paused"  # nothing to do for a worker yet
    step = step_of(run, "look at the till")
    with pytest.raises(DeployRefused, match="Say what was tested"):
        run_confirm(run, step, "  ", mira)
    run_confirm(run, step, "Paid 3.20 in cash, receipt is right.", mira)
    with pytest.raises(DeployRefused, match="does not wait"):
        run_confirm(run, step, "Once more.", mira)
    assert again(run).state == "paused"  # it keeps its environment until a worker has it
    assert carried(run).state == "done"
    step.refresh_from_db()
    assert (step.state, step.by, step.why) == ("done", mira, "Paid 3.20 in cash, receipt is right.")
    assert shop.did() == ["smoke staging v1.0.1"]


def test_a_manual_step_that_did_not_pass_ends_the_run(shop: Shop) -> None:
    run = build(shop, StepSpec("look", StepKind.MANUAL, text="Look."), StepSpec("b", StepKind.BUILD, shop.says("b")))
    run_confirm(run, step_of(run, "look"), "The total is wrong.", make_user(), passed=False)
    assert (again(run).state, again(run).error_text) == ("failed", "“look” did not pass: The total is wrong.")
    assert carried(run).state == "failed"
    assert shop.did() == []


# --- callbacks ------------------------------------------------------------------------------------------------------


def elsewhere(shop: Shop, **fields: object) -> StepSpec:
    run = shop.says("start", 'test -n "$HOTFIXDASH_CALLBACK_TOKEN"; echo "$HOTFIXDASH_CALLBACK_URL"')
    return StepSpec("job", StepKind.CHECK, run, answer=Answer.CALLBACK, **fields)  # type: ignore[arg-type]


def test_a_step_that_is_answered_elsewhere_waits_for_its_callback(shop: Shop) -> None:
    run = build(shop, elsewhere(shop), StepSpec("build", StepKind.BUILD, shop.says("build")))
    step = step_of(run, "job")
    assert (run.state, states(run), step.ended) == ("paused", ["waiting", "todo"], "exited")
    assert f"/hooks/steps/{step.pk}\n" in log_of(run)
    assert len(step.answer_digest) == 64
    run_answer(step, True, {"report": "https://ci.example.com/7"})
    with pytest.raises(DeployRefused):
        run_answer(step, True)
    assert carried(run).state == "done"
    assert again(run).facts == {"report": "https://ci.example.com/7"}
    assert shop.did() == ["start v1.0.1", "build v1.0.1"]


def test_a_callback_may_come_while_its_command_still_runs(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    real = carrying.step_carry_out

    def answered_early(run: Run, step: Step, *rest: Any) -> Ended:
        if step.name == "job":
            run_answer(Step.objects.get(pk=step.pk), True, {"early": "yes"})
            with pytest.raises(DeployRefused):
                run_answer(Step.objects.get(pk=step.pk), False)
        return real(run, step, *rest)

    monkeypatch.setattr(carrying, "step_carry_out", answered_early)
    run = build(shop, elsewhere(shop), StepSpec("build", StepKind.BUILD, shop.says("build")))
    assert (run.state, states(run), run.facts) == ("paused", ["done", "todo"], {"early": "yes"})
    assert carried(run).state == "done"
    assert shop.did() == ["start v1.0.1", "build v1.0.1"]


def test_a_callback_that_says_no_ends_the_run_with_its_words(shop: Shop) -> None:
    run = build(shop, elsewhere(shop))
    run_answer(step_of(run, "job"), False, why="3 of 90 tests fail.")
    assert (again(run).state, again(run).error_text) == ("failed", "“job” did not pass: 3 of 90 tests fail.")
    assert run_retry(again(run)).state == "queued"
    assert carried(run).state == "paused"


def test_a_callback_that_says_no_is_tried_again_as_often_as_it_may(shop: Shop) -> None:
    run = build(shop, elsewhere(shop, retries=1))
    first = step_of(run, "job").answer_digest
    run_answer(step_of(run, "job"), False)
    assert (again(run).state, states(run)) == ("paused", ["todo"])
    assert carried(run).state == "paused"
    assert step_of(run, "job").answer_digest not in ("", first)
    run_answer(step_of(run, "job"), False, why="Again.")
    assert again(run).state == "failed"
    assert len(shop.did()) == 2


def test_a_callback_that_brings_another_digest_stops_the_run(shop: Shop) -> None:
    deploy = StepSpec("job", StepKind.DEPLOY, "true", answer=Answer.CALLBACK)
    run = deployed(shop, StepSpec("b", StepKind.BUILD, 'echo "digest=sha256:abc" >> "$HOTFIXDASH_OUTPUT"'), deploy)
    run_answer(step_of(run, "job"), True, {"digest": "sha256:def"})
    assert again(run).state == "failed"
    assert "but the build of v1.0.1 made sha256:abc" in again(run).error_text


def test_a_deployment_that_is_answered_well_is_live(shop: Shop) -> None:
    run = deployed(shop, StepSpec("job", StepKind.DEPLOY, "true", answer=Answer.CALLBACK))
    assert shop.place("staging").live is None
    run_answer(step_of(run, "job"), True)
    assert shop.place("staging").live == run


def test_a_callback_that_does_not_come_ends_the_run(shop: Shop) -> None:
    run = build(shop, elsewhere(shop, timeout=60.0))
    assert answers_overdue() == []
    assert answers_overdue(timezone.now() + timedelta(seconds=61)) == [run]
    assert again(run).error_text == "“job” did not pass: No answer came in time."


# --- proofs ---------------------------------------------------------------------------------------------------------


def proof(shop: Shop) -> StepSpec:
    return StepSpec("prove", StepKind.PROVE, shop.says("prove", "sh test_till.sh"), tests=("test_*.sh",))


def fixed(shop: Shop, test: str, *, app: str = "shop mended\n") -> None:
    commit = shop.repo.commit({"app.py": app, "test_till.sh": test}, "Mend the till", branch="main")
    shop.repo.tag("v1.0.2", at=commit, message="Version 1.0.2")
    shop.look()


def test_a_test_that_fails_before_and_passes_now_proves_the_fix(shop: Shop) -> None:
    fixed(shop, "grep -q mended app.py\n")
    run = build(shop, proof(shop), tag="v1.0.2")
    assert (run.state, run.error_text) == ("done", "")
    assert shop.did() == ["prove v1.0.2", "prove v1.0.2"]
    assert step_of(run, "prove").facts == {"proved_on": "v1.0.1"}
    assert "[On v1.0.1, with test_till.sh of v1.0.2: this must fail]\n" in log_of(run)
    assert "[On v1.0.2: this must pass]\n" in log_of(run)


@pytest.mark.parametrize(
    ("test", "says"),
    [
        ("true\n", "pass on v1.0.1, too: they do not show what was wrong there."),
        ("false\n", "It ended with status 1."),
        ("kill -9 $$\n", "could not be run to their end"),
    ],
)
def test_what_proves_nothing_is_no_proof(shop: Shop, test: str, says: str) -> None:
    fixed(shop, test)
    run = build(shop, proof(shop), tag="v1.0.2")
    assert run.state == "failed"
    assert says in run.error_text


def test_a_fix_without_a_test_of_its_own_proves_nothing(shop: Shop) -> None:
    run = build(shop, proof(shop))
    assert run.error_text == "“prove” failed: v1.0.1 changes no file that matches test_*.sh: it proves nothing."
    assert shop.did() == []


def test_without_a_release_before_there_is_nothing_to_prove_it_on(shop: Shop) -> None:
    run = build(shop, proof(shop), tag="v1.0.0")
    assert "It is not known which release v1.0.0 was cut from" in run.error_text
