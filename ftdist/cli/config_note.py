"""Tell which of the user's own config files took part: those of `conf/` are used without a flag."""

from collections.abc import Iterable, Sequence

from ftdist.cli.common import log
from ftdist.config.keys import TRAIN, CommandSpec
from ftdist.config.origins import user_files


def log_user_files(command_lines: Iterable[Sequence[str]], *, command: CommandSpec = TRAIN) -> None:
    """Log the user's own config files of some command lines, each once; nothing without any.

    Args:
        command_lines: words of each, without flags other than `--config-dir`.
        command: whose config they compose.
    """
    log_files(file for words in command_lines for file in user_files(words, command=command))


def log_files(files: Iterable[str]) -> None:
    """Log config files, each once; nothing without any."""
    if names := list(dict.fromkeys(files)):
        log(f"Your own config files take part: {', '.join(names)}.")
