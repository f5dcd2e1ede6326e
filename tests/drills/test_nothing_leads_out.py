"""A drill's copy cannot reach the real repository, its secrets or its places, whatever its rows say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from incidents.drills.models import Drill
from incidents.drills.sandbox import pipeline_spec
from releases.deploys.models import Environment
from releases.deploys.settings_services import SettingsRefused, pipeline_save, secret_set
from releases.deploys.spec import PipelineSpec, StepKind, StepSpec, Trigger
from releases.git.errors import UrlNotAllowed
from releases.git.remotes import RemotePolicy
from releases.operations.carrying import operation_carry_out
from releases.operations.models import Operation
from releases.operations.services import operation_request
from releases.projects.models import Credential, Project, SigningKey
from releases.projects.secrets import encrypt
from releases.projects.services import project_update
from releases.projects.services.mirrors import mirror_of
from releases.projects.services.projects import ProjectError, credential_set, project_add
from releases.projects.services.signing import signer_of
from tests.drills.playing import Real, git, make_drill, make_real
from tests.factories import make_environment

pytestmark = pytest.mark.django_db


@pytest.fixture
def real(tmp_path: Path) -> Real:
    return make_real(tmp_path)


@pytest.fixture
def copy(real: Real) -> Project:
    found = make_drill(real).copy
    assert found is not None
    return found


def cut(project: Project) -> Operation:
    """Ask for a branch, as the button does, and carry it out."""
    tip = git(project.remote_url, "rev-parse", "v1.0.0^{commit}").strip()
    made, _new = operation_request(
        project, Operation.Kind.CUT, "cut:hotfix/X-1", subject="hotfix:X-1",
        params={"branch": "hotfix/X-1", "tag": "v1.0.0", "commit": tip},
    )  # fmt: skip
    operation_carry_out(made.pk, "test")
    made.refresh_from_db()
    return made


def test_a_push_goes_to_the_copy_alone(real: Real, copy: Project) -> None:
    before = real.refs()
    assert cut(copy).state == Operation.State.DONE
    assert "refs/heads/hotfix/X-1" in git(copy.remote_url, "for-each-ref")
    assert real.refs() == before


def test_even_with_the_real_address_in_its_row_nothing_is_pushed(real: Real, copy: Project, settings: Any) -> None:
    """As if somebody had edited the database, and the installation allowed everything."""
    settings.GIT_ALLOWED_ROOTS = ["/"]
    settings.GIT_ALLOW_PRIVATE_HOSTS = ["0.0.0.0/0"]
    Project.objects.filter(pk=copy.pk).update(remote_url=str(real.repo.path), operator_path=True)
    copy.refresh_from_db()
    before = real.refs()
    operation = cut(copy)
    assert operation.state == Operation.State.FAILED
    assert "outside the folders" in operation.error_text
    assert real.refs() == before
    with pytest.raises(UrlNotAllowed):
        mirror_of(copy).fetch()


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    "url", ["https://github.com/example/shop.git", "git@git.example.org:shop.git", "ssh://git@10.0.0.1/shop.git"]
)
def test_no_other_machine_is_ever_spoken_to(copy: Project, url: str) -> None:
    Project.objects.filter(pk=copy.pk).update(remote_url=url)
    copy.refresh_from_db()
    with pytest.raises(UrlNotAllowed, match="throw-away copy"):
        mirror_of(copy).fetch()


def test_a_link_out_of_the_folder_leads_nowhere(real: Real, copy: Project, settings: Any) -> None:
    link = Path(settings.DRILLS_DIR) / "link.git"
    link.symlink_to(real.repo.path)
    Project.objects.filter(pk=copy.pk).update(remote_url=str(link))
    copy.refresh_from_db()
    with pytest.raises(UrlNotAllowed):
        mirror_of(copy).fetch()
    # Nor do objects borrowed from outside.
    folder = Path(settings.DRILLS_DIR) / "borrowing.git"
    git(settings.DRILLS_DIR, "clone", "--quiet", "--bare", "--shared", str(real.repo.path), str(folder))
    Project.objects.filter(pk=copy.pk).update(remote_url=str(folder))
    copy.refresh_from_db()
    with pytest.raises(UrlNotAllowed):
        mirror_of(copy).fetch()


def test_the_policy_itself_allows_folders_only(tmp_path: Path) -> None:
    policy = RemotePolicy(roots=(str(tmp_path),), private_hosts=("0.0.0.0/0",), local_only=True)
    with pytest.raises(UrlNotAllowed):
        policy.check("https://git.example.org/shop.git")
    with pytest.raises(UrlNotAllowed):
        policy.check("/etc")


def test_its_address_and_credential_cannot_be_set(real: Real, copy: Project) -> None:
    with pytest.raises(ProjectError, match="throw-away copy"):
        project_update(copy, remote_url=real.project.remote_url, operator=True)
    with pytest.raises(ProjectError, match="throw-away copy"):
        credential_set(copy, "token", "secret", username="robot")
    # One that got there all the same is not even read.
    Credential.objects.create(project=copy, kind="token", username="robot", secret=encrypt("secret"))
    assert mirror_of(copy).credential is None


def test_a_drill_can_only_be_tracked_from_a_folder_of_drills(real: Real) -> None:
    with pytest.raises(UrlNotAllowed):
        project_add("Drill of shop", str(real.repo.path), drill_of=real.project, operator=True)
    with pytest.raises(UrlNotAllowed):
        project_add("Drill of shop", "https://git.example.org/shop.git", drill_of=real.project, operator=True)


def test_its_tags_are_not_signed_with_the_real_key(real: Real, copy: Project) -> None:
    SigningKey.objects.create(project=real.project, public="ssh-ed25519 AAAA", fingerprint="SHA256:x", secret="s")
    assert signer_of(copy) is None


def test_it_takes_no_pipeline_and_no_secret_of_the_real_one(copy: Project) -> None:
    spec = PipelineSpec(Trigger.TAG, steps=(StepSpec("Deploy", StepKind.DEPLOY, "ssh production deploy"),))
    with pytest.raises(SettingsRefused, match="own sandbox"):
        pipeline_save(copy, spec)
    with pytest.raises(SettingsRefused, match="no secrets"):
        secret_set(copy, "DEPLOY_TOKEN", "very secret")


def test_the_sandbox_has_commands_of_ours_and_no_address(tmp_path: Path) -> None:
    """Nothing of the real pipeline, its environments' addresses and probes, or its secrets is taken over."""
    real = make_real(tmp_path)
    make_environment(real.project, "eu", kind="production", url="https://shop.example.org/",
                     probe={"kind": "http-text", "url": "https://shop.example.org/version"})  # fmt: skip
    secret_set(real.project, "DEPLOY_TOKEN", "very secret")
    theirs = StepSpec("Deploy", StepKind.DEPLOY, "ssh production deploy", secrets=("DEPLOY_TOKEN",))
    build = StepSpec("Build", StepKind.BUILD, "make everything", artifact="out")
    pipeline_save(real.project, PipelineSpec(Trigger.HAND, steps=(build, theirs)))
    drill: Drill = make_drill(real)
    assert drill.copy is not None
    (place,) = Environment.objects.filter(project=drill.copy)
    assert (place.name, place.kind, place.url) == ("eu", "production", "")
    assert place.probe["kind"] == "command"
    assert place.live is not None
    spec = pipeline_spec(real.project, drill.copy, tmp_path, begins_at="v1.0.0", fails_once=True)
    assert spec.trigger is Trigger.TAG
    assert not any(step.secrets for step in spec.steps)
    said = " ".join(step.run for step in spec.steps)
    assert "ssh" not in said
    assert "make everything" not in said
