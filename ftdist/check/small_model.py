"""The model's architecture, made small and random, with the checks that training runs on it.

What decides them is kept: the class, kinds of layers, tied embeddings, caps, scales, norms, rope.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ftdist.check.findings import Finding
from ftdist.data.collate import Batch
from ftdist.errors import ModelError
from ftdist.nn.loss import Loss
from ftdist.nn.model import Head, PackedCausalLM, attention_kernel, build_model
from ftdist.train.model_checks import choose_head

VOCABULARY = 512
_HEAD_WIDTH = 16
_MAX_LAYERS = 8
_MAX_PARAMETERS = 50_000_000
_UNBUILDABLE = (ValueError, TypeError, LookupError, AttributeError, RuntimeError, AssertionError)
"""What transformers and torch raise for sizes that do not fit together."""


def model_findings(folder: Path, *, attention: str, head: str) -> Iterator[Finding]:
    """Packing and the output head, proved on a small random model of the folder's architecture.

    Args:
        folder: with a config.json that transformers knows.
        attention: `model.attention`.
        head: `model.head`.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    devices = {attention_kernel(attention, config, device=name): name for name in ("cpu", "cuda")}
    # By sample where that is what CPUs use; on a CPU, no kernel for GPUs alone can run.
    kernels = [name for name in devices if not name.startswith("flash")]
    results = []
    try:
        for kernel in kernels:
            results.append(_check(folder, attention=attention, device=devices[kernel], head=head))
    except ModelError as error:
        yield Finding(
            check="packed samples", status="failed", message=error.problem, remedy=error.remedy
        )
        return
    except _CannotShrinkError as error:
        yield _not_checked(f"no small model of this architecture can be made: {error}")
        return
    if not results:
        yield _not_checked(f"model.attention={attention} runs on GPUs only")
        return
    names = " and ".join(name.removeprefix("ftdist_") for name in kernels)
    size, chosen, difference = results[0]
    yield Finding(
        check="packed samples",
        status="ok",
        message="Samples in one row do not attend to each other, as shown on a random model of "
        f"this architecture with {size:,} parameters (attention: {names}).",
    )
    fits = chosen == "chunked"
    yield Finding(
        check="output head",
        status="ok",
        message=f"The chunked head gives the model's own loss (relative difference "
        f"{difference:.1e})."
        if fits
        else "Training uses the model's own head, since its logits are capped or scaled or "
        "model.head=model; this takes more memory.",
        other_trainers=""
        if fits
        else "Fused or chunked losses that ignore the cap or scale train something else.",
    )


def _not_checked(reason: str) -> Finding:
    return Finding(
        check="packed samples",
        status="warning",
        message=f"Not checked here: {reason}.",
        remedy="nothing: training checks the model itself before its first step.",
    )


class _CannotShrinkError(Exception):
    """Why no small model can be made."""


class _WholeModel:
    """A model in one process, as the checks want it."""

    def __init__(self, model: nn.Module) -> None:
        self._lm = PackedCausalLM(model).eval()
        self.device = torch.device("cpu")

    @property
    def head(self) -> Head:
        """The output head that computes the loss."""
        return self._lm.head

    @property
    def can_chunk(self) -> bool:
        """Whether the chunked head fits."""
        return self._lm.can_chunk

    def use_head(self, head: Head) -> None:
        """Compute the loss with this head from now on."""
        self._lm.head = head

    def evaluate(self, batch: Batch) -> Loss:
        """Summed loss of a row."""
        with torch.no_grad():
            loss: Loss = self._lm(
                input_ids=batch.input_ids,
                position_ids=batch.position_ids,
                loss_positions=batch.loss_positions,
                targets=batch.targets,
            )
        return loss

    def logits(self, batch: Batch, positions: Tensor) -> Tensor:
        """Logits at `positions` of a row."""
        with torch.no_grad():
            return self._lm.logits(batch.input_ids, batch.position_ids, positions).float()


def _check(folder: Path, *, attention: str, device: str, head: str) -> tuple[int, Head, float]:
    """Parameters of the small model, the head that fits it, and the difference between heads.

    Raises:
        ModelError: as training would, for the model itself.
        _CannotShrinkError: no small model can be made.
    """
    values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    reason = ""
    for narrow in (True, False):
        try:
            small = shrink(values, narrow=narrow)
            model = _build(small, attention=attention, device=device)
            checked = _WholeModel(model)
            difference = choose_head(
                checked, vocab_size=VOCABULARY, dtype="float32", wanted_head=head
            )
        except _UNBUILDABLE as error:
            reason = reason or " ".join(str(error).split())[:200]
            continue
        return sum(p.numel() for p in model.parameters()), checked.head, difference
    raise _CannotShrinkError(reason)


def _build(values: dict[str, Any], *, attention: str, device: str) -> nn.Module:
    def build(folder: str, sharding: AbstractContextManager[Any]) -> Any:
        return build_model(
            folder,
            dtype=torch.float32,
            attention=attention,
            device=device,
            activation_checkpointing=False,
            sharding=sharding,
        )

    with tempfile.TemporaryDirectory(prefix="ftdist-") as folder:
        (Path(folder) / "config.json").write_text(json.dumps(values), encoding="utf-8")
        size = sum(p.numel() for p in build(folder, torch.device("meta")).parameters())
        if size > _MAX_PARAMETERS:
            raise ValueError(f"it would still have {size:,} parameters")
        model: nn.Module = build(folder, nullcontext())
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        _randomise(model)
    return model


def _randomise(model: Any) -> None:
    """Weights as the architecture begins with, but a head whose logits are of ordinary size."""
    for module in model.modules():
        module._is_hf_initialized = False
    model.init_weights()
    # Small logits would hide a cap or a scale, and zero biases a head that leaves them out.
    model.get_output_embeddings().weight.mul_(20.0)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            parameter.normal_(std=0.5)


def shrink(values: dict[str, Any], *, narrow: bool) -> dict[str, Any]:
    """A config.json with few layers and a small vocabulary, and small widths if `narrow`."""
    small = dict(values)
    inner = values.get("text_config")
    if isinstance(inner, dict):
        small["text_config"] = shrink(inner, narrow=narrow)
    _shrink_layers(small)
    _set(small, ("vocab_size",), VOCABULARY)
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        if small.get(name) is not None:
            small[name] = 0
    if narrow:
        _shrink_widths(small)
    return small


def _shrink_layers(small: dict[str, Any]) -> None:
    """Keep one layer of each kind, at least two; lists with an entry per layer go along."""
    name = next((n for n in ("num_hidden_layers", "n_layer", "num_layers") if n in small), None)
    if name is None:
        return
    layers = small[name]
    by_layer = {
        key: value
        for key, value in small.items()
        if isinstance(value, list) and len(value) == layers and layers > 1
    }
    kinds = [json.dumps([value[i] for value in by_layer.values()]) for i in range(layers)]
    kept = sorted({*(kinds.index(kind) for kind in kinds), 0, min(1, layers - 1)})[:_MAX_LAYERS]
    small[name] = len(kept)
    for key, value in by_layer.items():
        small[key] = [value[i] for i in kept]


def _shrink_widths(small: dict[str, Any]) -> None:
    """Few narrow heads, with as many query heads to each key head as before, up to two."""
    heads = next((small[n] for n in ("num_attention_heads", "n_head") if n in small), None)
    if not isinstance(heads, int):
        return
    key_heads = small.get("num_key_value_heads") or heads
    few_keys = min(2, key_heads)
    few = few_keys * min(2, heads // key_heads) if key_heads < heads else min(2, heads)
    before = small.get("head_dim") or small.get("hidden_size", small.get("n_embd", 0)) // heads
    _set(small, ("num_attention_heads", "n_head"), few)
    _set(small, ("num_key_value_heads",), few_keys if key_heads < heads else few)
    _set(small, ("head_dim",), _HEAD_WIDTH)
    _set(small, ("hidden_size", "n_embd", "d_model", "word_embed_proj_dim"), few * _HEAD_WIDTH)
    _set(small, ("intermediate_size", "n_inner", "ffn_dim"), 4 * few * _HEAD_WIDTH)
    for name in ("rope_scaling", "rope_parameters"):
        if isinstance(small.get(name), dict):
            small[name] = _narrow_rope(small[name], before=before)


def _narrow_rope(rope: dict[str, Any], *, before: int) -> dict[str, Any]:
    """Rope with a factor for each pair of a head's dimensions, for narrow heads."""
    return {
        key: [value[0], value[-1]] * (len(value) * _HEAD_WIDTH // before // 2)
        if isinstance(value, list) and key.endswith("_factor")
        else value
        for key, value in rope.items()
    }


def _set(small: dict[str, Any], names: tuple[str, ...], value: int) -> None:
    for name in names:
        if small.get(name) is not None:
            small[name] = value
