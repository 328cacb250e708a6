"""The overrides of a sweep by Hydra's grammar: values to try, and ranges to search."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftdist.config.keys import find_key

if TYPE_CHECKING:
    from ftdist.config.hydra_adapter import Hydra


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A range of numbers to search: `interval(a,b)`, `tag(log,interval(a,b))`."""

    low: float
    high: float
    log: bool
    is_integer: bool


@dataclass(frozen=True, kw_only=True)
class SweepOverride:
    """One override of a sweep."""

    text: str
    """As typed."""

    name: str
    """The key or group, without + and ~."""

    values: tuple[str, ...] = ()
    """The overrides that it stands for; empty for an override with one value."""

    interval: Interval | None = None

    @property
    def is_swept(self) -> bool:
        """Whether it stands for several values."""
        return bool(self.values) or self.interval is not None


def read_sweep_overrides(overrides: Sequence[str], *, hydra: "Hydra") -> list[SweepOverride]:
    """Parse overrides; of those of one key the last one counts.

    One that Hydra cannot parse keeps its text: composing it reports the problem.
    """
    read: dict[str, SweepOverride] = {}
    for text in overrides:
        override = _read(text, hydra=hydra)
        read.pop(override.name, None)
        read[override.name] = override
    return list(read.values())


def _read(text: str, *, hydra: "Hydra") -> SweepOverride:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import IntervalSweep
    from hydra.errors import HydraException

    name = text.partition("=")[0].lstrip("+~").strip()
    try:
        (parsed,) = OverridesParser.create(config_loader=hydra.config_loader).parse_overrides(
            [text]
        )
        if not parsed.is_sweep_override():
            return SweepOverride(text=text, name=name)
        value: Any = parsed.value()
        if isinstance(value, IntervalSweep):
            return SweepOverride(text=text, name=name, interval=_interval(name, value))
        key = parsed.get_key_element()
        values = tuple(f"{key}={_short(each)}" for each in parsed.sweep_string_iterator())
    except HydraException:
        return SweepOverride(text=text, name=name)
    return SweepOverride(text=text, name=name, values=values)


def _interval(name: str, value: Any) -> Interval:
    key = find_key(name)
    return Interval(
        low=float(value.start),
        high=float(value.end),
        log="log" in value.tags,
        is_integer=key is not None and key.kind == "integer",
    )


def _short(text: str) -> str:
    """A number without the digits that adding steps leaves: 0.30000000000000004."""
    with contextlib.suppress(ValueError):
        if "." in text:
            return f"{float(text):.12g}"
    return text
