"""The only writers of what the projects room owns."""

from .fetches import (
    FetchLost,
    Heartbeat,
    fetch_beat,
    fetch_claim,
    fetch_fail,
    fetch_finish,
    fetch_held,
    fetch_lost,
    fetch_next,
    fetch_nudged,
    fetch_request,
    fetches_due,
    fetches_lost,
    fetches_to_nudge,
)
from .projects import (
    ProjectError,
    access_grant,
    access_revoke,
    credential_remove,
    credential_set,
    hook_secret,
    hook_secret_renew,
    project_add,
    project_delete,
    project_update,
    remote_policy,
)
from .refs import RefsChange, refs_record
from .releases import releases_link, releases_record
from .signing import signer_of, signing_key_make, signing_key_remove, signing_key_set

__all__ = [
    "FetchLost", "Heartbeat", "ProjectError", "RefsChange", "access_grant", "access_revoke", "credential_remove",
    "credential_set", "fetch_beat", "fetch_claim", "fetch_fail", "fetch_finish", "fetch_held", "fetch_lost",
    "fetch_next", "fetch_nudged", "fetch_request", "fetches_due", "fetches_lost", "fetches_to_nudge", "hook_secret",
    "hook_secret_renew", "project_add", "project_delete", "project_update", "refs_record", "releases_link",
    "releases_record", "remote_policy", "signer_of", "signing_key_make", "signing_key_remove", "signing_key_set",
]  # fmt: skip
