"""`ftdist explain`: the meaning of a config key, its valid values, and where its value is set."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftdist.cli.common import CommandParser, print_result, refuse_secrets
from ftdist.config.aliases import ALIASES, ALIASES_THAT_DIFFER
from ftdist.config.compose import MISSING
from ftdist.config.hydra_adapter import CompositionError
from ftdist.config.keys import (
    CURATE,
    TRAIN,
    CommandSpec,
    ConfigKey,
    config_keys,
    find_key,
    nearest,
    nearest_key,
)
from ftdist.config.origins import Setting, settings_of
from ftdist.config.saved_config import load_config
from ftdist.config.validation import look_up
from ftdist.config.values import format_value
from ftdist.errors import ConfigError
from ftdist.plan.plan import Plan
from ftdist.rundir import RUNS_ROOT, RunDir, find_run

DESCRIPTION = """\
Explain a config key: its meaning, its valid values, its default, and which file or override sets
it. With the keys of a command line (`experiment=expert`), as that command line would set it; with
a run, its value in that run. A section, such as optim, lists its keys."""


def main(arguments: Sequence[str]) -> int:
    """Explain one key or section.

    Raises:
        ConfigError: there is no such key or run, or Hydra cannot compose the overrides.
    """
    parser = CommandParser("explain", description=DESCRIPTION)
    parser.add_argument("key", help="a config key, or a section such as optim")
    parser.add_argument("where", nargs="*", metavar="R | key=value", help="a run, or overrides")
    parser.add_argument("--json", action="store_true", help="print JSON")
    flags = parser.parse_intermixed_args(arguments)
    refuse_secrets([flags.key, *flags.where])
    command = _command_of(flags.key)
    key = find_key(flags.key, command=command)
    if key is None:
        print_result(_section(flags.key, command=command, as_json=flags.json))
        return 0
    runs = [word for word in flags.where if "=" not in word]
    overrides = [word for word in flags.where if "=" in word]
    try:
        settings = settings_of(flags.key, overrides, command=command)
    except CompositionError as error:
        raise ConfigError(
            f"Hydra cannot compose this: {error}", remedy="change what it names."
        ) from None
    found = [find_run(each, runs_root=RUNS_ROOT, only_reads=True) for each in runs]
    explanation = Explanation(
        name=flags.key,
        key=key,
        settings=tuple(settings),
        runs={run.name: _value_in(run, flags.key) for run in found},
        reasons={run.name: reason for run in found if (reason := _reason_in(run, flags.key))},
    )
    print_result(explanation.as_json() if flags.json else explanation.as_text())
    return 0


def _command_of(name: str) -> CommandSpec:
    """The command whose key or section this is; training before curation."""
    for command in (TRAIN, CURATE):
        if find_key(name, command=command) or _keys_of(name, command=command):
            return command
    bare = name.rpartition(".")[2]
    if bare in ALIASES_THAT_DIFFER:
        raise ConfigError(f"{name} is not a key of the config.", remedy=ALIASES_THAT_DIFFER[bare])
    candidates = filter(None, (nearest_key(name), nearest_key(name, command=CURATE)))
    near = nearest(name, candidates, cutoff=0)
    raise ConfigError(
        f"{name} is not a key of the config.",
        remedy=f"write `ftdist explain {near}`."
        if near
        else "see `ftdist train --help` and `ftdist curate --help` for all keys.",
    )


def _keys_of(section: str, *, command: CommandSpec) -> list[ConfigKey]:
    keys = config_keys(command).values()
    return [key for key in keys if key.name.startswith(f"{section}.")]


def _section(name: str, *, command: CommandSpec, as_json: bool) -> str:
    keys = _keys_of(name, command=command)
    if as_json:
        return json.dumps({key.name: key.meaning for key in keys})
    lines = [f"{name}: {len(keys)} keys of `ftdist {command.verb}`"]
    lines += [f"  {key.name}: {_first_sentence(key.meaning)}" for key in keys]
    if name in command.options:
        lines.append(f"Options: {', '.join(f'{name}={each}' for each in command.options[name])}")
    return "\n".join(lines)


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].removesuffix(".") + "."


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What is known about one key."""

    name: str
    key: ConfigKey
    settings: tuple[Setting, ...]
    """Every place that sets it, the one that holds last."""

    runs: dict[str, Any]
    """Its value in each run that was named."""

    reasons: dict[str, str]
    """Why the plan of such a run chose it."""

    def as_text(self) -> str:
        """For a terminal."""
        lines = [f"{self.name}: {self.key.meaning}", f"  valid    {self.key.fits}"]
        for index, setting in enumerate(self.settings):
            label = "default" if index == 0 else "set to"
            lines.append(f"  {label:<8} {_shown(setting.value)}, from {setting.origin}")
        if not self.settings:
            lines.append("  default  not set")
        for run, value in self.runs.items():
            lines.append(f"  in run   {run}: {_shown(value)}")
            if reason := self.reasons.get(run):
                lines.append(f"           chosen by the plan: {reason}")
        others = sorted(alias for alias, meant in ALIASES.items() if meant == self.key.name)
        if others:
            lines.append(f"  known as {', '.join(others)}")
        if len(self.settings) > 1:
            lines.append(f"  holds    {_shown(self.settings[-1].value)}")
        lines.append(f"  used by  ftdist {', '.join(_verbs(self.name))}")
        return "\n".join(lines)

    def as_json(self) -> str:
        """For scripts."""
        settings = [dataclasses.asdict(setting) for setting in self.settings]
        fields = {"key": self.name, "meaning": self.key.meaning, "valid": self.key.fits}
        return json.dumps(
            {**fields, "settings": settings, "runs": self.runs, "reasons": self.reasons}
        )


def _shown(value: Any) -> str:
    return "not set" if value == MISSING else format_value(value)


def _verbs(name: str) -> list[str]:
    """The commands that take a key where a run or a library is made."""
    verbs = ["train", "expert", "plan", "submit", "sweep"] if find_key(name) else []
    if find_key(name, command=CURATE):
        verbs = [*verbs[:1], "curate", *(verbs[1:] or ["expert"])]
    return verbs


def _value_in(run: RunDir, name: str) -> Any:
    value = look_up(dataclasses.asdict(load_config(Path(run.config))), name)
    return None if value is ... else value


def _reason_in(run: RunDir, name: str) -> str:
    """Why the plan of a run chose this value; empty if it did not."""
    try:
        plan = Plan.from_json(run.plan.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, KeyError):
        return ""  # not planned yet, or of another version
    return next((choice.reason for choice in plan.choices if choice.key == name), "")
