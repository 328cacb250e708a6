"""Run one job on nodes of the cluster, and wait for its end."""

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ftdist.config.schema import ClusterConfig
from ftdist.io.progress import LogFn
from ftdist_launch.doctor.commands import run_command
from ftdist_launch.doctor.partitions import expand
from ftdist_launch.local.submit import common_environment, import_path, outside_any_job
from ftdist_launch.slurm.client import Queue, QueuedJob, SlurmError
from ftdist_launch.slurm.sbatch import FIRST_PORT, NEW_SECRET, PORTS, safe_path
from ftdist_launch.slurm.waiting_reasons import explain_reason

EARLY_POLL_S, POLL_S = 5.0, 30.0
"""Seconds between two questions to SLURM, in the first minute of a job and later."""

EARLY_S = 60.0
SILENCE_S = 300.0
"""How long SLURM may fail to answer before the job is given up."""

LOG_S = 15.0
"""Seconds between two messages about a job that waits."""

LOG_NAME = "job.log"
ACCOUNTING_POLL_S, FILE_POLL_S = 2.0, 0.5
ENDED_S = 5.0
"""How long a file may take to appear on this machine after the job's end."""


@dataclass(frozen=True, kw_only=True)
class NodeJob:
    """A job that runs one module on some nodes."""

    folder: Path
    """Shared folder; the log goes there."""

    module: str
    arguments: tuple[str, ...]
    nodes: int
    tasks_per_node: int
    gpus_per_node: int
    timeout_min: int
    cluster: ClusterConfig
    """Partition, account, modules, environment; its sizes are not used."""


@dataclass(frozen=True, kw_only=True)
class JobEnd:
    """How a job ended."""

    state: str
    """SLURM's word; WAITING: it did not start in time and was cancelled."""

    hosts: tuple[str, ...]
    reason: str
    """Why it did not start, in words."""

    log: str
    """What it printed."""

    started_s: float
    """This machine's clock when the job was submitted."""

    ended_s: float


def script(job: NodeJob) -> str:
    """The batch script.

    Raises:
        ConfigError: a path contains a character that SLURM interprets.
    """
    cluster = job.cluster
    options = {
        "job-name": "ftdist-doctor",
        "nodes": job.nodes,
        "ntasks-per-node": job.tasks_per_node,
        "cpus-per-task": cluster.threads,
        "gpus-per-node": job.gpus_per_node or None,
        "time": job.timeout_min,
        "output": safe_path(job.folder / LOG_NAME),
        "partition": cluster.partition,
        "account": cluster.account,
        "qos": cluster.qos,
        "constraint": cluster.constraint,
        "reservation": cluster.reservation,
        "exclude": cluster.exclude,
        "mem": None if cluster.memory_gib is None else f"{cluster.memory_gib}G",
    }
    container = ["--container-image=" + cluster.container] if cluster.container else []
    mounts = ",".join(cluster.container_mounts)
    container += [f"--container-mounts={mounts}"] if container and mounts else []
    python = cluster.python or sys.executable
    command = [python, "-m", job.module, *job.arguments]
    lines = [
        "#!/bin/bash",
        *(f"#SBATCH --{name}={value}" for name, value in options.items() if value is not None),
        "#SBATCH --no-requeue",
        "#SBATCH --open-mode=truncate",
        *(f"export {name}={shlex.quote(v)}" for name, v in _environment(cluster).items()),
        'export SRUN_CPUS_PER_TASK="$SLURM_CPUS_PER_TASK"',
        'export MASTER_ADDR="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)"',
        f"export MASTER_PORT=$(({FIRST_PORT} + SLURM_JOB_ID * 10 % {PORTS}))",
        NEW_SECRET,
        *(f"module load {shlex.quote(name)} || exit 78" for name in cluster.environment_modules),
        f"exec {shlex.join(['srun', '--kill-on-bad-exit=1', '--label', *container, *command])}",
    ]
    return "\n".join(lines) + "\n"


def _environment(cluster: ClusterConfig) -> Mapping[str, str]:
    variables = common_environment(cluster) | import_path()
    if cluster.network_interface is not None:
        names = ("NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME")
        variables |= dict.fromkeys(names, cluster.network_interface)
    return variables | cluster.env


def run_job(job: NodeJob, *, queue: Queue, wait_s: float, log: LogFn) -> JobEnd:
    """Submit a job and wait until it ends; interrupted, cancel it.

    Args:
        job: to run.
        queue: of the cluster.
        wait_s: how long it may wait for nodes; then it is cancelled.
        log: gets messages about the wait.

    Raises:
        SlurmError: SLURM rejects the job, or is unavailable.
    """
    started = time.time()
    number = _submit(script(job))
    try:
        state, hosts, reason = _wait(number, queue=queue, wait_s=wait_s, log=log)
    except BaseException:
        with suppress(SlurmError):
            queue.cancel([number])
        raise
    if state == "WAITING":
        queue.cancel([number])
    text = _read_log(job.folder / LOG_NAME) if state != "WAITING" else ""
    return JobEnd(
        state=state,
        hosts=hosts,
        reason=reason,
        log=text,
        started_s=started,
        ended_s=time.time(),
    )


def _submit(text: str) -> str:
    try:
        done = subprocess.run(
            ["sbatch", "--parsable"],
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            env=outside_any_job(),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SlurmError(
            f"`sbatch` did not answer: {type(error).__name__}.",
            remedy="retry in a minute; --no-nodes leaves the compute nodes out.",
        ) from None
    if done.returncode:
        lines = [re.sub(r"^sbatch: (error: )?", "", line) for line in done.stderr.splitlines()]
        raise SlurmError(
            f"SLURM rejected the job of `ftdist doctor`: {'; '.join(lines)[:300]}.",
            remedy="name what it needs: --partition, --account, --qos; or cluster=NAME and its "
            "keys; --no-nodes leaves the compute nodes out.",
        )
    return done.stdout.strip().partition(";")[0]


def _wait(
    number: str, *, queue: Queue, wait_s: float, log: LogFn
) -> tuple[str, tuple[str, ...], str]:
    """State, nodes and last waiting reason at the end of a job, or of our patience."""
    begin, logged_s, hosts, reason = time.monotonic(), 0.0, "", ""
    while True:
        jobs = _states(number, queue=queue, log=log)
        if number not in jobs:
            state, accounted = _final(number)
            return state, tuple(sorted(expand([hosts or accounted]))), reason
        job = jobs[number]
        hosts = job.nodes or hosts
        waited = time.monotonic() - begin
        if job.state == "PENDING":
            reason = f"{explain_reason(job.reason)} ({job.reason})"
            if waited > wait_s:
                return "WAITING", (), reason
            if waited - logged_s > LOG_S:
                log(f"Job {number} is {reason}.")
                logged_s = waited
        time.sleep(_poll_s(waited))


def _poll_s(waited_s: float) -> float:
    return EARLY_POLL_S if waited_s < EARLY_S else POLL_S


def _states(number: str, *, queue: Queue, log: LogFn) -> dict[str, QueuedJob]:
    """The job in the queue; SLURM is asked again for `SILENCE_S` if it does not answer.

    Raises:
        SlurmError: it did not answer for so long.
    """
    begin, is_logged = time.monotonic(), False
    while True:
        try:
            return queue.states([number])
        except SlurmError as error:
            silent_s = time.monotonic() - begin
            if silent_s > SILENCE_S:
                raise
            if not is_logged:
                log(f"SLURM does not answer; asking again. {error.problem}")
                is_logged = True
        time.sleep(_poll_s(silent_s))


def _final(number: str) -> tuple[str, str]:
    """How a job ended and on which nodes, from the accounts; UNKNOWN without them."""
    words = ("sacct", "-nPX", f"--jobs={number}", "--format=State,NodeList")
    deadline = time.monotonic() + ENDED_S
    while time.monotonic() < deadline:
        output = run_command(words)
        if output.code:
            break
        state, _, hosts = (output.out.strip().splitlines() or [""])[-1].partition("|")
        if state and state not in ("RUNNING", "PENDING", "COMPLETING"):
            return state.split()[0], hosts
        time.sleep(ACCOUNTING_POLL_S)
    return "UNKNOWN", ""


def _read_log(path: Path) -> str:
    deadline = time.monotonic() + ENDED_S
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(FILE_POLL_S)
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


_NOISE = re.compile(
    r"\*\*\* (STEP|JOB)|CANCELLED AT|Force Terminated|: (Terminated|Killed)$"
    r"|Exited with exit code|forcing job termination|Waiting up to"
)
"""What SLURM says about the end of a job, whatever its cause."""

_PREFIX = re.compile(r"^(\d+: )?(slurmstepd-[^:]*: error: |srun: error: )?")


def last_lines(log: str, max_lines: int = 3) -> Sequence[str]:
    """The last different lines of a log that name a cause, without labels of ranks and nodes."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    causes = [line for line in lines if not _NOISE.search(line)] or lines
    return list(dict.fromkeys(_PREFIX.sub("", line) for line in causes))[-max_lines:]
