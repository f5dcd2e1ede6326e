"""The compose file and the image, checked without a container engine."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import get_commands
from ruamel.yaml import YAML

from hotfixdash import crowds, tails

ROOT = Path(settings.BASE_DIR)
BIN = Path(sys.executable).parent
WANTED = {"web", "events", "worker", "worker-git", "worker-deploy", "beat", "postgres", "redis"}


def compose() -> dict[str, Any]:
    return dict(YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text()))


def services() -> dict[str, dict[str, Any]]:
    return dict(compose()["services"])


def own_services() -> list[str]:
    return sorted(name for name, service in services().items() if "build" in service)


def test_file_follows_the_specification() -> None:
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", ROOT / "docker-compose.yml"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_full_set_is_there() -> None:
    assert set(services()) >= WANTED


def test_what_is_referred_to_is_declared() -> None:
    whole = compose()
    for name, service in services().items():
        assert set(service.get("depends_on", {})) <= set(services()), name
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in whole["volumes"], f"{name}: {volume}"
        for config in service.get("configs", []):
            assert config["source"] in whole["configs"], name


def test_every_lasting_service_has_a_health_check_and_restarts() -> None:
    for name, service in services().items():
        if name == "setup":
            continue
        assert "test" in service["healthcheck"], name
        assert service["restart"] == "unless-stopped", name


def test_waiting_for_health_needs_a_health_check() -> None:
    for name, service in services().items():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "test" in services()[other]["healthcheck"], f"{name} waits for {other}"


def test_no_secret_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for name in ("SECRET_KEY", "DATABASE_PASSWORD", "ALLOWED_HOSTS"):
        uses = re.findall(rf"\$\{{{name}([^}}]*)}}", text)
        assert uses
        assert all(use.startswith(":?") for use in uses), name
    assert not re.search(r"(?i)(password|secret\w*):\s*[\"']?\w", text)


@pytest.mark.parametrize("name", own_services())
def test_command_exists(name: str) -> None:
    command = list(map(str, services()[name]["command"]))
    program = Path(command[0])
    assert program.parent == Path(".venv/bin")
    assert shutil.which(str(BIN / program.name)), f"{program.name} is not among the packages"
    if command[1] == "manage.py":
        assert command[2] in get_commands()
    for argument in command[1:]:
        if re.fullmatch(r"[\w.]+:\w+", argument):
            module, attribute = argument.split(":")
            assert hasattr(import_module(module), attribute)


@pytest.mark.parametrize("name", own_services())
def test_health_command_exists(name: str) -> None:
    test = services()[name]["healthcheck"].get("test")
    if test and test[2] == "manage.py":
        assert test[3] in get_commands()


def test_programs_understand_their_options() -> None:
    gunicorn = list(map(str, services()["web"]["command"]))
    done = subprocess.run(
        [BIN / "gunicorn", "--check-config", *gunicorn[1:]], cwd=ROOT, capture_output=True, text=True,
        env={"DATA_DIR": str(settings.DATA_DIR), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    known = subprocess.run([BIN / "uvicorn", "--help"], capture_output=True, text=True).stdout
    options = [argument.split("=")[0] for argument in services()["events"]["command"] if str(argument).startswith("--")]
    assert all(option.replace("--no-", "") in known for option in options)


def test_every_queue_has_a_worker() -> None:
    served = {
        queue
        for service in services().values()
        if "worker" in service.get("command", [])
        for queue in service["command"][service["command"].index("-Q") + 1].split(",")
    }
    needed = {settings.CELERY_TASK_DEFAULT_QUEUE} | {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()}
    assert needed <= served


def test_what_crowds_ask_for_goes_where_it_is_answered_once() -> None:
    config = compose()["configs"]["proxy"]["content"].replace("$$", "$")
    found = re.search(r"location ~ (\S+) \{ proxy_pass http://stream; \}", config)
    assert found
    for path, meant in {
        "/projects/shop/deploys/12/": True, "/projects/shop/deploys/12/log/": True,
        "/projects/shop/deploys/12/log.txt": False, "/projects/shop/deploys/12/abort/": False,
        "/projects/shop/deploys/": False, "/projects/shop/deploys/history/": False,
    }.items():  # fmt: skip
        scope = {"method": "GET", "path": path, "query_string": b"", "headers": [(b"hx-target", b"run")]}
        assert bool(re.search(found[1], path)) is meant, path
        assert (tails.is_meant(scope) or crowds.is_meant(scope)) is meant, path


def test_image_is_made_with_the_same_commands() -> None:
    lines = (ROOT / "Dockerfile").read_text()
    targets = re.findall(r"\bmake ([\w-]+)", lines.replace("git make", ""))
    makefile = (ROOT / "Makefile").read_text()
    assert "install-runtime" in targets
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    for source in re.findall(r"^COPY (\S+)", lines, re.MULTILINE):
        assert (ROOT / source).exists()
    assert re.search(r"^USER (?!root)", lines, re.MULTILINE)
    assert re.search(r"python:3\.(1[1-9])", lines)
