"""Which addresses are fetched from, and that nobody talks the policy into another one."""

from __future__ import annotations

import os
import re

import pytest

from releases.git.errors import GitError, InvalidValue, NotARepository, Unreachable, UrlNotAllowed
from releases.git.remotes import RemotePolicy, split_remote
from tests.gitrepos import make_repo

PUBLIC = "93.184.216.34"


def policy(*addresses: str, **options: object) -> RemotePolicy:
    """A policy in whose world every name has these addresses (numeric ones have themselves)."""
    known = list(addresses) or [PUBLIC]

    def resolver(host: str) -> list[str]:
        return known

    return RemotePolicy(resolver=resolver, **options)


@pytest.mark.parametrize(
    ("url", "protocol"),
    [
        ("https://git.example.org/team/app.git", "https"),
        ("HTTPS://git.example.org:8443/team/app", "https"),
        ("ssh://git@git.example.org:2222/team/app.git", "ssh"),
        ("git@git.example.org:team/app.git", "ssh"),
        ("git.example.org:team/app.git", "ssh"),
        ("https://git.example.org/team/~app", "https"),
    ],
)
def test_https_and_ssh_to_public_hosts_are_allowed(url, protocol):
    checked = policy().check(url)
    assert (checked.protocol, checked.url) == (protocol, url)
    assert checked.addresses == (PUBLIC,)


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch% /tmp/x",
        "ext::x",
        "fd::17",
        "persistent-https::x",
        "transport::address",
        "git://example.org/x",
        "ftp://example.org/x",
        "rsync://example.org/x",
        "javascript://x/y",
        "data://x",
        "git+ssh://example.org/x",
        "ssh://-oProxyCommand=x/y",
        "-oProxyCommand=x:y",
        "git@-oProxyCommand=x:y",
        "ssh://-x@example.org/y",
        "ssh://git@-evil/x",
        "--upload-pack=touch x",
        "-u",
        "https://-x/y",
        "https:///x",
        "https://",
        "https://example.org",
        "https://example.org/",
        "ssh://example.org",
        "git@example.org:",
        "git@example.org:-x",
        "https://exa mple.org/x",
        "https://example.org/x?y=z",
        "https://example.org/x#y",
        "https://example.org\\@evil.org/x",
        "https://user:secret@example.org/x",
        "https://token@example.org/x",
        "ssh://git:secret@example.org/x",
        "https://example.org:99999/x",
        "https://[::1/x",
        "http://example.org/x",
        "https://ex\u0430mple.org/x",
        "",
    ],
)
def test_everything_else_is_refused_with_a_sentence(url):
    with pytest.raises((UrlNotAllowed, InvalidValue)) as refused:
        policy(roots=("/nowhere",)).check(url)
    assert refused.value.sentence.endswith(".")
    assert "secret" not in str(refused.value)


def test_credentials_in_the_address_are_refused_and_the_other_way_is_named():
    with pytest.raises(UrlNotAllowed, match="settings") as refused:
        policy().check("https://robin:s3cret@git.example.org/x")
    assert "s3cret" not in refused.value.sentence + refused.value.detail


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "100.64.0.1",
        "[::1]",
        "[fe80::1]",
        "[fc00::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "255.255.255.255",
        "224.0.0.1",
        "[::]",
        "[ff02::1]",
        "127.0.0.1.",
    ],
)
def test_private_addresses_are_refused_in_every_spelling(host):
    for url in (f"https://{host}/x", f"ssh://git@{host}/x"):
        with pytest.raises((UrlNotAllowed, Unreachable)):
            RemotePolicy().check(url)


def test_one_private_address_among_public_ones_is_enough_to_refuse():
    with pytest.raises(UrlNotAllowed, match="private"):
        policy(PUBLIC, "10.1.2.3").check("https://git.example.org/x")


@pytest.mark.parametrize("entry", ["git.internal", "GIT.internal.", "10.0.0.0/8"])
def test_an_administrator_can_allow_a_private_host_also_by_http(entry):
    allowed = policy("10.1.2.3", private_hosts=(entry,))
    assert allowed.check("https://git.internal/x").addresses == ("10.1.2.3",)
    assert allowed.check("http://git.internal/x").protocol == "http"


def test_an_allowed_network_covers_the_ipv6_spelling_of_its_addresses():
    assert policy("::ffff:10.1.2.3", private_hosts=("10.0.0.0/8",)).check("https://git.internal/x").url


def test_an_allowed_host_does_not_open_others():
    with pytest.raises(UrlNotAllowed):
        policy("10.1.2.3", private_hosts=("git.internal",)).check("https://other.internal/x")


def test_a_name_is_looked_up_at_every_check():
    answers = iter([[PUBLIC], ["127.0.0.1"]])
    rebinding = RemotePolicy(resolver=lambda host: next(answers))
    assert rebinding.check("https://git.example.org/x")
    with pytest.raises(UrlNotAllowed):
        rebinding.check("https://git.example.org/x")


def test_the_checked_addresses_are_pinned_for_the_fetch():
    checked = policy(PUBLIC, "2606:2800:220:1::1").check("https://git.example.org/x")
    assert checked.config() == [("http.curloptResolve", f"git.example.org:443:{PUBLIC},[2606:2800:220:1::1]")]
    ssh = policy().check("git@git.example.org:x")
    assert ssh.ssh_options() == ["-o", f"HostName={PUBLIC}", "-o", "HostKeyAlias=git.example.org"]


def test_a_name_that_is_not_known_is_unreachable_and_may_be_tried_again():
    def unknown(host: str) -> list[str]:
        raise OSError("no such name")

    with pytest.raises(Unreachable, match="not known") as error:
        RemotePolicy(resolver=unknown).check("https://git.example.org/x")
    assert error.value.retry
    assert RemotePolicy(resolver=unknown, through_proxy=True).check("https://git.example.org/x").addresses == ()


class TestLocal:
    def test_folders_below_the_roots_are_allowed_and_others_are_not(self, tmp_path):
        repo = make_repo(tmp_path / "roots")
        rule = RemotePolicy(roots=(str(tmp_path / "roots"),))
        assert rule.check(str(repo.path)).url == str(repo.path)
        assert rule.check(f"file://{repo.path}").protocol == "file"
        (tmp_path / "roots-too").mkdir()
        for path in ("/etc", str(tmp_path / "roots-too"), f"{tmp_path}/roots/../roots-too", "relative", "./x", "file:///etc",
                     "file://host/share", "file://localhost/etc", "~/x"):  # fmt: skip
            with pytest.raises(UrlNotAllowed):
                rule.check(path)

    def test_the_refusal_does_not_tell_what_lies_outside(self, tmp_path):
        rule = RemotePolicy(roots=(str(tmp_path / "roots"),))
        (tmp_path / "there").mkdir()
        said = []
        for path in ("there", "not-there"):
            with pytest.raises(UrlNotAllowed) as refused:
                rule.check(str(tmp_path / path))
            said.append(re.sub("“.*?”", "“…”", refused.value.sentence))
        assert said[0] == said[1]

    def test_links_out_of_the_roots_are_followed_before_judging(self, tmp_path):
        outside = make_repo(tmp_path / "outside")
        roots = tmp_path / "roots"
        roots.mkdir()
        (roots / "link").symlink_to(outside.path)
        (roots / "work").mkdir()
        (roots / "work" / ".git").write_text(f"gitdir: {outside.path}\n")
        (roots / "linked").mkdir()
        (roots / "linked" / ".git").symlink_to(outside.path)
        borrowing = make_repo(roots, "borrowing.git")
        (borrowing.path / "objects" / "info").mkdir(exist_ok=True)
        (borrowing.path / "objects" / "info" / "alternates").write_text(f"{outside.path}/objects\n")
        common = make_repo(roots, "common.git")
        (common.path / "commondir").write_text(f"{outside.path}\n")
        rule = RemotePolicy(roots=(str(roots),))
        for name in ("link", "work", "linked", "borrowing.git", "common.git"):
            with pytest.raises(UrlNotAllowed):
                rule.check(str(roots / name))

    def test_the_operator_may_name_any_folder_also_relative(self, tmp_path, monkeypatch):
        repo = make_repo(tmp_path)
        monkeypatch.chdir(tmp_path)
        assert RemotePolicy(operator=True).check("origin.git").url == os.path.realpath(repo.path)
        with pytest.raises(NotARepository):
            RemotePolicy(operator=True).check("not-there")

    def test_even_the_operator_cannot_run_a_transport_helper(self):
        with pytest.raises(GitError):
            RemotePolicy(operator=True).check("ext::sh -c id")


def test_an_address_is_taken_apart():
    remote = split_remote("ssh://git@git.example.org:2222/team/app.git")
    assert (remote.user, remote.host, remote.port, remote.path) == ("git", "git.example.org", 2222, "/team/app.git")
    assert split_remote("git@h:team/app").path == "team/app"
