"""Hand a credential to one git call and to nothing else.

The secret never stands on a command line, in the environment or in an error. Where the system can, it lies in memory
that vanishes with this process, reached by git through a descriptor's path; else in a file that only the owner may
read and that is removed afterwards.
"""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from .errors import AuthFailed, InvalidValue
from .remotes import Checked

_DEFAULT_USER = "git"


class CredentialKind(StrEnum):
    TOKEN = "token"  # noqa: S105 - the name of a kind
    SSH_KEY = "ssh-key"


@dataclass(frozen=True, slots=True)
class Credential:
    """A user name with a token (https), or an SSH private key; the secret does not show in `repr`."""

    kind: str
    secret: str = field(repr=False)
    username: str = ""
    known_hosts: str = ""
    """For SSH: the host keys to accept, one a line. Empty: the key seen first is kept and insisted on."""

    def __post_init__(self) -> None:
        CredentialKind(self.kind)
        if self.kind == CredentialKind.TOKEN and any(ch in self.secret + self.username for ch in "\n\r\0"):
            raise InvalidValue("A token and its user name are one line each.")


@dataclass(frozen=True, slots=True)
class Loan:
    """What a call needs to use a credential: variables, configuration, and the words to keep out of errors."""

    env: dict[str, str] = field(default_factory=dict)
    config: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)


@contextmanager
def lend(
    credential: Credential | None, checked: Checked, known_hosts: Path | None = None, *, operator: bool = False
) -> Iterator[Loan]:
    """Make a credential usable for the calls inside the block, and only for this address.

    `known_hosts` is where the first seen host keys of SSH servers are kept when the credential brings none.
    `operator`: without a credential, ssh may use the keys and agent of whoever runs the command.
    """
    with ExitStack() as stack:
        if checked.protocol == "ssh":
            yield _ssh_loan(credential, checked, known_hosts, stack, operator=operator)
        elif credential is None or checked.protocol == "file":
            yield Loan()
        elif credential.kind != CredentialKind.TOKEN:
            raise AuthFailed("An SSH key does not open an https address. Use the ssh address, or set a token.")
        else:
            yield _token_loan(credential, checked, stack)


def _token_loan(credential: Credential, checked: Checked, stack: ExitStack) -> Loan:
    user = credential.username or _DEFAULT_USER
    path = stack.enter_context(_held(f"username={user}\npassword={credential.secret}\n"))
    helper = f'!f() {{ test "$1" = get && cat {shlex.quote(path)}; }}; f'
    port = f":{checked.port}" if checked.port else ""
    host = f"[{checked.host}]" if ":" in checked.host else checked.host
    # Only this server is given the secret, wherever else git may be led.
    scope = f"credential.{checked.protocol}://{host}{port}.helper"
    return Loan({}, ((scope, helper),), (credential.secret,))


def _ssh_loan(
    credential: Credential | None, checked: Checked, known_hosts: Path | None, stack: ExitStack, *, operator: bool
) -> Loan:
    if credential is not None and credential.kind != CredentialKind.SSH_KEY:
        raise AuthFailed("A token does not open an ssh address. Use the https address, or set an SSH key.")
    own = operator and credential is None
    command = [
        "ssh", "-a", "-x", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=15",
        "-o", "ServerAliveCountMax=4", "-o", "ControlMaster=no", "-o", "ControlPath=none",
        "-o", "PermitLocalCommand=no", *checked.ssh_options(),
    ]  # fmt: skip
    secrets: tuple[str, ...] = ()
    if own:
        agent = os.environ.get("SSH_AUTH_SOCK")
        return Loan({"GIT_SSH_COMMAND": shlex.join(command), **({"SSH_AUTH_SOCK": agent} if agent else {})})
    command += ["-F", os.devnull, "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]
    command += ["-o", "PreferredAuthentications=publickey", "-o", "GlobalKnownHostsFile=" + os.devnull]
    if credential is not None:
        secrets = (credential.secret,)
        text = credential.secret.replace("\r\n", "\n").strip() + "\n"
        command += ["-i", stack.enter_context(_held(text))]
    else:
        command += ["-o", "IdentityFile=" + os.devnull]
    command += _host_keys(credential, known_hosts, stack)
    return Loan({"GIT_SSH_COMMAND": shlex.join(command), "GIT_SSH_VARIANT": "ssh"}, (), secrets)


def _host_keys(credential: Credential | None, known_hosts: Path | None, stack: ExitStack) -> list[str]:
    given = credential.known_hosts.strip() if credential else ""
    if given:
        path = stack.enter_context(_held(given.replace("\r\n", "\n") + "\n"))
        return ["-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={path}"]
    place = str(known_hosts) if known_hosts else os.devnull
    return ["-o", "StrictHostKeyChecking=accept-new", "-o", f"UserKnownHostsFile={place}", "-o", "HashKnownHosts=no"]


@contextmanager
def _held(text: str) -> Iterator[str]:
    """A path under which children of this process can read the text, while the block lasts."""
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        descriptor = os.memfd_create("hotfixdash")
        try:
            os.fchmod(descriptor, 0o600)  # ssh refuses keys that others could read
            os.write(descriptor, text.encode())
            yield f"/proc/{os.getpid()}/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    folder = tempfile.mkdtemp(prefix="hotfixdash-")
    try:
        path = os.path.join(folder, "held")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            handle.write(text)
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)
