"""What the stampede runs against: the web server as docker-compose.yml starts it, with servers that can go away."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.pages import wait_for  # noqa: E402
from bench.push_to_visible import free_port  # noqa: E402
from hotfixdash.supervisor.broker import server_command, wait_until_it_answers  # noqa: E402
from hotfixdash.supervisor.sockets import broker_socket  # noqa: E402
from tests.plugins.postgres import bring_back, start_cluster, take_away  # noqa: E402

PATH = "/status/shop/"
NO_NGINX = "nginx is not installed: `apt-get install nginx-light` as root, then it is measured too."
_NGINX = """daemon off; master_process on; worker_processes auto; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{ access_log off; sendfile on; keepalive_requests 1000000; default_type text/html;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; root {folder}/html; }} }}
"""


def web_command() -> list[str]:
    """gunicorn's command line out of docker-compose.yml, without its address."""
    text = (ROOT / "docker-compose.yml").read_text()
    lines = re.search(r"\n  web:\n.*?command:\n(.*?)\n    [a-z]", text, re.DOTALL)
    if lines is None:
        sys.exit("docker-compose.yml names no command for `web`.")
    words = [line.strip().removeprefix("- ") for line in lines[1].splitlines()]
    return [str(Path(sys.executable).with_name("gunicorn")), *(w for w in words[2:] if not w.startswith("--bind"))]


class Site:
    """A status page with its database (PostgreSQL), its broker and its web server, in a folder of its own."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self.port = free_port()
        self.url, stop = start_cluster()
        stack.callback(stop)
        self.environment = os.environ | {
            "DATA_DIR": str(folder / "var"), "DJANGO_SETTINGS_MODULE": "bench.stampede_settings",
            "DATABASE_URL": self.url, "PUBLIC_URL": f"http://127.0.0.1:{self.port}", "LOG_LEVEL": "ERROR",
        }  # fmt: skip
        self.environment.pop("REDIS_URL", None)
        self._broker: subprocess.Popen[bytes] | None = None
        self.broker_back()
        stack.callback(self.broker_away)
        self._run("manage.py", "prepare")
        self._run("bench/stampede_seed.py", "seed")
        self.web = self._start(self._web())
        wait_for(f"http://127.0.0.1:{self.port}{PATH}")

    def _web(self) -> list[str]:
        return [*web_command(), "hotfixdash.wsgi:application", f"--bind=127.0.0.1:{self.port}"]

    def web_again(self) -> None:
        """Kill the web server, and start it anew."""
        _end(self.web, signal.SIGTERM)
        self.web = self._start(self._web())
        wait_for(f"http://127.0.0.1:{self.port}{PATH}")

    def bare(self) -> tuple[int, int]:
        """Django alone, by the same server with the same settings; its port and process."""
        port = free_port()
        process = self._start([*web_command(), "bench.stampede_bare:application", f"--bind=127.0.0.1:{port}"])
        wait_for(f"http://127.0.0.1:{port}/bench/empty/")
        return port, process.pid

    def nginx(self, page: bytes) -> tuple[int, int] | None:
        """nginx with the page as a static file, its port and process; None when it is not installed."""
        program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
        if program is None:
            return None
        port, folder = free_port(), self.folder / "nginx"
        (folder / "html").mkdir(parents=True)
        (folder / "html" / "index.html").write_bytes(page)
        (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, port=port))
        folder.chmod(0o755)
        (folder / "html").chmod(0o755)
        self.folder.chmod(0o755)
        process = self._start([program, "-c", str(folder / "nginx.conf"), "-p", str(folder)])
        wait_for(f"http://127.0.0.1:{port}/")
        return port, process.pid

    def say(self, number: int) -> float:
        """Add update `number` to the incident; when it was committed."""
        return float(self._run("bench/stampede_seed.py", "say", str(number)).split()[-1])

    def broker_away(self) -> None:
        if self._broker is not None:
            self._broker.kill()
            self._broker.wait(10)
            self._broker = None

    def broker_back(self) -> None:
        socket = broker_socket(self.folder / "var")
        command = server_command(socket, self.folder / "var" / "broker")
        self._broker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until_it_answers(f"unix://{socket}")

    def database_away(self) -> None:
        take_away(self.url)

    def database_back(self) -> None:
        server = bring_back(self.url)
        self._stack.callback(_end, server, signal.SIGINT)

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        with open(self.folder / "servers.log", "ab") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)
        self._stack.callback(_end, process, signal.SIGTERM)
        return process

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command], cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
        return done.stdout


def processor_seconds(parent: int) -> float:
    """What the children of a process (a server's workers) have computed so far."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _end(process: subprocess.Popen[bytes], by: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(by)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
