"""What git says becomes a named error with a sentence for people, and no secret comes through."""

from __future__ import annotations

import pickle

import pytest

from releases.git import errors
from releases.git.errors import GitError, classify, scrub

SAID = [
    ("fatal: unable to access 'https://h/x/': Could not resolve host: h", "unreachable"),
    ("fatal: unable to access 'https://h/x/': Failed to connect to h port 443: Connection refused", "unreachable"),
    (
        "ssh: connect to host h port 22: Connection timed out\nfatal: Could not read from remote repository.",
        "unreachable",
    ),
    ("fatal: unable to access 'https://h/x/': The requested URL returned error: 503", "unreachable"),
    ("fatal: unable to access 'https://h/x/': SSL certificate problem: self-signed certificate", "unreachable"),
    ("fatal: the remote end hung up unexpectedly", "unreachable"),
    ("fatal: Authentication failed for 'https://h/x/'", "auth"),
    ("fatal: could not read Username for 'https://h': terminal prompts disabled", "auth"),
    ("git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.", "auth"),
    ("Host key verification failed.\nfatal: Could not read from remote repository.", "host-key"),
    ("fatal: unable to access 'https://h/x/': The requested URL returned error: 403", "refused"),
    ("remote: GitLab: access denied\nfatal: x", "refused"),
    ("fatal: repository 'https://h/x/' not found", "not-a-repository"),
    (
        "fatal: '/x' does not appear to be a git repository\nfatal: Could not read from remote repository.",
        "not-a-repository",
    ),
    ("fatal: not a git repository: '/x'", "not-a-repository"),
    ("fatal: https://h/x/info/refs not valid: is this a git repository?", "not-a-repository"),
    ("ERROR: Repository not found.\nfatal: Could not read from remote repository.", "not-a-repository"),
    ("error: Operation too slow. Less than 1 bytes/sec transferred the last 60 seconds", "timed-out"),
    ("fatal: write error: No space left on device", "disk-full"),
    ("fatal: unable to create temporary file: No space left on device", "disk-full"),
    ("error: could not write config file: Disk quota exceeded", "disk-full"),
    ("error: insufficient permission for adding an object to repository database objects", "not-writable"),
    ("fatal: Unable to create '/m/packed-refs.lock': Read-only file system", "not-writable"),
    ("fatal: loose object 1234 (stored in objects/12/34) is corrupt", "corrupt"),
    ("error: inflate: data stream error (incorrect header check)", "corrupt"),
    ("fatal: packfile ./objects/pack/x.pack cannot be accessed", "corrupt"),
    ("error: object file objects/12/34 is empty", "corrupt"),
    ("fatal: unable to read " + "1" * 40, "missing-object"),
    ("error: Could not read " + "1" * 40 + "\nfatal: revision walk setup failed", "missing-object"),
    ("fatal: could not fetch " + "1" * 40 + " from promisor remote", "missing-object"),
    ("remote: aborting due to possible repository corruption on the remote side.\nfatal: early EOF", "missing-object"),
    ("fatal: bad revision 'nope'", "no-such-ref"),
    ("fatal: Needed a single revision", "no-such-ref"),
    ("fatal: couldn't find remote ref nope", "no-such-ref"),
    ("fatal: transport 'ext' not allowed", "url-not-allowed"),
    ("fatal: unable to access 'https://h/x/': The requested URL returned error: 301", "redirected"),
    ("fatal: something nobody has seen before", "failed"),
    ("", "failed"),
]


@pytest.mark.parametrize(("said", "code"), SAID)
def test_what_git_says_has_a_name(said, code):
    error = classify(128, said)
    assert error.code == code
    assert error.sentence.endswith((".", "again.", "settings."))
    assert said.strip().splitlines()[0] in error.detail if said else error.detail


def test_every_error_has_a_code_of_its_own_and_says_what_to_do():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GitError)]
    assert len({kind.code for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert kind().sentence == kind.default
        assert len(kind.default.split(". ")) >= 2 or kind is errors.NoSuchRef or kind is errors.InvalidValue


def test_secrets_do_not_come_through():
    said = (
        "fatal: Authentication failed for 'https://robin:hunter22@h/x'\nAuthorization: Basic aGVsbG8=\nkey: tok-123456"
    )
    error = classify(128, said, secrets=["tok-123456"])
    for secret in ("hunter22", "aGVsbG8=", "tok-123456"):
        assert secret not in error.detail
        assert secret not in repr(error)
    assert "https://***@h/x" in error.detail


def test_every_line_of_a_key_is_scrubbed():
    key = "-----BEGIN KEY-----\nabcdefghij\nklmnopqrst\n-----END KEY-----"
    assert "klmnop" not in scrub("load key: klmnopqrst", [key])


def test_control_and_bidi_characters_do_not_come_through():
    assert scrub("a\x1b[31mb\u202ec\x00") == "a�[31mb�c�"
    assert len(scrub("x" * 100_000)) == errors.DETAIL_LIMIT


def test_errors_can_be_sent_between_processes():
    error = pickle.loads(pickle.dumps(classify(128, "fatal: bad revision 'x'")))
    assert (error.code, error.detail) == ("no-such-ref", "fatal: bad revision 'x'")
