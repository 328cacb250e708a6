"""Hydra's printing flags with `-m`: what each run of a sweep would be."""

from collections.abc import Sequence

from ftdist.config.hydra_flags import parse_flags, run_hydra_flags
from ftdist.config.sweep import SWEEP_FLAGS, read_sweep


def run_sweep_flags(arguments: Sequence[str], *, verb: str) -> str:
    """What `--cfg job`, `--info` and their kin print of each run of a sweep, one after another.

    Raises:
        ConfigError: a flag or an override that cannot be used.
    """
    words = [word for word in arguments if word not in SWEEP_FLAGS]
    typed = parse_flags(words)
    if typed.help or typed.hydra_help:
        return run_hydra_flags(words)
    flags = [word for word in words if word not in typed.overrides]
    runs = read_sweep(typed.overrides, verb=verb, name=verb).runs
    return "---\n".join(
        f"# Run {run.name}\n{run_hydra_flags([*flags, *run.overrides])}" for run in runs
    )
