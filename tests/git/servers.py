"""Small real servers for fetches: git over http with basic auth, and one that accepts and never answers."""

from __future__ import annotations

import base64
import io
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class GitServer:
    """`url` + a repository's folder name is fetched from; set the fields to misbehave."""

    root: Path
    port: int = 0
    user: str | None = None
    password: str | None = None
    redirect_to: str | None = None
    status: int | None = None
    hold: threading.Event | None = None
    """While set to an event, packs are only sent after it fires."""
    refuse_push: int | None = None
    """Pushes are answered with this status."""
    cut_push: str = ""
    """`before` or `after` the repository has taken a push the connection is cut."""
    hold_push: threading.Event | None = None
    """While set to an event, pushes are only answered after it fires."""
    requests: list[str] = field(default_factory=list)
    authorized: int = 0
    serving: threading.Event = field(default_factory=threading.Event)
    """Fires when a pack is asked for."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def _handler(server: GitServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def _refuse(self, status: int, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _authorized(self) -> bool:
            if server.user is None:
                return True
            wanted = base64.b64encode(f"{server.user}:{server.password}".encode()).decode()
            return self.headers.get("Authorization") == f"Basic {wanted}"

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") == "chunked":
                parts = []
                while size := int(self.rfile.readline().strip() or b"0", 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def _serve(self) -> None:
            body = self._body()
            server.requests.append(f"{self.command} {self.path}")
            if server.redirect_to:
                return self._refuse(301, Location=server.redirect_to + self.path)
            if server.status:
                return self._refuse(server.status)
            if not self._authorized():
                return self._refuse(401, WWW_Authenticate='Basic realm="git"')
            server.authorized += 1
            path, _, query = self.path.partition("?")
            if path.endswith("git-upload-pack") and b"command=fetch" in body:
                server.serving.set()
                if server.hold:
                    server.hold.wait(30)
            pushing = "git-receive-pack" in self.path
            if pushing and server.refuse_push:
                return self._refuse(server.refuse_push)
            if pushing and self.command == "POST" and self._misbehaves(path, query, body):
                return None
            self._backend(path, query, body)
            return None

        def _misbehaves(self, path: str, query: str, body: bytes) -> bool:
            if server.hold_push:
                server.hold_push.wait(30)
            if server.cut_push == "after":
                self.wfile = io.BytesIO()
                self._backend(path, query, body)
            if server.cut_push:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
            return bool(server.cut_push)

        def _backend(self, path: str, query: str, body: bytes) -> None:
            env = {
                "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(server.root), "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""), "REMOTE_ADDR": "127.0.0.1",
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "GIT_CONFIG_NOSYSTEM": "1",
                "HOME": "/nonexistent", "REMOTE_USER": "somebody",
            }  # fmt: skip
            done = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=False)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
            self.send_response(int(fields.pop("Status", "200").split()[0]))
            for name, value in fields.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            try:
                self.wfile.write(content)
            except (BrokenPipeError, ConnectionResetError):
                pass

        do_GET = do_POST = _serve  # noqa: N815 - the names that http.server calls

    return Handler


@contextmanager
def git_server(root: Path, **options: object) -> Iterator[GitServer]:
    """Serve the bare repositories below `root` over http on a free port of the loopback."""
    server = GitServer(root, **options)  # type: ignore[arg-type]
    listener = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    listener.daemon_threads = True
    server.port = listener.server_address[1]
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        for hold in (server.hold, server.hold_push):
            if hold:
                hold.set()
        listener.shutdown()
        listener.server_close()
        thread.join()


@contextmanager
def silent_server() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
