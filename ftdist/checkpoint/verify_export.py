"""Reloads an exported model and compares its logits with those of the model that was trained."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_file
from torch import Tensor

from ftdist.dist.device import (
    TORCH_DTYPE,
    Dtype,
    OutOfGpuMemory,
    free_memory,
    give_memory_back,
    inference_device,
    torch_device,
)
from ftdist.errors import StorageError
from ftdist.inference.replicas import MEMORY_FACTOR
from ftdist.io.host_memory import available_memory

TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-2}
"""Largest difference of logits, relative to the largest logit, between engine and export."""


@dataclass(frozen=True, kw_only=True)
class Verification:
    """How close an export comes to the model that was trained, or why that is not known."""

    largest_difference: float | None
    """Of the reference logits, relative to the largest one; None: it could not be computed."""

    unchecked: str | None = None
    """Why not, in a sentence."""


WITHOUT_LOGITS = (
    "The exported model was not reloaded and compared with the trained one: its checkpoint was "
    "written beside training, without logits to compare (the last, the best and that of a stop "
    "have them)."
)

DeviceMap = dict[str, Any] | Literal["auto"]


@dataclass(frozen=True, kw_only=True)
class _Placement:
    """Where the weights of a reloaded model lie."""

    device_map: DeviceMap
    max_memory: dict[int | str, int] | None = None
    """Bytes per device, for `auto`: what exceeds them is read from the files layer by layer."""


def verify_export(
    folder: Path,
    reference: Path | None,
    *,
    choice: Literal["auto", "cpu", "cuda"],
    dtype: Dtype,
    trained_dtype: Dtype,
    attention: str,
) -> Verification:
    """Compare an exported model's logits with the engine's.

    It runs on a GPU that has room for it, else over all GPUs, else on the CPU; layer by layer,
    read from its files, where host memory is too small. The model may have been trained on GPUs
    that this process does not see.

    Args:
        folder: of the export.
        reference: file with token ids, positions and the engine's logits there; None: the
            checkpoint has none, and the model is not reloaded.
        choice: `cluster.device`; cpu keeps the check off the GPUs.
        dtype: of the export.
        trained_dtype: in which the engine computed its logits.
        attention: `model.attention`.

    Raises:
        StorageError: parameters are missing, or the difference is more than rounding.
    """
    if reference is None:
        return Verification(largest_difference=None, unchecked=WITHOUT_LOGITS)
    expected = load_file(reference)
    try:
        logits = _logits(folder, expected, choice=choice, dtype=dtype, attention=attention)
    except (ImportError, MemoryError, OSError, RuntimeError, ValueError) as error:
        # What keeps the model from being loaded here need not be wrong with its weights.
        return _not_loaded(error)
    scale = expected["logits"].abs().max().clamp(min=1e-6)
    difference = float((logits - expected["logits"]).abs().max() / scale)
    # Both sides round: the engine computed in the dtype that it was trained in.
    tolerance = max(TOLERANCE[dtype], TOLERANCE[trained_dtype])
    if not difference <= tolerance:
        raise StorageError(
            f"The exported model's logits differ from the trained one's by {difference:.1e} of the "
            f"largest (tolerance {tolerance:.0e}).",
            remedy="report this with the model's config.json; the checkpoint is unharmed.",
        )
    return Verification(largest_difference=difference)


def _not_loaded(error: Exception) -> Verification:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return Verification(
        largest_difference=None,
        unchecked=f"The exported model was not reloaded and compared with the trained one "
        f"({type(error).__name__}: {reason.rstrip('.')}).",
    )


def _logits(
    folder: Path,
    expected: dict[str, Tensor],
    *,
    choice: Literal["auto", "cpu", "cuda"],
    dtype: Dtype,
    attention: str,
) -> Tensor:
    """The reloaded model's logits, at the first placement that has room for it."""
    on_gpus = inference_device(choice) == "cuda"
    placements = possible_placements(
        sum(file.stat().st_size for file in folder.glob("*.safetensors")),
        free_gpu_memory=free_memory() if on_gpus else (),
        host_memory=available_memory(),
    )
    problem: Exception | None = None
    for placement in placements:
        try:
            return _logits_at(placement, folder, expected, dtype=dtype, attention=attention)
        except (OutOfGpuMemory, MemoryError) as error:
            problem = error.with_traceback(None)  # which would hold what has been loaded
        give_memory_back()
    assert problem is not None
    raise problem


def possible_placements(
    weights: int, *, free_gpu_memory: Sequence[int], host_memory: float
) -> Iterator[_Placement]:
    """Where a model of `weights` bytes may be loaded, the fastest first.

    Args:
        weights: of the model.
        free_gpu_memory: bytes of each GPU; of none: the CPU computes.
        host_memory: free bytes.
    """
    needed = MEMORY_FACTOR * weights
    host = int(min(host_memory, 2**62) / MEMORY_FACTOR)
    rooms: dict[int | str, int] = {
        gpu: int(free / MEMORY_FACTOR) for gpu, free in enumerate(free_gpu_memory)
    }
    if rooms:
        fitting = [gpu for gpu, free in enumerate(free_gpu_memory) if free >= needed]
        if fitting:
            yield _Placement(device_map={"": torch_device("cuda", local_rank=fitting[0])})
        yield _Placement(device_map="auto", max_memory={**rooms, "cpu": host})
    if host_memory >= needed:
        yield _Placement(device_map={"": torch_device("cpu", local_rank=0)})
    yield _Placement(device_map={"": "disk"})


def _logits_at(
    placement: _Placement,
    folder: Path,
    expected: dict[str, Tensor],
    *,
    dtype: Dtype,
    attention: str,
) -> Tensor:
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    model: Any
    with tempfile.TemporaryDirectory(prefix="ftdist-") as offload, torch.no_grad():
        model, info = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=TORCH_DTYPE[dtype],
            # As whoever loads it has it, unless the run named a kernel that every device has.
            attn_implementation=attention if attention in ("sdpa", "eager") else None,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
            device_map=placement.device_map,
            max_memory=placement.max_memory,
            offload_folder=offload,
        )
        if info["missing_keys"]:
            raise StorageError(
                f"The exported folder lacks parameters: {', '.join(sorted(info['missing_keys']))}.",
                remedy="report this with the model's config.json.",
            )
        ids = expected["input_ids"]
        if isinstance(placement.device_map, dict) and placement.device_map[""] != "disk":
            ids = ids.to(placement.device_map[""])
        logits: Tensor = model.eval()(input_ids=ids, use_cache=False).logits[0]
        return logits.cpu()[expected["positions"]].float()
