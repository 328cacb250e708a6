"""Fixtures of all tests, and the markers that follow from a test's folder."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import pytest

import tests.support.shapes  # noqa: F401 - pyproject.toml names it to jaxtyping, which looks it up
from tests.support.ranks import RunRanks
from tests.support.tiers import TESTS, TIERS, missing_cuda

# Before any library reads them: nothing in a test may ask the internet.
os.environ.update(HF_HUB_OFFLINE="1", WANDB_MODE="offline", DO_NOT_TRACK="1")

# Shared machines stall: a slow example is no bug. A fixed seed: a red test is red for everybody.
hypothesis.settings.register_profile("ftdist", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ftdist")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its folder, the tier; skip what needs a GPU where there is none."""
    names = {tier.name for tier in TIERS}
    for item in items:
        tier = item.path.relative_to(TESTS).parts[0]
        if tier in names:
            item.add_marker(tier)
    on_gpu = [item for item in items if item.get_closest_marker("gpu")]
    reason = missing_cuda() if on_gpu else None
    if reason is not None:
        for item in on_gpu:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def run_ranks(tmp_path: Path) -> RunRanks:
    """Calls a function on several real processes; see `tests.support.ranks`."""
    return RunRanks(root=tmp_path)


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts a program of this name with this text onto PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def make(name: str, text: str) -> None:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    return make


@pytest.fixture(scope="session")
def ingredients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model, its tokenizer, and a library."""
    from tests.support.models.tiny_models import save_tiny_model
    from tests.support.runs.tiny_runs import write_library, write_tokenizer

    folder = tmp_path_factory.mktemp("ingredients")
    save_tiny_model(folder / "model", "llama_tied")
    write_tokenizer(folder / "model")
    write_library(folder / "library")
    return folder


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit test that reaches for the network fails at the line that does."""
    if request.node.get_closest_marker("unit") is None:
        return
    connect = socket.socket.connect

    def connect_here(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a unit test must not connect to {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here)
