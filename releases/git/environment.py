"""The environment that git runs in: nothing of the host's configuration, no prompt, no hook, no transport."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence

CONFIG: tuple[tuple[str, str], ...] = (
    ("core.hooksPath", os.devnull),
    ("core.fsmonitor", "false"),
    ("core.pager", "cat"),
    ("core.askPass", ""),
    ("core.sshCommand", "ssh"),
    ("core.attributesFile", os.devnull),
    ("core.excludesFile", os.devnull),
    ("core.quotePath", "false"),
    ("credential.helper", ""),
    ("protocol.allow", "never"),
    # A reference lost in a power cut comes back with the next fetch; thousands of synced files would cost seconds.
    ("core.fsync", "-reference"),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("log.showSignature", "false"),
    ("diff.renameLimit", "1000"),
    ("safe.directory", "*"),
    ("http.followRedirects", "false"),
    ("http.lowSpeedLimit", "1"),
    ("http.lowSpeedTime", "60"),
    ("transfer.credentialsInUrl", "die"),
)
"""Set on every call, above the repository's own configuration.

`safe.directory` lets the operator read repositories of other accounts: what such a repository could run (hooks,
monitor, pager, ssh command, external diff) is switched off here or by the callers' options.
"""

_PASSED = (
    "PATH", "TMPDIR", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY",
    "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "SYSTEMROOT",
)  # fmt: skip
"""Taken over from this process: where programs are, and the way through a proxy."""


@functools.cache
def empty_home() -> str:
    """An empty folder that serves as HOME, removed when this process ends."""
    folder = tempfile.mkdtemp(prefix="hotfixdash-home-")
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder


@functools.cache
def serving_config() -> str:
    """A configuration file for the git that serves a local repository to a fetch.

    The variables of a call do not reach that git. It runs no hook and no filter of the repository it serves, so it may
    read repositories of other accounts.
    """
    path = os.path.join(empty_home(), "serving")
    with open(path, "w") as handle:
        handle.write("[safe]\n\tdirectory = *\n")
    return path


@functools.cache
def receiving_config() -> str:
    """The configuration for the git that takes a push into a local repository.

    Ownership is checked there, since its hooks run. It does not tidy up afterwards: that would outlive the call.
    """
    path = os.path.join(empty_home(), "receiving")
    with open(path, "w") as handle:
        handle.write("[receive]\n\tautogc = false\n")
    return path


def _as_variables(config: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Configuration in variables: unlike `-c`, it does not stand on the command line."""
    variables = {"GIT_CONFIG_COUNT": str(len(config))}
    for index, (key, value) in enumerate(config):
        variables[f"GIT_CONFIG_KEY_{index}"] = key
        variables[f"GIT_CONFIG_VALUE_{index}"] = value
    return variables


@functools.cache
def _base() -> dict[str, str]:
    return {
        "HOME": empty_home(),
        "XDG_CONFIG_HOME": empty_home(),
        "LC_ALL": "C",
        "TZ": "UTC",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "SSH_ASKPASS": "true",
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_FLUSH": "0",
        "GIT_EDITOR": "true",
        "GIT_PAGER": "cat",
        **_as_variables(CONFIG),
    }


def environment(
    extra: Mapping[str, str] | None = None,
    *,
    protocols: Sequence[str] = (),
    config: Sequence[tuple[str, str]] = (),
) -> dict[str, str]:
    """The variables for one call.

    `protocols` are the transports git may use; with none, nothing is fetched, not even a missing object of a partial
    clone. `config` comes on top of CONFIG. `extra` is laid over everything.
    """
    variables = {name: os.environ[name] for name in _PASSED if name in os.environ}
    variables.update(_base())
    # Unlike protocol.*.allow, this one cannot be overruled by the repository's own configuration.
    variables["GIT_ALLOW_PROTOCOL"] = ":".join(protocols)
    if config:
        variables.update(_as_variables((*CONFIG, *config)))
    if extra:
        variables.update(extra)
    return variables
