"""Signed tags: git and ssh-keygen accept what is written here, and what they write is read here."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from releases.git.changes import Changes
from releases.git.commits import Person
from releases.git.errors import InvalidValue
from releases.git.signing import (
    Signed,
    fingerprint_of,
    new_private_key,
    private_text,
    read_signer,
    tag_signature,
)
from tests.gitrepos import Repo, make_repo
from tests.operations.sha256 import make_sha256_flow

WHO = Person("Aiko", "aiko@example.org", 1_768_000_000)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    repo = make_repo(tmp_path)
    repo.commit({"app.py": "one\n"}, "Start")
    return repo


def make_key(folder: Path, kind: str = "ed25519", *options: str, phrase: str = "") -> Path:
    path = folder / f"key-{kind}"
    command = ["ssh-keygen", "-q", "-t", kind, *options, "-N", phrase, "-C", "robin@example.org", "-f", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


def signed_tag(repo: Repo, key: str, name: str = "v1.0.1", message: str = "Version 1.0.1") -> str:
    with Changes(repo.git_dir) as work:
        tag = work.write_tag(name, repo.sha("main"), message, WHO, read_signer(key))
        work.keep()
    repo.git("update-ref", f"refs/tags/{name}", tag)
    return tag


def verified(repo: Repo, folder: Path, name: str, public: str) -> subprocess.CompletedProcess[str]:
    """What `git tag -v` says, with only this key allowed."""
    allowed = folder / "allowed"
    allowed.write_text(f'shop@hotfixdash namespaces="git" {public}\n')
    command = ["git", "--git-dir", str(repo.git_dir), "-c", f"gpg.ssh.allowedSignersFile={allowed}", "tag", "-v", name]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.parametrize(("kind", "options"), [("ed25519", ()), ("rsa", ("-b", "2048")), ("rsa", ("-m", "PEM"))])
def test_git_verifies_a_tag_signed_here(repo: Repo, tmp_path: Path, kind: str, options: tuple[str, ...]) -> None:
    key = make_key(tmp_path, kind, *options)
    signed_tag(repo, key.read_text())
    done = verified(repo, tmp_path, "v1.0.1", key.with_suffix(".pub").read_text())
    assert done.returncode == 0, done.stderr
    assert 'Good "git" signature for shop@hotfixdash' in done.stderr


def test_another_key_is_not_taken_for_it(repo: Repo, tmp_path: Path) -> None:
    signed_tag(repo, new_private_key())
    assert verified(repo, tmp_path, "v1.0.1", read_signer(new_private_key()).public).returncode != 0


def test_git_verifies_a_tag_of_a_sha256_repository(tmp_path: Path) -> None:
    path, key = make_sha256_flow(tmp_path), new_private_key()
    repo = Repo.__new__(Repo)
    repo.path = repo.git_dir = path
    with Changes(path) as work:
        tag = work.write_tag("v9.0.0", repo.git("rev-parse", "main"), "Version 9", WHO, read_signer(key))
        work.keep()
    repo.git("update-ref", "refs/tags/v9.0.0", tag)
    done = verified(repo, tmp_path, "v9.0.0", read_signer(key).public)
    assert done.returncode == 0, done.stderr


def test_signing_twice_gives_the_same_tag(repo: Repo, tmp_path: Path) -> None:
    for key in (new_private_key(), make_key(tmp_path, "rsa", "-b", "2048").read_text()):
        assert signed_tag(repo, key) == signed_tag(repo, key)


def test_who_signed_is_read_from_the_tag(repo: Repo) -> None:
    signer = read_signer(new_private_key())
    raw = repo.git("cat-file", "tag", signed_tag(repo, private_text(signer))).encode() + b"\n"
    found = tag_signature(raw)
    assert (found.how, found.fingerprint) == (Signed.SSH, signer.fingerprint)
    assert tag_signature(raw.replace(b"Version 1.0.1", b"Version 6.6.6")).how is Signed.BAD


@pytest.mark.parametrize(("kind", "options"), [("ed25519", ()), ("rsa", ()), ("ecdsa", ()), ("ecdsa", ("-b", "521"))])
def test_a_tag_that_git_signed_is_read(repo: Repo, tmp_path: Path, kind: str, options: tuple[str, ...]) -> None:
    key = make_key(tmp_path, kind, *options)
    config = ["-c", "gpg.format=ssh", "-c", f"user.signingKey={key}"]
    repo.git(*config, "tag", "-s", "-m", "Version 2", "v2.0.0", repo.sha("main"))
    found = tag_signature(repo.git("cat-file", "tag", "v2.0.0").encode() + b"\n")
    assert (found.how, found.fingerprint) == (Signed.SSH, fingerprint_of(key.with_suffix(".pub").read_text()))
    told = subprocess.run(["ssh-keygen", "-l", "-f", str(key)], capture_output=True, text=True, check=True).stdout
    assert found.fingerprint in told


def test_words_that_look_like_a_signature_are_none(repo: Repo, tmp_path: Path) -> None:
    fake = "Version\n-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----"
    repo.tag("v3.0.0", "main", message=fake)
    assert tag_signature(repo.git("cat-file", "tag", "v3.0.0").encode() + b"\n").how is Signed.BAD
    key = new_private_key()
    signed_tag(repo, key, "v3.0.1", fake)
    assert tag_signature(repo.git("cat-file", "tag", "v3.0.1").encode() + b"\n").how is Signed.SSH
    assert verified(repo, tmp_path, "v3.0.1", read_signer(key).public).returncode == 0
    assert tag_signature(b"object x\n\nno signature here\n").how is Signed.NOT
    assert tag_signature(b"object x\n\nwords\n-----BEGIN PGP SIGNATURE-----\nabc\n").how is Signed.PGP


def test_keys_that_cannot_sign_are_refused_with_the_reason(tmp_path: Path) -> None:
    first, *body = new_private_key().splitlines()
    reasons = {
        "hello": "starts with -----BEGIN",
        make_key(tmp_path, "ed25519", phrase="secret words").read_text(): "passphrase",
        make_key(tmp_path, "ecdsa").read_text(): "Ed25519 key, or an RSA key",
        new_private_key()[:120]: "starts with -----BEGIN|cannot be read",
        "\n".join([first, *reversed(body[:-1]), body[-1]]): "cannot be read",
        make_key(tmp_path, "rsa", "-b", "1024").read_text(): "too short",
    }
    for text, reason in reasons.items():
        with pytest.raises(InvalidValue, match=reason):
            read_signer(text)


def test_the_private_key_does_not_show_in_words_about_it() -> None:
    key = new_private_key()
    assert key.splitlines()[1] not in repr(read_signer(key))
