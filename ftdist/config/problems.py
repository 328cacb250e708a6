"""Problems of a command line or config file, each with its remedy."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ftdist.config.aliases import ALIASES, ALIASES_THAT_DIFFER
from ftdist.config.keys import (
    CURATE,
    TRAIN,
    CommandSpec,
    ConfigKey,
    find_key,
    nearest,
    nearest_key,
    with_chosen_name,
)
from ftdist.config.kinds import EXAMPLES, LISTS
from ftdist.config.migrate.without import sentence_for
from ftdist.config.schema.types import NAME_PATTERN
from ftdist.config.values import format_value
from ftdist.errors import ConfigError
from ftdist.io.secret_names import TOKEN_SHAPES, is_secret_name

_SECRET_VALUE = re.compile(
    r"(?<![\w/.-])([0-9a-f]{40}|wandb_v\d_\w{20,}|local-[0-9a-f]{40}|hf_[A-Za-z0-9]{20,}"
    rf"|gh[pousr]_\w{{30,}}|github_pat_\w{{30,}}|{'|'.join(shape for _, shape in TOKEN_SHAPES)})"
    r"(?![\w/.-])|://[^/\s:@]*:[^/\s@]+@|-----BEGIN [A-Z ]*PRIVATE KEY"
)
_NAME_IN_TABLE = re.compile(r"[{,]\s*['\"]?([\w.]+)['\"]?\s*:")
_COMMIT = re.compile(r"(?<=hf://datasets/)\S+?@[0-9a-f]{40}|(?<=revision:)\s*[0-9a-f]{40}")
"""Of a repository on the Hub: it looks like a key, and is public."""

_NUMBERS: dict[str, str] = {"integers": "a whole number", "numbers": "a number"}
_RANGE_ERRORS = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}


@dataclass(frozen=True)
class Problem:
    """One problem as a sentence, and its remedy as a clause that begins with a verb."""

    problem: str
    remedy: str
    key: str = ""
    """The key that it is about, or that was probably meant."""

    name: str = ""
    """The key as written, where that is no key."""

    unset: bool = False
    """Whether nothing sets the key."""


class UnresolvedError(Exception):
    """A `${...}` that has no value.

    Args:
        key: that holds it.
        reason: what OmegaConf says of it.
        reference: the key to which it refers, if there is no such key.
    """

    def __init__(self, key: str, *, reason: str, reference: str | None = None) -> None:
        super().__init__(reason)
        self.key, self.reason, self.reference = key, reason, reference


def as_error(
    problems: Sequence[Problem], *, where: str = "The command line", command: CommandSpec = TRAIN
) -> ConfigError:
    """One error that reports all `problems`."""
    if len(problems) == 1:
        return ConfigError(problems[0].problem, remedy=problems[0].remedy)
    lines = [f"  - {p.problem} {p.remedy[0].upper()}{p.remedy[1:]}" for p in problems]
    return ConfigError(
        f"{where} has {len(problems)} problems:\n" + "\n".join(lines),
        remedy=f"correct these {len(problems)}; `ftdist {command.verb} --help` explains every key.",
    )


def secret_problem(name: str, value: str, *, command: CommandSpec = TRAIN) -> Problem | None:
    """A key or value that looks like a password or an access key; the value is never repeated."""
    known = find_key(name, command=command)
    is_free = known is None or known.kind == "table"
    names = [name, *_NAME_IN_TABLE.findall(value)] if is_free else []
    named = any(map(is_secret_name, names))
    shown = _SECRET_VALUE.search(_COMMIT.sub("", value)) and not name.endswith(".revision")
    if not named and not shown:
        return None
    return Problem(
        f"{name} looks like a secret, and a config is kept in the run directory.",
        "put it in the environment (WANDB_API_KEY, HF_TOKEN) or in ~/.netrc, and renew it if "
        "others could see it.",
        name,
    )


def unknown_key(name: str, *, value: str = "", command: CommandSpec = TRAIN) -> Problem:
    """A key that is in no group and not in the schema."""
    other = CURATE if command.verb == TRAIN.verb else TRAIN
    elsewhere = ALIASES.get(name, name)
    if _is_known(elsewhere, command=other) and not _is_known(elsewhere, command=command):
        kind = "group" if elsewhere in other.groups else "key"
        return Problem(
            f"{elsewhere} is a {kind} of a {other.thing} (`ftdist {other.verb} --help`), not of a "
            f"{command.thing}.",
            "leave it out here.",
        )
    if sentence := sentence_for(name):
        return Problem(f"{name} is not a key of the config.", f"leave it out: {sentence}", name)
    # a table is meant only by a value that is one
    meant = nearest_key(name, tables=value.strip().startswith("{"), command=command)
    if meant in command.groups:
        return _unknown_group(name, value=value, meant=meant, options=command.options[meant])
    meant = meant and with_chosen_name(meant, name=name)
    remedy = (
        f"write {meant}{value and f'={value}'}."
        if meant
        else f"see `ftdist {command.verb} --help`."
    )
    last = name.split(".")[-1]
    if remark := ALIASES_THAT_DIFFER.get(last):
        remedy = remark if meant and meant == ALIASES.get(name, ALIASES.get(last)) else remedy
    hint = f": did you mean {meant}?" if meant else "."
    return Problem(f"{name} is not a key of the config{hint}", remedy, meant or "", name)


def reference_problem(
    name: str, reason: str, reference: str | None, *, command: CommandSpec = TRAIN
) -> Problem:
    """A `${...}` that has no value.

    Args:
        name: the key that holds it.
        reason: why it has none.
        reference: what it refers to, if there is no such key.
        command: the command whose keys are valid.
    """
    if reference is None:
        remedy = f'write the value of {name} itself; in a shell, "..." replaces $NAME.'
        return Problem(f"{name} holds a ${{...}} without a value: {reason}.", remedy, name)
    meant = nearest_key(reference, command=command)
    hint = f": did you mean {meant}?" if meant else "."
    remedy = f"write ${{{meant}}}." if meant else f"see `ftdist {command.verb} --help`."
    return Problem(f"{name} refers to ${{{reference}}}, which is no key{hint}", remedy, name)


def _is_known(name: str, *, command: CommandSpec) -> bool:
    return name in command.groups or find_key(name, command=command) is not None


def _unknown_group(name: str, *, value: str, meant: str, options: Sequence[str]) -> Problem:
    """A mistyped group: its name and, where the option is mistyped as well, that too."""
    option = value if value in options else nearest(value, options, cutoff=0.4)
    if option is None:
        remedy = f"write {meant}=..., with one of {', '.join(options)}."
        problem = f"{name} is not a key of the config: did you mean {meant}?"
        return Problem(problem, remedy, meant, name)
    problem = f"{name} is not a key of the config: did you mean {meant}={option}?"
    return Problem(problem, f"write {meant}={option}.", meant, name)


def env_problem(name: str, *, is_name: bool) -> Problem:
    """A variable that a config may not give to the ranks, or a value that is not one line.

    Args:
        name: the key, such as `cluster.env.LD_PRELOAD`.
        is_name: whether its name is wrong.
    """
    variable = name.rpartition(".")[2]
    if not is_name:
        return Problem(f"The value of {name} is not one line.", "write it on one line.", name)
    problem = f"{name} is not one of the settings of NCCL, Gloo, UCX, libfabric, CUDA or OpenMP "
    problem += "that a config may set: a variable can run code, and a config may be another user's."
    remedy = f"leave it out, or `export {variable}=...` in your shell: ranks inherit it."
    return Problem(problem, remedy, name)


def unset_key(name: str, *, command: CommandSpec = TRAIN) -> Problem:
    """A key that only the user can set, and did not."""
    key = find_key(name, command=command)
    meaning = f": {key.meaning.split('. ')[0].rstrip('.')}." if key else "."
    return Problem(f"{name} is not set.", f"add {name}=...{meaning}", name, unset=True)


def _as_name(text: str) -> str:
    """A valid name like a text; empty if nothing of it is valid."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:64]


def value_problem(
    key: ConfigKey, name: str, value: Any, *, error: str = "", of_item: bool = False
) -> Problem:
    """A value that does not fit its key.

    Args:
        key: what fits.
        name: as the user knows it.
        value: that does not fit.
        error: pydantic's name of what is wrong.
        of_item: whether `value` is one of a list.
    """
    shown = format_value(value)
    if key.choices and (key.kind == "choice" or of_item):
        meant = nearest(shown, key.choices)
        hint = f"; did you mean {meant}?" if meant else "."
        problem = f"{name}={shown} is not one of {', '.join(key.choices)}{hint}"
    elif of_item and key.kind in EXAMPLES:
        reason = "out of range" if error in _RANGE_ERRORS else f"not {_NUMBERS[key.kind]}"
        problem = f"{name} holds {shown}, which is {reason}."
    elif error == "too_short":
        problem = f"{name}={shown} is empty."
    elif error in _RANGE_ERRORS:
        problem = f"{name}={shown} is out of range."
    else:
        problem = f"{name}={shown} is not {key.described}."
    if key.pattern == NAME_PATTERN and (example := _as_name(shown)):
        return Problem(problem, f"write {name}={example}.", name)
    is_list = key.kind in LISTS and not of_item
    if is_list and isinstance(value, str | int | float):
        return Problem(problem, f"write '{name}=[{shown}]'.", name)
    return Problem(problem, f"set {name} to {key.fits}.", name)
