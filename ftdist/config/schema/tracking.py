"""Config section of experiment tracking: Weights & Biases, and the curves in the run directory."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from ftdist.config.schema.types import STRICT, NonNegativeFloat, PositiveFloat

AlertKind = Literal["failed", "non_finite", "loss_spike", "stalled", "preempted", "finished"]

Label = Annotated[str, Field(min_length=1, max_length=128)]
"""A name in W&B."""

Tag = Annotated[str, Field(min_length=1, max_length=64)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TrackingConfig:
    """Experiment tracking. Values: conf/tracking/.

    W&B reads its API key from the environment or netrc; it is never a config key.
    """

    wandb: Literal["auto", "online", "offline", "off"]
    """Weights & Biases. auto: online if there is an API key and the server answers, else offline.

    offline: records stay in the run directory until `ftdist sync` uploads them. An upload that
    fails never stops a run.
    """

    project: Label
    """W&B project."""

    entity: Label | None
    """W&B user or team; null: the account's default."""

    name: Label | None
    """Name of the run in W&B; null: run.name."""

    group: Label | None
    """W&B group; null: the sweep of the run, if it is part of one."""

    job_type: Label
    """W&B job type."""

    tags: list[Tag]
    """W&B tags."""

    notes: str | None
    """Description of the run in W&B."""

    axis: Literal["steps", "tokens"]
    """Default x-axis of losses, evaluations, learning rate and gradient norm in W&B.

    W&B has both for every metric; all others start with steps.
    """

    alerts: list[AlertKind]
    """Alerts that W&B sends by e-mail or Slack, each once for the same cause.

    failed: the run ended with an error. non_finite: loss or gradients are not finite. loss_spike:
    a loss far above those before it. stalled: no step for `tracking.stalled_after_s`. preempted:
    the cluster stopped the run for the second time. finished: the run is complete.
    """

    stalled_after_s: PositiveFloat
    """Seconds without a step or an event after which a run counts as stalled."""

    artifacts: Literal["none", "references", "files"]
    """The library and the exported model as W&B artifacts, with lineage.

    references: names, sizes, hashes and paths of the files; files: the files themselves. Uploaded
    by `ftdist export` and `ftdist sync`, never during training.
    """

    log_generations: bool
    """Whether W&B gets questions and generated answers, or only scores."""

    system_every_s: NonNegativeFloat
    """Seconds between samples of each node's cores, memory and GPUs; 0: none."""

    curves_every_s: NonNegativeFloat
    """Seconds between updates of `report/training.html` during training; 0: only at the end."""
