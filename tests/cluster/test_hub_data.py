"""Data of the Hub: fetched where a command is given, read from the cache by jobs."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.loopback_hub import LoopbackHub, loopback_hub
from tests.support.slurm.login import Login
from tests.support.slurm.queued_runs import submit


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    """A Hub at the loopback address of the login node, which no other node reaches."""
    with loopback_hub() as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield served


def rows(count: int) -> str:
    pairs = ({"question": f"Count {n}.", "answer": f"It is {n * 7}."} for n in range(count))
    return "".join(json.dumps(pair) + "\n" for pair in pairs)


@pytest.mark.slow
def test_jobs_train_on_and_curate_hub_datasets_that_only_the_login_node_asked_for(
    login: Login, hub: LoopbackHub, ingredients: Path
) -> None:
    commit = hub.add("org/faq", {"train.jsonl": rows(40), "test.jsonl": rows(5)})
    train = submit(login, ingredients, "r", "library.path=org/faq", "eval.probes=null")
    curate = login(
        "curate",
        "library.name=w",
        "library.sources=[org/faq]",
        "cluster=slurm",
        "cluster.cpu_partition=null",
    ).stdout.split()[1]
    asked = len(hub.requests)
    hub.repositories.clear()  # what is asked now is not found
    login.wait_for_state(train, "COMPLETED")
    login.wait_for_state(curate, "COMPLETED")
    assert len(hub.requests) == asked
    plan = json.loads(login.run("r").plan.read_text())
    assert (
        plan["library"]["sources"][0]["origin"] == f"hf://datasets/org/faq@{commit} (split train)"
    )
    manifest = json.loads((login.folder / "libraries/w/manifest.json").read_text())
    assert commit in manifest["origins"]["faq"]
    assert manifest["sources"][0]["rows"] == 40
