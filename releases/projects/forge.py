"""Addresses in the forge that a remote belongs to, as far as its own address tells which forge that is. No I/O."""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode, urlsplit

_SCP = re.compile(r"^(?:[^@/:\s]+@)?(?P<host>[A-Za-z0-9.-]+\.[A-Za-z]{2,}):(?!/)(?P<path>[^\s]+)$")
_GITEA = ("codeberg.org", "gitea", "forgejo")


def web_address(remote_url: str) -> str:
    """Where a browser finds the repository: `https://host/owner/name`; empty for a path or what nobody can open.

    A user name, password or port in the remote's address is left out, but for the port of http and https.
    """
    if short := _SCP.match(remote_url):
        scheme, host, path = "https", short["host"], short["path"]
    else:
        try:
            parts = urlsplit(remote_url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return ""
        if parts.scheme not in ("http", "https", "ssh", "git+ssh"):
            return ""
        scheme, path = "https", parts.path
        if parts.scheme in ("http", "https"):
            scheme, host = parts.scheme, f"{host}:{port}" if port else host
    path = path.strip("/").removesuffix(".git")
    if not re.fullmatch(r"[A-Za-z0-9.-]+(:\d+)?", host) or path.count("/") < 1:
        return ""
    return f"{scheme}://{host}/{quote(path, safe='/~._-')}"


def compare_url(remote_url: str, base: str, branch: str) -> str:
    """The page on which the forge shows what `branch` would bring to `base`, and merges it; empty when not known."""
    web = web_address(remote_url)
    host = urlsplit(web).hostname or ""
    if not web:
        return ""
    if "gitlab" in host:
        query = urlencode({"merge_request[source_branch]": branch, "merge_request[target_branch]": base})
        return f"{web}/-/merge_requests/new?{query}"
    if host == "bitbucket.org":
        return f"{web}/pull-requests/new?{urlencode({'source': branch, 'dest': base})}"
    between = f"{quote(base, safe='')}...{quote(branch, safe='')}"
    if "github" in host:
        return f"{web}/compare/{between}?expand=1"
    if any(name in host for name in _GITEA):
        return f"{web}/compare/{between}"
    return ""
