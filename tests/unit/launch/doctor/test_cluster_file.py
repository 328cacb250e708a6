from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from ftdist_launch.doctor.cluster_config import JobOptions, cluster_config
from ftdist_launch.doctor.cluster_file import (
    Software,
    cluster_name,
    cluster_yaml,
    scalar,
    write_cluster_file,
)
from ftdist_launch.doctor.partitions import choose
from ftdist_launch.doctor.slurm_facts import ClusterFacts
from ftdist_launch.doctor.software import containers, modules

from ftdist.config.compose import compose_curation
from ftdist.errors import ConfigError
from tests.support.slurm.captured_clusters import captured

NONE = Software()


def text_of(facts: ClusterFacts, *, software: Software = NONE, wanted: str | None = None) -> str:
    choice = choose(facts, wanted=wanted)
    assert choice is not None
    return cluster_yaml(facts, choice, software=software, name="mine", today="2026-11-30")


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        (
            "gpus",
            {
                "partition": "h100",
                "cpu_partition": "cpu",
                "account": "llm",
                "qos": None,
                "tasks_per_node": 8,
                "cpus_per_task": 8,  # of 192 / 8 = 24
                "device": "auto",
                "gpu": "H100",
                "gpu_memory_gib": None,
                "network_gbit_s": None,
                "memory_gib": 0,
                "timeout_min": 720,  # the QOS of the partition: 12 h
                "signal_delay_s": 600,
            },
        ),
        (
            "cpus",
            {
                "partition": "batch",
                "cpu_partition": None,
                "account": None,
                "qos": None,
                "tasks_per_node": 5,  # 40 CPUs in eights
                "cpus_per_task": 8,
                "device": "cpu",
                "memory_gib": 0,
                "timeout_min": 120,
                "signal_delay_s": 600,
            },
        ),
        (
            "slurmlab",
            {
                "partition": "main",
                "cpu_partition": None,
                "account": None,
                "qos": None,
                "tasks_per_node": 2,
                "cpus_per_task": 1,
                "device": "auto",
                "gpu": None,
                "memory_gib": None,
                "timeout_min": 1440,
                "signal_delay_s": 600,
            },
        ),
    ],
)
def test_the_file_has_what_the_cluster_allows(cluster: str, expected: dict[str, object]) -> None:
    values = yaml.safe_load(text_of(captured(cluster)))
    assert values.pop("defaults") == ["slurm", "_self_"]
    rest: dict[str, object] = {
        "network_interface": None,
        "environment_modules": [],
        "container": None,
    }
    assert values == expected | rest


def test_the_file_composes_as_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert write_cluster_file(text_of(captured("gpus")), name="mine", force=False) == Path(
        "conf/cluster/mine.yaml"
    )
    keys = ["library.name=w", "library.sources=[m.md]", "cluster=mine"]
    cluster = compose_curation(keys).cluster
    assert (cluster.executor, cluster.partition, cluster.tasks_per_node) == ("slurm", "h100", 8)
    assert cluster.env["NCCL_DEBUG"] == "WARN"  # of slurm.yaml


def test_an_existing_file_stays_unless_forced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "conf/cluster/mine.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("partition: my-own\n")
    assert write_cluster_file("partition: p\n", name="mine", force=False) is None
    assert path.read_text() == "partition: my-own\n"
    assert write_cluster_file("partition: p\n", name="mine", force=True) is not None
    assert path.read_text() == "partition: p\n"


def test_what_was_found_stands_beside_each_value() -> None:
    facts = captured("gpus")
    found = Software(
        modules=("cuda/12.4", "cuda/13.0", "nccl/2.27"),
        containers=("pyxis", "enroot"),
        interface="ib0",
        interfaces=("eth0 25 Gbit/s", "ib0 400 Gbit/s", "RDMA mlx5_0"),
        has_cuda=True,
    )
    text = text_of(facts, software=found)
    for line in (
        "#   preempt: 40 nodes, 4 x a100 or 8 x h100, at most 72 h, preemptible: requeue after "
        "120 s",
        "# Your accounts: astro, llm.",
        "account: llm  # null: astro",
        "# Your QOS: normal, long, h100, urgent.",
        "device: cuda  # a job that sees no GPU ends with an error",
        "# Network interfaces of a node: eth0 25 Gbit/s, ib0 400 Gbit/s, RDMA mlx5_0.",
        "network_interface: ib0",
        "# Modules here: cuda/12.4, cuda/13.0, nccl/2.27.",
        "# Containers here: pyxis, enroot.",
        "container: null",
    ):
        assert line in text.splitlines()
    assert "device: auto  # set cuda once GPUs work on the nodes (torch saw none)" in text_of(
        facts, software=Software(has_cuda=False)
    )
    mixed = text_of(facts, wanted="preempt").splitlines()
    assert "constraint: a100" in mixed
    assert "# Preempted by jobs of partition a100, h100: requeue after 120 s." in mixed
    assert "#   old: 1 node, no GPUs, no time limit, down" in text_of(captured("odd"))
    assert "# constraint: FEATURE" in text_of(captured("odd"))


def test_the_names_of_a_file_are_valid() -> None:
    assert cluster_name(captured("cpus"), None) == "Campus-HPC"
    assert cluster_name(captured("cpus"), "campus") == "campus"
    assert cluster_name(replace(captured("cpus"), name=""), None) == "mine"
    for wrong in ("local", "a/b", "-x", "a b"):
        with pytest.raises(ConfigError, match="cannot be the name of a cluster file"):
            cluster_name(captured("cpus"), wrong)


@pytest.mark.parametrize(
    ("name", "text"), [("gpu", "gpu"), ("1080", '"1080"'), ("off", '"off"'), (None, "null")]
)
def test_names_that_yaml_reads_as_something_else_are_quoted(name: str | None, text: str) -> None:
    assert scalar(name) == text
    assert yaml.safe_load(text) == name


def test_jobs_of_the_doctor_run_where_it_would_train_or_where_the_user_says() -> None:
    choice = choose(captured("gpus"))
    chosen = cluster_config(JobOptions(), choice)
    assert (chosen.partition, chosen.account, chosen.qos) == ("h100", "llm", None)
    options = JobOptions(
        partition="a100", account="astro", qos="long", overrides=["cluster.constraint=ib"]
    )
    asked = cluster_config(options, choice)
    assert (asked.partition, asked.account, asked.qos) == ("a100", "astro", "long")
    assert asked.constraint == "ib"
    own = cluster_config(JobOptions(overrides=["cluster=slurm"]), choice)
    assert own.partition is None
    with pytest.raises(ConfigError, match=r"`ftdist doctor` does not take train\.epochs=2"):
        cluster_config(JobOptions(overrides=["train.epochs=2"]), choice)


def test_modules_and_containers_of_the_login_node_are_listed() -> None:
    from collections.abc import Sequence

    from ftdist_launch.doctor.commands import MISSING, TIMEOUT_S, Output

    listing = """\
/opt/modules/Core:
cuda/12.4.1
cuda/13.0(default)
gcc/
gcc/13.2
matlab/R2024a
NCCL/2.27
"""

    def answers(args: Sequence[str], *, timeout_s: float = TIMEOUT_S) -> Output:
        assert timeout_s > 0
        if args[0] == "bash":
            return Output(code=0, out=listing)
        if args[0] == "srun":
            return Output(code=0, out="  --container-image=[USER@][REGISTRY#]IMAGE[:TAG]\n")
        return Output(code=0 if args[0] == "apptainer" else MISSING)

    assert modules(answers) == ("cuda/12.4.1", "cuda/13.0", "gcc/13.2", "NCCL/2.27")
    assert containers(answers) == ("pyxis", "apptainer")

    def nothing(args: Sequence[str], *, timeout_s: float = TIMEOUT_S) -> Output:
        assert args
        assert timeout_s > 0
        return Output(code=MISSING)

    assert modules(nothing) == ()
    assert containers(nothing) == ()


def test_the_file_names_the_gpus_for_the_plan_by_their_driver_or_by_slurm() -> None:
    facts = captured("gpus")
    by_slurm = yaml.safe_load(text_of(facts))
    assert by_slurm["gpu"] in ("A100", "H100")
    driver = Software(gpu="NVIDIA H100 80GB HBM3")
    assert yaml.safe_load(text_of(facts, software=driver))["gpu"] == "NVIDIA H100 80GB HBM3"
    assert yaml.safe_load(text_of(captured("odd")))["gpu"] is None  # without types
    assert "gpu" not in yaml.safe_load(text_of(captured("cpus")))
