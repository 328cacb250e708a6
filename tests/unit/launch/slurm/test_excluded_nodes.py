"""A run leaves its faulty nodes only while nodes of the kind that it needs are left."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ftdist_launch.rank_failures import RankFailure
from ftdist_launch.restart_policy import NO_EXIT_FILE
from ftdist_launch.slurm.excluded_nodes import can_move, excluded_nodes
from ftdist_launch.slurm.sinfo_fields import count_gpus, has_features

from ftdist.errors import DeviceError, HangError
from ftdist.rundir import RunDir
from tests.support.runs.fake_runs import launched_run, slurm_config

SINFO = """cat <<'E'
a1|mix|a100,ib|gpu:a100:4(S:0-1)
a2|idle|a100,ib|gpu:a100:4(S:0-1)
a3|idle|a100,ib|gpu:a100:4(S:0-1)
a4|drain|a100,ib|gpu:a100:4(S:0-1)
h1|idle|h100,ib|gpu:h100:8
c1|idle|(null)|(null)
E"""


def failed(host: str, *, exit_code: int = DeviceError.exit_code) -> RankFailure:
    return RankFailure(
        rank=0,
        time=1.0,
        problem=f"{host} failed.",
        remedy="none",
        exit_code=exit_code,
        traceback="",
        expected=True,
        host=host,
    )


@pytest.mark.parametrize(
    ("nodes", "constraint", "gpus", "may_move"),
    [
        (2, "a100", 4, True),  # a2, a3
        (3, "a100", 4, False),  # h1 is of another kind, a4 is drained
        (3, "a100|h100", 4, True),
        (3, None, 4, True),
        (4, None, 4, False),  # c1 has no GPU
        (4, None, 0, True),
        (2, "ib", 8, False),
    ],
)
def test_only_nodes_that_the_job_may_use_are_left(
    command: Callable[[str, str], None],
    tmp_path: Path,
    nodes: int,
    constraint: str | None,
    gpus: int,
    may_move: bool,
) -> None:
    command("sinfo", SINFO)
    cluster = replace(
        slurm_config().cluster, nodes=nodes, constraint=constraint, gpus_per_node=gpus
    )
    assert can_move(launched_run(tmp_path), cluster, failed("a1")) is may_move


def test_all_nodes_whose_gpu_failed_in_an_attempt_are_excluded_at_once(
    command: Callable[[str, str], None], tmp_path: Path
) -> None:
    command("sinfo", SINFO)
    run = launched_run(tmp_path)
    cluster = replace(slurm_config().cluster, nodes=1, constraint="a100", gpus_per_node=4)
    others = [failed("a3"), failed("a1"), failed("a2", exit_code=HangError.exit_code)]
    assert can_move(run, cluster, failed("a1"), others=others)
    assert excluded_nodes(run) == ["a1", "a3"]


def end_attempt(run: RunDir, number: int, failure: RankFailure) -> None:
    run.attempt(number).mkdir()
    assert can_move(run, slurm_config("cluster.nodes=1").cluster, failure)
    run.append_event("attempt_finished", attempt=number, failed_host=failure.host)


@pytest.mark.fault("L8", "L5", "L4")
def test_a_node_is_excluded_after_its_second_failure_whatever_it_was(
    command: Callable[[str, str], None], tmp_path: Path
) -> None:
    command("sinfo", SINFO)
    run = launched_run(tmp_path)
    end_attempt(run, 1, failed("a1", exit_code=HangError.exit_code))
    end_attempt(run, 2, failed("a2", exit_code=NO_EXIT_FILE))
    assert excluded_nodes(run) == []
    end_attempt(run, 3, failed("a1", exit_code=NO_EXIT_FILE))
    assert excluded_nodes(run) == ["a1"]
    (event,) = (e for e in run.read_events() if e["event"] == "node_excluded")
    assert event["cause"] == "Ranks failed on it in attempts 1 and 3. The last time: a1 failed."
    # A person who asks for the run again starts again from none.
    run.append_event("run_requested", by="resume")
    end_attempt(run, 4, failed("a2", exit_code=HangError.exit_code))
    assert excluded_nodes(run) == []


@pytest.mark.fault("L8")
def test_a_run_does_not_exclude_its_way_to_nothing(
    command: Callable[[str, str], None], tmp_path: Path
) -> None:
    command("sinfo", "cat <<'E'\na1|mix|(null)|(null)\na2|idle|(null)|(null)\nE")
    run = launched_run(tmp_path)
    for number, host in enumerate(("a1", "a1", "a2", "a2", "a2"), start=1):
        end_attempt(run, number, failed(host, exit_code=HangError.exit_code))
    assert excluded_nodes(run) == ["a1"]  # without a2 too, no node were left


@pytest.mark.parametrize(
    ("gres", "gpus"),
    [
        ("(null)", 0),
        ("gpu:2", 2),
        ("gpu:a100", 1),
        ("gpu:a100:4(S:0-1)", 4),
        ("gpu:1g.5gb:7,nvme:1", 7),
        ("gpu:a100:2(S:0),gpu:v100:1", 3),
    ],
)
def test_gpus_of_all_types_are_counted(gres: str, gpus: int) -> None:
    assert count_gpus(gres) == gpus


@pytest.mark.parametrize(
    ("constraint", "is_met"),
    [("ib&a100", True), ("ib&h100", False), ("h100", False), ("[x|y]", True), ("x*2", True)],
)
def test_brackets_and_counts_of_a_constraint_are_left_to_slurm(
    constraint: str, is_met: bool
) -> None:
    assert has_features("a100,ib", constraint) is is_met
