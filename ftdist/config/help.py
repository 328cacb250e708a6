"""The text of `ftdist train --help` and its kin: groups, keys, what fits, defaults, meanings."""

from collections.abc import Mapping, Sequence
from typing import Any

from ftdist.config.keys import TRAIN, CommandSpec, config_keys, format_value


def help_text(
    *, groups: Mapping[str, Sequence[str]], values: Mapping[str, Any], command: CommandSpec = TRAIN
) -> str:
    """Groups with their options, then every key with what fits it, its default and its meaning.

    Args:
        groups: groups of `conf/` and their options.
        values: the composed defaults; "???" is a value that only the user can give.
        command: the command whose keys to list.
    """
    options = "[group=option ...] " if groups else ""
    lines = [f"Usage: ftdist {command.verb} {options}[key=value ...]", ""]
    lines += ["Groups:"] if groups else []
    lines += [f"  {group}: {', '.join(options)}" for group, options in groups.items()]
    lines += [""] if groups else []
    lines += ["Keys (a whole number may be written 64k = 64000 or 64Ki = 65536):"]
    for key in config_keys(command).values():
        value: Any = values
        for part in key.name.split("."):
            value = value.get(part, ...) if isinstance(value, Mapping) else ...
        default = (
            "" if value is ... else f" [{'not set' if value == '???' else format_value(value)}]"
        )
        lines.append(f"  {key.name.replace('*', 'NAME')}{default}: {key.fits}")
        lines.append(f"      {key.meaning}")
    sweeps = ", -m (a run for each of key=a,b)" if command is TRAIN else ""
    flags = f"--cfg job, --info defaults{sweeps}, hydra.KEY=VALUE"
    return "\n".join([*lines, "", f"Hydra's own: {flags}", ""])
