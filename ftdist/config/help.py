"""The text of `ftdist train --help`: groups, keys, what fits, defaults, meanings."""

from collections.abc import Mapping, Sequence
from typing import Any

from ftdist.config.fields import config_keys
from ftdist.config.problems import show


def help_text(*, groups: Mapping[str, Sequence[str]], values: Mapping[str, Any]) -> str:
    """Groups with their options, then every key with what fits it, its default and its meaning.

    Args:
        groups: groups of `conf/` and their options.
        values: the composed defaults; "???" is a value that only the user can give.
    """
    lines = ["Usage: ftdist train [group=option ...] [key=value ...]", "", "Groups:"]
    lines += [f"  {group}: {', '.join(options)}" for group, options in groups.items()]
    lines += ["", "Keys (a whole number may be written 64k = 64000 or 64Ki = 65536):"]
    for key in config_keys().values():
        value: Any = values
        for part in key.name.split("."):
            value = value.get(part, ...) if isinstance(value, Mapping) else ...
        default = "" if value is ... else f" [{'not set' if value == '???' else show(value)}]"
        lines.append(f"  {key.name.replace('*', 'NAME')}{default}: {key.fits}")
        lines.append(f"      {key.meaning}")
    flags = "--cfg job, --info defaults, -m (a run for each of key=a,b), hydra.KEY=VALUE"
    return "\n".join([*lines, "", f"Hydra's own: {flags}", ""])
