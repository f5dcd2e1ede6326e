"""Start git, and nothing else: clean environment, own process group, time and output bounds, nothing left behind.

`run` collects a bounded answer. `stream` gives a raw pipe for answers too large to hold, `dialogue` one for questions
and answers in turn. All take arguments as a list, never a shell line; values from outside must come through
`releases.git.values` or stand behind `--end-of-options` or `--`.
"""

from __future__ import annotations

import functools
import os
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

from .environment import environment
from .errors import GitError, GitMissing, GitTooOld, TimedOut, TooLarge, classify

TIMEOUT = 120.0
"""Seconds for one local call."""
MAX_OUTPUT = 64 << 20
"""Bytes of standard output that `run` holds at most."""
MAX_STDERR = 64 << 10
MINIMUM = (2, 38)
_PIPE = 60_000
"""Bytes that fit into a pipe without a reader; longer input goes through an unnamed file."""


@dataclass(frozen=True, slots=True)
class Completed:
    """A finished call: exit code, standard output, and what git said on standard error."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        """Standard output as text; bytes that are not UTF-8 become replacement characters."""
        return self.stdout.decode("utf-8", "replace")

    @property
    def line(self) -> str:
        return self.text.strip()


@functools.cache
def executable() -> str:
    """Where git is. Raises GitMissing."""
    found = shutil.which("git")
    if not found:
        raise GitMissing
    return found


@functools.cache
def version() -> tuple[int, int, int]:
    """The version of the git in use. Raises GitMissing."""
    done = subprocess.run([executable(), "version"], capture_output=True, timeout=20, check=False, env=environment())
    numbers = done.stdout.decode("ascii", "replace").split()[2:3] or ["0"]
    parts = [int(part) if part.isdigit() else 0 for part in [*numbers[0].split("."), "0", "0"][:3]]
    return (parts[0], parts[1], parts[2])


def check_version() -> None:
    """Raise GitTooOld, naming what was found, when this git lacks what the verdicts need."""
    if version()[:2] < MINIMUM:
        found = ".".join(map(str, version()))
        raise GitTooOld(f"git {found} is too old: trial merges need git 2.38 or newer. Install a newer git.")


@functools.cache
def _tie() -> list[str]:
    """A prefix that makes the kernel end git when its worker dies (Linux); empty where there is no such tool.

    A wrapper costs less than a function run between fork and exec, and is safe in threaded processes. The kernel does
    not tell of a worker that had died before it was asked to: a shell whose parent is another by then starts nothing.
    """
    tool, shell = shutil.which("setpriv"), shutil.which("sh")
    if not tool or not shell:
        return []
    probe = subprocess.run([tool, "--pdeathsig", "KILL", "true"], capture_output=True, check=False, timeout=20)
    return [] if probe.returncode else [tool, "--pdeathsig", "KILL", shell, "-c", '[ "$PPID" = "$0" ] && exec "$@"']


def _guard() -> list[str]:
    tie = _tie()
    return [*tie, str(os.getpid())] if tie else []


def _command(args: Sequence[str], git_dir: Path | str | None, *, guarded: bool) -> list[str]:
    for arg in args:
        if "\0" in arg:
            raise ValueError("an argument of git holds a NUL byte")
    where = [f"--git-dir={git_dir}"] if git_dir is not None else []
    return [*(_guard() if guarded else []), executable(), "--no-pager", *where, *args]


def _input(stdin: bytes | Path | None, stack: ExitStack) -> tuple[int | IO[bytes], bytes]:
    """What to hand to Popen as stdin, and what to write into its pipe at once."""
    if stdin is None:
        return subprocess.DEVNULL, b""
    if isinstance(stdin, Path):
        return stack.enter_context(stdin.open("rb")), b""
    if len(stdin) <= _PIPE:
        return subprocess.PIPE, stdin
    spool = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
    spool.write(stdin)
    spool.seek(0)
    return spool, b""


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and all it started; its pipes are closed and it is reaped."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:
                pass
    process.wait()


def _start(
    args: Sequence[str], git_dir: Path | str | None, stdin: bytes | Path | None, stack: ExitStack, **options: Any
) -> subprocess.Popen[bytes]:
    env = environment(
        options.pop("env", None), protocols=options.pop("protocols", ()), config=options.pop("config", ())
    )
    command = _command(args, git_dir, guarded=options.pop("guarded", False))
    asking = options.pop("asking", False)
    source, first = (subprocess.PIPE, b"") if asking else _input(stdin, stack)
    process = subprocess.Popen(
        command, stdin=source, stdout=subprocess.PIPE, env=env, start_new_session=True, **options
    )
    stack.callback(_kill, process)
    if process.stdin is not None and not asking:
        try:
            os.write(process.stdin.fileno(), first)
        except BrokenPipeError:
            pass  # git ended before it read; its exit code tells why
        process.stdin.close()
    return process


def _collect(process: subprocess.Popen[bytes], deadline: float, limit: int) -> tuple[bytes, bytes]:
    """Read both pipes to their end. Raises TimedOut and TooLarge."""
    assert process.stdout is not None  # noqa: S101
    assert process.stderr is not None  # noqa: S101
    out, err = process.stdout.fileno(), process.stderr.fileno()
    chunks: dict[int, list[bytes]] = {out: [], err: []}
    sizes = {out: 0, err: 0}
    poll = select.poll()
    poll.register(out, select.POLLIN)
    poll.register(err, select.POLLIN)
    open_ends = 2
    while open_ends:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimedOut
        for descriptor, _event in poll.poll(left * 1000):
            data = os.read(descriptor, 1 << 18)
            if not data:
                poll.unregister(descriptor)
                open_ends -= 1
                continue
            sizes[descriptor] += len(data)
            if descriptor == out and sizes[out] > limit:
                raise TooLarge(detail=f"more than {limit} bytes")
            if descriptor == out or sizes[err] <= MAX_STDERR:
                chunks[descriptor].append(data)
    return b"".join(chunks[out]), b"".join(chunks[err])


def run(
    args: Sequence[str],
    *,
    git_dir: Path | str | None = None,
    stdin: bytes | Path | None = None,
    timeout: float = TIMEOUT,
    max_output: int = MAX_OUTPUT,
    env: Mapping[str, str] | None = None,
    ok_codes: Sequence[int] | None = (0,),
    config: Sequence[tuple[str, str]] = (),
    protocols: Sequence[str] = (),
    guarded: bool = False,
    secrets: Sequence[str] = (),
    pass_fds: Sequence[int] = (),
    cwd: Path | str | None = None,
) -> Completed:
    """Run git to its end and collect its answer.

    `config` comes on top of the fixed configuration. `ok_codes=None` accepts every exit code; any other code than the
    accepted raises the named GitError. `protocols` are the transports that git may use (none by default). `guarded`
    ties git's life to this process (calls that write). `secrets` never show up in an error.
    """
    deadline = time.monotonic() + timeout
    with ExitStack() as stack:
        process = _start(
            args, git_dir, stdin, stack, env=env, config=config, protocols=protocols, guarded=guarded,
            stderr=subprocess.PIPE, pass_fds=tuple(pass_fds), cwd=cwd, bufsize=0,
        )  # fmt: skip
        stdout, stderr = _collect(process, deadline, max_output)
        try:
            code = process.wait(max(0.05, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise TimedOut from None
    said = stderr.decode("utf-8", "replace")
    if ok_codes is not None and code not in ok_codes:
        raise classify(code, said, secrets=secrets)
    return Completed(code, stdout, said)


class Stream:
    """A running git whose standard output is read as it comes; see `stream`."""

    def __init__(self, process: subprocess.Popen[bytes], said: IO[bytes], timeout: float) -> None:
        assert process.stdout is not None  # noqa: S101
        self.stdout: BinaryIO = process.stdout  # type: ignore[assignment]
        self._process = process
        self._said = said
        self._late = False
        self._timer = threading.Timer(timeout, self._expire)
        self._timer.daemon = True
        self._timer.start()

    def _expire(self) -> None:
        self._late = True
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.stdout)

    def read(self, size: int = -1) -> bytes:
        return self.stdout.read(size)

    def read1(self, size: int) -> bytes:
        """What has come so far, at most so many bytes; waits for the first of them."""
        return self.stdout.read1(size)  # type: ignore[attr-defined,no-any-return]

    def send(self, question: bytes) -> None:
        """Hand git a short question; only in a `dialogue`. What git says to it must be read before the next one."""
        assert self._process.stdin is not None  # noqa: S101
        try:
            self._process.stdin.write(question)
            self._process.stdin.flush()
        except BrokenPipeError:
            self.finish()
            raise GitError(detail="git ended early") from None

    def stderr(self) -> str:
        """What git has said so far on standard error (at most 64 KiB)."""
        return os.pread(self._said.fileno(), MAX_STDERR, 0).decode("utf-8", "replace")

    def _at_end(self) -> bool:
        poll = select.poll()
        poll.register(self.stdout.fileno(), select.POLLIN)
        return any(event & select.POLLHUP and not event & select.POLLIN for _, event in poll.poll(0))

    def finish(self, ok_codes: Sequence[int] = (0,)) -> int:
        """Wait for the end and raise the named GitError unless git ended well. Call it after reading to the end."""
        code = self._process.wait()
        if self._late:
            raise TimedOut
        if code not in ok_codes:
            raise classify(code, self.stderr())
        return code

    def close(self) -> None:
        self._timer.cancel()


@contextmanager
def stream(
    args: Sequence[str],
    *,
    git_dir: Path | str | None = None,
    stdin: bytes | Path | None = None,
    timeout: float = TIMEOUT,
    env: Mapping[str, str] | None = None,
    ok_codes: Sequence[int] = (0,),
    cwd: Path | str | None = None,
) -> Iterator[Stream]:
    """Run git and read its standard output (`.stdout`, a buffered binary file) while it runs.

    Leaving the block after the end of the output raises the named GitError when git failed; what was read before is
    then not to be trusted. Leaving early ends git quietly. Timed out: the output ends and leaving raises TimedOut.
    """
    with ExitStack() as stack:
        said = stack.enter_context(tempfile.TemporaryFile())
        process = _start(args, git_dir, stdin, stack, env=env, stderr=said, cwd=cwd, bufsize=1 << 17)
        flow = Stream(process, said, timeout)
        stack.callback(flow.close)
        yield flow
        if flow._late or process.poll() is not None or flow._at_end():
            flow.finish(ok_codes)


@contextmanager
def dialogue(
    args: Sequence[str], *, git_dir: Path | str | None = None, timeout: float = TIMEOUT,
    env: Mapping[str, str] | None = None,
) -> Iterator[Stream]:  # fmt: skip
    """Run git and ask it one thing after another with `send`, reading each answer; git is ended with the block."""
    with ExitStack() as stack:
        said = stack.enter_context(tempfile.TemporaryFile())
        process = _start(args, git_dir, None, stack, env=env, stderr=said, bufsize=1 << 16, asking=True)
        flow = Stream(process, said, timeout)
        stack.callback(flow.close)
        yield flow
