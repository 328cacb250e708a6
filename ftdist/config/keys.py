"""The table of config keys, derived from the schema, with their valid values in plain words."""

import difflib
import functools
import types
import typing
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt

from ftdist.config.aliases import ALIASES
from ftdist.config.kinds import EXAMPLES, RUN_NAME, WORDS, Kind
from ftdist.config.schema import RunConfig
from ftdist.config.schema.curate import CurateConfig
from ftdist.config.schema.data_source import Source
from ftdist.config.schema.types import NAME_PATTERN, Auto
from ftdist.config.search_path import ConfigFolder, list_options, own_folders


@dataclass(frozen=True, kw_only=True)
class ConfigKey:
    """One leaf of the config: its name, meaning and valid values."""

    name: str
    """Dotted; `*` stands for a name that the user chooses."""

    kind: Kind
    nullable: bool
    choices: tuple[str, ...]
    bounds: tuple[str, ...]
    pattern: str | None
    meaning: str
    takes_auto: bool = False
    """Whether the word auto may replace its number."""

    @property
    def described(self) -> str:
        """The kind of value, such as `a whole number`."""
        return RUN_NAME if self.pattern == NAME_PATTERN else WORDS[self.kind]

    @property
    def fits(self) -> str:
        """The valid values, such as `a whole number of at least 1, or null`."""
        words = self.described
        if self.kind == "texts" and self.choices:
            return f"a list of any of {', '.join(self.choices)}, such as [{self.choices[0]}]"
        if self.kind in EXAMPLES:
            return f"{words}, each {' and '.join(self.bounds)}, such as {EXAMPLES[self.kind]}"
        if self.choices:
            words = f"{words} {', '.join(self.choices)}"
        if self.bounds:
            joined = " and ".join(self.bounds)
            words = f"{words} {'of ' if joined.startswith('at') else ''}{joined}"
        return f"{words}{', or auto' * self.takes_auto}{', or null' * self.nullable}"


@dataclass(frozen=True)
class CommandSpec:
    """The config of one command: its schema and its groups."""

    verb: str
    """The command, and the name of `conf/VERB.yaml`, the root of its config."""

    thing: str
    """What the command makes, such as a run."""

    schema: type
    """The dataclass of the composed config."""

    groups: tuple[str, ...]
    """The groups of `conf/` in it."""

    folders: tuple[ConfigFolder, ...] | None = None
    """The user's folders of config; None: those that this command finds without being given any."""

    parts: tuple["CommandSpec", ...] = ()
    """Commands that it runs: it takes the keys of them all, and has no config of its own."""

    @property
    def options(self) -> dict[str, tuple[str, ...]]:
        """Its groups, each with the names of its options, the user's own included."""
        folders = own_folders() if self.folders is None else self.folders
        return {name: list_options(name, folders) for name in self.groups}


TRAIN = CommandSpec(
    "train",
    "run",
    RunConfig,
    groups=(
        *("batch", "checkpoint", "cluster", "early_stopping", "engine", "eval", "experiment"),
        *("export", "library", "merge", "model", "optim", "tracking"),
    ),
)
CURATE = CommandSpec("curate", "library", CurateConfig, groups=("cluster", "retention"))
EXPERT = CommandSpec(
    "expert", "expert", RunConfig, groups=(*TRAIN.groups, "retention"), parts=(CURATE, TRAIN)
)

LENGTHS = ("train.epochs", "train.exposures", "train.steps")
"""Each sets how long a run is; a default gives way to the one that is typed."""

TRAINING_EVAL_KEYS = (
    *("eval.loss_every_steps", "eval.probes_every_steps", "eval.max_questions"),
    *("eval.num_generations", "eval.max_new_tokens_in_training"),
)
"""Keys of `eval` that only evaluation during training reads."""


def config_keys(command: CommandSpec = TRAIN) -> dict[str, ConfigKey]:
    """Every leaf of a config by its dotted name, in the schema's order."""
    if command.parts:
        return {name: key for part in command.parts for name, key in config_keys(part).items()}
    return _keys_of(command.schema)


@functools.cache
def _keys_of(schema: type) -> dict[str, ConfigKey]:
    return {key.name: key for key in _walk(schema, prefix="")}


def comparison_keys() -> tuple[str, ...]:
    """The keys of `eval` that `ftdist compare` reads."""
    return tuple(
        key for key in config_keys() if key.startswith("eval.") and key not in TRAINING_EVAL_KEYS
    )


def find_key(name: str, *, command: CommandSpec = TRAIN) -> ConfigKey | None:
    """The key called `name`; including names chosen by the user and entries of free tables."""
    keys = config_keys(command)
    if name in keys:
        return keys[name]
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        table = ".".join(parts[:cut])
        if table not in keys or keys[table].kind != "table":
            continue
        inside = [key for key in keys if key.startswith(f"{table}.*.")]
        if not inside:
            return keys[table]  # a free table: DeepSpeed's own names
        if len(parts) == cut + 1:
            return keys[table]
        return keys.get(".".join([table, "*", *parts[cut + 1 :]]))
    return None


def nearest(word: str, options: Iterable[str], *, cutoff: float = 0.55) -> str | None:
    """The option most similar to `word`, by its whole name or by its last part."""

    def likeness(option: str) -> float:
        shown = with_chosen_name(option, name=word)
        whole = difflib.SequenceMatcher(None, word, shown).ratio()
        last = difflib.SequenceMatcher(None, word.split(".")[-1], option.split(".")[-1]).ratio()
        return max(whole, 0.95 * last)

    best = max(options, key=likeness, default=None)
    return best if best is not None and likeness(best) >= cutoff else None


def with_chosen_name(key: str, *, name: str) -> str:
    """`key` with the part of `name` that the user chose in place of its `*`."""
    parts, typed = key.split("."), name.split(".")
    if "*" not in parts or len(parts) != len(typed):
        return key
    return ".".join(t if part == "*" else part for part, t in zip(parts, typed, strict=True))


def nearest_key(name: str, *, tables: bool = False, command: CommandSpec = TRAIN) -> str | None:
    """The key or group that an unknown `name` probably means: by alias, spelling or description.

    Args:
        name: the unknown key; only a bare one may mean a group.
        tables: whether to consider keys that hold a table.
        command: the command whose keys to consider.
    """
    groups = () if "." in name else command.groups
    alias = _alias(name, groups=groups, command=command)
    if alias is not None:
        return alias
    keys = [key for key in config_keys(command).values() if tables or key.kind != "table"]
    options = [*(key.name for key in keys), *groups]
    match = nearest(name, options, cutoff=0.7)
    if match is not None:
        return match
    last = name.split(".")[-1].lower()
    words = set(last.split("_"))
    holding = [k.name for k in keys if words <= set(k.name.split(".")[-1].split("_"))]
    if holding:
        return min(holding, key=len)
    for key in keys:
        if len(last) > 3 and last.replace("_", " ") in key.meaning.lower():
            return key.name
    return nearest(name, options, cutoff=0.65)


def _alias(name: str, *, groups: Sequence[str], command: CommandSpec) -> str | None:
    """The key or group for another trainer's name, matched whole or by its first or last part."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        alias = ALIASES.get(".".join(parts[:cut]))
        meant = None if alias is None else ".".join([alias, *parts[cut:]])
        if meant is not None and (meant in groups or find_key(meant, command=command)):
            return meant
    alias = ALIASES.get(parts[-1])
    return alias if alias in config_keys(command) else None


def _walk(section: type, *, prefix: str) -> Iterator[ConfigKey]:
    fields = typing.cast(Any, section).__pydantic_fields__
    for name, annotation in typing.get_type_hints(section, include_extras=True).items():
        dotted, inner = f"{prefix}{name}", annotation
        if is_dataclass(inner):
            yield from _walk(typing.cast(type, inner), prefix=f"{dotted}.")
            continue
        yield config_key(dotted, annotation, meaning=" ".join(fields[name].description.split()))
        arguments = typing.get_args(annotation)
        if typing.get_origin(annotation) is dict and is_dataclass(arguments[1]):
            yield from _walk(typing.cast(type, arguments[1]), prefix=f"{dotted}.*.")


def config_key(name: str, annotation: Any, *, meaning: str = "") -> ConfigKey:
    """The key `name` with values of type `annotation`."""
    takes_auto = Auto in typing.get_args(annotation)
    if takes_auto:
        (annotation,) = (half for half in typing.get_args(annotation) if half != Auto)
    plain, nullable, metadata = _peel(annotation)
    limits = _limits(metadata)
    origin = typing.get_origin(plain)
    kinds: dict[Any, Kind] = {int: "integer", float: "number", bool: "switch", str: "text"}
    origins: dict[Any, Kind] = {Literal: "choice", list: "texts", dict: "table"}
    kind = origins[origin] if origin else kinds[plain]
    choices = typing.get_args(plain) if origin is Literal else ()
    if origin is list:
        (inner,) = typing.get_args(plain)
        item, _, of_items = (Source, False, []) if inner is Source else _peel(inner)
        if item is Source:
            kind = "sources"
        elif item in (int, float):  # the bounds are those of each
            kind, limits = "integers" if item is int else "numbers", _limits(of_items)
        elif typing.get_origin(item) is Literal:
            choices = typing.get_args(item)
    return ConfigKey(
        name=name,
        kind=kind,
        nullable=nullable,
        choices=tuple(choices),
        bounds=tuple(filter(None, map(_bound, limits))),
        pattern=next((p for item in limits if (p := getattr(item, "pattern", None))), None),
        meaning=meaning,
        takes_auto=takes_auto,
    )


def _limits(metadata: list[Any]) -> list[Any]:
    return [item for part in metadata for item in getattr(part, "metadata", [part])]


def _peel(annotation: Any) -> tuple[Any, bool, list[Any]]:
    nullable, metadata = False, []
    while True:
        if typing.get_origin(annotation) is Annotated:
            annotation, *more = typing.get_args(annotation)
            metadata += more
        elif typing.get_origin(annotation) in (typing.Union, types.UnionType):
            (annotation,) = (a for a in typing.get_args(annotation) if a is not types.NoneType)
            nullable = True
        else:
            return annotation, nullable, metadata


_BOUNDS = ((Ge, "at least", "ge"), (Gt, "above", "gt"), (Le, "at most", "le"), (Lt, "below", "lt"))


def _bound(limit: Any) -> str | None:
    found = (
        f"{words} {getattr(limit, name)}" for kind, words, name in _BOUNDS if type(limit) is kind
    )
    return next(found, None)
