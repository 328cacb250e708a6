"""LLaMA-Factory's dataset_info.json and train YAML as overrides of ftdist."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftdist.config.keys import nearest
from ftdist.config.migrate import llamafactory_keys as keys
from ftdist.config.migrate.draft import Draft, Migration
from ftdist.config.migrate.files import read_mapping
from ftdist.config.migrate.sources import Source, data_path, write_sources
from ftdist.config.migrate.trainer_keys import (
    run_name,
    write_batch,
    write_deepspeed,
    write_intervals,
    write_length,
    write_optimizer,
    write_precision,
    write_schedule,
    write_warmup,
)
from ftdist.errors import ConfigError

TRAINER = "LLaMA-Factory"
INFO = "dataset_info.json"
_DEFAULT_LENGTH = 2048


def convert_dataset(members: Mapping[str, Any], *, path: Path, name: str | None) -> Migration:
    """Turn one entry of a dataset_info.json into overrides.

    Args:
        members: of the file.
        path: of the file; its data is in the same folder.
        name: of the dataset; None: the only one.

    Raises:
        ConfigError: there is no such dataset, or ftdist cannot read it.
    """
    if name is None:
        if len(members) != 1:
            raise ConfigError(
                f"{path} describes {len(members)} datasets.",
                remedy=f"name one, such as --from {path}:{next(iter(members), 'NAME')}.",
            )
        name = next(iter(members))
    draft = Draft(TRAINER, path, {})
    write_sources(draft, [_source(draft, members, path=path, name=name)])
    return draft.finish(nothing_to_set=(), without={}, known=())


def convert_training(members: Mapping[str, Any], *, path: Path, ranks: int | None) -> Migration:
    """Turn a train YAML, and what it names of a dataset_info.json, into overrides.

    Args:
        members: of the YAML file.
        path: of the file, for messages.
        ranks: of the run; None: not known.

    Raises:
        ConfigError: it names no data, or data that ftdist cannot read.
    """
    draft = Draft(TRAINER, path, dict(members))
    stage = draft.text("stage") or "sft"
    if stage in ("rm", "ppo"):
        raise ConfigError(
            f"{path}: stage is {stage}, and ftdist does supervised fine-tuning only.",
            remedy=f"stay with LLaMA-Factory for stage {stage}.",
        )
    _write_model(draft)
    sources = _sources(draft, path=path)
    for source in sources:
        source.preferences = source.preferences or stage in ("dpo", "kto")
    write_sources(draft, sources)
    if prompt := draft.text("default_system"):
        draft.set("library.system_prompt", prompt)
    rate = write_optimizer(draft, name="optim", is_lora=_is_lora(draft))
    steps = write_length(draft, epochs="num_train_epochs", default=3)
    write_schedule(draft, name="lr_scheduler_type", default="linear", rate=rate, steps=steps)
    write_warmup(draft, steps=steps, default=0)
    packing, neat = draft.take("packing"), draft.take("neat_packing")
    write_batch(
        draft,
        sequence_length=int(draft.number("cutoff_len") or _DEFAULT_LENGTH),
        micro="per_device_train_batch_size",
        is_packed=bool(neat or (stage == "pt" if packing is None else packing)),
        ranks=ranks,
    )
    draft.set("library.overlong", "truncate")
    size = draft.number("val_size") or 0
    if size < 1:
        draft.set("library.held_out_fraction", size)
    else:
        draft.remark("val_size", "set library.held_out_fraction to this share of the rows.")
    write_precision(draft)
    write_deepspeed(draft)
    write_intervals(draft)
    _write_tracking(draft)
    return draft.finish(nothing_to_set=keys.NOTHING_TO_SET, without=keys.WITHOUT, known=keys.TAKEN)


def _write_model(draft: Draft) -> None:
    if (model := draft.text("model_name_or_path")) is not None:
        draft.set("model.path", model)
    if (revision := draft.text("model_revision") or "main") != "main":
        draft.set("model.revision", revision)
    disabled = draft.take("disable_gradient_checkpointing")
    draft.set("model.activation_checkpointing", "none" if disabled else "full")
    kernel = draft.text("flash_attn") or "auto"
    if kernel in keys.ATTENTION:
        draft.set("model.attention", keys.ATTENTION[kernel])
    elif kernel != "auto":
        draft.remark("flash_attn", f"ftdist has no attention kernel {kernel}.")


def _is_lora(draft: Draft) -> bool:
    kind = draft.text("finetuning_type") or "lora"
    if kind in ("lora", "oft"):
        draft.remark("finetuning_type", f"{kind}: {keys.WITHOUT['lora_*']}")
    elif kind == "freeze":
        draft.remark("finetuning_type", "freeze: name what is not trained in optim.freeze_params.")
    return kind in ("lora", "oft")


def _sources(draft: Draft, *, path: Path) -> list[Source]:
    listed, folder = draft.texts("dataset"), draft.text("dataset_dir") or "data"
    names = [name.strip() for text in listed for name in text.split(",") if name.strip()]
    if not names:
        raise ConfigError(
            f"{path} names no dataset.", remedy="name a LLaMA-Factory config with `dataset: NAME`."
        )
    if folder == "ONLINE":
        paths = [data_path(name, key="dataset") for name in names]
        return [Source(name=name, path=at) for name, at in zip(names, paths, strict=True)]
    if folder.startswith("REMOTE:"):
        raise ConfigError(
            f"{path}: dataset_dir is {folder}.",
            remedy=f"download that repository's {INFO} and name its folder in dataset_dir.",
        )
    info = Path(folder) / INFO
    if not info.is_file() and (path.parent / folder / INFO).is_file():
        info = path.parent / folder / INFO
    members = read_mapping(info, what=f"a {INFO} of LLaMA-Factory")
    return [_source(draft, members, path=info, name=name) for name in names]


def _source(draft: Draft, members: Mapping[str, Any], *, path: Path, name: str) -> Source:
    """One dataset of a dataset_info.json; adds remarks to the draft."""
    entry = members.get(name)
    if not isinstance(entry, Mapping):
        meant = nearest(name, [str(known) for known in members], cutoff=0.5)
        raise ConfigError(
            f"{path} describes no dataset {name}.",
            remedy=f"did you mean {meant}?" if meant else "name one of its keys.",
        )
    inner = Draft(TRAINER, path, dict(entry), where=f"{name}.")
    source = Source(name=name, path=_path(inner, name=name, path=path))
    source.subset, source.revision = inner.text("subset"), inner.text("revision")
    source.split = inner.text("split") or "train"
    source.preferences = bool(inner.take("ranking"))
    _read_columns(inner, source)
    _read_tags(inner, source)
    ended = inner.finish(
        nothing_to_set=keys.DATASET_NOTHING_TO_SET,
        without=keys.DATASET_WITHOUT,
        known=keys.DATASET_TAKEN,
    )
    for remark in ended.remarks:
        draft.remark(f"{name}.{remark.key}", remark.text)
    return source


def _path(inner: Draft, *, name: str, path: Path) -> str:
    hub, folder = inner.text("hf_hub_url"), inner.text("folder")
    other = {key: inner.take(key) for key in ("ms_hub_url", "om_hub_url", "script_url")}
    cloud, file = inner.text("cloud_file_name"), inner.text("file_name")
    if hub is not None:
        return f"hf://datasets/{hub}/{folder}" if folder else f"hf://datasets/{hub}"
    for key, value in other.items():
        if value is not None:
            raise ConfigError(f"{path}: {name} has {key}, {keys.REFUSED[key]}", remedy=keys.REMEDY)
    if cloud is not None:
        return data_path(cloud, key=f"{name}.cloud_file_name")
    if file is None:
        raise ConfigError(
            f"{path}: {name} has neither file_name nor hf_hub_url.",
            remedy="write file_name: a file or folder beside the description.",
        )
    return data_path(file, base=path.parent, key=f"{name}.file_name")


def _read_columns(inner: Draft, source: Source) -> None:
    formatting, given = inner.text("formatting") or "alpaca", inner.inside("columns")
    texts = {name: given.text(name) for name in list(given.left)}
    columns = {name: text for name, text in texts.items() if text is not None}
    if formatting == "alpaca" and columns and not columns.keys() & {"response", "chosen"}:
        text = columns.pop("prompt", "instruction")  # pre-training: the prompt is all there is
        source.columns = {} if text == "text" else {"text": text}
    known = {
        keys.COLUMNS[theirs][0]: value
        for theirs, value in columns.items()
        if theirs in keys.COLUMNS
    }
    strange = {
        ours
        for theirs, (ours, usual) in keys.COLUMNS.items()
        if columns.get(theirs) not in (None, *usual)
    }
    # With a question or an answer of its own name, ftdist looks at no other column.
    source.columns |= {
        ours: value
        for ours, value in known.items()
        if ours in strange or strange & {"question", "answer"}
    }
    for theirs, value in columns.items():
        if theirs in keys.MEDIA:
            inner.remark(
                f"columns.{theirs}",
                f"ftdist trains text models only; 'library.drop_columns=[{value}]' leaves it out.",
            )
        elif theirs == "kto_tag":
            source.preferences = True
            if value not in keys.KTO_TAGS:
                source.columns["kto_tag"] = value
        elif theirs not in keys.COLUMNS:
            inner.remark(f"columns.{theirs}", "ftdist does not know this kind of column.")


def _read_tags(inner: Draft, source: Source) -> None:
    tags = inner.inside("tags")
    for theirs in list(tags.left):
        value = tags.text(theirs)
        if theirs in keys.TAG_COLUMNS:
            ours, usual = keys.TAG_COLUMNS[theirs]
            if value not in (None, *usual):
                source.columns[ours] = str(value)
        elif theirs not in keys.SPEAKERS:
            inner.remark(f"tags.{theirs}", "ftdist does not know this tag.")
        elif value is not None and value.casefold() not in keys.SPEAKERS[theirs]:
            inner.remark(
                f"tags.{theirs}",
                f"ftdist knows speakers by their names: rename {value} to "
                f"{keys.SPEAKERS[theirs][0]}, unless `ftdist check` reads it.",
            )


def _write_tracking(draft: Draft) -> None:
    if not {"wandb", "all"} & set(draft.texts("report_to")):
        draft.set("tracking", "off")
    name, output = draft.text("run_name"), draft.text("output_dir")
    if chosen := run_name(name, output):
        draft.set("run.name", chosen)
        draft.remark("output_dir", f"the run's folder is run.root/run.name, here runs/{chosen}.")
    if steps := draft.number("early_stopping_steps"):
        draft.set("early_stopping.patience", steps)
        draft.remark(
            "early_stopping_steps",
            "ftdist counts evaluations with probes: set eval.probes_every_steps.",
        )
