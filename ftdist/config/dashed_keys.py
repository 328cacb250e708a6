"""Keys written as flags, as in other trainers: `--model.path=M`, `--learning_rate 1e-5`."""

from collections.abc import Mapping, Sequence

from ftdist.config.aliases import ALIASES, ALIASES_THAT_DIFFER
from ftdist.config.keys import CommandSpec, config_keys, find_key
from ftdist.config.problems import secret_problem
from ftdist.errors import ConfigError

_NO_KEYS = ("--config", "--dry-run", "--resume")


def refuse_dashed_keys(
    words: Sequence[str], *, command: CommandSpec, shorthands: Mapping[str, str]
) -> None:
    """Refuse keys with dashes in one sentence that has the words to write.

    Args:
        words: of the command line.
        command: whose keys are valid.
        shorthands: further names of keys.

    Raises:
        ConfigError: there are such keys.
    """
    queue, written = list(words), list[str]()
    while queue:
        name, equals, value = queue.pop(0).partition("=")
        key = _key_of(name, command=command, shorthands=shorthands)
        if key is None:
            continue
        if not equals and queue and "=" not in queue[0] and not queue[0].startswith("--"):
            value = queue.pop(0)
        if secret_problem(name, value, command=command):
            return  # the check of each word reports it
        if key in command.groups and value not in command.options[key]:
            key = f"{key}.path" if f"{key}.path" in config_keys(command) else key
        written.append(f"{key}={value or '...'}")
    if written:
        is_one = len(written) == 1
        raise ConfigError(
            f"{'A key is' if is_one else 'Keys are'} written without dashes, as KEY=VALUE.",
            remedy=f"write {' '.join(written)}.",
        )


def _key_of(flag: str, *, command: CommandSpec, shorthands: Mapping[str, str]) -> str | None:
    """The key or group that a flag means; None: it means none."""
    if not flag.startswith("--") or flag in _NO_KEYS:
        return None
    name = flag[2:]
    for each in (name, name.replace("-", "_")):
        if each in command.groups or each in shorthands or find_key(each, command=command):
            return each
        alias = ALIASES.get(each)
        if alias and each not in ALIASES_THAT_DIFFER and find_key(alias, command=command):
            return alias
    return None
