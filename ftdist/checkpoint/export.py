"""Exports a committed checkpoint as a Hugging Face model folder, checked by reloading it."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import split_state_dict_into_shards_factory
from safetensors.torch import load_file
from torch import Tensor

from ftdist.checkpoint.manifest import Manifest, read_manifest
from ftdist.checkpoint.model_card import model_card
from ftdist.checkpoint.store import CheckpointStore
from ftdist.config.saved_config import load_config
from ftdist.config.schema import RunConfig
from ftdist.data.default_template import ensure_chat_template
from ftdist.data.prompt_builder import PromptBuilder
from ftdist.dist.device import TORCH_DTYPE, choose_device
from ftdist.errors import StorageError
from ftdist.io.atomic_dir import atomic_dir, remove_stale_dirs
from ftdist.io.filesystem import set_modes, storage_errors
from ftdist.io.jsonl import write_whole
from ftdist.io.units import GIB
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir
from ftdist.zero.shard_files import REFERENCE_LOGITS, SavedShards, write_tensors

TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-2}
"""Largest difference of logits, relative to the largest logit, between engine and export."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What an export made, and how close it came."""

    folder: Path
    step: int
    dtype: str
    largest_difference: float
    """Of the reference logits, relative to the largest one."""


def export(run_dir: Path) -> Exported:
    """Write the best committed checkpoint to `export/` of the run, whole or not at all.

    The newest one where none was measured, or where `export.checkpoint` asks for it.

    Weights are read parameter by parameter from the ranks' shards and written in files of at
    most `export.max_shard_gib`; memory never holds more than one such file. Then plain
    transformers loads the folder and its logits are compared with the engine's.

    Args:
        run_dir: of a run with a committed checkpoint.

    Raises:
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
        _write_companions(config, tmp, dtype=dtype)
        plan = Plan.from_json(run.plan.read_text())
        write_whole(tmp / "README.md", model_card(run, config, plan, step=manifest.step))
        difference = _check(checkpoint, tmp, config, dtype=dtype)
        set_modes(tmp, private=config.run.private)
    return Exported(
        folder=run.export, step=manifest.step, dtype=dtype, largest_difference=difference
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


def _write_companions(config: RunConfig, folder: Path, *, dtype: str) -> None:
    from transformers import AutoConfig, AutoTokenizer

    base = Path(config.model.path)
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


def _check(checkpoint: Path, folder: Path, config: RunConfig, *, dtype: str) -> float:
    """Largest relative difference between the reloaded model's logits and the engine's.

    Raises:
        StorageError: parameters are missing, or the difference is more than rounding.
    """
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    device = choose_device(config.cluster.device)
    model: Any
    model, info = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=TORCH_DTYPE[dtype],
        # As whoever loads it has it, unless the run chose a kernel that runs everywhere.
        attn_implementation=config.model.attention
        if config.model.attention in ("sdpa", "eager")
        else None,
        trust_remote_code=False,
        use_safetensors=True,
        output_loading_info=True,
    )
    if info["missing_keys"]:
        raise StorageError(
            f"The exported folder lacks parameters: {', '.join(sorted(info['missing_keys']))}.",
            remedy="report this with the model's config.json.",
        )
    reference = load_file(checkpoint / REFERENCE_LOGITS)
    model.eval().to(device)
    with torch.no_grad():
        logits = model(input_ids=reference["input_ids"].to(device), use_cache=False).logits[0]
    exported = logits[reference["positions"].to(device)].float().cpu()
    scale = reference["logits"].abs().max().clamp(min=1e-6)
    difference = float((exported - reference["logits"]).abs().max() / scale)
    # Both sides round: the engine computed in the dtype that it was trained in.
    tolerance = max(TOLERANCE[dtype], TOLERANCE[read_manifest(checkpoint).metadata["dtype"]])
    if not difference <= tolerance:
        raise StorageError(
            f"The exported model's logits differ from the trained one's by {difference:.1e} of the "
            f"largest (tolerance {tolerance:.0e}).",
            remedy="report this with the model's config.json; the checkpoint is unharmed.",
        )
    return difference
