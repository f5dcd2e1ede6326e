"""Where mirrors lie and which remotes are allowed."""

import ipaddress
import sys

from .env import DATA_DIR, env, number

__all__ = ["DRILLS_DIR", "EVIDENCE_DIR", "GIT_ALLOWED_ROOTS", "GIT_ALLOW_PRIVATE_HOSTS", "GIT_TIMEOUT", "MIRROR_DIR"]

MIRROR_DIR = DATA_DIR / "mirrors"
EVIDENCE_DIR = DATA_DIR / "evidence"
DRILLS_DIR = DATA_DIR / "drills"
"""Throw-away repositories of drills, with their sandboxes. A drill's project reaches no remote outside of it."""
GIT_ALLOWED_ROOTS = env.list("GIT_ALLOWED_ROOTS", default=[str(DATA_DIR / "demo")])
"""Local folders below which the web may track repositories by path."""
GIT_ALLOW_PRIVATE_HOSTS = env.list("GIT_ALLOW_PRIVATE_HOSTS", default=[])
for _entry in GIT_ALLOW_PRIVATE_HOSTS:
    try:
        ipaddress.ip_network(_entry.strip(), strict=False) if "/" in _entry else None
    except ValueError as problem:
        # Passed over in silence it would look allowed, and every fetch from there would be refused.
        sys.exit(f"GIT_ALLOW_PRIVATE_HOSTS: {problem}.")
"""Host names or networks (CIDR) on private addresses that remotes may name."""
GIT_TIMEOUT = number("GIT_TIMEOUT", 900, least=1)
"""Seconds after which one git call is ended."""
