"""Runs that are launched without a model: config, plan and directory."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ftdist_launch.rank_process import RankInfo, rank_process
from ftdist_launch.rank_records import record_exit, record_start

from ftdist.config.compose import compose
from ftdist.config.saved_config import dump_config
from ftdist.config.schema import RunConfig
from ftdist.config.schema.types import AUTO
from ftdist.plan.dataset_info import PackedDatasetInfo, PackedSourceInfo
from ftdist.plan.model_info import ModelInfo
from ftdist.plan.plan import Plan
from ftdist.plan.planner import make_plan
from ftdist.rundir import RunDir
from tests.support.fixed_engine import fixed_engine


def some_config(*overrides: str) -> RunConfig:
    """The config of a run without any ingredients."""
    base = ["model.path=m", "library.path=l", "run.name=r", "cluster.device=cpu"]
    asked = {override.partition("=")[0] for override in overrides}
    return compose(
        [*(b for b in base if b.partition("=")[0] not in asked), *fixed_engine(*overrides)]
    )


def slurm_config(*overrides: str) -> RunConfig:
    """The config of a run that goes to a cluster, without any ingredients."""
    return compose(
        [
            *("cluster=slurm", "model.path=M", "library.path=L", "run.name=r"),
            "batch.tokens=32768",
            *fixed_engine(*overrides),
        ]
    )


def plan_of(config: RunConfig, *, ranks: int) -> Plan:
    """Its plan, with ranks on CPUs of one node: 3 epochs of 32 sequences per step if it sets none."""
    source = PackedSourceInfo(
        name="library",
        weight=1.0,
        samples=100,
        sequences=320,
        tokens=320 * 4096,
        loss_tokens=1000,
        held_out_samples=0,
        held_out_sequences=0,
    )
    model = ModelInfo(
        parameters=1000,
        largest_parameter=100,
        hidden_size=8,
        layers=2,
        vocab_size=16,
        max_position=None,
        model_type="llama",
        tied=True,
    )
    library = PackedDatasetInfo(path="cache", key="k", sources=(source,))
    batch, train = config.batch, config.train
    if batch.sequence_length == AUTO:
        batch = replace(batch, sequence_length=4096)
    if batch.tokens == AUTO:
        batch = replace(batch, tokens=131_072)
    if (train.epochs, train.exposures, train.steps) == (None, None, None):
        train = replace(train, epochs=3.0)
    cluster = replace(config.cluster, tasks_per_node=ranks)
    wanted = replace(config, batch=batch, train=train, cluster=cluster)
    return make_plan(wanted, model=model, library=library, device="cpu")


def launched_run(folder: Path) -> RunDir:
    """A run directory with a config alone; spaces and quotes in its path."""
    made = RunDir(folder / "a run's folder" / "r")
    made.create(private=True)
    made.config.write_text(dump_config(some_config()))
    return made


def leave(folder: Path, rank: int, code: int) -> None:
    """A rank that started in this attempt and ended with this exit code."""
    record_start(folder, rank)
    record_exit(folder, rank, code)


def run_rank(folder: Path, body: Callable[[RankInfo], int]) -> None:
    """Call `body`, which returns the exit code, as one rank."""
    with rank_process(folder) as rank:
        sys.exit(body(rank))
