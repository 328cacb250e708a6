"""Nodes that the requeued job runs without: their GPU is faulty, or ranks failed there twice."""

import os
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from contextlib import suppress

from ftdist.config.schema import ClusterConfig
from ftdist.errors import DeviceError
from ftdist.rundir import RunDir
from ftdist_launch.rank_failures import RankFailure
from ftdist_launch.slurm.client import Queue, SlurmError
from ftdist_launch.slurm.sbatch import job_label

MAX_FAILURES = 2
"""Attempts in which ranks of a node hung, were killed or were lost, until the run leaves it."""

PAUSES_S = (0.5, 1.0, 2.0, 4.0)
"""Pauses between attempts: SLURM changes a requeued job once it is waiting."""


NO_NODE_LEFT = (
    "report the nodes (`ftdist status` lists them): too few others are left in the partition. Then "
    "`ftdist resume`, perhaps with cluster.partition, cluster.exclude or fewer cluster.nodes."
)


def excluded_nodes(run: RunDir) -> list[str]:
    """Nodes that attempts have excluded since the run was last requested by hand."""
    nodes: list[str] = []
    for event in run.read_events():
        if event.get("event") == "run_requested":
            nodes = []
        if event.get("event") == "node_excluded":
            nodes.append(str(event["host"]))
    return nodes


def can_move(
    run: RunDir,
    cluster: ClusterConfig,
    failure: RankFailure | None,
    *,
    others: Sequence[RankFailure] = (),
) -> bool:
    """Whether enough nodes are left without those that failed.

    If this attempt failed for a GPU, all nodes that reported such a failure are recorded as
    excluded; after another failure its node, if that was the second one there. Call it before the
    end of the attempt is recorded.

    Args:
        run: that failed.
        cluster: what its job needs; nodes of other kinds do not count.
        failure: the first one of the attempt.
        others: failures of all ranks of the attempt.
    """
    if failure is None or failure.host is None:
        return True
    if failure.exit_code != DeviceError.exit_code:
        _exclude_repeated(run, cluster, failure, host=failure.host)
        return True
    faulty: dict[str, RankFailure] = {}
    for each in (failure, *others):
        if each.exit_code == DeviceError.exit_code and each.host is not None:
            faulty.setdefault(each.host, each)
    left = _nodes_left(run, cluster, without=faulty)
    if left is None:
        return True
    if left < cluster.nodes:
        return False
    for host, each in faulty.items():
        run.record_event("node_excluded", host=host, cause=each.problem)
    return True


def _exclude_repeated(
    run: RunDir, cluster: ClusterConfig, failure: RankFailure, *, host: str
) -> None:
    """Record a node as excluded if attempts failed there too often.

    Not if too few nodes were left: then the run goes on with it, as long as it makes progress.
    """
    if host in excluded_nodes(run):
        return
    failed = [*_failed_attempts(run, host), run.newest_attempt()]
    if len(failed) < MAX_FAILURES:
        return
    left = _nodes_left(run, cluster, without=[host])
    if left is None or left < cluster.nodes:
        return
    attempts = " and ".join(map(str, failed[-MAX_FAILURES:]))
    cause = f"Ranks failed on it in attempts {attempts}. The last time: {failure.problem}"
    run.record_event("node_excluded", host=host, cause=cause)


def lost_node(hosts: Collection[str]) -> str | None:
    """The only one of some nodes that SLURM has lost; None if it is another number of them."""
    try:
        lost = set(hosts) - Queue().usable_nodes(None)
    except SlurmError:
        return None
    return lost.pop() if len(lost) == 1 else None


def _failed_attempts(run: RunDir, host: str) -> list[int]:
    """Attempts that failed on a node since the run was last requested by hand."""
    failed: list[int] = []
    for event in run.read_events():
        if event.get("event") == "run_requested":
            failed = []
        if event.get("event") == "attempt_finished" and event.get("failed_host") == host:
            failed.append(int(event["attempt"]))
    return failed


def _nodes_left(run: RunDir, cluster: ClusterConfig, *, without: Collection[str]) -> int | None:
    """Nodes that the job could use without those excluded; None: SLURM does not answer."""
    excluded = {*excluded_nodes(run), *_expanded(cluster.exclude), *without}
    try:
        usable = Queue().usable_nodes(
            os.environ.get("SLURM_JOB_PARTITION"),
            constraint=cluster.constraint,
            gpus=cluster.gpus_per_node or 0,
        )
    except SlurmError as error:
        sys.stderr.write(f"{error}\n")
        return None
    return len(usable - excluded)


def exclude_nodes(run: RunDir, cluster: ClusterConfig) -> None:
    """Keep this job, which was just requeued, away from the run's excluded nodes."""
    nodes = excluded_nodes(run)
    if not nodes:
        return
    names = [*nodes, *([cluster.exclude] if cluster.exclude else [])]
    for pause_s in (*PAUSES_S, None):
        try:
            Queue().exclude(job_label(), names)
            return
        except SlurmError as error:
            if pause_s is None:
                sys.stderr.write(f"{error}\n")
            else:
                time.sleep(pause_s)


def _expanded(nodes: str | None) -> list[str]:
    """The names that SLURM's short form stands for, such as node[3-5]."""
    if nodes is None:
        return []
    with suppress(OSError, subprocess.SubprocessError):
        words = ["scontrol", "show", "hostnames", nodes]
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=True)
        return done.stdout.split()
    return nodes.split(",")
