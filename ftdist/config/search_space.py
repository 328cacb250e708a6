"""The space that `ftdist sweep` searches: values to choose from, and intervals of numbers."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ftdist.config.compose import check_overrides, locate
from ftdist.config.hydra_adapter import open_hydra
from ftdist.config.keys import TRAIN
from ftdist.config.problems import Problem, as_error
from ftdist.config.search_path import config_dir_flags
from ftdist.config.sweep import SWEEP_FLAGS
from ftdist.config.sweep_overrides import Interval, SweepOverride, read_sweep_overrides
from ftdist.config.sweep_plugins import plugin_problems, without_plugins
from ftdist.errors import ConfigError

DIGITS = 3
"""Significant digits of a number from an interval: names and configs stay short."""


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """A key and what it may be."""

    key: str
    """As on a command line, such as `optim.peak_lr` or `+experiment`."""

    choices: tuple[str, ...] = ()
    """Values as on a command line; empty for an interval."""

    interval: Interval | None = None

    @property
    def name(self) -> str:
        """The key without + and ~."""
        return self.key.lstrip("+~")

    @property
    def text(self) -> str:
        """The values for people."""
        if self.interval is None:
            return ", ".join(self.choices)
        scale = " (logarithmic)" if self.interval.log else ""
        return f"{self.interval.low:g} to {self.interval.high:g}{scale}"


@dataclass(frozen=True, kw_only=True)
class SearchSpace:
    """What a search varies, and what all its trials share."""

    name: str
    """Of the sweep: the run's name."""

    root: str
    """Folder of its runs."""

    executor: str
    fixed: tuple[str, ...]
    """Overrides that all trials share."""

    dimensions: tuple[Dimension, ...]

    @property
    def size(self) -> float:
        """How many different trials there are."""
        sizes = (len(each.choices) if each.choices else math.inf for each in self.dimensions)
        return math.prod(sizes)

    def overrides(self, swept: Mapping[str, str], *, name: str) -> list[str]:
        """The overrides of a trial."""
        own = [f"{each.key}={swept[each.name]}" for each in self.dimensions]
        fixed = [text for text in self.fixed if not text.startswith("run.name=")]
        return [*fixed, *own, f"run.name={name}"]


def read_search_space(arguments: Sequence[str]) -> SearchSpace:
    """The space of a command line; the ends of intervals and every choice are checked.

    Args:
        arguments: `key=value`, `key=a,b`, `key=range(1,4)`, `key=interval(1e-5,1e-3)`.

    Raises:
        ConfigError: all that is wrong with it, or nothing is swept.
    """
    command, words = locate(arguments, command=TRAIN)
    typed = [word for word in words if word not in SWEEP_FLAGS]
    _refuse_one_bound(typed)
    problems = plugin_problems(typed, verb="sweep")
    with open_hydra(command.folders) as hydra:
        overrides = read_sweep_overrides(without_plugins(typed), hydra=hydra)
        problems += [p for each in overrides if (p := _space_problem(each)) is not None]
        configs = []
        for texts in _samples(overrides):
            checked = check_overrides(texts, hydra=hydra, command=command)
            problems += checked.problems + checked.unset
            configs += [checked.config] if checked.config else []
    dimensions = tuple(_dimension(each) for each in overrides if each.is_swept)
    if not dimensions:
        remedy = "add values, such as optim.peak_lr='interval(1e-5,1e-3)' or batch.tokens=512,1024."
        problems.append(Problem("Nothing is swept: every key has one value.", remedy))
    if problems:
        raise as_error(list(dict.fromkeys(problems)))
    config = configs[0]
    return SearchSpace(
        name=config.run.name,
        root=config.run.root,
        executor=config.cluster.executor,
        fixed=(
            *config_dir_flags(arguments),
            *(each.text for each in overrides if not each.is_swept),
        ),
        dimensions=dimensions,
    )


def _refuse_one_bound(words: Sequence[str]) -> None:
    for word in words:
        if re.search(r"interval\(\s*[^,()]*\)", word):
            raise ConfigError(
                f"{word}: an interval needs two bounds.",
                remedy="write the smaller and the larger one, such as interval(1e-5,1e-3).",
            )


def format_number(value: float, interval: Interval) -> str:
    """A number of an interval as on a command line, rounded but within its ends."""
    if interval.is_integer:
        return str(round(value))
    rounded = float(f"{value:.{DIGITS}g}")
    return f"{min(max(rounded, interval.low), interval.high):g}"


def _samples(overrides: Sequence[SweepOverride]) -> list[list[str]]:
    """Command lines that together hold every choice and both ends of every interval."""
    options = [_options(each) for each in overrides]
    first = [each[0] for each in options]
    others = [
        [*first[:place], value, *first[place + 1 :]]
        for place, values in enumerate(options)
        for value in values[1:]
    ]
    return [first, *others]


def _options(override: SweepOverride) -> list[str]:
    if override.interval is None:
        return list(override.values or (override.text,))
    key = override.text.partition("=")[0]
    ends = (override.interval.low, override.interval.high)
    return [f"{key}={format_number(end, override.interval)}" for end in ends]


def _dimension(override: SweepOverride) -> Dimension:
    key = override.text.partition("=")[0]
    choices = tuple(value.partition("=")[2] for value in override.values)
    return Dimension(key=key, choices=choices, interval=override.interval)


def _space_problem(override: SweepOverride) -> Problem | None:
    interval = override.interval
    if override.name in ("run.name", "run.root") and override.is_swept:
        return Problem(
            f"{override.name} cannot be swept.", "give one; trials are named after it.", "run.name"
        )
    if interval is not None and not interval.low < interval.high:
        return Problem(f"{override.text} is empty.", "write the smaller end first.", override.name)
    if interval is not None and interval.log and interval.low <= 0:
        return Problem(
            f"{override.text} is logarithmic, but begins at {interval.low:g}.",
            "begin above 0, or leave out tag(log,...).",
            override.name,
        )
    return None
