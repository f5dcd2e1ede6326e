"""Recipes whose tools are not here, from a tag to production and back, against stand-ins that record their calls."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from .pages import SECRET, Bench, recipe

pytestmark = pytest.mark.django_db
IMAGES = {
    "v2.0.0": f"sha256:{hashlib.sha256(b'one').hexdigest()}",
    "v2.0.1": f"sha256:{hashlib.sha256(b'two').hexdigest()}",
}
FULL = "registry.example.org/shop"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def with_docker(bench: Bench) -> None:
    """A registry that knows each tag's digest; other repositories' digests stand before ours."""
    known = [
        (f"inspect --format {{{{range .RepoDigests}}}}{{{{println .}}}}{{{{end}}}} {FULL}:{tag[1:]}",
         f"old.example.org/shop@sha256:{'0' * 64}\n{FULL}@{digest}\n", 0)
        for tag, digest in IMAGES.items()
    ]  # fmt: skip
    bench.stand_in("docker", *known, reads=True)
    for tag in IMAGES:
        bench.files({"Dockerfile": f"FROM scratch\nLABEL v={tag}\n", "docker-compose.yml": "services: {}\n"}, tag)


def test_a_container_image(bench: Bench) -> None:
    with_docker(bench)
    bench.apply(recipe("container"))
    runs = bench.ship("v2.0.0", "staging", "production")
    bench.good(runs)
    build = runs[0]
    assert (build.artifact, build.digest) == (f"{FULL}@{IMAGES['v2.0.0']}", IMAGES["v2.0.0"])
    calls = bench.calls("docker")
    assert calls[0] == ["login", "--username", "robot", "--password-stdin", "registry.example.org"]
    assert calls[1][:3] == ["build", "--pull", "--label"]
    assert calls[1][3] == f"org.opencontainers.image.revision={build.commit}"
    assert calls[1][4:] == ["--tag", f"{FULL}:2.0.0", "."]
    assert calls[2] == ["push", f"{FULL}:2.0.0"]
    up = ["compose", "--project-name", "shop", "up", "--detach", "--wait"]
    assert calls[4:] == [["--host", f"ssh://deploy@{place}.example.org", *up] for place in ("staging", "production")]
    records = bench.records()
    assert records[0]["stdin"] == SECRET.format(name="REGISTRY_TOKEN")
    assert [call["env"].get("IMAGE") for call in records[4:]] == [f"{FULL}@{IMAGES['v2.0.0']}"] * 2  # type: ignore[attr-defined]
    assert all("REGISTRY_TOKEN" not in call["env"] for call in records[4:])  # type: ignore[operator]
    bench.good(bench.ship("v2.0.1", "production"))
    bench.good([bench.back("production")])
    assert bench.records()[-1]["env"]["IMAGE"] == f"{FULL}@{IMAGES['v2.0.0']}"  # type: ignore[index]
    bench.no_secret_is_seen()


def test_kubernetes(bench: Bench) -> None:
    with_docker(bench)
    bench.stand_in("kubectl", ("rollout status", "deployment shop successfully rolled out", 0))
    bench.apply(recipe("kubernetes"))
    bench.good(bench.ship("v2.0.0", "staging", "production"))
    bench.good(bench.ship("v2.0.1", "production"))
    bench.good([bench.back("production")])

    def three(space: str, tag: str) -> list[list[str]]:
        at = ["--namespace", space]
        return [
            [*at, "set", "image", "deployment/shop", f"shop={FULL}@{IMAGES[tag]}"],
            [*at, "annotate", "--overwrite", "deployment/shop", f"kubernetes.io/change-cause={tag}"],
            [*at, "rollout", "status", "deployment/shop", "--timeout=10m"],
        ]

    assert bench.calls("kubectl") == [
        *three("shop-staging", "v2.0.0"), *three("shop-production", "v2.0.0"), *three("shop-production", "v2.0.1"),
        *three("shop-production", "v2.0.0"),
    ]  # fmt: skip
    bench.no_secret_is_seen()


@pytest.mark.long
def test_a_rollout_that_does_not_become_ready_fails_the_deployment(bench: Bench) -> None:
    with_docker(bench)
    bench.stand_in("kubectl", ("rollout status", "error: timed out waiting for the condition", 1))
    bench.apply(recipe("kubernetes"))
    build, run = bench.ship("v2.0.0", "staging")
    assert (build.state, run.state) == ("done", "failed")


def test_the_cluster_is_reached_by_a_file_that_nobody_else_reads(bench: Bench) -> None:
    with_docker(bench)
    seen = bench.folder / "kubeconfig"
    bench.tool("kubectl", f'#!/bin/sh\nstat -c "%a" "$KUBECONFIG" > "{seen}"\ncat "$KUBECONFIG" >> "{seen}"\n')
    bench.apply(recipe("kubernetes"))
    bench.good(bench.ship("v2.0.0", "staging"))
    assert seen.read_text() == f"600\n{SECRET.format(name='KUBECONFIG_TEXT')}\n"


def test_helm(bench: Bench) -> None:
    with_docker(bench)
    bench.stand_in("helm")
    bench.apply(recipe("helm"))
    bench.good(bench.ship("v2.0.0", "staging"))
    lint, upgrade = bench.calls("helm")
    assert lint == ["lint", "chart"]
    assert upgrade == [
        "upgrade", "shop", "chart", "--install", "--namespace", "shop-staging", "--values", "chart/values-staging.yaml",
        "--set-string", f"image.repository={FULL}", "--set-string", f"image.digest={IMAGES['v2.0.0']}",
        "--description", "v2.0.0", "--wait", "--timeout", "10m",
    ]  # fmt: skip
    bench.no_secret_is_seen()


def test_ansible(bench: Bench) -> None:
    bench.stand_in("ansible-playbook")
    bench.apply(recipe("ansible"))
    build, run = bench.ship("v1.0.1", "staging")
    bench.good([build, run])
    (call,) = bench.calls("ansible-playbook")
    assert call[:4] == ["deploy/site.yml", "--inventory", "deploy/inventory/staging", "--private-key"]
    assert call[5:] == ["--extra-vars", f"artifact={build.artifact} digest={build.digest} version=1.0.1"]
    assert Path(build.artifact).is_file()
    assert build.digest == f"sha256:{hashlib.sha256(Path(build.artifact).read_bytes()).hexdigest()}"
    bench.no_secret_is_seen()


def test_a_serverless_function(bench: Bench) -> None:
    bench.files({"src/handler.py": "def handle(event, context): return 1\n"}, "v2.0.0")
    bench.stand_in("aws", ("update-function-code", "c3VtIG9mIGl0", 0), ("publish-version", "17", 0))
    bench.apply(recipe("serverless"))
    build, run = bench.ship("v2.0.0", "staging")
    bench.good([build, run])
    update, wait, publish, alias = bench.calls("aws")
    name = ["--function-name", "shop-staging"]
    assert update[:6] == ["lambda", "update-function-code", *name, "--zip-file", f"fileb://{build.artifact}"]
    assert wait == ["lambda", "wait", "function-updated-v2", *name]
    assert publish[2:] == [
        *name, "--code-sha256", "c3VtIG9mIGl0", "--description", "v2.0.0", "--output", "text", "--query", "Version",
    ]  # fmt: skip
    assert alias[2:8] == [*name, "--name", "live", "--function-version", "17"]
    assert run.facts["function_version"] == "17"
    env = bench.records()[0]["env"]
    assert env["AWS_SECRET_ACCESS_KEY"] == SECRET.format(name="AWS_SECRET_ACCESS_KEY")  # type: ignore[index]
    bench.no_secret_is_seen()
