"""Sweeps: command lines that stand for several runs (`-m optim.peak_lr=1e-4,1e-5`)."""

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ftdist.config.compose import check_overrides, locate
from ftdist.config.hydra_adapter import open_hydra
from ftdist.config.keys import TRAIN
from ftdist.config.problems import Problem, as_error
from ftdist.config.search_path import config_dir_flags
from ftdist.config.sweep_overrides import SweepOverride, read_sweep_overrides
from ftdist.config.sweep_plugins import plugin_problems, without_plugins

SWEEP_FLAGS = frozenset({"--multirun", "-m"})

MAX_NAME = 64
"""Characters of a run's name."""


@dataclass(frozen=True, kw_only=True)
class SweepRun:
    """One run of a sweep."""

    name: str
    overrides: tuple[str, ...]
    swept: Mapping[str, str]
    """Its values of the swept keys."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep and its runs."""

    name: str
    runs: tuple[SweepRun, ...]


def is_sweep(arguments: Sequence[str]) -> bool:
    """Whether a command line asks for several runs (`-m`, `--multirun`)."""
    return any(argument in SWEEP_FLAGS for argument in arguments)


def read_sweep(arguments: Sequence[str], *, verb: str = "train", name: str | None = None) -> Sweep:
    """The runs of a sweep, one for each combination of its values, in Hydra's order.

    Each run is named after its values, such as `lr-peak_lr-0.001`, unless their names differ.

    Args:
        arguments: `key=value`, `key=a,b`, `key=range(1,4)`, `-m`.
        verb: the command, for messages.
        name: of a run that is given none.

    Raises:
        ConfigError: all that is wrong with any of the runs.
    """
    command, words = locate(arguments, command=TRAIN)
    folder = config_dir_flags(arguments)
    typed = [word for word in words if word not in SWEEP_FLAGS]
    problems = plugin_problems(typed, verb=verb)
    names: list[str] = []
    with open_hydra(command.folders) as hydra:
        overrides = read_sweep_overrides(without_plugins(typed), hydra=hydra)
        problems += [_interval_problem(each) for each in overrides if each.interval]
        combinations = combine([each for each in overrides if not each.interval])
        for texts in combinations:
            checked = check_overrides(texts, hydra=hydra, command=command, name=name)
            problems += checked.problems + checked.unset
            names += [checked.config.run.name] if checked.config else []
    if problems:
        raise as_error(list(dict.fromkeys(problems)))
    swept = [each.name for each in overrides if each.is_swept]
    combinations = [[*folder, *texts] for texts in combinations]
    values = [_swept_values(texts, swept) for texts in combinations]
    if len(set(names)) < len(names):
        runs = _renamed(combinations, names=names, values=values)
    else:
        runs = [
            SweepRun(name=own, overrides=tuple(texts), swept=its)
            for own, texts, its in zip(names, combinations, values, strict=True)
        ]
    return Sweep(name=_common_name(names), runs=tuple(runs))


def combine(overrides: Sequence[SweepOverride]) -> list[list[str]]:
    """Every combination of the values, the last override's changing fastest."""
    return [list(each) for each in itertools.product(*(o.values or (o.text,) for o in overrides))]


def run_name(base: str, swept: Mapping[str, str]) -> str:
    """The name of a run of a sweep, such as `lr-peak_lr-0.001-engine-zero3`.

    Keys are shortened to their last word where that is unambiguous. Only characters that a folder,
    SLURM and a command line accept are used. A name that is too long is cut.
    """
    shown = {key: value for key, value in swept.items() if key != "run.name"}
    last = Counter(key.rpartition(".")[2] for key in shown)
    parts = [base]
    for key, value in shown.items():
        short = key.rpartition(".")[2]
        parts += [short if last[short] == 1 else key, _word(value)]
    return re.sub(r"[^A-Za-z0-9._-]+", "_", "-".join(parts))[:MAX_NAME].rstrip("-._")


def _word(value: str) -> str:
    """A value as part of a name: a path's last folder, a list's items."""
    text = value.strip("'\"[]{} ")
    return re.sub(r"[^A-Za-z0-9.-]+", "_", text.rstrip("/").rpartition("/")[2]).strip("_") or "none"


def _renamed(
    combinations: Sequence[list[str]],
    *,
    names: Sequence[str],
    values: Sequence[Mapping[str, str]],
) -> list[SweepRun]:
    new = [run_name(name, its) for name, its in zip(names, values, strict=True)]
    if len(set(new)) < len(new):  # cut, or alike in the characters that a name may have
        width = MAX_NAME - 1 - len(str(len(new)))
        new = [f"{name[:width].rstrip('-._')}-{number}" for number, name in enumerate(new, 1)]
    return [
        SweepRun(
            name=name,
            overrides=(*(t for t in texts if not t.startswith("run.name=")), f"run.name={name}"),
            swept=its,
        )
        for name, texts, its in zip(new, combinations, values, strict=True)
    ]


def _swept_values(texts: Sequence[str], swept: Sequence[str]) -> dict[str, str]:
    pairs = (text.partition("=") for text in texts)
    values = {name.lstrip("+~"): value for name, _, value in pairs}
    return {name: values[name].strip("'\"") for name in swept}


def _common_name(names: Sequence[str]) -> str:
    """The name of the sweep: its runs' name, or how their names begin."""
    if len(set(names)) == 1:
        return names[0]
    alike = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in alike).rstrip("-._") or names[0]


def _interval_problem(override: SweepOverride) -> Problem:
    interval = override.interval
    assert interval is not None
    values = f"{override.name}={interval.low:g},{interval.high:g}"
    return Problem(
        f"{override.text} is a range to search, and -m takes values to try.",
        f"write values, such as {values}, or search the range: "
        f"`ftdist sweep '{override.text}' --trials 20 ...`.",
        override.name,
    )
