"""Axolotl's YAML as overrides of ftdist."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftdist.config.migrate import axolotl_keys as keys
from ftdist.config.migrate.draft import Draft, Migration
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

_DEFAULT_LENGTH = 512
_DEFAULT_WARMUP = 0.03
"""Of the steps; Axolotl stops at 100 steps."""


def convert_axolotl(members: Mapping[str, Any], *, path: Path, ranks: int | None) -> Migration:
    """Turn an Axolotl config into overrides.

    Args:
        members: of the YAML file.
        path: of the file, for messages.
        ranks: of the run; None: not known.

    Raises:
        ConfigError: it names no data, or data that ftdist cannot read.
    """
    draft = Draft("Axolotl", path, dict(members))
    _write_model(draft)
    if draft.left.get("chat_template") == "tokenizer_default":
        del draft.left["chat_template"]
    preferences = _method(draft)
    write_sources(draft, _sources(draft, preferences=preferences))
    if prompt := draft.text("default_system_message"):
        draft.set("library.system_prompt", prompt)
    is_lora = bool(draft.left.get("adapter"))
    rate = write_optimizer(draft, name="optimizer", is_lora=is_lora)
    steps = write_length(draft, epochs="num_epochs", default=1)
    write_schedule(draft, name="lr_scheduler", default="cosine", rate=rate, steps=steps)
    write_warmup(draft, steps=steps, default=_DEFAULT_WARMUP)
    _write_sequences(draft, ranks=ranks)
    write_precision(draft)
    write_deepspeed(draft)
    write_intervals(draft)
    _write_tracking(draft)
    return draft.finish(nothing_to_set=keys.NOTHING_TO_SET, without=keys.WITHOUT, known=keys.TAKEN)


def _write_model(draft: Draft) -> None:
    if (model := draft.text("base_model")) is not None:
        draft.set("model.path", model)
    if revision := draft.text("revision_of_model"):
        draft.set("model.revision", revision)
    checkpointing = draft.take("gradient_checkpointing")
    draft.set("model.activation_checkpointing", "full" if checkpointing else "none")
    if isinstance(checkpointing, str):
        draft.remark("gradient_checkpointing", "ftdist recomputes activations, on the GPU.")
    named = draft.text("attn_implementation") or ""
    for key, name in keys.ATTENTION.items():
        if draft.take(key):
            named = name
    if named in ("sdpa", "eager", "flash_attention_2"):
        draft.set("model.attention", named)
    elif named:
        draft.remark(
            "attn_implementation",
            f"ftdist has no attention kernel {named}; model.attention=auto chooses one.",
        )


def _method(draft: Draft) -> bool:
    """Whether the data holds preferences; refuses what teaches no answers."""
    method = draft.text("rl")
    if method in ("dpo", "ipo", "orpo", "simpo", "kto"):
        return True
    if method is not None:
        raise ConfigError(
            f"{draft.path}: rl is {method}, and ftdist does supervised fine-tuning only.",
            remedy="stay with Axolotl for reinforcement learning.",
        )
    return False


def _sources(draft: Draft, *, preferences: bool) -> list[Source]:
    entries = draft.take("datasets", "pretraining_dataset")
    entries = entries if isinstance(entries, list) else [entries]
    if not entries or not all(isinstance(entry, Mapping) for entry in entries):
        raise ConfigError(
            f"{draft.path}: datasets is no list of datasets, each with a path.",
            remedy="name an Axolotl config with datasets, such as `datasets: [{path: ...}]`.",
        )
    return [
        _source(draft, dict(entry), number=number, preferences=preferences)
        for number, entry in enumerate(entries)
    ]


def _source(draft: Draft, entry: dict[str, Any], *, number: int, preferences: bool) -> Source:
    where = f"datasets[{number}]"
    inner = Draft(draft.trainer, draft.path, entry, where=f"{where}.")
    path = inner.text("path")
    if path is None:
        raise ConfigError(
            f"{draft.path}: {where} has no path.", remedy="name the file, folder or Hub dataset."
        )
    source = Source(name=Path(path).stem, path=_path(inner, path, where=f"{where}.path"))
    source.preferences = preferences
    source.subset, source.split = inner.text("name"), inner.text("split")
    source.revision = inner.text("revision")
    _read_columns(inner, source)
    _read_type(inner, source)
    if inner.left.get("chat_template") == "tokenizer_default":
        del inner.left["chat_template"]
    _read_training(inner)
    ended = inner.finish(
        nothing_to_set=keys.DATASET_NOTHING_TO_SET,
        without=keys.DATASET_WITHOUT,
        known=keys.DATASET_TAKEN,
    )
    for remark in ended.remarks:
        draft.remark(f"{where}.{remark.key}", remark.text)
    for key, value in ended.overrides.items():
        draft.overrides.setdefault(key, value)
    return source


def _path(inner: Draft, path: str, *, where: str) -> str:
    """The path with its `data_files`."""
    files = inner.texts("data_files")
    if len(files) > 1:
        inner.remark(
            "data_files",
            f"ftdist takes one path: put these {len(files)} files into a folder and name it in "
            "library.path.",
        )
    if not files:
        return data_path(path, key=where)
    first = files[0]
    if path in keys.BUILDERS:
        return data_path(first, key=where)
    root = data_path(path, key=where)
    return first if Path(first).exists() else f"{root}/{first}"


def _read_columns(inner: Draft, source: Source) -> None:
    for theirs, (ours, usual) in keys.COLUMNS.items():
        value = inner.text(*theirs.split())
        if value is not None and value not in usual:
            source.columns[ours] = value
    thinking = inner.text("field_thinking")
    if thinking not in (None, *keys.THINKING):
        inner.remark("field_thinking", f"rename {thinking} in the messages to reasoning_content.")
    mapping = inner.inside("message_property_mappings")
    for name in list(mapping.left):
        value = mapping.text(name)
        if name in keys.MESSAGE_KEYS:
            if value not in (None, *keys.MESSAGE_KEYS[name]):
                source.columns[name] = str(value)
        elif value not in (None, name):
            inner.remark(
                f"message_property_mappings.{name}",
                f"ftdist calls this {name}: rename {value} in the messages.",
            )


def _read_type(inner: Draft, source: Source) -> None:
    """Read `type`: a name of Axolotl's, or a prompt of the user's own."""
    if isinstance(inner.left.get("type"), Mapping):
        _read_prompter(inner, source)
        return
    name = inner.text("type") or ""
    base = name.split(".")[0].split(":")[0]
    if name in keys.TYPE_COLUMNS:
        source.columns = {**keys.TYPE_COLUMNS[name], **source.columns}
    elif base not in keys.READ_TYPES and not source.preferences:
        inner.remark(
            "type",
            f"ftdist tells the form of a row by its keys and has no type {name}: check with "
            "`ftdist check` that it reads the rows as meant.",
        )


def _read_prompter(inner: Draft, source: Source) -> None:
    kind = inner.inside("type")
    for theirs, ours in keys.PROMPTER.items():
        if (value := kind.text(theirs)) is not None:
            source.columns[ours] = value
    if source.preferences and source.columns:
        source.columns = {**keys.PREFERENCE_COLUMNS, **source.columns}
    if prompt := kind.text("system_prompt"):
        inner.set("library.system_prompt", prompt)
    for name, value in kind.left.items():
        if name.endswith("format") and value:
            inner.remark(
                f"type.{name}", "ftdist writes every prompt with the model's chat template."
            )
        elif value:
            inner.remark(f"type.{name}", "ftdist does not know this key of a type.")


def _read_training(inner: Draft) -> None:
    """Read what is learned of a conversation."""
    if set(inner.texts("roles_to_train")) - {"assistant", "gpt"}:
        inner.remark("roles_to_train", "ftdist learns what the assistant says, and nothing else.")
    eos = inner.take("train_on_eos")
    if eos in ("all", "last"):
        inner.remark("train_on_eos", "ftdist learns the end of turn of every answer it learns.")
    flag = inner.text("message_field_training")
    if flag is not None and flag not in keys.TRAINING_FLAGS:
        inner.remark("message_field_training", f"rename {flag} in the messages to weight (0 or 1).")
    roles = inner.inside("roles")
    for target in list(roles.left):
        strange = [name for name in roles.texts(target) if name not in keys.SPEAKERS]
        if strange:
            inner.remark(
                f"roles.{target}",
                f"ftdist knows speakers by their names: rename {', '.join(strange)} to {target}, "
                "unless `ftdist check` reads it.",
            )


def _write_sequences(draft: Draft, *, ranks: int | None) -> None:
    packing = draft.take("sample_packing", "pretraining_sample_concatenation")
    length = int(draft.number("sequence_len") or _DEFAULT_LENGTH)
    total = draft.number("batch_size")  # of one GPU
    if total and not draft.left.get("gradient_accumulation_steps"):
        rows = draft.number("micro_batch_size") or 1
        draft.left |= {"micro_batch_size": rows, "gradient_accumulation_steps": total // rows}
    shared_by = int(draft.number("context_parallel_size", "sequence_parallel_degree") or 1)
    if shared_by > 1:
        draft.set("batch.sequence_parallel_size", shared_by)
    write_batch(
        draft,
        sequence_length=length,
        micro="micro_batch_size",
        is_packed=bool(packing),
        ranks=None if ranks is None else max(1, ranks // shared_by),
    )
    strategy = draft.text("excess_length_strategy") or "drop"
    overlong = {"raise": "error", "truncate": "truncate"}.get(strategy, "drop")
    draft.set("library.overlong", overlong)
    size = draft.number("val_set_size") or 0
    if size < 1:
        draft.set("library.held_out_fraction", size)
    else:
        draft.remark("val_set_size", "set library.held_out_fraction to this share of the rows.")


def _write_tracking(draft: Draft) -> None:
    mode, use = draft.text("wandb_mode"), draft.take("use_wandb")
    project, name = draft.text("wandb_project"), draft.text("wandb_name")
    output = draft.text("output_dir")
    if mode == "disabled" or use is False or not (project or use or mode):
        draft.set("tracking", "off")
    elif mode in ("offline", "online"):
        draft.set("tracking", mode)
    if project:
        draft.set("tracking.project", project)
    if entity := draft.text("wandb_entity"):
        draft.set("tracking.entity", entity)
    if chosen := run_name(name, output):
        draft.set("run.name", chosen)
        draft.remark("output_dir", f"the run's folder is run.root/run.name, here runs/{chosen}.")
    patience = draft.number("early_stopping_patience")
    if patience:
        draft.set("early_stopping.patience", patience)
        draft.remark(
            "early_stopping_patience",
            "ftdist counts evaluations with probes: set eval.probes_every_steps.",
        )
