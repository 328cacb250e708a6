"""Every key of `ftdist train`: its type, range, unit and meaning.

No key has a default here: each value is defined once, in `conf/`. Objects are frozen and unknown
keys are refused. `values.py` reads numbers with a suffix ("64k", "1M").
"""

from pydantic.dataclasses import dataclass

from ftdist.config.schema.checkpoint import CheckpointConfig, ExportConfig, ResumeConfig
from ftdist.config.schema.cluster import ClusterConfig
from ftdist.config.schema.engine import EngineConfig
from ftdist.config.schema.evaluation import EarlyStoppingConfig, EvalConfig, MergeConfig
from ftdist.config.schema.library import LibraryConfig, SourceConfig
from ftdist.config.schema.tracking import TrackingConfig
from ftdist.config.schema.training import (
    BatchConfig,
    ModelConfig,
    OptimConfig,
    RunSection,
    TrainConfig,
)
from ftdist.config.schema.types import STRICT

__all__ = [
    "BatchConfig",
    "CheckpointConfig",
    "ClusterConfig",
    "EarlyStoppingConfig",
    "EngineConfig",
    "EvalConfig",
    "ExportConfig",
    "LibraryConfig",
    "MergeConfig",
    "ModelConfig",
    "OptimConfig",
    "ResumeConfig",
    "RunConfig",
    "RunSection",
    "SourceConfig",
    "TrackingConfig",
    "TrainConfig",
]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RunConfig:
    """The whole config of a run. Composed by Hydra from `conf/train.yaml`."""

    run: RunSection
    train: TrainConfig
    model: ModelConfig
    library: LibraryConfig
    optim: OptimConfig
    engine: EngineConfig
    batch: BatchConfig
    checkpoint: CheckpointConfig
    export: ExportConfig
    tracking: TrackingConfig
    eval: EvalConfig
    early_stopping: EarlyStoppingConfig
    merge: MergeConfig
    resume: ResumeConfig
    cluster: ClusterConfig
