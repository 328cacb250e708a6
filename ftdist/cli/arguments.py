"""What the verbs that name a run have in common."""

import sys
from collections.abc import Sequence
from pathlib import Path

from ftdist.errors import ConfigError
from ftdist.rundir import RunDir, find_run

RUNS_ROOT = Path("runs")


def wants_help(words: Sequence[str], text: str) -> bool:
    """Print a verb's help where it is asked for; tell whether it was."""
    if "--help" in words or "-h" in words:
        sys.stdout.write(text)
        return True
    return False


def named_run(words: Sequence[str], *, verb: str) -> tuple[RunDir, list[str]]:
    """The run that the first word names, and the overrides after it.

    `run.root=DIR` among them says where runs are, if not in `runs`.

    Raises:
        ConfigError: no run is named, or there is none of that name.
    """
    names = [word for word in words if "=" not in word]
    overrides = [word for word in words if "=" in word]
    roots = [word.partition("=")[2] for word in overrides if word.startswith("run.root=")]
    overrides = [word for word in overrides if not word.startswith("run.root=")]
    if len(names) != 1:
        said = f"{len(names)} runs ({', '.join(names)})" if names else "no run"
        raise ConfigError(
            f"`ftdist {verb}` was given {said}.", remedy=f"name one run: `ftdist {verb} R`."
        )
    return find_run(names[0], runs_root=Path(roots[-1]) if roots else RUNS_ROOT), overrides


def say(words: str) -> None:
    """Tell the user something beside the results: on stderr."""
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()
