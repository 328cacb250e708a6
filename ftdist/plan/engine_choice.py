"""What `auto` means for the engine, activation checkpointing and micro-batches of a run.

Each choice has its reason. Formulas, and what is measured, published or assumed:
docs/decisions/0020-engine-chosen-by-the-plan.md.
"""

from collections.abc import Sequence

from ftdist.config.schema import RunConfig
from ftdist.config.schema.types import AUTO
from ftdist.plan.engine_keys import FIXED, value_of, with_values
from ftdist.plan.engine_rules import Planned, choose_on_cpus, choose_on_gpus
from ftdist.plan.hardware import Hardware
from ftdist.plan.model_info import ModelInfo
from ftdist.plan.plan import Choice

FIXED_FOR_A_RUN = ("engine.communication_dtype",)
"""Keys that a resumed run does not choose again."""


def choose_engine(
    config: RunConfig,
    *,
    model: ModelInfo,
    dtype: str,
    hardware: Hardware,
    uses_reference: bool,
) -> tuple[RunConfig, tuple[Choice, ...]]:
    """The config with a value for every key of `FIXED` that is auto, and why.

    Args:
        config: with numbers in place of `auto` in `batch.tokens` and `batch.sequence_length`.
        model: the base model's sizes.
        dtype: of the parameters.
        hardware: of a rank.
        uses_reference: whether the base model is beside the trained one.
    """
    if all(value_of(config, key) != AUTO for key in FIXED):
        return config, ()
    run = Planned(config, model, dtype, hardware, uses_reference)
    values, reasons = choose_on_cpus(run) if hardware.gpu is None else choose_on_gpus(run)
    chosen = with_values(config, values)
    keys = [key for key in FIXED if value_of(config, key) == AUTO]
    return chosen, tuple(
        Choice(key=key, value=value_of(chosen, key), reason=reasons[key]) for key in keys
    )


def reopen(config: RunConfig, choices: Sequence[Choice]) -> RunConfig:
    """The config with auto for the keys that were chosen and may change within a run.

    They regroup sequences, messages and memory; gradients stay the sums that they were. The dtype
    of the reduction rounds differently, so it stays.
    """
    keys = [choice.key for choice in choices if choice.key not in FIXED_FOR_A_RUN]
    return with_values(config, dict.fromkeys(keys, AUTO), only_auto=False)
