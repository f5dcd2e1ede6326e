"""A supervisor of small programs instead of the real ones; run as a script by the tests: what, then a log file.

Each program writes its name and what happened to it into the log.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from hotfixdash.supervisor.addresses import PortTaken  # noqa: E402
from hotfixdash.supervisor.console import Console  # noqa: E402
from hotfixdash.supervisor.lock import AlreadyRunning  # noqa: E402
from hotfixdash.supervisor.programs import Program, Setup  # noqa: E402
from hotfixdash.supervisor.run import Supervisor  # noqa: E402

OBEDIENT = """
import signal, sys, time
def note(word):
    with open(sys.argv[2], "a") as log: log.write(f"{sys.argv[1]} {word}\\n")
def stop(*_):
    note("stopped"); sys.exit(0)
signal.signal(signal.SIGTERM, stop)
note("started")
print("hello from", sys.argv[1], flush=True)
while True: time.sleep(0.05)
"""
STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(600)"
)
PARENT = "import subprocess, time\nsubprocess.Popen(['sleep', '600'])\nprint('up', flush=True)\ntime.sleep(600)"
WEB = """
import http.server, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self): self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
"""


def script(*arguments: str) -> list[str]:
    return [sys.executable, "-S", "-c", *arguments]


def chosen(kind: str, log: str, setup: Setup) -> list[Program]:
    """The programs of one test."""
    web = Program("web", lambda: script(WEB, str(setup.port)), stop_rank=0)
    if kind == "ordered":
        names = (("last", 3), ("middle", 2), ("first", 1))
        return [Program(name, lambda n=name: script(OBEDIENT, n, log), stop_rank=rank) for name, rank in names] + [web]  # type: ignore[misc]
    if kind == "stubborn":
        return [Program("stubborn", lambda: script(STUBBORN), stop_rank=1, grace_seconds=60.0), web]
    if kind == "slow":
        return [Program("slow", lambda: script(STUBBORN), stop_rank=1, grace_seconds=0.5), web]
    if kind == "later":
        wanted = Path(log).with_name("wanted").exists
        return [Program("later", lambda: script(OBEDIENT, "later", log), stop_rank=1, needed=wanted), web]
    if kind == "parent":
        return [Program("parent", lambda: script(PARENT), stop_rank=1), web]
    if kind == "failing":
        return [Program("failing", lambda: script("print('what went wrong'); raise SystemExit(3)"), stop_rank=1), web]
    raise ValueError(kind)


def main() -> int:
    import os

    kind, log = sys.argv[1:3]
    data_dir = Path(os.environ["DATA_DIR"])
    setup = Setup("127.0.0.1", int(os.environ["PORT"]), "", data_dir / "none.sock", embedded=False, data_dir=data_dir)
    supervisor = Supervisor(setup, ROOT, Console(), partial(chosen, kind, log))
    try:
        supervisor.claim()
    except (AlreadyRunning, PortTaken) as problem:
        print(problem, flush=True)
        return 1
    return supervisor.run(lambda: "all are ready")


if __name__ == "__main__":
    sys.exit(main())
