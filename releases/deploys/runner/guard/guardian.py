"""The guardian of one command: starts it, watches its limits, ends all that came of it, and says how it went.

It is the *subreaper* of everything that the command starts: a process that forks away becomes its child, so that the
tree is known to be empty when there is no child left. Over one socket it gets the order, and later the word to end it;
when the socket closes the worker is gone, and the guardian ends everything by itself.
"""

from __future__ import annotations

# Not `signal`: its enumerations would take a third of the time in which this process starts.
import _signal as signal  # type: ignore[import-not-found]
import ctypes
import os
import resource
import select
import time

from .order import Order
from .processes import below, folder_size, processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
SHELL = ("/bin/sh", "-e", "-c")
LOOK_EVERY = 0.5
"""Seconds between two looks at processor time and folder."""
UNENDABLE = 20.0
"""Seconds after which processes that cannot be ended (stuck in the kernel) are left and counted."""
NOT_STARTED = 127
IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGXFSZ)
_TICKS = os.sysconf("SC_CLK_TCK")


class Guardian:
    """Watches one command from its start to the end of the last process that came of it."""

    def __init__(self, channel: int, order: Order) -> None:
        self.channel = channel
        self.order = order
        self.child = 0
        self.status: int | None = None
        """Of the command itself, once it has ended."""
        self.childless = False
        self.met = 0
        """Processes that were there when it came to ending."""
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN)
        self._poll.register(self._woken, select.POLLIN)
        self._next_look = 0.0
        self._walk: Iterator[int] | None = None
        self._walk_began = 0.0

    def run(self) -> str:
        """Start, watch, end; gives the report as `name=value` words."""
        failed = self._start()
        if failed:
            return f"how=failed code={NOT_STARTED} signal=0 cpu=0 left=0 stuck=0 why={failed}"
        reason = self._watch()
        stuck = self._end(self.order.grace if reason else self.order.left_grace)
        left = 0 if reason else self.met
        code, number = _told(self.status)
        how = reason or ("signal" if number else "exited")
        cpu = sum(os.times()[2:4])
        return f"how={how} code={code} signal={number} cpu={cpu:.2f} left={left} stuck={stuck} why="

    def _start(self) -> str:
        """Start the command in a session of its own; a word on why it could not be, or nothing."""
        listen, tell = os.pipe()
        guardian = os.getpid()
        self.child = os.fork()
        if self.child == 0:
            try:
                self._become(guardian)
            except BaseException as error:
                said = getattr(error, "strerror", None) or str(error) or type(error).__name__
                os.write(tell, said.encode(errors="replace")[:500])
            os._exit(NOT_STARTED)
        os.close(tell)
        said = os.read(listen, 500)
        os.close(listen)
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)  # The command alone holds the pipe of its output.
        os.close(nothing)
        return said.decode(errors="replace")

    def _become(self, guardian: int) -> None:
        signal.set_wakeup_fd(-1)
        # All of them: whoever started the worker may have ignored others, and what is ignored stays so in a command.
        for number in range(1, signal.NSIG):
            try:
                signal.signal(number, signal.SIG_DFL)
            except (OSError, ValueError):
                pass  # Those that nobody can catch, and those that the library keeps for itself.
        os.setsid()
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guardian:
            os._exit(NOT_STARTED)  # It was killed before the line above; nobody would watch.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # A core file would hold the secrets.
        os.umask(0o022)
        os.chdir(self.order.folder)
        os.execve(SHELL[0], [*SHELL, self.order.command], self.order.env)  # noqa: S606 - SHELL is a shell

    def _watch(self) -> str:
        """Until the command ends (nothing is given), or must be ended: why."""
        deadline = time.monotonic() + self.order.timeout if self.order.timeout else None
        while True:
            wait = self._wait_for(deadline)
            ready = {descriptor for descriptor, _event in self._poll.poll(wait * 1000)}
            self._reap()
            if self.status is not None:
                return ""
            if self.channel in ready:
                return self._order_to_end()
            if deadline is not None and time.monotonic() >= deadline:
                return "timeout"
            reason = self._look()
            if reason:
                return reason

    def _wait_for(self, deadline: float | None) -> float:
        """Seconds until something is to be looked at."""
        if self._walk is not None:
            return 0.0
        limited = self.order.cpu or self.order.max_size
        waits = [60.0, *([self._next_look - time.monotonic()] if limited else [])]
        if deadline is not None:
            waits.append(deadline - time.monotonic())
        return max(0.0, min(waits))

    def _order_to_end(self) -> str:
        try:
            said = os.read(self.channel, 100)
        except OSError:
            said = b""
        return said.decode(errors="replace").strip() or "lost"

    def _look(self) -> str:
        """Processor time and folder against their limits; a walk through a large folder goes on at the next look."""
        now = time.monotonic()
        if self._walk is not None:
            size = next(self._walk, None)
            if size is None:
                self._walk = None
                self._next_look = now + max(LOOK_EVERY, 10 * (now - self._walk_began))
            elif size > self.order.max_size:
                return "size"
        elif now >= self._next_look:
            if self.order.cpu and self._cpu() > self.order.cpu:
                return "cpu"
            self._next_look = now + LOOK_EVERY
            if self.order.max_size:
                self._walk, self._walk_began = folder_size(self.order.measured), now
        return ""

    def _cpu(self) -> float:
        """Seconds of all processes: those that ended and were waited for, and those that live."""
        living = sum(stat.ticks for stat in below({os.getpid()}, processes())) / _TICKS
        return float(sum(os.times()[2:4])) + living

    def _reap(self) -> None:
        """Take note of every child that ended."""
        try:
            os.read(self._woken, 4096)
        except BlockingIOError:
            pass
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self.childless = True
                return
            if pid == 0:
                return
            if pid == self.child:
                self.status = status

    def _end(self, grace: float) -> int:
        """Ask all to end, then force them; how many could not be ended."""
        self._reap()
        asked: set[int] = set()
        until = time.monotonic() + grace
        while not self.childless and time.monotonic() < until:
            # Again and again: one that is just changing its parent, or being started, is missed by a single look.
            new = self._living() - asked
            self._send(new, signal.SIGTERM)
            self._send(new, signal.SIGCONT)  # One that is stopped could not take the first.
            asked |= new
            self._wait_childless(min(0.1, until - time.monotonic()))
        until = time.monotonic() + UNENDABLE
        while not self.childless and time.monotonic() < until:
            living = self._living()
            self._send(living, signal.SIGKILL)
            asked |= living
            self._wait_childless(0.05)
        self.met = len(asked)
        return 0 if self.childless else max(1, len(self._living()))

    def _living(self) -> set[int]:
        """All that came of the command and still runs."""
        pids = {stat.pid for stat in below({os.getpid()}, processes()) if stat.state not in "ZX"}
        if self.status is None:
            pids.add(self.child)
            if not os.path.isdir("/proc/self"):
                pids.add(-self.child)  # Without the kernel's list, at least its process group.
        return pids

    def _send(self, pids: set[int], number: int) -> None:
        for pid in pids:
            try:
                os.kill(pid, number)
            except (ProcessLookupError, PermissionError):
                pass

    def _wait_childless(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        while not self.childless and time.monotonic() < until:
            poll.poll(max(0.0, until - time.monotonic()) * 1000)
            self._reap()


def _told(status: int | None) -> tuple[int, int]:
    """Exit code and signal."""
    if status is None:
        return 0, 0
    if os.WIFSIGNALED(status):
        return 0, os.WTERMSIG(status)
    return os.WEXITSTATUS(status), 0


def _prctl(option: int, value: int) -> bool:
    """Ask the kernel (Linux only)."""
    try:
        return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False


def _received(channel: int) -> Order | None:
    """The order; None when the worker went away before it was told."""
    data = b""
    while b"\n" not in data:
        more = os.read(channel, 1 << 16)
        if not more:
            return None
        data += more
    length, _, body = data.partition(b"\n")
    while len(body) < int(length):
        more = os.read(channel, 1 << 16)
        if not more:
            return None
        body += more
    return Order.unpacked(body)


def main(channel: int) -> None:
    """Take an order from the socket, carry it out, report."""
    os.set_inheritable(channel, False)
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    order = _received(channel)
    if order is None:
        return
    report = Guardian(channel, order).run()
    try:
        os.write(channel, report.encode() + b"\n")
    except OSError:
        pass  # The worker is gone; there is nobody to tell.
    os._exit(0)  # Nothing is left to tidy up, and somebody waits.
