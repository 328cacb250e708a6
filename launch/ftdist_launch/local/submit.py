"""One job of one or more ranks, handed to submitit."""

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import ftdist
from ftdist.config.schema import ClusterConfig
from ftdist.rundir import RunDir
from ftdist_launch.local.processes import ProcessId

if TYPE_CHECKING:
    import submitit

CHECKOUT = Path(ftdist.__file__).resolve().parents[1]
"""Folder that holds the package `ftdist`: a checkout, a code snapshot or site-packages."""

IMPORT_PATHS = tuple(dict.fromkeys([str(CHECKOUT), str(Path(__file__).resolve().parents[2])]))
"""Folders that `ftdist` and `ftdist_launch` are imported from; one and the same once installed."""

ON_EVERY_GPU = ("compare", "merge")
"""Stages whose one process uses all GPUs of its node, for copies of the model."""

ENDS_WITH = "FTDIST_ENDS_WITH"
"""Environment variable: pid and start of the process whose end is the end of a rank too."""

MAX_WARNING_S = 60
"""Most seconds before its time limit at which a job is asked to save and stop."""


@dataclass(frozen=True, kw_only=True)
class LocalJob:
    """A job that submitit started on this machine."""

    job: "submitit.Job[None]"
    controller_pid: int
    """submitit's process that starts the ranks and waits for them."""

    size: int
    """Ranks."""

    def log(self, rank: int) -> Path:
        """What a rank writes to stdout and stderr."""
        return Path(str(self.job.paths.stdout)).with_name(f"{self.job.job_id}_{rank}_log.out")

    @property
    def ended(self) -> bool:
        """Whether the controller, and so every rank that it started, has ended."""
        return self.job.done()


def submit_local(
    function: Callable[[str], None],
    *,
    run: RunDir,
    stage: str,
    ranks: int,
    every_gpu: bool = False,
    ends_with_us: bool = False,
    cluster: ClusterConfig,
    private: bool,
) -> LocalJob:
    """Start `ranks` processes that call `function(run directory)` on this machine.

    Args:
        function: a module-level callable of `ftdist_launch.entrypoints`.
        run: the run it works on; submitit's files and logs land in `jobs/STAGE`.
        stage: such as "train-1".
        ranks: processes to start.
        every_gpu: whether each may use every GPU of this machine, or a rank its own.
        ends_with_us: whether the ranks end when this process does: they have nothing to save.
        cluster: threads, device and time limit.
        private: whether files that the ranks make are for the user alone.
    """
    import submitit

    executor = submitit.LocalExecutor(folder=run.jobs / stage)
    timeout_s = cluster.timeout_min * 60
    gpus = visible_gpus() if cluster.device != "cpu" else ()
    executor.update_parameters(
        timeout_min=cluster.timeout_min,
        tasks_per_node=ranks,
        # submitit shows no GPU at all unless told which.
        gpus_per_node=len(gpus) if every_gpu else min(ranks, len(gpus)),
        visible_gpus=gpus,
        signal_delay_s=min(MAX_WARNING_S, timeout_s // 4),
        stderr_to_stdout=True,
    )
    environment = rank_environment(cluster, gpus=len(gpus), inherited=os.environ)
    if ends_with_us:
        own = ProcessId.from_pid(os.getpid())
        assert own is not None
        environment[ENDS_WITH] = f"{own.pid} {own.start_ticks}"
    with _environment(environment), private_umask(private=private), _deaf_to_the_terminal():
        job = executor.submit(function, str(run.root))
    return LocalJob(job=job, controller_pid=int(job.job_id), size=ranks)


def rank_environment(
    cluster: ClusterConfig, *, gpus: int, inherited: Mapping[str, str]
) -> dict[str, str]:
    """Environment variables that every rank on this machine gets beside those of the caller.

    Args:
        cluster: threads and device.
        gpus: how many GPUs the ranks may use.
        inherited: the caller's own environment.
    """
    variables = common_environment(cluster) | cluster.env
    if cluster.device == "cpu" or gpus == 0:
        variables["DS_ACCELERATOR"] = "cpu"
    if not CHECKOUT.name.endswith("-packages"):
        # The code that submits is the code that runs, installed or not.
        before = inherited.get("PYTHONPATH")
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, (*IMPORT_PATHS, before)))
    return variables


def common_environment(cluster: ClusterConfig) -> dict[str, str]:
    """Environment variables of every rank, wherever it runs."""
    threads = str(cluster.threads)
    return {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "RAYON_NUM_THREADS": threads,
        "TOKENIZERS_PARALLELISM": "false",
        # Ranks compute with what is on disk; whatever has to be fetched was fetched before.
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "WANDB_ERROR_REPORTING": "false",
        # DeepSpeed reads pickles; no class of theirs is to be called while one is read.
        "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1",
        "PYTHONUNBUFFERED": "1",
        # `python -m` would let a file in the current folder stand in for a package.
        "PYTHONSAFEPATH": "1",
    }


def visible_gpus() -> tuple[int, ...]:
    """Indices of the GPUs that this process may use, without loading torch."""
    present = sum(bool(re.fullmatch(r"nvidia\d+", path.name)) for path in Path("/dev").iterdir())
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return tuple(range(present))
    return tuple(int(index) for index in chosen.split(",") if index.strip().isdigit())[:present]


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def outside_any_job() -> Iterator[None]:
    """Within a `with` block, hide what a job around us asked SLURM for; SLURM_CONF stays.

    Inside an interactive job these variables would go before what a script asks for.
    """
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if is_job_variable(name)}
    try:
        yield
    finally:
        os.environ.update(hidden)


def is_job_variable(name: str) -> bool:
    """Whether a variable describes a SLURM job around this process, or how a user likes answers."""
    own = name.startswith(
        ("SLURM_", "SBATCH_", "SRUN_", "SALLOC_", "SQUEUE_", "SINFO_", "SACCT_", "SCANCEL_")
    )
    return own and name != "SLURM_CONF"


@contextmanager
def private_umask(*, private: bool) -> Iterator[None]:
    """Let files made meanwhile, also by child processes, be readable by the user alone."""
    if not private:
        yield
        return
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def _deaf_to_the_terminal() -> Iterator[None]:
    """Let processes started meanwhile ignore Ctrl-C and a closed terminal.

    Both reach every process of a terminal. submitit's controller would kill its ranks where they
    should save; ftdist hears both and asks the ranks to stop. Ignored signals stay ignored in
    children until they install handlers of their own.
    """
    sys.stdout.flush()
    numbers = (signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
