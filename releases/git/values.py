"""Values that may stand in a call to git: typed, checked, never taken for an option.

`parse` is for what people and other programs hand in: strict, with a sentence for each refusal. Names that a
repository already has can be odd (bidi marks, bytes that are not UTF-8); reading them never fails: build the type
directly, or use `existing`, which refuses only what git could take for something else than a name.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Self

from .errors import InvalidValue

NAME_LIMIT = 250
"""Characters of a new branch or tag name, so that its file name fits everywhere."""
_SHA = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]")
_NOT_IN_REVISION = re.compile(r"[\x00-\x20\x7f:?*\[\\]")
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def shown(text: str) -> str:
    """A value made fit to stand in a sentence: short, with invisible characters written out."""
    plain = "".join(ch if unicodedata.category(ch) not in _INVISIBLE else f"\\u{ord(ch):04x}" for ch in text[:80])
    return f"“{plain}{'…' if len(text) > 80 else ''}”"


def refname_fault(name: str) -> str | None:
    """Why git would refuse this as (part of) a reference name, or None; the rules of check-ref-format."""
    if not name:
        return "it is empty"
    if name == "@":
        return "@ alone means something else to git"
    if _FORBIDDEN.search(name):
        return "spaces, control characters and ~ ^ : ? * [ \\ are not allowed"
    if ".." in name or "@{" in name:
        return "“..” and “@{” mean something else to git"
    if name.endswith("."):
        return "it ends with a dot"
    for part in name.split("/"):
        if not part:
            return "a part between slashes is empty"
        if part.startswith("."):
            return "a part begins with a dot"
        if part.endswith(".lock"):
            return "a part ends with “.lock”"
    return None


def _invisible_fault(name: str) -> str | None:
    if any(unicodedata.category(ch) in _INVISIBLE for ch in name):
        return "it holds invisible or direction-changing characters"
    return None


class Sha(str):
    """A full object id, lower case: 40 digits, or 64 in a SHA-256 repository."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises InvalidValue."""
        value = text.strip().lower()
        if not _SHA.match(value):
            raise InvalidValue(f"{shown(text)} is not a full object id: 40 digits of 0–9 and a–f.")
        return cls(value)

    @property
    def short(self) -> str:
        return self[:7]

    @property
    def is_zero(self) -> bool:
        return not self.strip("0")


class _Name(str):
    """What branch and tag names have in common."""

    __slots__ = ()
    what = "name"
    prefix = ""
    reserved: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> Self:
        """A name that may be given to something new. Raises InvalidValue."""
        fault = cls._fault(text) or _invisible_fault(text)
        if len(text) > NAME_LIMIT:
            fault = f"it is longer than {NAME_LIMIT} characters"
        if fault:
            raise InvalidValue(f"{shown(text)} cannot be a {cls.what}: {fault}.")
        return cls(text)

    @classmethod
    def existing(cls, text: str) -> Self:
        """A name that a repository may already have; visible oddities are accepted. Raises InvalidValue."""
        fault = cls._fault(text)
        if fault:
            raise InvalidValue(f"{shown(text)} cannot be a {cls.what}: {fault}.")
        return cls(text)

    @classmethod
    def _fault(cls, text: str) -> str | None:
        if text.startswith("-"):
            return "it begins with a dash"
        if text in cls.reserved:
            return "git uses this word for something else"
        return refname_fault(text)

    @property
    def full(self) -> str:
        """The whole reference name: refs/heads/… or refs/tags/…"""
        return self.prefix + self


class BranchName(_Name):
    """A short branch name: main, release/1.3."""

    __slots__ = ()
    what = "branch name"
    prefix = "refs/heads/"
    reserved = frozenset({"HEAD"})


class TagName(_Name):
    """A short tag name: v1.2.1."""

    __slots__ = ()
    what = "tag name"
    prefix = "refs/tags/"
    reserved = frozenset({"HEAD"})


class RefName(_Name):
    """A whole reference name: refs/heads/main, refs/tags/v1.2.1."""

    __slots__ = ()
    what = "reference name"

    @classmethod
    def _fault(cls, text: str) -> str | None:
        if not text.startswith("refs/"):
            return "it must begin with refs/"
        return super()._fault(text)

    @property
    def is_branch(self) -> bool:
        return self.startswith("refs/heads/")

    @property
    def is_tag(self) -> bool:
        return self.startswith("refs/tags/")

    @property
    def short(self) -> str:
        return self.removeprefix("refs/heads/").removeprefix("refs/tags/")


class Revision(str):
    """What people type to name one commit: a branch, a tag, an object id, v1.2~3. No ranges, searches or paths."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises InvalidValue."""
        fault = None
        if not text:
            fault = "it is empty"
        elif text[0] in "-^":
            fault = f"it begins with “{text[0]}”"
        elif len(text) > 400:
            fault = "it is too long"
        elif _NOT_IN_REVISION.search(text):
            fault = "spaces, control characters and : ? * [ \\ are not allowed"
        elif ".." in text:
            fault = "a range is not one commit"
        elif "^{/" in text or "@{" in text:
            fault = "searches and times are not allowed"
        if fault:
            raise InvalidValue(f"{shown(text)} does not name a commit: {fault}.")
        return cls(text)


class RemoteUrl(str):
    """The address of a repository as typed, without anything that misleads; `remotes` decides if it is allowed."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises InvalidValue."""
        value = text.strip()
        fault = None
        if not value:
            fault = "it is empty"
        elif value.startswith("-"):
            fault = "it begins with a dash"
        elif len(value) > 500:
            fault = "it is longer than 500 characters"
        elif any(unicodedata.category(ch) in _INVISIBLE for ch in value):
            fault = "it holds invisible or control characters"
        if fault:
            raise InvalidValue(f"{shown(text)} cannot be the address of a repository: {fault}.")
        return cls(value)
