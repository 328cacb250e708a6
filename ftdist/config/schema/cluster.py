"""Config section of the machines: local processes or jobs of a SLURM cluster."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from ftdist.config.schema.types import (
    STRICT,
    EnvName,
    EnvValue,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SafePath,
    SlurmWord,
)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ClusterConfig:
    """Where and how jobs run. Values: conf/cluster/."""

    executor: Literal["local", "slurm"]
    """submitit executor: local (processes on this machine) or slurm (jobs of a SLURM cluster)."""

    nodes: PositiveInt
    """Number of nodes."""

    tasks_per_node: PositiveInt
    """Processes (ranks) per node: one per GPU; on CPUs, any number."""

    cpus_per_task: PositiveInt | None
    """CPU threads per rank; null: each node's cores per task, at most 8, on SLURM and on GPUs; 1 on
    CPUs of this machine.
    """

    device: Literal["auto", "cpu", "cuda"]
    """Device of training; auto: cuda if GPUs are requested or visible. A rank without the GPU that
    it was to use ends the attempt.
    """

    timeout_min: PositiveInt
    """Time limit of one attempt, minutes."""

    signal_delay_s: PositiveInt
    """Seconds before the time limit at which SLURM signals a job to save a checkpoint and end."""

    init_timeout_s: PositiveInt
    """Seconds that a rank may take to start, and that ranks then wait for each other."""

    load_timeout_s: PositiveInt | None
    """Seconds without progress after which a rank hangs while it loads model and checkpoint, and
    in the first step, which compiles; at least 6 s per GiB of a checkpoint. null: no limit.
    """

    step_timeout_s: PositiveInt | None
    """Seconds after which a rank hangs in a later step, with its data and its log; five times the
    first step if that is more. Keep it above the longest pause of the file system, and of a job
    that SLURM suspends. null: no limit, as for a debugger.
    """

    save_timeout_s: PositiveInt | None
    """Seconds after which a rank hangs while training waits for a checkpoint; at least 6 s per GiB
    of a checkpoint. null: no limit.
    """

    eval_timeout_s: PositiveInt | None
    """Seconds without a new batch or token after which a rank hangs in an evaluation. null: no
    limit.
    """

    max_attempts_without_progress: PositiveInt
    """Consecutive attempts without a new checkpoint after which the run is given up."""

    partition: SlurmWord | None
    """SLURM partition of training; null: the cluster's default."""

    cpu_partition: SlurmWord | None
    """SLURM partition of jobs without GPUs, such as tokenising; null: `partition`."""

    account: SlurmWord | None
    """SLURM account; null: your default."""

    qos: SlurmWord | None
    """SLURM quality of service; null: your default."""

    constraint: SlurmWord | None
    """Required node features, as for `sbatch --constraint`."""

    reservation: SlurmWord | None
    """SLURM reservation to run in."""

    exclude: SlurmWord | None
    """Nodes to exclude, such as node[3-5]."""

    gpus_per_node: NonNegativeInt | None
    """GPUs to request per node; null: one per task, if the partition's nodes have as many."""

    gpu: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._/()+-]{0,63}$")] | None
    """Name of the nodes' GPUs, such as H100, by which `ftdist plan` chooses; null: this machine's,
    if training runs here, else assumed.
    """

    gpu_memory_gib: PositiveFloat | None
    """Memory of one GPU, GiB; null: by the GPU's name."""

    network_gbit_s: PositiveFloat | None
    """Network of one node to the others, Gbit/s over all its ports; null: as such GPUs are usually
    sold.
    """

    memory_gib: NonNegativeInt | None
    """Host memory to request per node, GiB; 0: all of it; null: the cluster's default."""

    network_interface: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:^=,-]{1,63}$")] | None
    """Network interface of the ranks (NCCL_SOCKET_IFNAME, GLOO_SOCKET_IFNAME); null: NCCL's and
    Gloo's choice.
    """

    master_port: Annotated[int, Field(ge=1024, le=65535)] | None
    """Port of the rendezvous on the first node, whose store listens on a free port; null: derived
    from the job's number.
    """

    local_cache_dir: SafePath
    """Folder on each node's own disk for compiled kernels; each user gets a subfolder."""

    environment_modules: list[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+/-]{0,127}$")]
    ]
    """Environment modules to load before Python starts, such as cuda/13.0."""

    python: SafePath | None
    """Python interpreter on the nodes; null: the one that submits."""

    container: Annotated[str, Field(pattern=r"^[A-Za-z0-9/.][A-Za-z0-9_./:#@+-]{0,127}$")] | None
    """Container image of the ranks, for srun's --container-image (pyxis); null: none."""

    container_mounts: list[Annotated[str, Field(pattern=r"^/[A-Za-z0-9_./:+-]{0,255}$")]]
    """Folders to mount into the container, in pyxis' syntax; they must hold runs, model and cache.
    """

    env: dict[EnvName, EnvValue]
    """Environment variables of the ranks: settings of NCCL, Gloo, UCX, libfabric, CUDA, cuBLAS,
    PyTorch's allocator, OpenMP or MKL. Others come from your shell, whose variables ranks inherit.
    """

    @property
    def world_size(self) -> int:
        """Ranks of training, over all nodes."""
        return self.nodes * self.tasks_per_node

    @property
    def threads(self) -> int:
        """CPU threads of one rank: `cpus_per_task`, or 1 where it is null."""
        return self.cpus_per_task or 1
