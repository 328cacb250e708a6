"""Sweeps: command lines that stand for several runs (`-m optim.peak_lr=1e-4,1e-5`)."""

from collections.abc import Sequence

from ftdist.config.compose import check_overrides
from ftdist.config.hydra_adapter import open_hydra
from ftdist.config.keys import TRAIN
from ftdist.config.problems import Problem, as_error
from ftdist.config.sweep_overrides import split_sweep

_SWEEP_FLAGS = frozenset({"--multirun", "-m"})


def is_sweep(arguments: Sequence[str]) -> bool:
    """Whether a command line asks for several runs (`-m`, `--multirun`)."""
    return any(argument in _SWEEP_FLAGS for argument in arguments)


def sweep(arguments: Sequence[str]) -> list[list[str]]:
    """The single runs of a sweep (`-m optim.peak_lr=1e-4,1e-5`), in Hydra's own order.

    Each run gets a name of its own: unless `run.name` is swept, its index in the sweep is appended.

    Raises:
        ConfigError: all that is wrong with any of them.
    """
    overrides = [argument for argument in arguments if argument not in _SWEEP_FLAGS]
    problems = _set_twice(overrides)
    names: list[str] = []
    with open_hydra() as hydra:
        runs = split_sweep(overrides, hydra=hydra)
        for run in runs:
            checked = check_overrides(run, hydra=hydra, command=TRAIN)
            problems += checked.problems + checked.unset
            names += [checked.config.run.name] if checked.config else []
    if problems:
        raise as_error(list(dict.fromkeys(problems)))
    if len(set(names)) == len(names):
        return [list(run) for run in runs]
    return [_named(run, index=index, name=names[index]) for index, run in enumerate(runs)]


def _set_twice(overrides: Sequence[str]) -> list[Problem]:
    """Keys of a sweep that are set twice, of which Hydra's sweeper would take the last."""
    names = [text.partition("=")[0].lstrip("+") for text in dict.fromkeys(overrides)]
    twice = sorted({name for name in names if names.count(name) > 1})
    return [Problem(f"{name} is set twice.", "keep one of them.", name) for name in twice]


def _named(run: Sequence[str], *, index: int, name: str) -> list[str]:
    """One run of a sweep under a name of its own."""
    others = [text for text in run if not text.startswith("run.name=")]
    return [*others, f"run.name={name}-{index}"]
