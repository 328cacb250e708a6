"""Checks of Weights & Biases and the Hugging Face Hub, from this machine."""

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from ftdist.io.filesystem import free_gib
from ftdist.observe.wandb.api import WandbError, WandbServer, find_server
from ftdist_launch.doctor.finding import Area, Finding
from ftdist_launch.doctor.storage import kind_of
from ftdist_launch.slurm.preflight import VOLATILE

WANDB = Area("W&B")
HUB = Area("Hugging Face Hub")

HUB_TIMEOUT_S = 10.0
CACHE_GIB = 50.0
"""Space for a model of 8 B parameters, its download, and a few datasets."""


def wandb_checks(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Whether W&B would take runs from here.

    Args:
        environment: of this process; `find_server` says what is read.
    """
    mode = environment.get("WANDB_MODE", "online")
    if mode in ("disabled", "offline"):
        yield WANDB.warn(
            "mode",
            f"WANDB_MODE={mode}",
            consequence="wandb sends nothing, whatever tracking.wandb says",
            remedy="unset WANDB_MODE; choose with tracking=online or tracking=offline",
        )
    server = find_server(environment)
    if server is None:
        yield WANDB.warn(
            "key",
            "none in WANDB_API_KEY or ~/.netrc",
            consequence="curves stay in the run directory and do not reach W&B",
            remedy="run `wandb login` once; without W&B, tracking=off",
        )
        return
    yield _wandb_server(server)


def _wandb_server(server: WandbServer) -> Finding:
    host = urlsplit(server.url).netloc
    try:
        user = server.user()
    except WandbError as error:
        if "rejected" in error.problem:
            return WANDB.fail(
                "key",
                f"{host} rejects it",
                consequence="runs with tracking=online are refused",
                remedy="run `wandb login --relogin` with a key from your settings page",
            )
        return WANDB.warn(
            "server",
            f"{host} cannot be reached from here: {_reason(error.problem)}",
            consequence="runs are recorded offline if the nodes do not reach it either",
            remedy="set HTTPS_PROXY, or use tracking=offline and `ftdist sync R` elsewhere",
        )
    return WANDB.ok("server", f"{host}, logged in as {server.entity or user}")


def _reason(problem: str) -> str:
    return problem.partition(": ")[2].rstrip(".") or problem


def hub_checks(environment: Mapping[str, str], *, cluster: bool) -> Iterator[Finding]:
    """Whether the Hub is reachable, whose token is used, and where its cache is.

    Args:
        environment: of this process.
        cluster: whether this is the login node of a cluster.
    """
    from huggingface_hub import constants, get_token

    endpoint = environment.get("HF_ENDPOINT", constants.ENDPOINT).rstrip("/")
    if environment.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        yield HUB.warn(
            "mode",
            f"HF_HUB_OFFLINE={environment['HF_HUB_OFFLINE']}",
            consequence="models and datasets that are not in the cache cannot be used",
            remedy="unset it on the login node; ftdist sets it in its jobs",
        )
    else:
        yield _hub_server(endpoint, get_token())
    yield from cache_findings(Path(constants.HF_HUB_CACHE), cluster=cluster)


def _hub_server(endpoint: str, token: str | None) -> Finding:
    host = urlsplit(endpoint).netloc
    path = "api/whoami-v2" if token else "api/models?limit=1"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"{endpoint}/{path}", headers=headers)
    try:
        with urllib.request.build_opener(_NoRedirects).open(
            request, timeout=HUB_TIMEOUT_S
        ) as response:
            body = json.load(response)
    except urllib.error.HTTPError as error:
        error.close()
        if token and error.code == 401:
            return HUB.fail(
                "token",
                f"{host} rejects it",
                consequence="no model or dataset can be downloaded with it, not even a public one",
                remedy="run `hf auth login` again, or unset HF_TOKEN",
            )
        return _unreachable(host, f"HTTP {error.code}")
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        return _unreachable(host, " ".join(str(reason).split())[:120])
    if token:
        name = body.get("name") if isinstance(body, dict) else None
        return HUB.ok("server", f"{host}, logged in as {name}")
    return HUB.warn(
        "token",
        f"{host} is reachable, but there is no token",
        consequence="gated models, such as Llama, cannot be downloaded, and nothing can be pushed",
        remedy="run `hf auth login`, or set HF_TOKEN, if you need them",
    )


def _unreachable(host: str, reason: str) -> Finding:
    return HUB.warn(
        "server",
        f"{host} cannot be reached from here: {reason}",
        consequence="names such as owner/name work for cached models and datasets only",
        remedy="set HTTPS_PROXY, or copy the model here and set model.path to its folder",
    )


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Never forwards the token to another host."""

    def redirect_request(self, *_: object) -> None:
        return None


def cache_findings(cache: Path, *, cluster: bool) -> Iterator[Finding]:
    """Where downloads go, and whether they fit there."""
    there = next(folder for folder in (cache, *cache.absolute().parents) if folder.exists())
    if not os.access(there, os.W_OK):
        yield HUB.fail(
            "cache",
            f"{cache} is not writable",
            consequence="nothing can be downloaded",
            remedy="set HF_HOME to a folder that you may write to",
        )
        return
    kind, free = kind_of(there), free_gib(there)
    if cluster and kind in VOLATILE:
        yield HUB.fail(
            "cache",
            f"{cache} is in the memory of this machine ({kind})",
            consequence="jobs on other nodes do not find the downloaded model",
            remedy="set HF_HOME to a folder on the shared file system",
        )
    elif free < CACHE_GIB:
        yield HUB.warn(
            "cache",
            f"{cache}, {free:,.0f} GiB free",
            consequence="a model of 8 B parameters takes 15 GiB, one of 70 B 130 GiB",
            remedy="set HF_HOME to a larger file system that the nodes see too",
        )
    else:
        yield HUB.ok("cache", f"{cache}, {free:,.0f} GiB free")
