"""A config of another trainer while it is turned into overrides of ftdist."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ftdist.config.hydra_adapter import quoted
from ftdist.config.keys import nearest
from ftdist.config.migrate.without import sentence_for
from ftdist.config.values import format_value
from ftdist.errors import ConfigError

_PLAIN = re.compile(r"[A-Za-z_./~][A-Za-z0-9_./@~:+-]*")
_SPECIAL = {"true", "false", "null", "inf", "nan"}
"""Words that Hydra reads as something other than text."""


@dataclass(frozen=True)
class Remark:
    """What a person has to know about a key that was not simply carried over."""

    key: str
    """As the other trainer calls it."""

    text: str
    """One or two sentences; the second says what to do."""


@dataclass(frozen=True, kw_only=True)
class Migration:
    """What became of another trainer's file."""

    trainer: str
    path: Path
    overrides: Mapping[str, str]
    """ftdist's keys, each with its value as Hydra reads it."""

    remarks: tuple[Remark, ...]

    def lines(self) -> list[str]:
        """The overrides as a command takes them, without quotes for the shell."""
        return [f"{key}={value}" for key, value in self.overrides.items()]


@dataclass
class Draft:
    """Members of another trainer's config, taken out one by one; the rest is reported."""

    trainer: str
    path: Path
    left: dict[str, Any]
    """Members that nothing has taken yet."""

    overrides: dict[str, str] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)

    def take(self, *names: str) -> Any:
        """The first value of these keys that is not null; takes all of them out."""
        values = [self.left.pop(name, None) for name in names]
        return next((value for value in values if value is not None), None)

    def number(self, *names: str) -> float | int | None:
        """As `take`, for a number; YAML reads 1e-5 as text.

        Raises:
            ConfigError: it is none.
        """
        named = next((name for name in names if self.left.get(name) is not None), names[0])
        value = self.take(*names)
        if value is None:
            return None
        try:
            number = float("nan" if isinstance(value, bool) else value)
        except (TypeError, ValueError):
            number = float("nan")
        if number != number or abs(number) == float("inf"):
            shown = repr(value[:60]) if isinstance(value, str) else f"a {type(value).__name__}"
            raise ConfigError(
                f"{self.path}: {named} is {shown}, which is not a number.",
                remedy=f"correct {named} in the file.",
            )
        return int(number) if number == int(number) else number

    def set(self, key: str, value: Any) -> None:
        """Set a key of ftdist."""
        self.overrides[key] = hydra_value(value)

    def remark(self, key: str, text: str) -> None:
        """Tell the person something about a key."""
        self.remarks.append(Remark(key, text))

    def finish(
        self, *, nothing_to_set: Iterable[str], without: Mapping[str, str], known: Iterable[str]
    ) -> Migration:
        """Report what was not taken, and end.

        Args:
            nothing_to_set: patterns of keys that ftdist needs none for.
            without: patterns of keys that ftdist has no counterpart of, each with a sentence.
            known: further names of the trainer's keys, to find what a mistyped one means.
        """
        needless, patterns = [], tuple(nothing_to_set)
        for name, value in self.left.items():
            sentence = sentence_for(name, without)
            if value in (None, False, [], {}, "") and (sentence or _matches(name, patterns)):
                continue
            if sentence is not None:
                self.remark(name, sentence)
            elif _matches(name, patterns):
                needless.append(name)
            else:
                self.remark(name, self._unknown(name, known=[*known, *patterns, *without]))
        if needless:
            self.remark(", ".join(needless), "ftdist needs no such setting.")
        return Migration(
            trainer=self.trainer,
            path=self.path,
            overrides=self.overrides,
            remarks=_merged(self.remarks),
        )

    def _unknown(self, name: str, *, known: Iterable[str]) -> str:
        meant = nearest(name, [word for word in known if "*" not in word], least=0.8)
        hint = f" Did you mean {meant}?" if meant else ""
        return f"This key of {self.trainer} is not known to ftdist.{hint}"


def _merged(remarks: Iterable[Remark]) -> tuple[Remark, ...]:
    """One remark for all keys that it is true of."""
    keys: dict[str, list[str]] = {}
    for remark in remarks:
        keys.setdefault(remark.text, []).append(remark.key)
    return tuple(Remark(", ".join(dict.fromkeys(named)), text) for text, named in keys.items())


def hydra_value(value: Any) -> str:
    """A value as Hydra reads it on a command line."""
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{name}: {hydra_value(member)}" for name, member in value.items())
        return f"{{{pairs}}}"
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(hydra_value, value))}]"
    if isinstance(value, float) and value != int(value):
        return re.sub(r"e([+-])0", r"e\1", repr(value))
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.casefold() not in _SPECIAL
        return value if plain else quoted(value)
    return format_value(int(value) if isinstance(value, float) else value)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
