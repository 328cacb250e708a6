"""Tell whose config a file is, and turn it into overrides of ftdist."""

from pathlib import Path

from ftdist.config.migrate.axolotl import convert_axolotl
from ftdist.config.migrate.draft import Migration
from ftdist.config.migrate.files import read_mapping
from ftdist.config.migrate.llamafactory import convert_dataset, convert_training
from ftdist.errors import ConfigError

WHAT = "an Axolotl YAML, or a train YAML or dataset_info.json of LLaMA-Factory"

_LLAMAFACTORY = {"model_name_or_path", "stage", "finetuning_type", "dataset", "cutoff_len"}
_AXOLOTL = {"base_model", "datasets", "pretraining_dataset"}
_DATASETS = {"hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name", "file_name"}


def convert(named: str, *, ranks: int | None = None) -> Migration:
    """Turn another trainer's config or dataset description into overrides of ftdist.

    Args:
        named: the file: an Axolotl YAML, a train YAML of LLaMA-Factory, or a dataset_info.json,
            the last with the dataset's name after a colon.
        ranks: of the run, by which `batch.tokens` is multiplied; None: not known.

    Returns:
        the overrides, and what a person has to know about the rest.

    Raises:
        ConfigError: the file cannot be read, or describes nothing that ftdist can train on.
    """
    path, name = _split(named)
    members = read_mapping(path, what=WHAT)
    if members.keys() & _AXOLOTL:
        kind = "axolotl"
    elif members.keys() & _LLAMAFACTORY and not _is_dataset_info(members):
        kind = "llamafactory"
    elif _is_dataset_info(members):
        return convert_dataset(members, path=path, name=name)
    else:
        raise ConfigError(f"{path} is no config that ftdist knows.", remedy=f"name {WHAT}.")
    if name is not None:
        raise ConfigError(
            f"{path} is no dataset_info.json, so {name!r} names nothing in it.",
            remedy=f"write --from {path}.",
        )
    if kind == "axolotl":
        return convert_axolotl(members, path=path, ranks=ranks)
    return convert_training(members, path=path, ranks=ranks)


def _split(named: str) -> tuple[Path, str | None]:
    """The path, and the name behind the last colon unless it is part of the path."""
    path, colon, name = named.rpartition(":")
    if not colon or Path(named).expanduser().exists():
        return Path(named).expanduser(), None
    return Path(path).expanduser(), name


def _is_dataset_info(members: dict[str, object]) -> bool:
    return any(isinstance(entry, dict) and entry.keys() & _DATASETS for entry in members.values())
