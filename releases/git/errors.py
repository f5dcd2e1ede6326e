"""What can go wrong with git, named, each with a sentence for people."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_URL_CREDENTIALS = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@'\"]+@")
_AUTHORIZATION = re.compile(r"(?i)(authorization:\s*(?:basic|bearer)\s+)\S+")
DETAIL_LIMIT = 4000
"""Characters of git's own words that an error keeps."""


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """Git's own words made fit to show: without secrets, credentials in URLs, control and bidi characters."""
    for secret in secrets:
        for line in secret.splitlines():
            if len(line.strip()) >= 3:
                text = text.replace(line.strip(), "***")
    text = _URL_CREDENTIALS.sub(r"\1***@", text)
    text = _AUTHORIZATION.sub(r"\1***", text)
    return _CONTROL.sub("\ufffd", text).strip()[:DETAIL_LIMIT]


class GitError(Exception):
    """Git could not do what was asked.

    `code` is stable and for machines, `sentence` says to people what happened and what to do, `detail` is what git
    itself said, scrubbed of secrets. `retry` tells whether trying again later may help without anybody acting.
    """

    code: ClassVar[str] = "failed"
    default: ClassVar[str] = "Git failed. Its own words are in the detail; try again, or check the repository."
    retry: ClassVar[bool] = False

    def __init__(self, sentence: str = "", detail: str = "", *, secrets: Iterable[str] = ()) -> None:
        self.sentence = scrub(sentence or self.default, secrets)
        self.detail = scrub(detail, secrets)
        super().__init__(self.sentence)

    def __str__(self) -> str:
        return self.sentence

    def __reduce__(self) -> tuple[type[GitError], tuple[str, str]]:
        return (type(self), (self.sentence, self.detail))


class Unreachable(GitError):
    code = "unreachable"
    default = (
        "The server that holds this repository did not answer. Check the address and the network; it is tried again."
    )
    retry = True


class Refused(GitError):
    code = "refused"
    default = "The server refused this. Check that the account may read the repository and that it is not locked."


class AuthFailed(GitError):
    code = "auth"
    default = "The server did not accept the credential, or wants one. Set a valid token or SSH key in the settings."


class HostKeyUnknown(AuthFailed):
    code = "host-key"
    default = "The SSH host key is not among the known ones, or has changed. Check it, then add it to the known hosts."


class NotARepository(GitError):
    code = "not-a-repository"
    default = "There is no git repository at this place. Check the address or the path."


class TimedOut(GitError):
    code = "timed-out"
    default = "Git took too long and was stopped. The server may be slow; it is tried again."
    retry = True


class DiskFull(GitError):
    code = "disk-full"
    default = "The disk that holds the mirrors is full. Free some space; it is tried again."
    retry = True


class NotWritable(GitError):
    code = "not-writable"
    default = "The folder of the mirrors cannot be written. Check its owner and permissions."


class Corrupt(GitError):
    code = "corrupt"
    default = "The repository is damaged: git cannot read some of it. Fetch it anew, or repair the origin."


class TooLarge(GitError):
    code = "too-large"
    default = "Git's answer is larger than the limit and was cut off. Ask for a smaller part."


class GitTooOld(GitError):
    code = "git-too-old"
    default = "This git is too old. Install git 2.38 or newer."


class GitMissing(GitError):
    code = "git-missing"
    default = "Git was not found. Install git 2.38 or newer and make sure that it is in the PATH."


class NoSuchRef(GitError):
    code = "no-such-ref"
    default = "This branch, tag or commit does not exist in the repository."


class InvalidValue(GitError):
    code = "invalid-value"
    default = "This is not a name that git accepts."


class MissingObject(GitError):
    code = "missing-object"
    default = "An object of the history is missing: the repository is shallow, partial or incomplete. Fetch it in full."


class UrlNotAllowed(GitError):
    code = "url-not-allowed"
    default = "This address is not allowed. Use https or ssh to a public host."


class Moved(UrlNotAllowed):
    code = "redirected"
    default = "The server sends on to another address, which is not followed. Set the repository's new address."


class Busy(GitError):
    code = "busy"
    default = "Another worker is writing to this mirror. It is tried again."
    retry = True


_PATTERNS: tuple[tuple[type[GitError], re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (
            DiskFull,
            r"no space left on device|disk quota exceeded|file too large|file size limit exceeded|died of signal 25",
        ),
        (HostKeyUnknown, r"host key verification failed|remote host identification has changed"),
        (
            AuthFailed,
            r"authentication failed|could not read (username|password)|invalid username or password|"
            r"permission denied \(|returned error: 401|http basic: access denied|invalid credentials|"
            r"terminal prompts disabled|load key .*: (invalid|error)",
        ),
        (Refused, r"returned error: (403|429)|access denied|pre-receive hook declined|remote rejected"),
        (Moved, r"unable to update url base from redirection|returned error: 30\d"),
        (UrlNotAllowed, r"transport '.*' not allowed"),
        (
            NotARepository,
            r"not a git repository|repository (.* )?(not found|does not exist)|does not appear to be a git repository|"
            r"not valid: is this a git repository|returned error: 404|project .* could not be found|"
            r"repository not exported|no such repository|not found in upstream",
        ),
        (TimedOut, r"operation too slow|timeout was reached"),
        (NotWritable, r"permission denied|read-only file system|unable to create .*: |insufficient permission"),
        (
            MissingObject,
            r"promisor|missing (blob|tree|commit|object)|could not fetch [0-9a-f]{40} from|unable to read sha1|"
            r"(unable to|could not) read [0-9a-f]{40}|revision walk setup failed|"
            r"possible repository corruption on the remote side",
        ),
        (
            Corrupt,
            r"loose object .* is corrupt|packfile .* (is corrupt|cannot be|does not match)|object file .* is empty|"
            r"inflate:|bad (object header|tree|index file)|index file corrupt|sha1 mismatch|hash mismatch|"
            r"unable to (read|parse|open) (tree|object|commit|loose)|could not (read|parse) (object|commit)|"
            r"broken (link|ref)|object .* cannot be read|did not send all necessary objects|file .* is not a commit|"
            r"commit-graph|invalid object|not our ref",
        ),
        (
            Unreachable,
            r"could not resolve host|connection timed out|operation timed out|timed out after|"
            r"name or service not known|temporary failure in name resolution|"
            r"connection (refused|reset|closed)|no route to host|network is unreachable|failed to connect|"
            r"couldn't connect|unable to connect|early eof|the remote end hung up|returned error: 5\d\d|"
            r"ssl certificate problem|gnutls|tls connection|ssl_|empty reply from server|unable to access|"
            r"unexpected disconnect|rpc failed|could not read from remote repository",
        ),
        (
            NoSuchRef,
            r"unknown revision|bad revision|not a valid (object|ref|commit)|ambiguous argument|"
            r"needed a single revision|couldn't find remote ref|invalid object name|bad object|no such ref|"
            r"malformed object name",
        ),
    )
)


def classify(returncode: int, stderr: str, *, secrets: Iterable[str] = ()) -> GitError:
    """The named error behind an exit code and what git said (in the C locale)."""
    for kind, pattern in _PATTERNS:
        if pattern.search(stderr):
            return kind(detail=stderr, secrets=secrets)
    return GitError(detail=stderr or f"git ended with {returncode} and said nothing", secrets=secrets)
