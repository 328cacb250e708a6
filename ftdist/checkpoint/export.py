"""Exports a committed checkpoint as a Hugging Face model folder, checked by reloading it."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import split_state_dict_into_shards_factory
from torch import Tensor

from ftdist.checkpoint.changed_models import small_files
from ftdist.checkpoint.manifest import Manifest, read_manifest
from ftdist.checkpoint.model_card import model_card, with_note
from ftdist.checkpoint.store import CheckpointStore
from ftdist.checkpoint.verify_export import verify_export
from ftdist.config.saved_config import load_config
from ftdist.config.schema import RunConfig
from ftdist.data.default_template import ensure_chat_template
from ftdist.data.prompt_builder import PromptBuilder
from ftdist.dist.device import TORCH_DTYPE
from ftdist.errors import StorageError
from ftdist.io.atomic_dir import atomic_dir, remove_stale_dirs
from ftdist.io.filesystem import set_modes, storage_errors
from ftdist.io.jsonl import write_whole
from ftdist.io.units import GIB
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir
from ftdist.zero.shard_files import REFERENCE_LOGITS, SavedShards, write_tensors


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What an export made, and how close it came."""

    folder: Path
    step: int
    dtype: str
    largest_difference: float | None
    """Of the reference logits, relative to the largest one; None: it could not be computed."""

    unchecked: str | None
    """Why the exported model could not be compared with the trained one, if so."""


def export(run_dir: Path) -> Exported:
    """Write the best committed checkpoint to `export/` of the run, whole or not at all.

    The newest one where none was measured, or where `export.checkpoint` asks for it.

    Weights are read parameter by parameter from the ranks' shards and written in files of at
    most `export.max_shard_gib`; memory never holds more than one such file. Then plain
    transformers loads the folder and its logits are compared with the engine's; where that is
    impossible, the export stays and says so.

    Args:
        run_dir: of a run with a committed checkpoint.

    Raises:
        ConfigError: the files of the tokenizer have changed, the run's own copy too.
        StorageError: there is no checkpoint, or the reloaded model answers otherwise.
    """
    run = RunDir(run_dir)
    config = load_config(run.config)
    manifest, checkpoint = _choose_checkpoint(run, config)
    dtype = config.export.dtype
    if dtype == "auto":
        dtype = manifest.metadata["dtype"]
    remove_stale_dirs(run.root, name=run.export.name)
    with storage_errors("export to", run.export), atomic_dir(run.export, replace=True) as tmp:
        limit = int(config.export.max_shard_gib * GIB)
        _write_weights(checkpoint, manifest, tmp, dtype=TORCH_DTYPE[dtype], limit_bytes=limit)
        _write_companions(small_files(run, config), tmp, dtype=dtype)
        plan = Plan.from_json(run.plan.read_text())
        write_whole(tmp / "README.md", model_card(run, config, plan, step=manifest.step))
        has_logits = any(record.name == REFERENCE_LOGITS for record in manifest.files)
        verification = verify_export(
            tmp,
            checkpoint / REFERENCE_LOGITS if has_logits else None,
            choice=config.cluster.device,
            dtype=dtype,
            trained_dtype=manifest.metadata["dtype"],
            attention=config.model.attention,
        )
        if verification.unchecked is not None:
            card = tmp / "README.md"
            write_whole(card, with_note(card.read_text(encoding="utf-8"), verification.unchecked))
        set_modes(tmp, private=config.run.private)
    return Exported(
        folder=run.export,
        step=manifest.step,
        dtype=dtype,
        largest_difference=verification.largest_difference,
        unchecked=verification.unchecked,
    )


def _choose_checkpoint(run: RunDir, config: RunConfig) -> tuple[Manifest, Path]:
    store = CheckpointStore(run.checkpoints, keep=config.checkpoint.keep_latest)

    def on_damaged(path: Path, why: str) -> None:
        run.append_event("checkpoint_corrupt", path=str(path), problem=why)

    best = store.best_verified(on_damaged) if config.export.checkpoint == "best" else None
    chosen = best or store.latest_verified(on_damaged)
    if chosen is None:
        raise StorageError(
            f"Run {run.name} has no committed checkpoint.",
            remedy=f"let it train first: ftdist resume {run.name}.",
        )
    return read_manifest(chosen.path), chosen.path


def _write_weights(
    checkpoint: Path, manifest: Manifest, folder: Path, *, dtype: torch.dtype, limit_bytes: int
) -> None:
    files = split_state_dict_into_shards_factory(
        manifest.metadata["shapes"],
        get_storage_size=lambda shape: math.prod(shape) * dtype.itemsize,
        filename_pattern="model{suffix}.safetensors",
        max_shard_size=limit_bytes,
    )
    for file, names in files.filename_to_tensors.items():
        tensors = dict(_unsharded(checkpoint, manifest, names, dtype=dtype))
        write_tensors(tensors, folder / file)
    if files.is_sharded:
        index = {"metadata": files.metadata, "weight_map": files.tensor_to_filename}
        write_whole(folder / "model.safetensors.index.json", json.dumps(index, indent=2) + "\n")


def _unsharded(
    checkpoint: Path, manifest: Manifest, names: list[str], *, dtype: torch.dtype
) -> Iterator[tuple[str, Tensor]]:
    """Parameters put together from the master shards of all ranks, one at a time."""
    shards = SavedShards(checkpoint, "master", world_size=manifest.metadata["world_size"])
    for name in names:
        shape = manifest.metadata["shapes"][name]
        size = math.prod(shape)
        values = shards.read(name, start=0, stop=size, elements=size, dtype=dtype)
        yield name, values.reshape(shape)


def _write_companions(base: Path, folder: Path, *, dtype: str) -> None:
    """Write the config, tokenizer and chat template that the run trained with."""
    from transformers import AutoConfig, AutoTokenizer

    model_config = AutoConfig.from_pretrained(base, trust_remote_code=False)
    model_config.dtype = TORCH_DTYPE[dtype]
    model_config.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(base, trust_remote_code=False)
    ensure_chat_template(tokenizer)
    tokenizer.save_pretrained(folder)
    _generation_config(base, model_config, tokenizer).save_pretrained(folder)


def _generation_config(base: Path, model_config: Any, tokenizer: Any) -> Any:
    """The base's, which names every token that ends an answer, the chat template's among them.

    Base models often bring a chat template that ends its turns with a token of its own. Training
    taught it; whoever generates has to stop there.
    """
    from transformers import GenerationConfig

    if (base / "generation_config.json").is_file():
        config = GenerationConfig.from_pretrained(base)
    else:
        config = GenerationConfig.from_model_config(model_config)
    ends = PromptBuilder(tokenizer, system_prompt=None).ends(config.eos_token_id)
    config.eos_token_id = ends if len(ends) > 1 else ends[0] if ends else None
    return config
