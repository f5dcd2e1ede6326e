"""The key that signs a project's tags: set, made, retired, and handed to the planner that writes a tag."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from releases.git.signing import Signer, new_private_key, private_text, read_signer
from releases.ledger.services import event_write

from ..models import Project, SigningKey
from ..secrets import decrypt, encrypt


def signing_key_set(project: Project, private: str, actor: Any = None) -> SigningKey:
    """Sign with this private key from now on; a former one is retired. Raises `InvalidValue` with what is wrong.

    The private key is kept encrypted and leaves this room only to sign. The ledger has its fingerprint.
    """
    return _keep(project, read_signer(private), actor, "Tags are signed with a key that was given.")


def signing_key_make(project: Project, actor: Any = None) -> SigningKey:
    """Make a fresh Ed25519 key and sign with it from now on; its private half is never shown to anybody."""
    return _keep(project, read_signer(new_private_key()), actor, "Tags are signed with a key that was made here.")


def _keep(project: Project, signer: Signer, actor: Any, why: str) -> SigningKey:
    while True:
        try:
            with transaction.atomic():
                former = _retire(project)
                made = SigningKey.objects.create(
                    project=project, public=signer.public, fingerprint=signer.fingerprint,
                    secret=encrypt(private_text(signer)),
                )  # fmt: skip
                event_write(
                    "signing-key.set", project_id=project.pk, actor=actor, actor_name="" if actor else "operator",
                    old=former, new=made.fingerprint, why=why,
                )  # fmt: skip
        except IntegrityError:
            continue  # Somebody set one at the same moment; the later one stands.
        return made


def signing_key_remove(project: Project, actor: Any = None) -> bool:
    """Sign no more tags; the private key is erased, the public one stays. False when there was none."""
    with transaction.atomic():
        former = _retire(project)
        if former:
            event_write(
                "signing-key.removed", project_id=project.pk, actor=actor, actor_name="" if actor else "operator",
                old=former, why="Tags are no longer signed.",
            )  # fmt: skip
    return bool(former)


def _retire(project: Project) -> str:
    """Erase the private key in use; gives its fingerprint, or nothing."""
    active = SigningKey.objects.filter(project=project, retired_at=None)
    former = active.values_list("fingerprint", flat=True).first() or ""
    active.update(retired_at=timezone.now(), secret="")
    return former


def signer_of(project: Project) -> Signer | None:
    """What signs this project's tags now. Raises `SecretUnreadable`."""
    row = SigningKey.objects.filter(project=project, retired_at=None).first()
    return read_signer(decrypt(row.secret, "signing key")) if row else None
