"""Every config field: its type, range, unit and meaning.

Nothing here has a default: a value lives once, in `conf/`. Objects are frozen, unknown keys are
refused. Numbers a person writes with a suffix ("64k", "1M") are understood in `compose.py`.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

STRICT = ConfigDict(
    extra="forbid", use_attribute_docstrings=True, validate_default=True, allow_inf_nan=False
)

RUN_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""Safe as a folder, in a shell script and in SLURM's file patterns."""

SLURM_WORD_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.:,@+=&|*()\[\]-]{0,127}$"
"""What names a partition, an account, nodes or their features; safe in an sbatch script."""

PATH_PATTERN = r"^[^\x00-\x1f%\\]+$"
"""A path that SLURM and a shell script can take: no line breaks, `%` or backslashes."""

SlurmWord = Annotated[str, Field(pattern=SLURM_WORD_PATTERN)]
SafePath = Annotated[str, Field(pattern=PATH_PATTERN)]
Fraction = Annotated[float, Field(ge=0, le=1)]
PositiveInt = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RunSection:
    """The run's name and place."""

    name: Annotated[str, Field(pattern=RUN_NAME_PATTERN)]
    """Name of the run: its directory is `root/name`, and no two runs share one."""

    root: str
    """Folder that holds the run directories; on a cluster, one that every node sees."""

    seed: Annotated[int, Field(ge=0, lt=2**31)]
    """Seed of data order, dropout and anything else that is drawn."""

    private: bool
    """Whether only the user may read the run directory (mode 0700, files 0600)."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TrainSection:
    """How long to train, and how often to look."""

    epochs: Annotated[float, Field(gt=0)] | None
    """Passes over the library. Exactly one of `epochs`, `exposures` and `steps` is set."""

    exposures: Annotated[float, Field(gt=0)] | None
    """How often each answer of the library is seen, in all its wordings; sets the passes."""

    steps: PositiveInt | None
    """Optimizer steps. Exactly one of `epochs`, `exposures` and `steps` is set."""

    evaluate_every_steps: Annotated[int, Field(ge=0)]
    """Steps between two measurements of the held-out loss; 0: at the end only."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ModelConfig:
    """The base model. Values live in conf/model/."""

    path: str
    """A Hugging Face model folder (config.json, *.safetensors, tokenizer), or a hub name."""

    revision: str | None
    """Commit of the hub repository; ignored for a folder."""

    dtype: Literal["auto", "bfloat16", "float32"]
    """Dtype of weights and activations; auto: bfloat16 on GPUs, float32 on CPUs."""

    attention: Literal["auto", "by_sample", "sdpa", "eager", "flash_attention_2"]
    """Attention kernel. Whichever runs, attention never crosses a sample's border.

    auto: by_sample on CPUs, sdpa on GPUs, and eager where the model caps its scores.
    """

    activation_checkpointing: bool
    """Whether each layer's activations are computed again in the backward pass instead of kept."""

    head: Literal["auto", "chunked", "model"]
    """Output head and loss: chunked (logits never stand whole), or the model's own forward.

    auto: chunked where it agrees with the model's own.
    """


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SourceConfig:
    """One more source beside the library, such as replay of general conversations."""

    path: str
    """Folder or file of conversations or plain text."""

    weight: Annotated[float, Field(gt=0)]
    """Tokens drawn from this source for each token of the library (0.25: a quarter as many)."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class LibraryConfig:
    """The library to learn. Values live in conf/library/."""

    path: str
    """Folder or file of conversations and text.

    Conversations: JSONL, JSON, Parquet; OpenAI messages, ShareGPT, Alpaca. Text: .txt, .md.
    """

    sources: dict[str, SourceConfig]
    """Further sources by name, mixed in by weight; replay is a source like any other."""

    towards_base: list[str]
    """Sources learned as the base model has them: KL(base || model) is the loss of their tokens.

    Names of `sources`, or what a curated library holds: replay, out_of_scope, a source's name. The
    base model then stands beside the one in training, in shards.
    """

    held_out: Annotated[float, Field(ge=0, lt=1)]
    """Share of the library's rows kept out of training, to measure the loss on."""

    on_long: Literal["error", "drop", "truncate"]
    """What to do with a conversation longer than `batch.sequence_tokens`; documents are cut."""

    on_bad_row: Literal["error", "skip"]
    """What to do with a row that cannot be read or has no answer; skipped ones are counted."""

    system_prompt: str | None
    """System message for conversations without one; null: as the chat template does by itself."""

    cache: str
    """Folder of tokenised and packed libraries, shared by all runs."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class OptimConfig:
    """AdamW and its learning-rate schedule. Values live in conf/optim/."""

    peak_lr: Annotated[float, Field(gt=0)]
    """Learning rate once warm-up ends."""

    warmup_ratio: Fraction
    """Share of all steps over which the rate rises linearly from 0 to `peak_lr`."""

    schedule: Literal["cosine", "linear", "constant", "wsd"]
    """How the rate goes on after warm-up.

    wsd: stays, then falls linearly over the last `decay_ratio` of the steps.
    """

    decay_ratio: Fraction
    """Share of all steps in which a wsd schedule falls; other schedules ignore it."""

    final_lr_ratio: Fraction
    """The rate at the last step, as a proportion of `peak_lr`."""

    weight_decay: Annotated[float, Field(ge=0)]
    """AdamW's decoupled weight decay; never applied to norms and biases."""

    beta1: Annotated[float, Field(ge=0, lt=1)]
    """Decay of AdamW's first moment."""

    beta2: Annotated[float, Field(ge=0, lt=1)]
    """Decay of AdamW's second moment."""

    eps: Annotated[float, Field(gt=0)]
    """AdamW's epsilon."""

    clip_norm: Annotated[float, Field(ge=0)]
    """Largest L2 norm of the whole gradient; 0: no clipping."""

    frozen: list[str]
    """Parameters that stay the base's bit for bit: shell-style patterns over their names.

    Such as [model.embed_tokens.*,"model.layers.[0-5].*"]; []: all are trained.
    """

    layer_decay: Annotated[float, Field(gt=0, le=1)]
    """A layer's learning rate as a proportion of that of the layer above it; 1: all have the same.

    The top layer, the final norm and the head have the schedule's rate; embeddings, and a head tied
    to them, lie below the lowest layer.
    """


@dataclass(frozen=True, kw_only=True, config=STRICT)
class EngineConfig:
    """DeepSpeed ZeRO-3. Values live in conf/engine/."""

    offload_optimizer: bool
    """Whether optimizer state and its step live in host memory."""

    offload_parameters: bool
    """Whether parameters wait in host memory between uses."""

    accumulation_dtype: Literal["float32", "bfloat16"]
    """Dtype in which gradients of micro-batches are added up."""

    communication_dtype: Literal["float32", "bfloat16"]
    """Dtype in which gradients travel between ranks."""

    persistent_parameter_elements: Annotated[int, Field(ge=0)]
    """Parameters smaller than this many elements stay whole on every rank."""

    prefetch_elements: Annotated[int, Field(ge=0)]
    """Elements of parameters gathered ahead of their use."""

    live_elements: Annotated[int, Field(ge=0)]
    """Elements of gathered parameters that may stand at once before they are released again."""

    reduce_bucket_elements: PositiveInt
    """Elements of gradients that travel together."""

    deepspeed: dict[str, Any]
    """Further DeepSpeed settings, checked against DeepSpeed's own names.

    What ftdist owns (stage, batch sizes, accumulation, clipping, dtypes) is refused here.
    """


@dataclass(frozen=True, kw_only=True, config=STRICT)
class BatchConfig:
    """How many tokens make a step, and how they are cut. Values live in conf/batch/."""

    tokens: PositiveInt
    """Tokens of one step, all ranks and micro-steps: a multiple of `sequence_tokens`."""

    sequence_tokens: Annotated[int, Field(ge=8)]
    """Tokens of one packed sequence; no sample is longer."""

    micro_sequences: PositiveInt
    """Packed sequences that a rank computes at once, as one flattened row."""

    allow_uneven: bool
    """Whether ranks may get unequally many sequences; who runs short computes empty ones."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CheckpointConfig:
    """When training state is kept, and for how long. Values live in conf/checkpoint/."""

    every_steps: Annotated[int, Field(ge=0)]
    """Steps between two checkpoints; 0: at the end only (and whenever the run is asked to stop)."""

    keep: PositiveInt
    """How many of the newest committed checkpoints stay; the best of those measured stays too."""

    export: Literal["best", "newest"]
    """Which checkpoint is exported; best: the newest where none was measured (`measure`)."""

    export_dtype: Literal["auto", "bfloat16", "float32"]
    """Dtype of the exported weights; auto: the one trained in."""

    export_shard_gib: Annotated[float, Field(gt=0)]
    """Largest exported safetensors file, GiB."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TrackingConfig:
    """Who is told how training goes. Values live in conf/tracking/.

    W&B's key comes from the environment or netrc, never from here.
    """

    wandb: Literal["auto", "online", "offline", "off"]
    """Weights & Biases. auto: online where there is a key and the server answers, else offline.

    offline: all stays in the run directory, and `ftdist sync` sends it from where there is a
    network. What cannot be sent never stops a run.
    """

    project: str
    """W&B project."""

    entity: str | None
    """W&B user or team; null: the account's default."""

    tags: list[str]
    """W&B tags."""

    answers: bool
    """Whether W&B gets questions and answers, of a comparison and of training, or scores alone."""

    system_every_s: Annotated[float, Field(ge=0)]
    """Seconds between two measurements of each node (cores, memory, GPUs); 0: none."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CompareConfig:
    """Base and tuned model on the same questions. Values live in conf/compare/."""

    probes: str | None
    """JSONL of questions with known answers; null: `probes.jsonl` in or beside the library."""

    general: str | None
    """JSONL of general questions with choices; null: those that ftdist brings; none: none."""

    general_written: Annotated[int, Field(ge=0)]
    """General questions that are answered in writing too: does the library stand in the answers?"""

    texts: str | None
    """Passages of general text to measure the loss on: .txt with blank lines between them, or
    .jsonl with "text"; null: those that ftdist brings; none: none.
    """

    tasks: list[str]
    """Task files of lm-eval (*.yaml) with local data, or folders of them; both models are asked."""

    max_answer_tokens: PositiveInt
    """Most tokens of one answer."""

    batch_questions: PositiveInt
    """Questions answered at once."""

    copies: PositiveInt | None
    """Copies of a model that answer side by side; null: one a GPU that it fits, one on CPUs.

    A model that fits no GPU lies over all of them.
    """

    threads: Annotated[int, Field(ge=0)]
    """CPU threads of one copy; 0: its share of the cores."""

    alphas: Annotated[list[Fraction], Field(min_length=1)]
    """Blends that `ftdist blend` measures, from 0 (the base) to 1 (the tuned model)."""

    most_loss_nats: Annotated[float, Field(ge=0)]
    """General loss, in nats a token above the base's, up to which a blend counts as keeping."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class MeasureConfig:
    """What the model knows and keeps, measured while it learns. Values live in conf/measure/."""

    every_steps: Annotated[int, Field(ge=0)]
    """Steps between two measurements of recall, general knowledge and general loss; 0: none.

    With the questions of `compare`. The checkpoint that gains most and keeps enough
    (`compare.most_loss_nats`) stays, beside the newest, and is the one that is exported.
    """

    questions: PositiveInt
    """Most questions about the library, general questions and general texts of one measurement."""

    written: Annotated[int, Field(ge=0)]
    """Questions answered in writing at each measurement, for people to read."""

    answer_tokens: PositiveInt
    """Most tokens of one written answer."""

    patience: Annotated[int, Field(ge=0)]
    """Measurements in a row without a better one after which training ends; 0: it never does."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ClusterConfig:
    """Where the job runs. Values live in conf/cluster/."""

    kind: Literal["local", "slurm"]
    """local: processes on this machine; slurm: jobs of a SLURM cluster. Both through submitit."""

    nodes: PositiveInt
    """Machines."""

    tasks_per_node: PositiveInt
    """Processes (ranks) on each machine: one a GPU, or as many as make sense on a CPU."""

    threads_per_task: PositiveInt | None
    """CPU threads of one process; null: on a cluster what its nodes have for each task, at most 8,
    and 1 on this machine.
    """

    device: Literal["auto", "cpu", "cuda"]
    """auto: cuda where a GPU is visible."""

    timeout_min: PositiveInt
    """Longest time of one attempt, minutes."""

    notice_s: PositiveInt
    """Seconds before the time limit at which a SLURM job is asked to save and make way."""

    start_timeout_s: PositiveInt
    """Seconds that ranks wait for each other at the start."""

    collective_timeout_s: PositiveInt
    """Seconds after which a collective without an answer from some rank ends the attempt."""

    max_attempts_without_progress: PositiveInt
    """Attempts in a row that may end without a new checkpoint before the run is given up."""

    partition: SlurmWord | None
    """SLURM partition of training; null: the cluster's default."""

    cpu_partition: SlurmWord | None
    """SLURM partition of jobs that need no GPU, such as tokenising; null: as `partition`."""

    account: SlurmWord | None
    """SLURM account; null: yours by default."""

    qos: SlurmWord | None
    """SLURM quality of service; null: yours by default."""

    constraint: SlurmWord | None
    """Features that nodes must have, as `sbatch --constraint` takes them."""

    reservation: SlurmWord | None
    """SLURM reservation to run in."""

    exclude: SlurmWord | None
    """Nodes not to run on, such as node[3-5]."""

    gpus_per_node: Annotated[int, Field(ge=0)] | None
    """GPUs to ask for on each node; null: one a task, as far as the partition's nodes have them."""

    memory_gib: Annotated[int, Field(ge=0)] | None
    """Host memory to ask for on each node, GiB; 0: all of it; null: the cluster's default."""

    network_interface: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:^=,-]{1,63}$")] | None
    """Interface over which ranks talk (NCCL_SOCKET_IFNAME, GLOO_SOCKET_IFNAME); null: theirs."""

    master_port: Annotated[int, Field(ge=1024, le=65535)] | None
    """Port at which ranks meet on the first node; null: one that follows from the job's number."""

    node_cache: SafePath
    """Folder of each node's own disk for caches of built kernels; one a user is made in it."""

    modules: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+/-]{0,127}$")]]
    """Environment modules to load before Python starts, such as cuda/13.0."""

    python: SafePath | None
    """Python of the nodes; null: the one that submits."""

    container: Annotated[str, Field(pattern=r"^[A-Za-z0-9/.][A-Za-z0-9_./:#@+-]{0,127}$")] | None
    """Image that ranks run in, by srun's --container-image (pyxis); null: none."""

    container_mounts: list[Annotated[str, Field(pattern=r"^/[A-Za-z0-9_./:+-]{0,255}$")]]
    """Folders seen in the container, as pyxis takes them; runs, model and cache must be in them."""

    environment: dict[str, str]
    """Environment variables of the job, such as NCCL's; never a key or a password."""

    @property
    def threads(self) -> int:
        """CPU threads of one process, as far as they were chosen."""
        return self.threads_per_task or 1


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RunConfig:
    """One run, whole. Composed by Hydra from `conf/train.yaml`."""

    run: RunSection
    train: TrainSection
    model: ModelConfig
    library: LibraryConfig
    optim: OptimConfig
    engine: EngineConfig
    batch: BatchConfig
    checkpoint: CheckpointConfig
    tracking: TrackingConfig
    compare: CompareConfig
    measure: MeasureConfig
    cluster: ClusterConfig
