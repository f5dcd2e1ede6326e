"""Signing tags with an SSH key, and reading who signed one, as git does it with `gpg.format=ssh`.

A signature is made in this process: the key stands on no command line and in no file. The same key and the same tag
give the same signature (Ed25519, RSA), so that planning twice from the same facts gives the same object.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from dataclasses import dataclass, field
from enum import StrEnum

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from .errors import InvalidValue

_BEGIN, _END = b"-----BEGIN SSH SIGNATURE-----", b"-----END SSH SIGNATURE-----"
_OTHER_MARKS = {
    b"-----BEGIN PGP SIGNATURE-----": "pgp",
    b"-----BEGIN PGP MESSAGE-----": "pgp",
    b"-----BEGIN SIGNED MESSAGE-----": "x509",
}
_MAGIC = b"SSHSIG"
_NAMESPACE = b"git"
_DIGESTS = {b"sha512": hashlib.sha512, b"sha256": hashlib.sha256}
_RSA_BITS = 2048
"""Fewer is no longer taken by ssh-keygen."""

Private = Ed25519PrivateKey | RSAPrivateKey


class Signed(StrEnum):
    """What stands at the end of a tag."""

    NOT = ""
    SSH = "ssh"
    """By an SSH key, and it fits the tag."""
    BAD = "bad"
    """By an SSH key, and it does not fit: the tag was changed, or the signature is another's."""
    PGP = "pgp"
    """By OpenPGP; whether it fits is not looked at here."""
    X509 = "x509"
    """By a certificate; likewise."""


@dataclass(frozen=True, slots=True)
class TagSignature:
    """How a tag is signed, and by which SSH key."""

    how: Signed
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key that signs; it does not show in `repr`."""

    private: Private = field(repr=False)

    @property
    def public(self) -> str:
        """The public key as one line, without a comment: `ssh-ed25519 AAAA…`."""
        return _public_line(self.private.public_key())

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` shows it: `SHA256:…`."""
        return fingerprint_of(self.public)

    def sign(self, payload: bytes) -> bytes:
        """The armoured signature of a tag's content, ready to stand behind it."""
        signed = _signed_bytes(b"sha512", payload)
        if isinstance(self.private, Ed25519PrivateKey):
            kind, raw = b"ssh-ed25519", self.private.sign(signed)
        else:
            kind, raw = b"rsa-sha2-512", self.private.sign(signed, padding.PKCS1v15(), hashes.SHA512())
        blob = base64.b64decode(self.public.split()[1])
        parts = [blob, _NAMESPACE, b"", b"sha512", _packed(kind, raw)]
        text = base64.b64encode(_MAGIC + struct.pack(">I", 1) + _packed(*parts))
        lines = [text[start : start + 70] for start in range(0, len(text), 70)]
        return b"\n".join([_BEGIN, *lines, _END, b""])


def new_private_key() -> str:
    """A fresh Ed25519 key in OpenSSH's own format."""
    return _as_text(Ed25519PrivateKey.generate())


def read_signer(text: str) -> Signer:
    """The key in `text`: OpenSSH or PEM, Ed25519 or RSA, without a passphrase. Raises InvalidValue with the reason."""
    data = text.replace("\r\n", "\n").strip().encode() + b"\n"
    if b"PRIVATE KEY-----" not in data:
        raise InvalidValue("A private key starts with -----BEGIN … PRIVATE KEY-----.")
    ours = data.startswith(b"-----BEGIN OPENSSH")
    load = serialization.load_ssh_private_key if ours else serialization.load_pem_private_key
    try:
        key = load(data, None)
    except TypeError:
        raise InvalidValue("This key has a passphrase. Nobody is there to type it: give one without.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidValue(
            "This private key cannot be read. Was it copied whole, with its first and last line?"
        ) from None
    if isinstance(key, RSAPrivateKey) and key.key_size < _RSA_BITS:
        raise InvalidValue(f"This RSA key is too short: {_RSA_BITS} bits at least, or an Ed25519 key.")
    if not isinstance(key, Ed25519PrivateKey | RSAPrivateKey):
        raise InvalidValue(
            "Tags are signed with an Ed25519 key, or an RSA key. Other kinds sign differently each time."
        )
    return Signer(key)


def private_text(signer: Signer) -> str:
    """The key in OpenSSH's own format, without comment or passphrase, to be kept encrypted."""
    return _as_text(signer.private)


def fingerprint_of(public: str) -> str:
    """Of a public key's line, as `ssh-keygen -l` shows it."""
    return _fingerprint(base64.b64decode(public.split()[1]))


def tag_signature(raw: bytes) -> TagSignature:
    """How the tag object with this content is signed; an SSH signature is checked against the tag."""
    found = max(((raw.rfind(b"\n" + mark), mark) for mark in (_BEGIN, *_OTHER_MARKS)), default=(-1, b""))
    at, mark = found
    if at < 0:
        return TagSignature(Signed.NOT)
    if mark in _OTHER_MARKS:
        return TagSignature(Signed(_OTHER_MARKS[mark]))
    try:
        return _checked(raw[: at + 1], raw[at + 1 :])
    except (ValueError, binascii.Error, InvalidSignature, UnsupportedAlgorithm, struct.error):
        return TagSignature(Signed.BAD)


def _checked(payload: bytes, armour: bytes) -> TagSignature:
    """Raises one of many errors unless the signature is whole and fits."""
    body, end, _rest = armour.removeprefix(_BEGIN).partition(_END)
    data = base64.b64decode(b"".join(body.split()), validate=True)
    if not end or not data.startswith(_MAGIC + struct.pack(">I", 1)):
        raise ValueError("no signature of version 1")
    blob, namespace, _reserved, digest, signature = _unpacked(data[len(_MAGIC) + 4 :], 5)
    if namespace != _NAMESPACE or digest not in _DIGESTS:
        raise ValueError("made for something else")
    kind, raw = _unpacked(signature, 2)
    (name,) = _unpacked(blob, 1, whole=False)
    key = serialization.load_ssh_public_key(name + b" " + base64.b64encode(blob))
    signed = _signed_bytes(digest, payload)
    if isinstance(key, Ed25519PublicKey):
        key.verify(raw, signed)
    elif isinstance(key, RSAPublicKey) and kind in (b"rsa-sha2-512", b"rsa-sha2-256"):
        key.verify(raw, signed, padding.PKCS1v15(), hashes.SHA512() if kind.endswith(b"512") else hashes.SHA256())
    elif isinstance(key, ec.EllipticCurvePublicKey):
        _verify_ecdsa(key, raw, signed)
    else:
        raise ValueError("a kind of key that is not known here")
    return TagSignature(Signed.SSH, _fingerprint(blob))


def _verify_ecdsa(key: ec.EllipticCurvePublicKey, raw: bytes, signed: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    r, s = (int.from_bytes(part, "big") for part in _unpacked(raw, 2))
    sizes: dict[int, hashes.HashAlgorithm] = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}
    key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(sizes[key.key_size]))


def _signed_bytes(digest: bytes, payload: bytes) -> bytes:
    """What is signed in place of the payload itself."""
    return _MAGIC + _packed(_NAMESPACE, b"", digest, _DIGESTS[digest](payload).digest())


def _packed(*parts: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def _unpacked(data: bytes, count: int, *, whole: bool = True) -> list[bytes]:
    """The first `count` strings; `whole`: nothing may follow them."""
    parts = []
    for _ in range(count):
        (size,) = struct.unpack_from(">I", data)
        if size > len(data) - 4:
            raise ValueError("cut short")
        parts.append(data[4 : 4 + size])
        data = data[4 + size :]
    if whole and data:
        raise ValueError("something follows")
    return parts


def _public_line(key: Ed25519PublicKey | RSAPublicKey) -> str:
    return key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode("ascii")


def _as_text(key: Private) -> str:
    form = serialization.PrivateFormat.OpenSSH
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode("ascii")


def _fingerprint(blob: bytes) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode("ascii").rstrip("=")
