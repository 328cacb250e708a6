"""The models of a run, as it trained them: for export, comparison and merge."""

from dataclasses import replace
from pathlib import Path

from ftdist.checkpoint.model_files import config_digests, tokenizer_digests, weight_digests
from ftdist.checkpoint.run_identity import (
    MAX_SHOWN,
    RunIdentity,
    differences,
    refuse_differences,
)
from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError
from ftdist.rundir import RunDir


def small_files(run: RunDir, config: RunConfig) -> Path:
    """The folder with the config, tokenizer and chat template that the run trained with.

    The run's own copy; the base model where that copy was changed. A run without a record has the
    base model alone.

    Raises:
        ConfigError: both were changed since the run began.
    """
    recorded, base = RunIdentity.read(run), Path(config.model.path)
    if recorded is None:
        return base
    if recorded.is_copied(run):
        return run.model
    now = replace(
        recorded,
        model=recorded.weights() | config_digests(base),
        tokenizer=tokenizer_digests(base),
    )
    refuse_differences(run, differences(run, recorded, now, base=base))
    return base


def refuse_changed_base(run: RunDir, config: RunConfig) -> None:
    """Refuse a base model that is not the one that the run began with.

    Raises:
        ConfigError: lists what differs.
    """
    recorded, base = RunIdentity.read(run), Path(config.model.path)
    if recorded is not None:
        now = replace(
            recorded,
            model=config_digests(base) | weight_digests(base),
            tokenizer=tokenizer_digests(base),
        )
        refuse_differences(run, differences(run, recorded, now, base=base))


def refuse_changed_export(run: RunDir) -> None:
    """Refuse an exported model whose files are not those that the export wrote.

    Raises:
        ConfigError: lists what differs.
    """
    exports = [e for e in run.read_events() if e.get("event") == "model_exported"]
    written = exports[-1].get("files") if exports else None
    if written is None:
        return
    now = export_digests(run.export)
    other = [name for name in dict.fromkeys([*written, *now]) if written.get(name) != now.get(name)]
    if other:
        raise ConfigError(
            f"The exported model in {run.export} was changed since it was written: "
            f"{', '.join(other[:MAX_SHOWN])}.",
            remedy=f"run `ftdist export {run.cli_name}` again, or move another model elsewhere.",
        )


def export_digests(folder: Path) -> dict[str, str]:
    """Digests of the files of an exported model that decide what it answers."""
    return config_digests(folder) | tokenizer_digests(folder) | weight_digests(folder)
