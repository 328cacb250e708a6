"""Start one job of one or more ranks on this machine through submitit."""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import ftdist
from ftdist.config.schema import ClusterConfig, RunConfig
from ftdist.dist.visible_gpus import visible_gpus
from ftdist.rundir import RunDir
from ftdist_launch.local.processes import handled

if TYPE_CHECKING:
    import submitit

CHECKOUT = Path(ftdist.__file__).resolve().parents[1]
"""Folder of the package `ftdist`: a checkout, a code snapshot or site-packages."""

IMPORT_PATHS = tuple(dict.fromkeys([str(CHECKOUT), str(Path(__file__).resolve().parents[2])]))
"""Folders from which `ftdist` and `ftdist_launch` are imported; the same one once installed."""

ON_EVERY_GPU = ("compare", "merge")
"""Stages whose one process uses all GPUs of its node, for replicas of the model."""

EXIT_WITH = "FTDIST_EXIT_WITH"
"""Environment variable: pid of the process with which a rank exits."""

GPUS = "FTDIST_GPUS"
"""Environment variable: names of the GPUs of a job's ranks on this machine, with commas."""

NODE_CACHE = "FTDIST_NODE_CACHE"
"""Environment variable: folder on a node's disk for the user's folder of compiled kernels."""

ATTEMPT = "FTDIST_ATTEMPT"
"""Environment variable: number of the attempt that a training rank belongs to."""

START_S = "FTDIST_START_S"
"""Environment variable: seconds that a training rank may take until it has read its config."""

MAX_WARNING_S = 60
"""Maximum seconds before its time limit at which a job is asked to save and stop."""


def submit_local(
    function: Callable[[str], None],
    *,
    run: RunDir,
    stage: str,
    ranks: int,
    attempt: int | None,
    config: RunConfig,
) -> "submitit.Job[None]":
    """Start `ranks` processes that call `function(run directory)` on this machine.

    Args:
        function: a module-level callable of `ftdist_launch.entrypoints`.
        run: the run it works on; submitit writes files and logs to `jobs/STAGE[-ATTEMPT]`.
        stage: of the run.
        ranks: processes to start.
        attempt: number of the training attempt; None: the process has nothing to save, and exits
            when this one does.
        config: of the run: threads, device, time limit, privacy.

    Raises:
        ConfigError: another user may change the run.
    """
    import submitit

    run.require_own()
    cluster, private = config.cluster, config.run.private
    folder = run.jobs / (stage if attempt is None else f"{stage}-{attempt}")
    executor = submitit.LocalExecutor(folder=folder)
    timeout_s = cluster.timeout_min * 60
    executor.update_parameters(
        timeout_min=cluster.timeout_min,
        tasks_per_node=ranks,
        signal_delay_s=min(MAX_WARNING_S, timeout_s // 4),
        stderr_to_stdout=True,
    )
    variables = rank_environment(cluster) | {GPUS: ",".join(_gpus(cluster, stage, ranks=ranks))}
    if attempt is None:
        variables[EXIT_WITH] = str(os.getpid())
    else:
        variables[ATTEMPT] = str(attempt)
    sys.stdout.flush()
    # A terminal sends SIGINT and SIGHUP to all its processes. submitit's controller would kill its
    # ranks before they save; instead, ftdist handles the signals and asks the ranks to stop.
    # Children inherit ignored signals until they install handlers of their own.
    ignored = handled(signal.SIG_IGN, signal.SIGINT, signal.SIGHUP)
    with environment(os.environ | variables), private_umask(private=private), ignored:
        return executor.submit(function, str(run.root))


def _gpus(cluster: ClusterConfig, stage: str, *, ranks: int) -> tuple[str, ...]:
    """Names of the GPUs of a job's ranks, which set them themselves.

    submitit knows indices only, and hides all that are not listed.
    """
    gpus = visible_gpus() if cluster.device != "cpu" else ()
    return gpus if stage in ON_EVERY_GPU else gpus[:ranks]


def rank_environment(cluster: ClusterConfig) -> dict[str, str]:
    """Environment variables of ranks on this machine, in addition to those of this process."""
    return common_environment(cluster) | cluster.env | import_path()


def import_path() -> dict[str, str]:
    """PYTHONPATH for child processes: they run the code of this process, installed or not."""
    if CHECKOUT.name.endswith("-packages"):
        return {}
    inherited = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join(filter(None, (*IMPORT_PATHS, inherited)))}


def common_environment(cluster: ClusterConfig) -> dict[str, str]:
    """Environment variables of every rank, local or on a cluster."""
    threads = str(cluster.threads)
    # The backward pass runs on a thread of its own: with a heap of its own it would fault each page
    # in again (docs/decisions/0022-steps-on-cpus.md).
    one_heap = {"MALLOC_ARENA_MAX": "1"} if cluster.device == "cpu" else {}
    return one_heap | {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "RAYON_NUM_THREADS": threads,
        "TOKENIZERS_PARALLELISM": "false",
        # Ranks only read local files; downloads happen before they start.
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "WANDB_ERROR_REPORTING": "false",
        # DeepSpeed reads pickles; they must not execute code.
        "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1",
        "PYTHONUNBUFFERED": "1",
        START_S: str(cluster.init_timeout_s),
        # Else `python -m` imports files of the current folder before packages.
        "PYTHONSAFEPATH": "1",
    }


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Have only these environment variables within a `with` block."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def outside_any_job() -> dict[str, str]:
    """Our environment without variables of a surrounding SLURM job, except for SLURM_CONF.

    Inside an interactive job they would override the options of a submitted script, as would the
    user's preferences for the output of SLURM's commands.
    """
    commands = ("SLURM_", "SBATCH_", "SRUN_", "SALLOC_", "SQUEUE_", "SINFO_", "SACCT_", "SCANCEL_")
    return {
        name: value
        for name, value in os.environ.items()
        if name == "SLURM_CONF" or not name.startswith(commands)
    }


def is_launcher_variable(name: str) -> bool:
    """Whether another launcher (mpirun, mpiexec, PMIx) gave a process its rank by a variable.

    DeepSpeed and accelerate take the rank from them, which is not the one that ftdist gives.
    """
    return name.startswith(
        ("OMPI_", "PMI_", "PMI2_", "PMIX_", "PRTE_", "MV2_COMM_WORLD_", "MPI_LOCAL", "I_MPI_HYDRA_")
    )


@contextmanager
def private_umask(*, private: bool) -> Iterator[None]:
    """Make files created meanwhile, also by child processes, readable by the user only."""
    if not private:
        yield
        return
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
