"""Who signed a tag, as far as this project can tell, and the file that lets git tell it too."""

from __future__ import annotations

from enum import StrEnum

from releases.git.errors import GitError
from releases.git.reader import Reader
from releases.git.signing import Signed, TagSignature, tag_signature

from .history import remembered
from .models import Project, Release, SigningKey
from .services.mirrors import mirror_folder


class TagSeal(StrEnum):
    """How much a version tag proves about who made it."""

    LIGHT = "light"
    """Not annotated: just a name for a commit."""
    UNSIGNED = "unsigned"
    OURS = "ours"
    """Signed with the project's key, now or formerly, and the signature fits."""
    OTHER = "other"
    """Signed with an SSH key that is not the project's; it fits."""
    UNCHECKED = "unchecked"
    """Signed with OpenPGP or a certificate, which is not checked here."""
    BAD = "bad"
    """The signature does not fit the tag."""
    UNKNOWN = "unknown"
    """The tag could not be read now."""


_SEALS = {
    Signed.NOT: TagSeal.UNSIGNED, Signed.BAD: TagSeal.BAD, Signed.PGP: TagSeal.UNCHECKED, Signed.X509: TagSeal.UNCHECKED
}  # fmt: skip


def signing_key(project: Project) -> SigningKey | None:
    """The key in use, for its public half."""
    return SigningKey.objects.filter(project=project, retired_at=None).first()


def tag_seal(project: Project, release: Release) -> TagSeal:
    """How the release's tag is signed; read from the mirror once and remembered by its object id."""
    if not release.tag_object:
        return TagSeal.LIGHT
    try:
        found = remembered(("seal", project.pk, release.tag_object), lambda: _read(project, release.tag_object))
    except (GitError, OSError):
        return TagSeal.UNKNOWN
    if found.how is not Signed.SSH:
        return _SEALS[found.how]
    ours = SigningKey.objects.filter(project=project, fingerprint=found.fingerprint).exists()
    return TagSeal.OURS if ours else TagSeal.OTHER


def _read(project: Project, tag_object: str) -> TagSignature:
    with Reader(mirror_folder(project), timeout=5) as reader:
        return tag_signature(reader.tag(tag_object))


def allowed_signers(project: Project) -> str:
    """Lines for git's `gpg.ssh.allowedSignersFile`, so that `git tag -v` knows this project's keys, former ones too."""
    keys = SigningKey.objects.filter(project=project)
    return "".join(f'{project.slug}@hotfixdash namespaces="git" {key.public}\n' for key in keys)
