"""A project's signing key: set by an administrator, used for every tag made here, never given away."""

from __future__ import annotations

import io
import logging
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from releases.git.signing import new_private_key, read_signer
from releases.ledger.models import Event
from releases.operations.carrying import operation_carry_out
from releases.operations.models import Operation
from releases.projects.models import Project, Release, SigningKey
from releases.projects.services import signer_of, signing_key_make, signing_key_remove, signing_key_set
from releases.projects.signatures import TagSeal, allowed_signers, tag_seal
from tests.factories import make_operation, make_user
from tests.gitrepos import Repo
from tests.hotfixes.playing import folder, look

from .stories import Story, make_story

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, settings: Any) -> None:
    folder(tmp_path, settings)


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return make_story(tmp_path, "finish")


def git_verifies(repo: Repo, project: Project, tag: str, tmp_path: Path) -> bool:
    """Whether `git tag -v` takes the tag with the lines that the settings show."""
    lines = tmp_path / "allowed-signers"
    lines.write_text(allowed_signers(project))
    command = ["git", "--git-dir", str(repo.git_dir), "-c", f"gpg.ssh.allowedSignersFile={lines}", "tag", "-v", tag]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_finishing_signs_the_tag(story: Story, tmp_path: Path) -> None:
    signing_key_make(story.project)
    ended = operation_carry_out(story.operation.pk, "test")
    assert ended is not None
    assert ended.state == "done", ended.error_text
    assert git_verifies(story.repo, story.project, "v1.0.1", tmp_path)
    look(story.project)
    release = Release.objects.get(project=story.project, tag="v1.0.1")
    assert tag_seal(story.project, release) is TagSeal.OURS
    assert "SIGNATURE" not in release.message


def test_a_second_plan_signs_the_same_tag(story: Story) -> None:
    signing_key_make(story.project)
    operation_carry_out(story.operation.pk, "test")
    first = story.repo.git("rev-parse", "refs/tags/v1.0.1")
    for update in Operation.objects.get(pk=story.operation.pk).outcome["refs"]:
        story.repo.git("update-ref", update["name"], update["old"] or "0" * 40)
    again = make_operation(story.project, "finish", params=story.params, key="again", asked_at=story.operation.asked_at)
    ended = operation_carry_out(again.pk, "test")
    assert ended is not None
    assert ended.state == "done", ended.error_text
    assert story.repo.git("rev-parse", "refs/tags/v1.0.1") == first


def test_tags_of_a_former_key_go_on_verifying(story: Story, tmp_path: Path) -> None:
    first = signing_key_make(story.project)
    operation_carry_out(story.operation.pk, "test")
    second = signing_key_make(story.project)
    assert signing_key_remove(story.project)
    assert not signing_key_remove(story.project)
    assert git_verifies(story.repo, story.project, "v1.0.1", tmp_path)
    assert set(SigningKey.objects.values_list("fingerprint", "secret")) == {
        (first.fingerprint, ""), (second.fingerprint, "")
    }  # fmt: skip
    told = Event.objects.filter(kind__startswith="signing-key").order_by("pk").values_list("kind", "old", "new")
    assert list(told) == [
        ("signing-key.set", "", first.fingerprint), ("signing-key.set", first.fingerprint, second.fingerprint),
        ("signing-key.removed", second.fingerprint, ""),
    ]  # fmt: skip


def test_what_the_hotfix_page_says_of_a_tag_is_true(story: Story) -> None:
    repo, project = story.repo, story.project
    other = new_private_key()
    repo.tag("v3.0.0", "main")
    repo.tag("v3.0.1", "main", message="Annotated alone")
    body = repo.git("cat-file", "tag", "v3.0.1").encode() + b"\n"
    for name, data in {
        "v3.0.2": body + read_signer(other).sign(body),
        "v3.0.3": body.replace(b"alone", b"again") + read_signer(other).sign(body),
        "v3.0.4": body + b"-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n",
    }.items():
        repo.git("update-ref", f"refs/tags/{name}", repo.write("tag", data))
    look(project)
    seals = {row.tag: tag_seal(project, row) for row in Release.objects.filter(project=project, tag__startswith="v3")}
    assert seals == {
        "v3.0.0": TagSeal.LIGHT, "v3.0.1": TagSeal.UNSIGNED, "v3.0.2": TagSeal.OTHER, "v3.0.3": TagSeal.BAD,
        "v3.0.4": TagSeal.UNCHECKED,
    }  # fmt: skip
    signing_key_set(project, other)
    assert tag_seal(project, Release.objects.get(project=project, tag="v3.0.2")) is TagSeal.OURS


def test_a_key_that_can_no_longer_be_read_stops_the_tag_with_a_sentence(story: Story, settings: Any) -> None:
    signing_key_make(story.project)
    settings.SECRET_KEY = "another key altogether, and forty characters long"
    ended = operation_carry_out(story.operation.pk, "test")
    assert ended is not None
    assert (ended.state, ended.error_code, ended.retryable) == ("failed", "secret", True)
    assert "enter the signing key again" in ended.error_text
    assert story.repo.git("tag") == "v1.0.0"


# --- the doors ------------------------------------------------------------------------------------------------------


def page(project: Project) -> str:
    return f"/projects/{project.slug}/settings/"


def test_an_administrator_sets_and_removes_it_on_the_settings_page(story: Story, client: Client) -> None:
    project, key = story.project, new_private_key()
    client.force_login(make_user("ada", "administrator", all_projects=True))
    assert "annotated and not signed" in client.get(page(project)).content.decode()
    assert client.post(page(project), {"form": "signing", "secret": key}).status_code == 302
    shown = client.get(page(project)).content.decode()
    signer = read_signer(key)
    assert signer.fingerprint.replace("+", "&#x2B;") in shown or signer.fingerprint in shown
    assert signer.public.split()[1] in shown.replace("&#x2B;", "+")
    assert key.splitlines()[1] not in shown
    assert client.post(page(project), {"form": "signing-make"}).status_code == 302
    assert signer_of(project) not in (None, signer)
    assert client.post(page(project), {"form": "signing-remove"}).status_code == 302
    assert signer_of(project) is None


def test_a_refused_key_is_not_shown_again(story: Story, client: Client) -> None:
    client.force_login(make_user("ada", "administrator", all_projects=True))
    wrong = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----"
    answer = client.post(page(story.project), {"form": "signing", "secret": wrong})
    assert answer.status_code == 422
    assert "cannot be read" in answer.content.decode()
    assert "c2VjcmV0" not in answer.content.decode()


def test_nobody_else_may(story: Story, client: Client) -> None:
    client.force_login(make_user("mia", "release-manager", all_projects=True))
    assert "Signing key" not in client.get(page(story.project)).content.decode()
    for form in ("signing", "signing-make", "signing-remove"):
        assert client.post(page(story.project), {"form": form, "secret": new_private_key()}).status_code == 403
    assert not SigningKey.objects.exists()


def test_it_is_stored_encrypted_and_in_no_log(story: Story, client: Client, caplog: Any) -> None:
    key = new_private_key()
    with caplog.at_level(logging.DEBUG):
        signing_key_set(story.project, key)
        operation_carry_out(story.operation.pk, "test")
    line = key.splitlines()[2]
    assert line not in SigningKey.objects.get().secret
    assert line not in caplog.text
    assert line not in str(list(Event.objects.values()))
    assert line not in str(list(Operation.objects.values()))


def command(*args: str) -> str:
    out = io.StringIO()
    call_command("project", "signing-key", *args, stdout=out)
    return out.getvalue()


def test_the_command_line(story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slug, key = story.project.slug, new_private_key()
    assert "are not signed" in command(slug)
    made = command(slug, "--make")
    assert f'{slug}@hotfixdash namespaces="git" ssh-ed25519 ' in made
    assert "PRIVATE" not in made
    path = tmp_path / "key"
    path.write_text(key)
    assert read_signer(key).fingerprint in command(slug, "--file", str(path))
    monkeypatch.setattr("sys.stdin", io.StringIO(key))
    assert read_signer(key).fingerprint in command(slug, "--file", "-")
    assert "are not signed" in command(slug, "--remove")
    with pytest.raises(CommandError, match="has no signing key"):
        command(slug, "--remove")
    with pytest.raises(CommandError, match="cannot be read"):
        command(slug, "--file", str(tmp_path / "nothing"))
    path.write_text("hello")
    with pytest.raises(CommandError, match="starts with"):
        command(slug, "--file", str(path))
