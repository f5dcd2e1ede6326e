"""Moving refs on a remote: all of them or none, each only from the value it is known to have."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """One ref of the remote, from `old` to `new`; empty means that it does not exist there."""

    name: str
    """Full name: refs/heads/develop."""
    old: str
    new: str
