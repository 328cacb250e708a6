"""A config of another trainer while it is turned into overrides of ftdist."""

import re
from collections.abc import Iterable, Mapping, Sequence
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

_NESTED = (Mapping, list, tuple, set)


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

    where: str = ""
    """Before the names of members in messages, such as `datasets[0].`."""

    overrides: dict[str, str] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)

    def take(self, *names: str) -> Any:
        """The first value of these keys that is not null; takes all of them out."""
        return self._take_named(names)[1]

    def _take_named(self, names: Sequence[str]) -> tuple[str, Any]:
        values = [(name, self.left.pop(name, None)) for name in names]
        return next((each for each in values if each[1] is not None), values[0])

    def text(self, *names: str) -> str | None:
        """As `take`, for a text; numbers and switches become one.

        Raises:
            ConfigError: it is a list or a mapping.
        """
        name, value = self._take_named(names)
        if isinstance(value, _NESTED):
            raise self._wrong(name, value, "a text")
        return None if value is None else str(value)

    def texts(self, name: str) -> list[str]:
        """As `take`, for a text or a list of texts; [] if there is none.

        Raises:
            ConfigError: it is a mapping, or a list of something else.
        """
        value = self.take(name)
        values = value if isinstance(value, list) else [value]
        for each in values:
            if isinstance(each, _NESTED):
                raise self._wrong(name, each, "a text or a list of texts")
        return [str(each) for each in values if each is not None]

    def inside(self, name: str) -> "Draft":
        """As `take`, for a mapping: a draft of its members, without any if there is none.

        Raises:
            ConfigError: it is no mapping.
        """
        value = self.take(name)
        if value is not None and not isinstance(value, Mapping):
            raise self._wrong(name, value, "a mapping of names to values")
        members = {str(key): member for key, member in (value or {}).items()}
        return Draft(self.trainer, self.path, members, where=f"{self.where}{name}.")

    def _wrong(self, name: str, value: Any, wanted: str) -> ConfigError:
        shown = repr(value)[:60]
        if isinstance(value, _NESTED):
            shown = "a mapping" if isinstance(value, Mapping) else f"a {type(value).__name__}"
        return ConfigError(
            f"{self.path}: {self.where}{name} is {shown}, which is not {wanted}.",
            remedy=f"correct {self.where}{name} in the file.",
        )

    def number(self, *names: str) -> float | int | None:
        """As `take`, for a number; YAML reads 1e-5 as text.

        Raises:
            ConfigError: it is none.
        """
        name, value = self._take_named(names)
        if value is None:
            return None
        try:
            number = float("nan" if isinstance(value, bool) else value)
        except (TypeError, ValueError):
            number = float("nan")
        if number != number or abs(number) == float("inf"):
            raise self._wrong(name, value, "a number")
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
        meant = nearest(name, [word for word in known if "*" not in word], cutoff=0.8)
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
