"""How long from the end of a push until an open page shows it: `.venv/bin/python bench/push_to_visible.py`.

Starts a dashboard of its own (`manage.py serve` with the demo, in a throw-away folder), opens a project's overview in
Chromium, and then, again and again: pushes to the remote, posts the signed webhook, and waits until the number of owed
fixes on the page has changed. The page is never loaded again. Even rounds bring a fix to develop, odd ones take it
away again with a forced push, so every push changes a verdict.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.plugins.needs import find_chromium  # noqa: E402

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
PROJECT = "checkout-api"
FIX = "Send 3-D Secure timeout in milliseconds"


def main() -> int:
    options = read_options()
    with tempfile.TemporaryDirectory(prefix="hotfixdash-bench-") as folder, served(Path(folder), options.port) as site:
        seconds = measure(site, Path(folder), options.rounds)
    report(seconds, options.json)
    return 0 if percentile(seconds, 95) < options.limit else 1


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--port", type=int, default=0, help="a free one by default")
    parser.add_argument("--limit", type=float, default=2.0, help="seconds that the slowest in twenty may take")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


@contextmanager
def served(folder: Path, port: int) -> Iterator[dict[str, Any]]:
    """A dashboard with the demo; gives its address and environment."""
    port = port or free_port()
    environment = os.environ | {"DATA_DIR": str(folder / "var"), "HOST": "127.0.0.1", "PORT": str(port)}
    url = f"http://127.0.0.1:{port}"
    with open(folder / "serve.log", "wb") as log:
        serving = subprocess.Popen(
            [sys.executable, "manage.py", "serve"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 120
        while not ready(f"{url}/readyz"):
            if serving.poll() is not None or time.monotonic() > deadline:
                sys.exit((folder / "serve.log").read_text()[-3000:])
            time.sleep(0.1)
        yield {"url": url, "environment": environment}
    finally:
        serving.send_signal(signal.SIGINT)
        serving.wait(30)


def measure(site: dict[str, Any], folder: Path, rounds: int) -> list[float]:
    """Seconds of each round."""
    from playwright.sync_api import sync_playwright

    work = folder / "work"
    git("clone", "-q", str(folder / "var" / "demo" / f"{PROJECT}.git"), str(work))
    git("switch", "-q", "develop", cwd=work)
    without = git("rev-parse", "HEAD", cwd=work)
    git("cherry-pick", "-x", "v1.2.3~1^2~1", "v1.2.3~1^2", cwd=work)
    states = (git("rev-parse", "HEAD", cwd=work), without)
    secret = hook_secret(site)
    seconds = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), headless=True, args=FLAGS)
        page = browser.new_page(base_url=site["url"])
        sign_in(page)
        page.goto(f"/projects/{PROJECT}/")
        row = page.locator("#owed ol.owed > li", has_text=FIX)
        row.wait_for()
        page.wait_for_timeout(1500)
        for turn in range(rounds):
            git("push", "-q", "--force", "origin", f"{states[turn % 2]}:develop", cwd=work)
            began = time.monotonic()
            hook(site["url"], secret)
            row.wait_for(state="detached" if turn % 2 == 0 else "attached", timeout=30_000)
            seconds.append(time.monotonic() - began)
            page.wait_for_timeout(1000)
        browser.close()
    return seconds


def sign_in(page: Any) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("User name").fill("manager")
    page.get_by_label("Password").fill("manager-demo")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/login/" not in url)


def hook(url: str, secret: str) -> None:
    body = json.dumps({"ref": "refs/heads/develop"}).encode()
    request = urllib.request.Request(f"{url}/hooks/{PROJECT}", data=body, method="POST")
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    request.add_header("X-Hub-Signature-256", f"sha256={signature}")
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 202


def hook_secret(site: dict[str, Any]) -> str:
    command = [sys.executable, "manage.py", "project", "hook", PROJECT]
    done = subprocess.run(command, cwd=ROOT, env=site["environment"], capture_output=True, text=True, check=True)
    return done.stdout.rpartition("secret: ")[2].strip()


def git(*args: str, cwd: Path | None = None) -> str:
    identity = ["-c", "user.name=Mara", "-c", "user.email=mara@example.org"]
    done = subprocess.run(["git", *identity, *args], cwd=cwd, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def percentile(values: list[float], share: int) -> float:
    """The value that `share` percent of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]


def report(seconds: list[float], as_json: bool) -> None:
    figures = {
        "rounds": len(seconds),
        "median_seconds": round(statistics.median(seconds), 3),
        "p95_seconds": round(percentile(seconds, 95), 3),
        "worst_seconds": round(max(seconds), 3),
    }
    if as_json:
        print(json.dumps(figures))
        return
    print(f"push to visible, {figures['rounds']} times: median {figures['median_seconds']} s, ", end="")
    print(f"95 % within {figures['p95_seconds']} s, worst {figures['worst_seconds']} s")


if __name__ == "__main__":
    sys.exit(main())
