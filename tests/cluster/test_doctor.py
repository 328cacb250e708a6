"""`ftdist doctor` on a real SLURM: what it finds, writes and measures."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.slurm.cluster import SlurmLab
from tests.support.slurm.login import Login, logged_in

SLOW = ("root", "tbf", "rate", "100mbit", "burst", "32k", "latency", "50ms")
"""12 MB/s, where the bridge between the nodes carries hundreds."""


@pytest.fixture
def user(three_nodes: SlurmLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Login]:
    """A user of three nodes, without a Hub."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("COLUMNS", "80")
    with logged_in(three_nodes, tmp_path) as login:
        yield login


def test_the_cluster_file_composes_and_nodes_are_looked_at(user: Login) -> None:
    # The nodes claim GPUs that are not there: the only failure.
    printed = user("doctor", code=78).stdout
    text = " ".join(printed.split())
    for part in (
        "2 nodes saw the same files",
        "node1, node2: SLURM grants 1 GPU, but there is no driver (nvidia-smi is missing)",
        "which compute nodes see too",
        "jobs of partition high preempt those of main: 30 s of grace, then requeue",
        "1 failure, ",
        "Wrote conf/cluster/slurmlab.yaml. Use it: cluster=slurmlab.",
    ):
        assert part in text
    assert max(map(len, printed.splitlines())) <= 80
    assert [path.name for path in user.folder.iterdir() if "doctor" in path.name] == []

    composed = user("train", "cluster=slurmlab", "cluster.nodes=2", "--cfg", "job").stdout
    for line in ("  executor: slurm", "  partition: main", "  tasks_per_node: 2", "  nodes: 2"):
        assert line in composed.splitlines()


def test_the_node_that_sends_slowly_is_named(user: Login) -> None:
    user.lab.exec("node3", "tc", "qdisc", "add", "dev", "eth0", *SLOW)
    try:
        keys = ("cluster.device=cpu", "--nodes", "3", "--json")
        fields = json.loads(user("doctor", *keys, timeout_s=240).stdout)
    finally:
        user.lab.exec("node3", "tc", "qdisc", "del", "dev", "eth0", "root")
    findings = {finding["name"]: finding for finding in fields["findings"]}
    assert "node3" in fields["exclude"]
    assert findings["network"]["level"] == "warn"
    assert findings["network"]["found"].startswith("node3 is slow: 0.01")
    for name in ("all_reduce", "all_gather", "reduce_scatter"):
        assert findings[name]["level"] == "ok"
    assert "within" in findings["clock"]["found"]
    links = {(k["source"], k["target"]): k["gb_s"] for k in fields["measurements"]["links"]}
    assert len(links) == 6
    assert max(rate for (source, _), rate in links.items() if source == "node3") < 0.02
    assert "node3" in fields["override"]
