"""Parse the overrides of a command line and check their keys, before Hydra composes them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ftdist.config.aliases import OPTIONS_WITHOUT
from ftdist.config.hydra_adapter import Parsed, parse_override
from ftdist.config.hydra_keys import hydra_key_problem, is_hydra_key
from ftdist.config.keys import (
    LENGTHS,
    TRAIN,
    CommandSpec,
    ConfigKey,
    config_keys,
    find_key,
    nearest,
)
from ftdist.config.kinds import LISTS
from ftdist.config.problems import Problem, secret_problem, unknown_key
from ftdist.config.values import format_value

FLAGS = (
    *("--help", "--cfg", "--config-dir", "--info", "--multirun", "--hydra-help", "--version"),
    *("--package", "--resolve"),
)

_FLAGS_ELSEWHERE = {
    "--dry-run": "use `ftdist plan` in its place; `ftdist submit` has --dry-run.",
    "--config": "write experiment=NAME for conf/experiment/NAME.yaml.",
    "--resume": "use `ftdist resume R`.",
}
"""Flags that users expect, each with what does that."""


@dataclass
class Reading:
    """The valid overrides, and the problems of the others."""

    accepted: dict[str, Parsed] = field(default_factory=dict)
    """The valid overrides by key."""

    problems: list[Problem] = field(default_factory=list)
    meant: set[str] = field(default_factory=set)
    """Keys of the rejected overrides, as typed and as probably meant."""

    search_path: list[Any] = field(default_factory=list)
    """The value of `hydra.searchpath`."""

    def lines(self) -> list[str]:
        """The valid overrides in the form that Hydra composes."""
        return [line for parsed in self.accepted.values() for line in (*parsed.before, parsed.line)]

    def accept(self, name: str, parsed: Parsed) -> None:
        """Take a valid override: as in Hydra, the last of a key holds, and tables are merged."""
        before = self.accepted.pop(name, None)
        lines = (*before.before, before.line) if before else ()
        if before and isinstance(before.value, dict) and isinstance(parsed.value, dict):
            parsed = replace(parsed, value={**before.value, **parsed.value}, before=lines)
        elif before and parsed.deletes and not before.deletes:
            parsed = replace(parsed, before=lines)  # Hydra deletes only what there is
        self.accepted[name] = parsed

    def unset_other_lengths(self) -> None:
        """Make the length of training on the command line replace the default one."""
        typed = [key for key in LENGTHS if key in self.accepted]
        if any(self.accepted[key].value is not None for key in typed):
            for key in LENGTHS:
                unset = Parsed(line=f"{key}=null", value=None, several=False, deletes=False)
                self.accepted.setdefault(key, unset)


def read_overrides(
    overrides: Sequence[str],
    *,
    command: CommandSpec = TRAIN,
) -> Reading:
    """Parse every override and check its key; values are validated after composition.

    Args:
        overrides: as typed.
        command: the command whose keys are valid.
    """
    reading = Reading()
    for text in overrides:
        name, _, value = text.partition("=")
        name = name.lstrip("+~").strip()
        if "=" not in text and secret_problem("", text):
            name, value = "an argument", text  # never repeat it
        problem = secret_problem(name, value, command=command)
        problem = problem or _shape_problem(text, name, command=command)
        if problem is None:
            problem = _accept(text, name, reading=reading, command=command)
        if problem is not None:
            reading.problems.append(problem)
            reading.meant |= {problem.key, name}
    return reading


def _shape_problem(text: str, name: str, *, command: CommandSpec) -> Problem | None:
    """The problem of an override that shows before it is parsed."""
    value, key = text.partition("=")[2], find_key(name, command=command)
    if text.startswith("-"):
        flag = text.split("=")[0]
        meant = nearest(flag, FLAGS, cutoff=0.7)
        remedy = f"write {meant}." if meant else "leave it out; --hydra-help lists the flags."
        return Problem(f"{text} is not a flag.", _FLAGS_ELSEWHERE.get(flag, remedy))
    if "=" not in text and not text.startswith("~"):
        leaves = [leaf.name for leaf in config_keys(command).values() if leaf.kind != "table"]
        meant = nearest(name, (*leaves, *command.groups), cutoff=0.85)
        remedy = f"write {meant}=..." if meant else "write key=value, such as train.epochs=2."
        return Problem(f"{text!r} is not of the form key=value.", remedy, meant or "")
    if value.count("${") > value.count("}"):
        return Problem(f"{name}={value} has a ${{ without a }}.", "close it.", name)
    if "=" in text and not value and not text.startswith("~"):
        return Problem(
            f"{name}= has no value (a shell variable that is not set?).",
            f"write a value, or {name}=null for none."
            if key is not None and key.nullable
            else "write a value.",
            name,
        )
    return None


def _accept(
    text: str,
    name: str,
    *,
    reading: Reading,
    command: CommandSpec,
) -> Problem | None:
    """Accept one override for Hydra, or return its problem."""
    key = find_key(name, command=command)
    if is_hydra_key(name):
        return _accept_hydra_key(text, name, reading=reading)
    group, at, _ = name.partition("@")
    if at and group in command.groups:
        remedy = f"write {group}={text.partition('=')[2]}: every group has one place in the config."
        return Problem(f"{name} moves a group to another section.", remedy, name)
    if key is None and name not in command.groups:
        return _key_problem(name, text.partition("=")[2], command=command)
    parsed = _parse(text, key=key)
    if parsed is None:
        return _unreadable(text, name)
    problem = _use_problem(name, parsed, key=key, command=command)
    if problem is None and name in command.groups and not parsed.deletes:
        problem = _option_problem(name, parsed.value, command=command)
    if problem is not None:
        return problem
    line = parsed.line.lstrip("+")
    chosen_name = key is not None and (key.kind == "table" or key.name != name)
    if chosen_name and not parsed.deletes:
        line = f"++{line}"  # Hydra adds keys that are not in conf/ only with ++
    if name in command.groups and parsed.value is None:
        line = f"~{name}"  # Hydra takes no null for a group
    reading.accept(name, replace(parsed, line=line))
    return None


def _unreadable(text: str, name: str) -> Problem:
    value = text.partition("=")[2]
    remedy = f"put it in quotes, the outer ones for the shell: '{name}=\"...\"'."
    return Problem(f"The value of {name} cannot be read: {value}", remedy, name)


def _accept_hydra_key(text: str, name: str, *, reading: Reading) -> Problem | None:
    """Accept `hydra.searchpath`, or return the problem of another key of Hydra's own."""
    problem = hydra_key_problem(name, text.partition("=")[2])
    if problem is not None:
        return problem
    parsed = parse_override(text) or parse_override(_quoted_list(text))
    if parsed is None or not isinstance(parsed.value, list):
        remedy = f"write '{name}=[file://FOLDER]'."
        return Problem(f"{name} is not a list of folders.", remedy, name)
    reading.search_path = parsed.value
    return None


def _parse(text: str, *, key: ConfigKey | None) -> Parsed | None:
    """Parse one override, with texts as typed: a name such as 007, a path with brackets."""
    parsed = parse_override(text)
    if parsed is None and key is not None and key.kind in LISTS:
        return parse_override(_quoted_list(text))
    if key is None or key.kind != "text":
        return parsed
    if parsed is None:
        quoted = text.partition("=")[2].startswith(("'", '"'))
        return None if quoted else parse_override(text, as_text=True)
    is_number = isinstance(parsed.value, int | float) and not parsed.several
    return parse_override(text, as_text=True) if is_number else parsed


def _quoted_list(text: str) -> str:
    """A list with its words quoted, for those that Hydra cannot parse bare: `[name=folder/]`."""
    name, _, value = text.partition("=")
    inside = re.fullmatch(r"\s*\[([^'\"\[\]]*)\]\s*", value)
    if inside is None:
        return text
    words = [word.strip() for word in re.findall(r"\{.*?\}(?=\s*(?:,|$))|[^,]+", inside[1])]
    quoted = [word if word.startswith("{") else f"'{word}'" for word in words if word]
    return f"{name}=[{','.join(quoted)}]"


def _use_problem(
    name: str, parsed: Parsed, *, key: ConfigKey | None, command: CommandSpec
) -> Problem | None:
    if parsed.value == "" and key is not None and key.kind == "text":
        return Problem(f"{name} has an empty value.", "write a value, or leave it out.", name)
    if parsed.deletes and name != "experiment":
        if key is None:
            options = ", ".join(f"{name}={option}" for option in command.options[name])
            return Problem(f"The group {name} cannot be removed.", f"choose {options}.", name)
        if key.kind != "table" or key.name == name:
            return Problem(f"{name} cannot be removed.", f"set it instead: {name}=...", name)
    if parsed.several:
        value = parsed.line.partition("=")[2]
        return Problem(
            f"{name}={value} has several values, and one run takes one.",
            f"put quotes around it: '{name}=\"{value}\"'; only `ftdist train -m` and "
            "`ftdist submit -m` take several values, for a run with each.",
            name,
        )
    is_table = key is not None and key.name == name and key.kind == "table"
    if is_table and isinstance(parsed.value, list):
        return _list_problem(name, parsed, command=command)
    return None


def _list_problem(name: str, parsed: Parsed, *, command: CommandSpec) -> Problem:
    """A list in place of a table of chosen names, which Hydra would not merge."""
    shown = parsed.line.partition("=")[2]
    inside = [key for key in config_keys(command) if key.startswith(f"{name}.*.")]
    entry = (inside[0] if inside else f"{name}.*").replace("*", "NAME")
    return Problem(f"{name}={shown} is a list.", f"name each: {entry}=...", name)


def _key_problem(name: str, value: str, *, command: CommandSpec) -> Problem:
    """The problem of an unknown key: a section, or a typing mistake."""
    inside = [key for key in config_keys(command) if key.startswith(f"{name}.")]
    if inside:
        return Problem(
            f"{name} is a section, not a key.", f"set its keys: {', '.join(inside)}.", name
        )
    return unknown_key(name, value=value, command=command)


def _option_problem(name: str, value: Any, *, command: CommandSpec) -> Problem | None:
    options = command.options[name]
    allowed = (*options, "null") if name == "experiment" else tuple(options)
    if name == "experiment" and isinstance(value, list):  # Hydra composes them in this order
        problems = [_option_problem(name, each, command=command) for each in value]
        return next((problem for problem in problems if problem), None)
    shown = "{...}" if isinstance(value, dict) else format_value(value)
    if shown in allowed:
        return None
    folders = [folder.path / name for folder in command.folders or ()]
    if other := next((path for f in folders if (path := f / f"{shown}.yml").is_file()), None):
        remedy = f"rename it to {shown}.yaml."
        return Problem(f"{other} is not read: Hydra reads *.yaml.", remedy, name)
    meant = nearest(shown, allowed, cutoff=0.4)
    path_key = f"{name}.path"
    if meant is None and path_key in config_keys(command):
        return Problem(
            f"{name}={shown} is not an option: did you mean {path_key}={shown}?",
            f"write {path_key}={shown}.",
            path_key,
        )
    hint = f": did you mean {name}={meant}?" if meant else "."
    if reason := OPTIONS_WITHOUT.get(name, {}).get(shown):
        hint = f": {reason}."
    remedy = f"choose one of {', '.join(allowed)}"
    if isinstance(value, dict):
        remedy += f", or set its keys one by one: {name}.KEY=VALUE"
    return Problem(f"{name}={shown} is not an option{hint}", f"{remedy}.", name)
