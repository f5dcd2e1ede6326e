"""Becomes the program named on its command line, tied to the supervisor's life where the system can do that.

Run as a script: `launch.py <supervisor's pid> <program> <arguments…>`. A script of its own instead of a
`preexec_fn`, which may deadlock in a process with threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Linux ends this process when the thread that started it ends; elsewhere the guard alone does."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        # It ended before the line above: nobody would tell us.
        sys.exit(1)


def main() -> None:
    die_with_parent(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606


if __name__ == "__main__":
    main()
