"""The error of a run that exists already."""

from ftdist.errors import ConfigError
from ftdist.rundir import RunDir
from ftdist_launch.lock import read_holder


def run_exists(run: RunDir) -> ConfigError:
    """The error of a run that is to be made and exists, with who works on it."""
    problem = f"Run {run.name} already exists in {run.root}"
    if (holder := read_holder(run)) is not None:
        return ConfigError(
            f"{problem}, and {holder} works on it.",
            remedy=f"watch it with `ftdist watch {run.name}`, or set another run.name.",
        )
    if not run.exists():
        return ConfigError(
            f"{problem}, without a config: another `ftdist` is making it, or was killed meanwhile.",
            remedy="set another run.name, or delete the folder if no `ftdist` works there.",
        )
    return ConfigError(
        f"{problem}.",
        remedy=f"continue it with `ftdist resume {run.name}`, or set another run.name.",
    )
