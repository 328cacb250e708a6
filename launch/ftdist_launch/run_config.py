"""The config of an existing run."""

import dataclasses

from ftdist.config.resume_keys import NOTHING_ACCEPTED
from ftdist.config.saved_config import load_config
from ftdist.config.schema import RunConfig
from ftdist.rundir import RunDir


def read_config(run: RunDir) -> RunConfig:
    """The config of a run, without the `resume` keys of an earlier resume.

    Raises:
        StorageError: the file cannot be read, or is damaged.
        ConfigError: it is not a config of this version.
    """
    copy = run.attempt(run.newest_attempt()) / "config.yaml"
    remedy = f"copy {copy} there." if copy.is_file() else "restore it from a backup."
    config = load_config(run.config, remedy=remedy)
    return dataclasses.replace(config, resume=NOTHING_ACCEPTED)
