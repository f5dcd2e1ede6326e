"""Carrying out one command under its guardian: output goes to a sink as it comes, and everything ends with it."""

from __future__ import annotations

import fcntl
import math
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from .facts import read_facts
from .guard import guardian
from .guard.order import Order
from .marks import MARK, end_marked, mark_value
from .masking import Mask

Sink = Callable[[bytes], None]
Stop = Callable[[], str]

GRACE = 5.0
"""Seconds between asking a command to end and ending it by force."""
LEFT_GRACE = 1.0
"""The same for processes that it left behind when it ended."""
ASK_EVERY = 0.3
"""Seconds between two questions whether to stop."""
TICK = 0.1
"""The sink hears at least this often (with nothing, when nothing came), so that it can bring out what it holds."""
READ = 1 << 18
PIPE = 1 << 20
"""Bytes that the pipe is asked to hold, so that a chatty command does not wait while its output is written down."""
NAP = 0.008
"""Seconds between two reads while output flows: a hundred small reads cost more than one large."""
REPORT_WAIT = 30.0

_BOOT = "import sys; sys.path.append(sys.argv[1]); from guard import guardian; guardian.main(int(sys.argv[2]))"
_FOLDER = str(Path(__file__).parent)
_LIBRARIES = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
"""Without these some builds of Python do not start."""


@dataclass(frozen=True, slots=True)
class Job:
    """One command. Times are seconds, sizes bytes; 0 is no limit."""

    command: str
    """Lines for /bin/sh; the first that fails ends it."""
    folder: Path
    env: Mapping[str, str] = field(repr=False)
    timeout: float
    silence: float
    """Ended when nothing is printed for this long."""
    cpu: float
    """Processor time of all its processes."""
    max_size: int
    """Of `measured`."""
    marker: str
    """`<run pk>:<fence>`: by it all processes of the command are found, whatever they do."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Name → value: they come to the command as variables, and out again as asterisks."""
    measured: Path | None = None
    """The folder whose size counts; `folder` by default."""
    output_file: Path | None = None
    """Where the command writes `name=value` lines, told to it as HOTFIXDASH_OUTPUT."""
    grace: float = GRACE


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    how: str
    """exited, signal, timeout, silent, size, cpu, aborted, lost"""
    code: int | None
    """Exit status, when it exited."""
    signal: int | None
    """What ended the command itself, when a signal did."""
    facts: dict[str, str]
    seconds: float
    why: str
    """A sentence; empty when it went well."""
    cpu: float = 0.0
    """Processor seconds of all its processes."""
    notes: tuple[str, ...] = ()
    """Sentences on what else is worth knowing: processes left behind, facts that cannot be read."""

    @property
    def good(self) -> bool:
        return self.how == "exited" and self.code == 0


def execute(job: Job, sink: Sink, stop: Stop) -> Ended:
    """Carry out a command; when this returns or raises, nothing of it runs any more.

    `sink` gets its output (both streams, in order), and nothing (b"") now and then. `stop` is asked every half second
    and gives "" or a reason. What either raises is passed on once everything has ended.
    """
    began = time.monotonic()
    with _Guarded(job) as guarded:
        report = guarded.watch(sink, stop)
    facts, problems = read_facts(job.output_file, Mask(job.secrets)) if job.output_file else ({}, [])
    return _ended(job, report, facts, problems, time.monotonic() - began)


def minimal_environment() -> dict[str, str]:
    """What every command gets before anything else: where programs are, and a language."""
    path = os.environ.get("PATH") or "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {"PATH": path, "LANG": "C.UTF-8"}


class _Guarded:
    """The guardian's process, the pipe of the output, and the socket between."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def __enter__(self) -> Self:
        order = self._order().packed()
        self._ours, theirs = socket.socketpair()
        self._out, into = os.pipe()
        with suppress(OSError):  # The account may hold too many large pipes already.
            fcntl.fcntl(into, fcntl.F_SETPIPE_SZ, PIPE)
        os.set_blocking(self._out, False)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _BOOT, _FOLDER, str(theirs.fileno())],
                stdin=subprocess.DEVNULL, stdout=into, stderr=into, pass_fds=[theirs.fileno()],
                start_new_session=True, cwd="/", env={MARK: mark_value(self.job.marker)} | _LIBRARIES,
            )  # fmt: skip
        except BaseException:
            self._ours.close()
            os.close(self._out)
            raise
        finally:
            theirs.close()
            os.close(into)
        with suppress(OSError):  # It was killed already: that is noticed soon.
            self._ours.sendall(order)
        return self

    def _order(self) -> Order:
        job = self.job
        env = minimal_environment() | dict(job.env) | dict(job.secrets)
        if job.output_file is not None:
            env["HOTFIXDASH_OUTPUT"] = str(job.output_file)
        env[MARK] = mark_value(job.marker)
        return Order(
            job.command, str(job.folder), str(job.measured or job.folder), env, timeout=job.timeout, cpu=job.cpu,
            max_size=job.max_size, grace=job.grace, left_grace=min(job.grace, LEFT_GRACE),
        )  # fmt: skip

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Whatever happened: the closed socket makes the guardian end everything, and its own death is seen to."""
        self._ours.close()
        try:
            self._wait_for_guardian()
        finally:
            os.close(self._out)

    @property
    def _slack(self) -> float:
        """Seconds that the guardian has to end everything; after that something is wrong with itself."""
        return self.job.grace + guardian.UNENDABLE + REPORT_WAIT

    def _wait_for_guardian(self) -> None:
        until = time.monotonic() + self._slack
        while self._process.poll() is None and time.monotonic() < until:
            with suppress(BlockingIOError):
                os.read(self._out, READ)  # Nobody may wait for a reader while it is to end.
            time.sleep(0.002)
        if self._process.returncode != 0:
            self._process.kill()
            self._process.wait()
            end_marked(self.job.marker)

    def watch(self, sink: Sink, stop: Stop) -> dict[str, str]:
        """Pass on the output until the guardian reports; its report, empty when it was killed."""
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        poll.register(self._ours, select.POLLIN)
        asked = heard = time.monotonic()
        overdue = heard + self.job.timeout + self._slack if self.job.timeout else math.inf
        reason = ""
        while True:
            ready = {descriptor for descriptor, _event in poll.poll(TICK * 1000)}
            now = time.monotonic()
            if self._out in ready:
                data = os.read(self._out, READ)
                if data:
                    sink(data)
                    # Not when it was read: the sink itself may have taken its time.
                    heard = time.monotonic()
                    if len(data) < READ // 4:
                        time.sleep(NAP)
                else:
                    poll.unregister(self._out)
            else:
                sink(b"")
            if self._ours.fileno() in ready:
                report = self._reported()
                self._drain(sink)
                return report
            if now >= overdue:
                self._process.kill()  # It does not answer: a command may have stopped it.
                return {}
            if not reason:
                if now - asked >= ASK_EVERY:
                    reason, asked = stop(), now
                if not reason and self.job.silence and now - heard >= self.job.silence:
                    reason = "silent"
                if reason:
                    self._tell(reason)
                    overdue = min(overdue, now + self._slack)

    def _tell(self, reason: str) -> None:
        with suppress(OSError):
            self._ours.send(reason.encode() + b"\n", socket.MSG_DONTWAIT)

    def _reported(self) -> dict[str, str]:
        try:
            said = self._ours.recv(4096).decode(errors="replace").strip()
        except OSError:
            said = ""
        words, _, why = said.partition(" why=")
        report = dict(word.split("=", 1) for word in words.split(" ") if "=" in word)
        return report | {"why": why} if report else {}

    def _drain(self, sink: Sink) -> None:
        """What was printed before the end and not read yet."""
        for _ in range(2 * PIPE // 4096):
            try:
                data = os.read(self._out, READ)
            except BlockingIOError:
                break
            if not data:
                break
            sink(data)


def _ended(job: Job, report: dict[str, str], facts: dict[str, str], problems: list[str], seconds: float) -> Ended:
    if not report:
        why = "The process that guards the command was killed from outside; all that the command started was ended."
        return Ended("signal", None, int(signal.SIGKILL), facts, seconds, why, notes=tuple(problems))
    how, number = report["how"], int(report["signal"])
    code = None if number else int(report["code"])
    why = _why(job, how, code, number, report["why"])
    notes = [*_left(int(report["left"]), int(report["stuck"])), *problems]
    if how == "failed":
        how = "exited"
    return Ended(how, code, number or None, facts, seconds, why, float(report["cpu"]), tuple(notes))


def _why(job: Job, how: str, code: int | None, number: int, failed: str) -> str:
    """The sentence for people."""
    sentences = {
        "failed": f"The command could not be started: {failed}.",
        "exited": f"It ended with status {code}." if code else "",
        "signal": f"It was ended by signal {number} ({_signal_name(number)}).",
        "timeout": f"It took longer than {job.timeout:g} seconds and was ended.",
        "silent": f"It printed nothing for {job.silence:g} seconds and was ended.",
        "size": f"Its folder grew beyond {job.max_size:,} bytes and it was ended.",
        "cpu": f"It used more than {job.cpu:g} seconds of processor time and was ended.",
        "aborted": "It was aborted.",
        "lost": "Its worker gave up the run, and it was ended.",
    }
    return sentences.get(how, f"It was ended: {how}.")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def _left(left: int, stuck: int) -> list[str]:
    notes = []
    if left:
        which = "A process that it left running was" if left == 1 else f"{left} processes that it left running were"
        notes.append(f"{which} ended.")
    if stuck:
        notes.append(f"{stuck} of its processes could not be ended: stuck in the kernel, or another account's.")
    return notes
