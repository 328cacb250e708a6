"""Query and control SLURM through its commands, each with a timeout."""

import os
import re
import shutil
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ftdist.errors import ConfigError, FtdistError
from ftdist_launch.local.submit import outside_any_job
from ftdist_launch.slurm.error_text import clean_stderr
from ftdist_launch.slurm.sinfo_fields import count_gpus, has_features, minutes

TIMEOUT_S = 30.0
"""Timeout of a SLURM command; a busy controller answers within a few seconds."""


class SlurmError(FtdistError):
    """A SLURM command failed or timed out."""

    exit_code = 69


@dataclass(frozen=True, kw_only=True)
class QueuedJob:
    """A job that is waiting, running or ending."""

    job: str
    """Job number, such as `12`, or `12_3` for a task of an array."""

    state: str
    """As SLURM writes it: PENDING, RUNNING, COMPLETING, ..."""

    reason: str
    """SLURM's reason code for why it waits; "None" if it does not."""

    nodes: str
    """Nodes that it runs on, as SLURM writes them, such as `node[1-2]`."""

    start: str
    """Actual or expected start as SLURM writes it; "N/A" if unknown."""


@dataclass(frozen=True, kw_only=True)
class Partition:
    """The nodes of one kind in a partition."""

    name: str
    is_default: bool
    is_up: bool
    time_limit_min: int | None
    """None: no limit."""

    nodes: int
    cores: int
    """Of the smallest node."""

    memory_mib: int
    """Of the smallest node."""

    gpus: int
    """Per node."""


def refuse_without_slurm() -> None:
    """Refuse to submit from a machine without SLURM.

    Raises:
        ConfigError: there is no `sbatch`.
    """
    if shutil.which("sbatch") is None:
        raise ConfigError(
            "cluster.executor=slurm, but `sbatch` is not installed on this machine.",
            remedy="run this on a login node of the cluster, or set cluster=local.",
        )


@dataclass(frozen=True)
class Queue:
    """SLURM as a user sees it on a login node."""

    timeout_s: float = TIMEOUT_S

    def cluster(self) -> str | None:
        """Name of the cluster that these commands ask; None: its configuration names none.

        Login nodes have no SLURM_CLUSTER_NAME, unlike jobs.

        Raises:
            SlurmError: SLURM is unavailable.
        """
        output = self._output(["scontrol", "show", "config"])
        found = re.search(r"^ClusterName\s*=\s*(\S+)", output, re.MULTILINE)
        return None if found is None else found[1]

    def states(self, jobs: Collection[str]) -> dict[str, QueuedJob]:
        """Those of `jobs` that are in the queue, by number; finished jobs are left out.

        Raises:
            SlurmError: SLURM is unavailable.
        """
        if not jobs:
            return {}
        whole = sorted({job.partition("_")[0] for job in jobs})
        args = ["squeue", "--noheader", "--array", f"--jobs={','.join(whole)}"]
        args += ["--states=all", "--format=%i|%T|%r|%N|%S"]
        done = self._run(args)
        if done.returncode and "Invalid job id" in done.stderr:
            if len(whole) == 1:
                return {}
            # Older versions fail if one of several jobs is no longer known.
            parts = [self.states([job]) for job in jobs]
            return {name: job for part in parts for name, job in part.items()}
        self._check(done, args)
        queued = {}
        for line in filter(None, map(str.strip, done.stdout.splitlines())):
            job, state, reason, nodes, start = line.split("|")
            if job in jobs and state in _IN_QUEUE:
                queued[job] = QueuedJob(
                    job=job, state=state, reason=reason, nodes=nodes, start=start
                )
        return queued

    def accounting(self, jobs: Collection[str]) -> dict[str, list[str]]:
        """The states of all starts of each job, oldest first, from sacct.

        Raises:
            SlurmError: SLURM is unavailable, or accounting is disabled.
        """
        if not jobs:
            return {}
        args = ["sacct", "--noheader", "--parsable2", "--duplicates", "--allocations"]
        args += [f"--jobs={','.join(sorted(jobs))}", "--format=JobID,State"]
        states: dict[str, list[str]] = {}
        for line in self._output(args).splitlines():
            job, _, state = line.partition("|")
            if state:
                states.setdefault(job, []).append(state.split()[0])
        return states

    def commented(self, comment: str) -> list[str]:
        """Numbers of this user's waiting and running jobs with a comment; of whole arrays.

        Raises:
            SlurmError: SLURM is unavailable.
        """
        args = ["squeue", "--noheader", f"--user={os.getuid()}", "--format=%i|%k"]
        lines = [line.strip().partition("|") for line in self._output(args).splitlines()]
        return sorted({job.partition("_")[0] for job, _, text in lines if text == comment})

    def partitions(self) -> list[Partition]:
        """The visible partitions, one entry per kind of node.

        Raises:
            SlurmError: SLURM is unavailable.
        """
        args = ["sinfo", "--noheader", "--format=%P|%a|%l|%D|%c|%m|%G"]
        partitions = []
        for line in self._output(args).splitlines():
            name, up, limit, nodes, cores, memory, gres = line.strip().split("|")
            partitions.append(
                Partition(
                    name=name.rstrip("*"),
                    is_default=name.endswith("*"),
                    is_up=up == "up",
                    time_limit_min=minutes(limit),
                    nodes=int(nodes),
                    cores=int(cores.rstrip("+")),
                    memory_mib=int(memory.rstrip("+")),
                    gpus=count_gpus(gres),
                )
            )
        return partitions

    def check_script(self, script: str) -> None:
        """Check a batch script without submitting it.

        Raises:
            SlurmError: SLURM would reject the job, or is unavailable.
        """
        done = self._run(["sbatch", "--test-only"], text=script)
        if done.returncode:
            raise SlurmError(
                f"SLURM would reject the job: {clean_stderr(done.stderr).rstrip('.')}.",
                remedy="change what it names: cluster.partition, account, qos, constraint, or "
                "sizes.",
            )

    def signal(self, job: str, name: str) -> None:
        """Send a signal to the ranks of a running job, but not to its batch script.

        Raises:
            SlurmError: SLURM is unavailable, or refuses.
        """
        self._output(["scancel", f"--signal={name}", job])

    def cancel(self, jobs: Sequence[str]) -> None:
        """Cancel waiting and running jobs at once.

        Raises:
            SlurmError: SLURM is unavailable, or refuses.
        """
        if jobs:
            self._output(["scancel", *jobs])

    def requeue(self, job: str) -> None:
        """Requeue a running job.

        Raises:
            SlurmError: SLURM is unavailable, or refuses.
        """
        self._output(["scontrol", "requeue", job])

    def exclude(self, job: str, nodes: Collection[str]) -> None:
        """Keep a waiting job, such as one that was just requeued, away from some nodes.

        Raises:
            SlurmError: SLURM is unavailable, or refuses.
        """
        names = ",".join(sorted(nodes))
        self._output(["scontrol", "update", f"JobId={job}", f"ExcNodeList={names}"])

    def usable_nodes(
        self, partition: str | None, *, constraint: str | None = None, gpus: int = 0
    ) -> set[str]:
        """Names of the nodes that a job may run on and that are not down or drained.

        Args:
            partition: of the nodes; None: all.
            constraint: features, as `sbatch --constraint`; brackets and counts are not evaluated.
            gpus: per node, at least.

        Raises:
            SlurmError: SLURM is unavailable.
        """
        args = ["sinfo", "--noheader", "-N", "--format=%N|%t|%f|%G"]
        args += [] if partition is None else [f"--partition={partition}"]
        nodes = set()
        for line in self._output(args).splitlines():
            name, state, features, gres = line.strip().split("|", 3)
            is_up = not state.startswith(("down", "dr", "fail"))
            if is_up and has_features(features, constraint) and count_gpus(gres) >= gpus:
                nodes.add(name)
        return nodes

    def _output(self, args: Sequence[str]) -> str:
        done = self._run(args)
        self._check(done, args)
        return done.stdout

    def _check(self, done: "subprocess.CompletedProcess[str]", args: Sequence[str]) -> None:
        if done.returncode:
            if any(sign in done.stderr for sign in _NO_CLUSTER):
                raise SlurmError(
                    f"`{args[0]}` is installed here, and finds no cluster.",
                    remedy="run this on a login node of the cluster; `ftdist plan` needs none.",
                )
            raise SlurmError(
                f"`{args[0]}` failed with code {done.returncode}: {clean_stderr(done.stderr)}",
                remedy="retry in a minute; if it persists, contact the cluster's administrators.",
            )

    def _run(
        self, args: Sequence[str], *, text: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        try:
            return subprocess.run(
                args,
                input=text,
                stdin=subprocess.DEVNULL if text is None else None,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self.timeout_s,
                env=outside_any_job(),
                check=False,
            )
        except FileNotFoundError:
            raise SlurmError(
                f"`{args[0]}` is not installed on this machine.",
                remedy="run this on a login node of the cluster, or `ftdist train`, `ftdist plan` "
                "with cluster=local here.",
            ) from None
        except subprocess.TimeoutExpired:
            raise SlurmError(
                f"`{args[0]}` timed out after {self.timeout_s:.0f} s.",
                remedy="retry in a minute; if it persists, contact the cluster's administrators.",
            ) from None


_NO_CLUSTER = ("Could not establish a configuration source", "fetch_config: DNS SRV lookup failed")
"""What SLURM's commands print on a machine without slurm.conf."""

_IN_QUEUE = frozenset(
    {"PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING"}
    | {"REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESIZING", "STAGE_OUT"}
)
