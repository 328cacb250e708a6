from dataclasses import replace
from typing import Any

import pytest
from ftdist_launch.doctor.node_checks import interface_words, network_interface, node_checks

from ftdist.doctor.node_report import NodeReport
from tests.support.findings import lines
from tests.support.node_reports import expected, gpu, report


def problems(reports: list[NodeReport], *hosts: str, gpus: int = 0) -> list[str]:
    found = lines(node_checks(reports, expected(*hosts, gpus=gpus)))
    return [line for line in found if not line.startswith("ok")]


def test_healthy_nodes_are_ok_in_all_points() -> None:
    reports = [report("n1", gpus=2), report("n2", gpus=2)]
    assert lines(node_checks(reports, expected("n1", "n2", gpus=2))) == [
        "ok shared folder | 2 nodes saw the same files",
        "ok Python | 3.11.7",
        "ok torch | 2.13.0+cu130, CUDA 13.0, NCCL 2.27.5",
        "ok driver | 580.95.05",
        "ok GPUs | torch uses 2 per node: NVIDIA H100 80GB HBM3",
        "ok GPU health | no errors; hottest 41 C",
        "ok /dev/shm | 256 GiB",
        "ok local disk | 900 GiB free in /tmp",
        "ok ulimits | nofile 65,536, nproc unlimited",
        "ok clock | within 2 s of this machine, as far as seen",
        "ok network | eth0 25 Gbit/s",
    ]


def test_a_machine_without_a_cluster_is_judged_by_itself() -> None:
    alone = report(token=None, lock_held=None, default_interface="lo")
    assert lines(node_checks([alone], expected(cluster=False))) == [
        "ok torch | 2.13.0+cpu, for CPUs",
        "ok /dev/shm | 256 GiB",
        "ok local disk | 900 GiB free in /tmp",
    ]
    assert node_checks([], expected(cluster=False)) == []


def test_a_node_that_does_not_see_the_folder_is_named() -> None:
    assert problems([report("n1")], "n1", "n2", "n3") == [
        "fail shared folder | n2, n3 wrote no report to /shared | jobs there find neither the run "
        "nor the Python environment | keep both in a folder that all nodes see; else set "
        "cluster.exclude=n2,n3"
    ]
    assert problems([report("n1"), report("n2", token="old")], "n1", "n2") == [
        "fail shared folder | n2 did not see a file written before the job started | ranks read "
        "old or missing files | ask for a mount without stale caches (nfs: actimeo, "
        "lookupcache=none)"
    ]


def test_locks_that_other_nodes_do_not_see_are_a_warning() -> None:
    many = [report(f"n{k}", lock_held=False) for k in range(1, 7)]
    assert problems(many, *(f"n{k}" for k in range(1, 7))) == [
        "warn shared locks | n1, n2, n3, n4 and 2 more did not see a lock of this machine | ftdist "
        "then recognizes its other processes by the name in the lock file | start commands on one "
        "run from one machine"
    ]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (
            {"python": "3.12.1"},
            "warn Python | 3.11.7 on n1; 3.12.1 on n2",
        ),
        (
            {"torch": "2.14.0+cpu"},
            "warn torch | 2.13.0+cpu on n1; 2.14.0+cpu on n2",
        ),
    ],
)
def test_versions_that_differ_are_a_warning(change: dict[str, Any], found: str) -> None:
    assert problems([report("n1"), report("n2", **change)], "n1", "n2") == [
        f"{found} | ranks with different versions may hang or compute different numbers | exclude "
        "the nodes that differ (cluster.exclude), and report them"
    ]


def test_drivers_that_differ_are_a_warning() -> None:
    changed = replace(report("n2", gpus=1), gpus=(gpu(driver="590.10"),))
    (found,) = problems([report("n1", gpus=1), changed], "n1", "n2", gpus=1)
    assert found.startswith("warn driver | 580.95.05 on n1; 590.10 on n2 | ")


def test_a_torch_that_cannot_be_imported_is_a_failure() -> None:
    broken = report("n2", torch=None, torch_error="ImportError: libcudart.so.13: cannot open")
    assert problems([report("n1"), broken], "n1", "n2") == [
        "fail torch | cannot be imported on n2: ImportError: libcudart.so.13: cannot open | no job "
        "runs there | repair the environment: `make .venv`, or set cluster.python"
    ]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (
            {"shm_gib": 0.0625},
            "warn /dev/shm | 64 MiB on n1 | NCCL and data workers fail: 'No space left on device', "
            "bus errors | in a container: a larger --shm-size; else ask for a larger /dev/shm",
        ),
        (
            {"cache_free_gib": None},
            "fail local disk | /tmp is not writable on n1 | kernels compiled at run time cannot be "
            "stored | set cluster.local_cache_dir to a folder on each node's own disk",
        ),
        (
            {"cache_free_gib": 0.5},
            "warn local disk | 0.5 GiB free in /tmp on n1 | kernels compiled at run time may not "
            "fit | set cluster.local_cache_dir to another local disk",
        ),
        # The job ended at 120 by this machine's clock, and began at 100.
        (
            {"time_s": 135.0},
            "warn clock | n1 is at least 15 s ahead of this machine | merged logs are out of "
            "order; above 300 s munge rejects all messages | report the node: its time service "
            "(chrony, ntpd) does not work",
        ),
        (
            {"arrived_s": 60.0},
            "warn clock | n1 is at least 40 s behind this machine | merged logs are out of order; "
            "above 300 s munge rejects all messages | report the node: its time service (chrony, "
            "ntpd) does not work",
        ),
        (
            {"default_interface": "lo", "interfaces": {"eth0": 1000, "ib0": 400000}},
            "warn network | the name of n1 does not resolve to its address | ranks listen on "
            "loopback, and those of other nodes do not find them | set "
            "cluster.network_interface=ib0 (`ip addr` lists the names)",
        ),
        (
            {"default_interface": None, "interfaces": {}},
            "warn network | the name of n1 does not resolve to its address | ranks listen on "
            "loopback, and those of other nodes do not find them | set "
            "cluster.network_interface=NAME (`ip addr` lists the names)",
        ),
        (
            {
                "infiniband": ("mlx5_0",),
                "limits": {"nofile": 65536, "nproc": None, "memlock": 65536},
            },
            "warn ulimit -l | 64 KiB of locked memory on n1 | NCCL cannot register memory for "
            "InfiniBand, and fails or is slow | ask for LimitMEMLOCK=infinity in slurmd's service",
        ),
    ],
)
def test_each_weakness_of_a_node_has_its_message(change: dict[str, Any], found: str) -> None:
    assert problems([report("n1", **change)]) == [found]


def test_the_lowest_limit_of_any_node_counts() -> None:
    low = report("n2", limits={"nofile": 1024, "nproc": None, "memlock": None})
    (found,) = problems([report("n1"), low], "n1", "n2")
    assert found.startswith("warn ulimit -n | at most 1,024 open files | ")


def test_a_clock_within_the_time_of_the_job_is_not_blamed() -> None:
    assert problems([report("n1", arrived_s=98.5, time_s=121.5)]) == []


def test_the_interface_for_ranks_is_infinibands_or_the_only_right_one() -> None:
    fast = report("n1", interfaces={"eth0": 25000, "ib0": 400000}, infiniband=("mlx5_0",))
    assert network_interface([fast, fast]) == "ib0"
    assert network_interface([fast, report("n2")]) is None
    assert network_interface([report("n1", default_interface="lo")]) == "eth0"
    assert network_interface([]) is None
    assert interface_words(fast) == ["eth0 25 Gbit/s", "ib0 400 Gbit/s", "RDMA mlx5_0"]
    assert interface_words(report("n1", interfaces={"eth0": 0})) == ["eth0"]
