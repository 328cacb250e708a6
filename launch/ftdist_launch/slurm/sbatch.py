"""Build the sbatch script of a job: its resources, and what it runs around its ranks.

Side-effect free; submitit writes the text. Everything a user can set matches a strict pattern
(`ftdist.config.schema`) or is quoted here, since submitit does not quote line breaks.
"""

import os
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ftdist.config.schema import ClusterConfig
from ftdist.config.schema.types import PATH_PATTERN
from ftdist.dist.handshake import KEY
from ftdist.errors import ConfigError
from ftdist.rundir import RunDir
from ftdist_launch.local.submit import NODE_CACHE, ON_EVERY_GPU, common_environment
from ftdist_launch.slurm.own_files import own_file_lines, own_folder_lines

Stage = Literal["curate", "prepare", "train", "export", "compare", "merge"]

CURATION = "curation.json"
"""File with the settings of a curation job, in its working folder."""

NEW_SECRET = f'export {KEY}="$(od -An -N32 -tx1 /dev/urandom | tr -d " \\n")"'
"""Line of a batch script: a secret that the ranks of this start share."""

RANKS_WAIT_S = 180
"""Seconds that ranks may take to exit once the first one has exited."""

FIRST_PORT, PORTS = 10_000, 20_000
"""Ports for the rendezvous: below the ephemeral ports of Linux (32,768 and up)."""


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """A job, or an array of jobs, to submit."""

    stage: Stage
    runs: tuple[RunDir, ...]
    """One, or one per task of the array."""

    cluster: ClusterConfig
    private: bool
    gpus_per_node: int
    """From `gpus_of`."""

    after: tuple[str, ...] = ()
    """Jobs that must succeed before this one starts."""

    name: str

    @property
    def is_training(self) -> bool:
        """Whether the job uses all nodes and ranks."""
        return self.stage == "train"

    @property
    def folder(self) -> Path:
        """Folder of submitit's files and of the logs."""
        return jobs_folder(self.runs) / self.stage

    @property
    def runs_file(self) -> Path:
        """File with the run directories of an array, one per line, in the order of its tasks."""
        return self.folder / "runs.txt"


def jobs_folder(runs: Sequence[RunDir]) -> Path:
    """Folder of all stages of a run, or of an array of runs. It is also the comment of their jobs.

    By it a job is found whose number is unknown, because `sbatch` timed out.
    """
    first = runs[0]
    return first.jobs if len(runs) == 1 else first.root.parent / ".sweeps" / first.name


def gpus_of(stage: Stage, cluster: ClusterConfig, *, copies: int | None = None) -> int:
    """GPUs per node that a job of a stage requests.

    Args:
        stage: of the job.
        cluster: has the number for training.
        copies: of a model that is asked, at most; None: as many as there are GPUs.
    """
    gpus = cluster.gpus_per_node or 0
    if stage in ON_EVERY_GPU:
        return min(gpus, copies or gpus)
    return {"train": gpus, "curate": min(1, gpus)}.get(stage, 0)


def parameters(request: JobRequest) -> dict[str, Any]:
    """Arguments of submitit's `SlurmExecutor.update_parameters`.

    Raises:
        ConfigError: a path is not allowed in a script.
    """
    cluster = request.cluster
    nodes = cluster.nodes if request.is_training else 1
    tasks = cluster.tasks_per_node if request.is_training else 1
    # A single process gets the cores of all tasks of a node.
    cores = cluster.threads * (1 if request.is_training else cluster.tasks_per_node)
    # Paths of a curation are relative to where it was submitted.
    working_dir = Path.cwd() if request.stage == "curate" else request.runs[0].root
    options: dict[str, Any] = {
        "requeue": True,
        "chdir": safe_path(working_dir),
        "comment": safe_path(jobs_folder(request.runs)),
    }
    if request.after:
        # Else a job whose dependency failed would wait forever.
        options["kill-on-invalid-dep"] = "yes"
    if cluster.reservation is not None:
        options["reservation"] = cluster.reservation
    return {
        "job_name": request.name,
        "partition": _partition(request),
        "time": cluster.timeout_min,
        "nodes": nodes,
        "ntasks_per_node": tasks,
        "cpus_per_task": cores,
        "gpus_per_node": request.gpus_per_node or None,
        "mem": None if cluster.memory_gib is None else f"{cluster.memory_gib}G",
        "account": cluster.account,
        "qos": cluster.qos,
        "constraint": cluster.constraint,
        "exclude": cluster.exclude,
        "dependency": _dependency(request),
        "signal_delay_s": cluster.signal_delay_s,
        "stderr_to_stdout": True,
        # One by one: later runs find the library in the cache.
        "array_parallelism": 1 if request.stage == "prepare" else max(1, len(request.runs)),
        "setup": setup(request),
        "teardown": teardown(request),
        "srun_args": srun_arguments(request),
        "additional_parameters": options,
    }


WAIT_FOR_CODE = (
    'for _ in $(seq 60); do [ -d "$FTDIST_RUN/code/ftdist_launch" ] && break; '
    'ls "$FTDIST_RUN" > /dev/null 2>&1; sleep 1; done',
    '[ -d "$FTDIST_RUN/code/ftdist_launch" ] || { echo "$FTDIST_RUN/code did not show on '
    '$(hostname) within 60 s: does the node mount that file system?" >&2; exit 74; }',
)
"""A shared file system may show the run late on the node; without it nothing can be recorded."""


def setup(request: JobRequest) -> list[str]:
    """Lines of the script before `srun`: environment, modules, and the `begin` hook.

    Raises:
        ConfigError: a path is not allowed in a script.
    """
    cluster = request.cluster
    folder = safe_path(request.folder)
    task = "$((SLURM_ARRAY_TASK_ID + 1))"
    if len(request.runs) == 1:
        run = shlex.quote(safe_path(request.runs[0].root))
    else:
        run = f'"$(sed -n "{task}p" {shlex.quote(safe_path(request.runs_file))})"'
    return [
        "umask 077" if request.private else "umask 022",
        f"export FTDIST_LOGS={shlex.quote(folder)}",
        *(own_folder_lines(request.folder, '"$FTDIST_LOGS"') if len(request.runs) > 1 else ()),
        f"export FTDIST_RUN={run}",
        *WAIT_FOR_CODE,
        *own_folder_lines(request.runs[0].root, '"$FTDIST_RUN"'),
        *(() if request.private else own_file_lines(request.runs[0].root)),
        'export PYTHONPATH="$FTDIST_RUN/code"',
        *(f"export {name}={shlex.quote(v)}" for name, v in environment(request).items()),
        # SLURM no longer passes --cpus-per-task on to srun.
        'export SRUN_CPUS_PER_TASK="$SLURM_CPUS_PER_TASK"',
        'export MASTER_ADDR="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)"',
        f"export MASTER_PORT={_port(cluster)}",
        NEW_SECRET,
        *(f"module load {shlex.quote(name)} || exit 78" for name in cluster.environment_modules),
        # The ranks handle SIGTERM; the script waits for them.
        "trap : TERM",
        f'FTDIST_ATTEMPT="$({_hook(request, "begin")})" || exit $?',
        '[ -n "$FTDIST_ATTEMPT" ] || exit 0',
        "export FTDIST_ATTEMPT",
    ]


def teardown(request: JobRequest) -> list[str]:
    """Lines of the script after `srun`: the `end` hook."""
    return ["ftdist_code=$?", f'exec {_hook(request, "end")} "$ftdist_code"']


def srun_arguments(request: JobRequest) -> list[str]:
    """Arguments of `srun`: a failed rank ends the others."""
    cluster = request.cluster
    arguments = ["--kill-on-bad-exit=1", f"--wait={RANKS_WAIT_S}"]
    if cluster.container is not None:
        arguments.append(f"--container-image={cluster.container}")
        if cluster.container_mounts:
            arguments.append(f"--container-mounts={','.join(cluster.container_mounts)}")
    return arguments


def environment(request: JobRequest) -> dict[str, str]:
    """Environment variables of every process of the job, in addition to SLURM's."""
    cluster = request.cluster
    variables = common_environment(cluster) | {NODE_CACHE: cluster.local_cache_dir}
    if cluster.network_interface is not None:
        names = ("NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME")
        variables |= dict.fromkeys(names, cluster.network_interface)
    return variables | cluster.env


def script(request: JobRequest) -> str:
    """The sbatch script as submitit writes it.

    Raises:
        ConfigError: a path is not allowed in a script.
    """
    executor = executor_of(request)
    if len(request.runs) > 1:
        executor.parameters["map_count"] = len(request.runs)
    # submitit has no public function for the text.
    text: str = executor._make_submission_file_text(executor._submitit_command_str, "")
    return text


def executor_of(request: JobRequest) -> Any:
    """The submitit executor of a request.

    Raises:
        ConfigError: a path is not allowed in a script.
    """
    import submitit

    safe_path(request.folder)
    executor = submitit.SlurmExecutor(folder=request.folder, python=_python(request))
    executor.update_parameters(**parameters(request))
    return executor


def safe_path(path: Path) -> str:
    """A path as text, if it is safe in a script and in SLURM options.

    Raises:
        ConfigError: it contains a line break, a `%` or a backslash.
    """
    if not re.fullmatch(PATH_PATTERN.strip("^$"), str(path)):
        raise ConfigError(
            f"The path {str(path)!r} contains a character that SLURM interprets.",
            remedy="use a path without %, backslashes and line breaks.",
        )
    return str(path)


def job_label() -> str:
    """The number of this job, such as `12`, or `12_3` for a task of an array."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    if array:
        return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    return os.environ.get("SLURM_JOB_ID", "")


def _python(request: JobRequest) -> str:
    return shlex.quote(safe_path(Path(request.cluster.python or sys.executable)))


def _hook(request: JobRequest, name: str) -> str:
    module = "ftdist_launch.slurm.batch_hooks"
    return f'{_python(request)} -m {module} {name} {request.stage} "$FTDIST_RUN"'


def _partition(request: JobRequest) -> str | None:
    cluster = request.cluster
    if request.gpus_per_node or request.is_training:  # training stays there, even without GPUs
        return cluster.partition
    return cluster.cpu_partition or cluster.partition


def _dependency(request: JobRequest) -> str | None:
    """Jobs that must succeed first; of an array, the same task of another array."""
    if not request.after:
        return None
    if len(request.runs) == 1:
        return f"afterok:{':'.join(request.after)}"
    (array,) = {job.partition("_")[0] for job in request.after}
    return f"aftercorr:{array}"


def _port(cluster: ClusterConfig) -> str:
    if cluster.master_port is not None:
        return str(cluster.master_port)
    own = "SLURM_JOB_ID * 10 + ${SLURM_RESTART_COUNT:-0} % 10"
    return f"$(({FIRST_PORT} + ({own}) % {PORTS}))"
