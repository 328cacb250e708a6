from collections.abc import Sequence

import pytest
from ftdist_launch.doctor.commands import MISSING, TIMED_OUT, TIMEOUT_S, Output, run_command
from ftdist_launch.doctor.slurm_facts import Gpus, parse_gpus, read_cluster, seconds

from tests.support.slurm.captured_clusters import captured


@pytest.mark.parametrize(
    ("gres", "gpus"),
    [
        ("(null)", []),
        ("gpu:2", [("", 2)]),
        ("gpu", [("", 1)]),
        ("gpu:h100", [("h100", 1)]),
        ("gpu:a100:4(S:0-1)", [("a100", 4)]),
        ("gpu:a100:3(S:0,2),gpu:a100_1g.5gb:7,nvme:1", [("a100", 3), ("a100_1g.5gb", 7)]),
        ("gpu:1g.5gb:7", [("1g.5gb", 7)]),
        ("craynetwork:4,gpu:nvidia_h100_80gb_hbm3:8(S:0-7)", [("nvidia_h100_80gb_hbm3", 8)]),
    ],
)
def test_gpus_are_read_from_every_form_of_gres(gres: str, gpus: list[tuple[str, int]]) -> None:
    assert parse_gpus(gres) == tuple(Gpus(kind=kind, count=count) for kind, count in gpus)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("30", 30),
        ("30 sec", 30),
        ("00:00:30", 30),
        ("01:02:03", 3723),
        ("1-00:00:01", 86401),
    ],
)
def test_durations_of_slurm_are_seconds(text: str, expected: int) -> None:
    assert seconds(text) == expected


def test_states_of_nodes_are_added_up_per_kind() -> None:
    facts = captured("gpus")
    by_name = {partition.name: partition for partition in facts.partitions}
    (a100,) = by_name["a100"].kinds
    assert (a100.nodes, a100.usable, a100.idle, a100.gpu_count) == (24, 23, 3, 4)
    assert by_name["preempt"].gpus == 24 * 4 + 16 * 8
    assert by_name["cpu"].is_default
    assert by_name["cpu"].usable == 118
    assert by_name["debug"].time_limit_min == 30


def test_a_sleeping_node_is_usable_and_a_draining_one_is_not() -> None:
    everything = next(p for p in captured("odd").partitions if p.name == "all")
    assert [(kind.names, kind.usable) for kind in everything.kinds] == [
        ("x[1-3]", 3),
        ("y[1-2]", 2),
        ("z1", 0),
    ]


def test_the_cluster_of_the_tests_is_read_whole() -> None:
    facts = captured("slurmlab")
    assert (facts.name, facts.version, facts.unread) == ("slurmlab", "22.05.8", {})
    assert facts.default_account == "root"
    assert [qos.name for qos in facts.qos] == ["normal"]
    assert facts.config["TaskPlugin"] == "task/none"
    assert facts.config["JobSubmitPlugins"] == ""


def test_limits_of_accounts_and_qos_are_read() -> None:
    facts = captured("gpus")
    astro, llm = facts.associations
    assert astro.limits == {"MaxJobs": "20", "MaxSubmit": "50", "GrpTRES": "cpu=4096,gres/gpu=16"}
    assert llm.qos == ("normal", "h100", "urgent")
    urgent = next(qos for qos in facts.qos if qos.name == "urgent")
    assert urgent.preempts == ("normal",)


def test_a_command_without_an_answer_is_noted_with_its_reason() -> None:
    def broken(args: Sequence[str], *, timeout_s: float = TIMEOUT_S) -> Output:
        assert timeout_s > 0
        if args[0] == "sacctmgr":
            return Output(code=1, err="You are not running a supported accounting_storage plugin\n")
        return Output(code=TIMED_OUT)

    facts = read_cluster(broken, user="alice")
    assert facts.partitions == ()
    assert facts.unread == {
        "scontrol show config": "it timed out",
        "scontrol show partition": "it timed out",
        "scontrol show federation": "it timed out",
        "sacctmgr show": "You are not running a supported accounting_storage plugin",
        "sinfo": "it timed out",
    }


def test_siblings_of_a_federation_are_named() -> None:
    assert captured("odd").siblings == ("west",)
    assert captured("gpus").siblings == ()


def test_missing_and_hanging_commands_are_results() -> None:
    assert run_command(("ftdist-has-no-such-command",)).code == MISSING
    assert run_command(("sleep", "5"), timeout_s=0.1).code == TIMED_OUT
    assert run_command(("sh", "-c", "echo out; echo problem >&2; exit 3")) == Output(
        code=3, out="out\n", err="problem\n"
    )
    assert Output(code=3).reason == "exit code 3"
    assert Output(code=MISSING).reason == "it is not installed"
