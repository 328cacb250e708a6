"""The commands that Hydra composes a config for, each with its schema and its groups."""

import functools
from dataclasses import dataclass
from pathlib import Path

from ftdist.config.schema import RunConfig
from ftdist.config.schema.curate import CurateConfig
from ftdist.errors import ConfigError


def conf_dir() -> Path:
    """The folder of Hydra groups: inside the package when installed, next to it in a checkout.

    Raises:
        ConfigError: the installation lacks it.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "train.yaml").is_file():
            return folder
    raise ConfigError(f"No config found in {package}.", remedy="reinstall ftdist.")


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

    @functools.cached_property
    def options(self) -> dict[str, tuple[str, ...]]:
        """Its groups, each with the names of its options."""
        return {
            name: tuple(sorted(file.stem for file in (conf_dir() / name).glob("*.yaml")))
            for name in self.groups
        }


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
