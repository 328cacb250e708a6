import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from ftdist_launch.doctor import service_checks
from ftdist_launch.doctor.service_checks import cache_findings, hub_checks, wandb_checks

from tests.support.findings import lines, named
from tests.support.loopback_hub import serve
from tests.support.wandb.loopback import WandbLoopback

CLOSED = "http://127.0.0.1:9"


def test_a_key_that_wandb_takes_names_its_user() -> None:
    with WandbLoopback() as server:
        (found,) = lines(wandb_checks(server.environment()))
    assert found.startswith("ok server | 127.0.0.1:")
    assert found.endswith(", logged in as loopback")


def test_a_rejected_key_is_a_failure() -> None:
    with WandbLoopback() as server:
        server.fault = "401"
        (found,) = lines(wandb_checks(server.environment()))
    assert found.startswith("fail key | 127.0.0.1:")
    assert found.endswith(
        " rejects it | runs with tracking=online are refused | run `wandb login --relogin` with a "
        "key from your settings page"
    )


def test_no_key_and_an_unreachable_server_are_warnings(tmp_path: Path) -> None:
    assert lines(wandb_checks({"HOME": str(tmp_path)})) == [
        "warn key | none in WANDB_API_KEY or ~/.netrc | curves stay in the run directory and do "
        "not reach W&B | run `wandb login` once; without W&B, tracking=off"
    ]
    closed = {"WANDB_BASE_URL": CLOSED, "WANDB_API_KEY": "k" * 40, "HOME": str(tmp_path)}
    (found,) = lines(wandb_checks(closed))
    assert found == (
        "warn server | 127.0.0.1:9 cannot be reached from here: [Errno 111] Connection refused | "
        "runs are recorded offline if the nodes do not reach it either | set HTTPS_PROXY, or use "
        "tracking=offline and `ftdist sync R` elsewhere"
    )


def test_a_mode_in_the_environment_is_named(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "WANDB_MODE": "offline"}
    assert named(wandb_checks(environment), "mode") == [
        "warn mode | WANDB_MODE=offline | wandb sends nothing, whatever tracking.wandb says | "
        "unset WANDB_MODE; choose with tracking=online or tracking=offline"
    ]


class Hub(BaseHTTPRequestHandler):
    """Knows one token."""

    def do_GET(self) -> None:
        token = self.headers.get("Authorization")
        known = token == "Bearer hf_good"
        if self.path == "/api/whoami-v2":
            code, body = (200, {"name": "alice"}) if known else (401, {"error": "Invalid"})
        elif self.path.startswith("/api/models"):
            code, body = 200, {}
        else:
            code, body = 503, {}
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("hf_good", "ok server | HOST, logged in as alice"),
        (
            "hf_old",
            "fail token | HOST rejects it | no model or dataset can be downloaded with it, not "
            "even a public one | run `hf auth login` again, or unset HF_TOKEN",
        ),
        (
            None,
            "warn token | HOST is reachable, but there is no token | gated models, such as Llama, "
            "cannot be downloaded, and nothing can be pushed | run `hf auth login`, or set "
            "HF_TOKEN, if you need them",
        ),
    ],
)
def test_the_hub_says_whose_token_it_is(
    token: str | None, expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with serve(Hub) as url:
        host = url.removeprefix("http://")
        (found,) = lines([service_checks._hub_server(url, token)])
    assert found.replace(host, "HOST") == expected


def test_an_unreachable_hub_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    (found,) = named(hub_checks({"HF_ENDPOINT": CLOSED}, cluster=False), "server")
    assert found == (
        "warn server | 127.0.0.1:9 cannot be reached from here: [Errno 111] Connection refused | "
        "names such as owner/name work for cached models and datasets only | set HTTPS_PROXY, or "
        "copy the model here and set model.path to its folder"
    )
    with serve(Hub) as url:
        (found,) = lines([service_checks._hub_server(f"{url}/wrong", "hf_good")])
    assert "cannot be reached from here: HTTP 503" in found


def test_offline_mode_of_the_hub_is_named() -> None:
    assert named(hub_checks({"HF_HUB_OFFLINE": "1"}, cluster=False), "mode") == [
        "warn mode | HF_HUB_OFFLINE=1 | models and datasets that are not in the cache cannot be "
        "used | unset it on the login node; ftdist sets it in its jobs"
    ]


def test_the_cache_must_be_writable_shared_and_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "hub"
    monkeypatch.setattr(service_checks, "kind_of", lambda _: "nfs4")
    monkeypatch.setattr(service_checks, "free_gib", lambda _: 800.0)
    assert lines(cache_findings(cache, cluster=True)) == [f"ok cache | {cache}, 800 GiB free"]
    monkeypatch.setattr(service_checks, "free_gib", lambda _: 12.0)
    assert lines(cache_findings(cache, cluster=True)) == [
        f"warn cache | {cache}, 12 GiB free | a model of 8 B parameters takes 15 GiB, one of 70 B "
        "130 GiB | set HF_HOME to a larger file system that the nodes see too"
    ]
    monkeypatch.setattr(service_checks, "kind_of", lambda _: "tmpfs")
    assert lines(cache_findings(cache, cluster=True)) == [
        f"fail cache | {cache} is in the memory of this machine (tmpfs) | jobs on other nodes do "
        "not find the downloaded model | set HF_HOME to a folder on the shared file system"
    ]
    monkeypatch.setattr("os.access", lambda *_: False)
    assert lines(cache_findings(cache, cluster=True)) == [
        f"fail cache | {cache} is not writable | nothing can be downloaded | set HF_HOME to a "
        "folder that you may write to"
    ]
