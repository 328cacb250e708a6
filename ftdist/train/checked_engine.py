"""The engine of a run: built with the base model, and checked before the first step."""

from pathlib import Path

from ftdist.config.schema import RunConfig
from ftdist.dist.world import World
from ftdist.io.units import format_count
from ftdist.observe.memory import peak_memory_gib
from ftdist.plan.model_info import read_vocab_size
from ftdist.plan.plan import Plan, choose_dtype
from ftdist.train.model_checks import (
    check_shared_rows,
    choose_head,
    refuse_kl_without_chunked_head,
)
from ftdist.zero.build import build_engine
from ftdist.zero.engine import Zero3Engine


def build_checked_engine(config: RunConfig, plan: Plan, *, world: World) -> tuple[Zero3Engine, str]:
    """The engine with the base model, checked, and a sentence about it for the log.

    Raises:
        ConfigError: sources are trained by KL, and the chunked head does not fit the model.
        ModelError: the model cannot be trained.
    """
    device = plan.device
    dtype = choose_dtype(config.model.dtype, device=device)
    peak_memory_gib(device)  # counts from its first call on
    engine = build_engine(config, plan, world=world, device=device, dtype=dtype)
    loaded_gib = peak_memory_gib(device)
    vocab_size = read_vocab_size(Path(config.model.path))
    difference = choose_head(
        engine, vocab_size=vocab_size, dtype=dtype, wanted_head=config.model.head
    )
    check_shared_rows(engine, vocab_size=vocab_size)
    refuse_kl_without_chunked_head(engine, plan)
    return engine, (
        f"{format_count(world.size, 'rank')} on {device} in {dtype}; {engine.head} head (relative "
        f"difference {difference:.1e}); {loaded_gib:.2f} GiB per rank after loading"
    )
