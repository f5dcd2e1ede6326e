"""Tokens and SSH keys open a repository and show up nowhere: no command line, environment, error or file."""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
from pathlib import Path

import pytest

from releases.git import credentials
from releases.git.credentials import Credential, lend
from releases.git.errors import AuthFailed, GitError, HostKeyUnknown, InvalidValue, Moved, NotARepository, Refused
from releases.git.mirror import Mirror
from releases.git.remotes import Checked, RemotePolicy
from releases.git.repository import Repository
from tests.gitrepos import make_flow

from .processes import children, descriptors, wait_for
from .servers import GitServer, git_server

TOKEN = "tok-3n-very-secret'\"$x"
RULE = RemotePolicy(private_hosts=("127.0.0.1",))


def token_mirror(tmp_path: Path, server: GitServer, secret: str | None = TOKEN, **options: object) -> Mirror:
    credential = Credential("token", secret, "robin") if secret is not None else None
    return Mirror(tmp_path / "m" / "1.git", f"{server.url}/origin.git", RULE, credential, **options)


@pytest.fixture
def origin(tmp_path):
    return make_flow(tmp_path)


@pytest.fixture
def server(tmp_path, origin):
    with git_server(tmp_path, user="robin", password=TOKEN) as running:
        yield running


class TestToken:
    def test_the_right_token_opens(self, tmp_path, origin, server):
        mirror = token_mirror(tmp_path, server)
        mirror.fetch()
        with Repository.open(mirror.path) as repository:
            assert repository.resolve("main") == origin.sha("main")
        origin.commit({"a": "1"}, branch="main")
        assert len(mirror.fetch().changes) == 1
        assert server.authorized >= 3

    def test_it_is_not_kept_in_the_mirror(self, tmp_path, server):
        token_mirror(tmp_path, server).fetch()
        for root, _folders, files in os.walk(tmp_path / "m"):
            for name in files:
                assert b"secret" not in Path(root, name).read_bytes()

    @pytest.mark.parametrize("secret", ["wrong-token", "", None])
    def test_a_wrong_or_missing_one_is_an_auth_error_without_the_secret(self, tmp_path, server, secret):
        with pytest.raises(AuthFailed, match="token") as error:
            token_mirror(tmp_path, server, secret).fetch()
        assert error.value.code == "auth"
        if secret:
            assert secret not in error.value.detail + str(error.value) + repr(error.value)
        assert not children()

    def test_while_git_runs_no_process_shows_it(self, tmp_path, server):
        server.hold = threading.Event()
        mirror = token_mirror(tmp_path, server)
        failed: list[BaseException] = []

        def work() -> None:
            try:
                mirror.fetch()
            except BaseException as error:
                failed.append(error)

        worker = threading.Thread(target=work)
        worker.start()
        try:
            assert server.serving.wait(15)
            seen = 0
            for pid in [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit()]:
                for what in ("cmdline", "environ"):
                    try:
                        text = Path("/proc", pid, what).read_bytes()
                    except OSError:
                        continue
                    seen += b"git-remote-http" in text
                    if int(pid) != os.getpid():
                        assert b"very-secret" not in text
            assert seen
        finally:
            server.hold.set()
            worker.join(30)
        assert not failed

    def test_it_is_given_to_no_other_server(self, tmp_path, origin, server):
        """A server that sends on to another one does not get git to hand it the token."""
        with git_server(tmp_path, user="robin", password="other") as other:
            server.redirect_to = other.url
            with pytest.raises(Moved, match="address"):
                token_mirror(tmp_path, server).fetch()
            assert other.requests == []

    def test_nothing_is_left_open(self, tmp_path, server):
        mirror = token_mirror(tmp_path, server)
        mirror.fetch()
        before = descriptors()
        for _ in range(3):
            mirror.fetch()
        with pytest.raises(AuthFailed):
            token_mirror(tmp_path, server, "wrong").fetch()
        assert descriptors() == before
        assert not children()

    def test_without_descriptor_paths_a_file_serves_and_is_removed(self, tmp_path, server, monkeypatch):
        monkeypatch.delattr(os, "memfd_create")
        monkeypatch.setattr(credentials.tempfile, "tempdir", str(tmp_path / "temporary"))
        (tmp_path / "temporary").mkdir()
        token_mirror(tmp_path, server).fetch()
        left = [path for path in (tmp_path / "temporary").iterdir() if "home" not in path.name]
        assert left == []

    def test_a_token_of_two_lines_is_refused(self):
        with pytest.raises(InvalidValue):
            Credential("token", "one\npassword=two")

    def test_the_secret_does_not_show_in_the_object(self):
        assert "hidden" not in repr(Credential("token", "hidden", "robin"))


class TestServerAnswers:
    @pytest.mark.parametrize(
        ("status", "kind"), [(403, Refused), (404, NotARepository), (500, GitError), (429, Refused)]
    )
    def test_each_has_its_name(self, tmp_path, origin, status, kind):
        with git_server(tmp_path, status=status) as server, pytest.raises(kind):
            token_mirror(tmp_path, server).fetch()

    def test_a_hanging_transfer_is_given_up(self, tmp_path, origin):
        with git_server(tmp_path, hold=threading.Event()) as server:
            mirror = token_mirror(tmp_path, server, timeout=1.5)
            with pytest.raises(GitError) as error:
                mirror.fetch()
            assert error.value.code == "timed-out"
            assert not mirror.exists
        assert wait_for(lambda: not children())


FAKE_SSH = """#!/bin/sh
# Stands for ssh: writes down what it was given, then serves the repository from this disk.
printf '%s\\n' "$@" > {log}
tr '\\0' '\\n' < /proc/$$/environ > {log}.environ
while [ $# -gt 0 ]; do
  case "$1" in
    -i) cat "$2" > {log}.key; stat -L -c %a "$2" > {log}.mode; shift 2;;
    -o) case "$2" in UserKnownHostsFile=*) cat "${{2#*=}}" > {log}.hosts 2>/dev/null;; esac; shift 2;;
    -F|-p|-l) shift 2;;
    -*) shift;;
    *) break;;
  esac
done
shift
{answer}
"""
SERVE = 'eval "$*"'
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0LWtleS1tYXRlcmlhbA\n-----END OPENSSH PRIVATE KEY-----"


@pytest.fixture
def fake_ssh(tmp_path, monkeypatch):
    """Puts a program in ssh's place; gives the file in which it writes down its arguments."""
    folder, log = tmp_path / "bin", tmp_path / "ssh.log"
    folder.mkdir()

    def install(answer: str = SERVE) -> Path:
        (folder / "ssh").write_text(FAKE_SSH.format(log=shlex.quote(str(log)), answer=answer))
        (folder / "ssh").chmod(0o755)
        return log

    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return install


def ssh_mirror(tmp_path: Path, origin, credential: Credential | None) -> Mirror:
    return Mirror(tmp_path / "m" / "1.git", f"ssh://git@127.0.0.1:2222{origin.path}", RULE, credential)


class TestSsh:
    def test_the_key_reaches_ssh_as_a_file_that_only_the_owner_reads(self, tmp_path, origin, fake_ssh):
        log = fake_ssh()
        mirror = ssh_mirror(tmp_path, origin, Credential("ssh-key", KEY, known_hosts="127.0.0.1 ssh-ed25519 AAAA"))
        mirror.fetch()
        with Repository.open(mirror.path) as repository:
            assert repository.resolve("main") == origin.sha("main")
        said = log.read_text()
        for option in ("BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=yes", "IdentityAgent=none"):
            assert option in said
        assert "secret-key" not in said
        assert "c2VjcmV0" not in said
        assert "c2VjcmV0" not in Path(f"{log}.environ").read_text(errors="replace")
        assert Path(f"{log}.key").read_text() == KEY + "\n"
        assert Path(f"{log}.mode").read_text().strip() == "600"
        assert Path(f"{log}.hosts").read_text() == "127.0.0.1 ssh-ed25519 AAAA\n"

    def test_the_checked_address_is_pinned(self, tmp_path, origin, fake_ssh):
        log = fake_ssh()
        ssh_mirror(tmp_path, origin, None).fetch()
        assert "HostName=127.0.0.1" in log.read_text()
        assert "HostKeyAlias=127.0.0.1" in log.read_text()

    def test_without_known_hosts_the_first_key_is_kept_beside_the_mirror(self, tmp_path, origin, fake_ssh):
        log = fake_ssh()
        mirror = ssh_mirror(tmp_path, origin, Credential("ssh-key", KEY))
        mirror.fetch()
        assert "StrictHostKeyChecking=accept-new" in log.read_text()
        assert f"UserKnownHostsFile={mirror.path}.known_hosts" in log.read_text()

    def test_a_refused_key_is_an_auth_error_without_the_key(self, tmp_path, origin, fake_ssh):
        fake_ssh(
            "echo 'load key: c2VjcmV0LWtleS1tYXRlcmlhbA' >&2; echo 'git@h: Permission denied (publickey).' >&2; "
            "exit 255"
        )
        with pytest.raises(AuthFailed) as error:
            ssh_mirror(tmp_path, origin, Credential("ssh-key", KEY)).fetch()
        assert "c2VjcmV0" not in error.value.detail

    def test_a_changed_host_key_has_its_own_name(self, tmp_path, origin, fake_ssh):
        fake_ssh("echo 'Host key verification failed.' >&2; exit 255")
        with pytest.raises(HostKeyUnknown, match="host key"):
            ssh_mirror(tmp_path, origin, Credential("ssh-key", KEY)).fetch()

    def test_real_ssh_takes_the_key_file_and_its_options(self, tmp_path):
        """Without a server: ssh must accept every option and find the key's file in order."""
        key = tmp_path / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        checked = Checked("ssh://git@127.0.0.1/x", "ssh", "127.0.0.1", None, ("127.0.0.1",))
        with lend(Credential("ssh-key", key.read_text()), checked, tmp_path / "known") as loan:
            command = shlex.split(loan.env["GIT_SSH_COMMAND"])
            shown = subprocess.run([*command, "-G", "127.0.0.1"], capture_output=True, text=True, check=True).stdout
            path = command[command.index("-i") + 1]
            read = subprocess.run(["ssh-keygen", "-y", "-f", path], capture_output=True, text=True, check=False)
        assert "stricthostkeychecking accept-new" in shown
        assert read.stdout.split()[:2] == Path(f"{key}.pub").read_text().split()[:2], read.stderr


@pytest.mark.parametrize(("kind", "url"), [("ssh-key", "http://127.0.0.1/x"), ("token", "ssh://git@127.0.0.1/x")])
def test_a_credential_of_the_wrong_kind_says_what_fits(tmp_path, kind, url):
    mirror = Mirror(tmp_path / "1.git", url, RULE, Credential(kind, "x"))
    with pytest.raises(AuthFailed, match="address"):
        mirror.fetch()


def test_a_local_folder_needs_no_credential(tmp_path, origin):
    rule = RemotePolicy(roots=(str(tmp_path),))
    Mirror(tmp_path / "m.git", str(origin.path), rule, Credential("token", TOKEN)).fetch()
    assert wait_for(lambda: not children())
