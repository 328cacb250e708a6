"""The model's architecture, made small and random, with the checks that training runs on it.

What decides them is chosen: the class, kinds of layers, tied embeddings, caps, scales, norms, rope.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ftdist.check.findings import Finding
from ftdist.data.collate import Batch
from ftdist.errors import ModelError
from ftdist.nn.attention_kernel import MASKED, attention_kernel
from ftdist.nn.loss import Loss
from ftdist.nn.model import Head, PackedCausalLM, build_model
from ftdist.train.model_checks import choose_head

VOCABULARY = 512
_HEAD_WIDTH = 16
_MAX_LAYERS = 8
_MAX_PARAMETERS = 50_000_000
_UNBUILDABLE = (ValueError, TypeError, LookupError, AttributeError, RuntimeError, AssertionError)
"""What transformers and torch raise for sizes that do not fit together."""


@dataclass(frozen=True)
class _Proof:
    """What the checks gave on a small model."""

    parameters: int
    head: Head
    difference: float


def model_findings(folder: Path, *, attention: str, head: str) -> Iterator[Finding]:
    """Packing and the output head, proved on a small random model of the folder's architecture.

    Args:
        folder: with a config.json that transformers knows.
        attention: `model.attention`; for auto, the kernels of CPUs and of GPUs are both checked.
        head: `model.head`.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    kernels = dict.fromkeys(
        attention_kernel(attention, config, device=device, dtype=dtype)
        for device, dtype in (("cpu", torch.float32), ("cuda", torch.bfloat16))
    )
    proofs: dict[str, _Proof] = {}
    refused: dict[str, ModelError] = {}
    unproved: dict[str, str] = {}
    for kernel in kernels:
        try:
            if kernel not in ("by_sample", *MASKED):
                raise _CannotShrinkError("it runs on GPUs only")
            proofs[kernel] = _prove(folder, attention=kernel, head=head)
        except ModelError as error:
            refused[kernel] = error
        except _CannotShrinkError as error:
            unproved[kernel] = str(error)
    yield _of_packing(proofs, refused, unproved)
    if proofs:
        yield _of_head(next(iter(proofs.values())))


def _of_packing(
    proofs: dict[str, _Proof], refused: dict[str, ModelError], unproved: dict[str, str]
) -> Finding:
    check = "packed samples"
    if proofs:
        [size, *_] = (proof.parameters for proof in proofs.values())
        others = "".join(f"; {kernel} was not checked: {why}" for kernel, why in unproved.items())
        return Finding(
            check=check,
            status="ok",
            message="Samples in one row do not attend to each other, as shown on a random model of "
            f"this architecture with {size:,} parameters (attention: {' and '.join(proofs)}"
            f"{others}).",
        )
    if refused:
        [error, *_] = refused.values()
        return Finding(check=check, status="failed", message=error.problem, remedy=error.remedy)
    return Finding(
        check=check,
        status="warning",
        message="Not checked here, since no small model of this architecture can be made: "
        f"{'; '.join(dict.fromkeys(unproved.values()))}.",
        remedy="leave it: training checks the model itself before its first step.",
    )


def _of_head(proof: _Proof) -> Finding:
    if proof.head == "chunked":
        exact = f"up to a relative difference of {proof.difference:.0e}"
        return Finding(
            check="output head",
            status="ok",
            message="The chunked head gives the model's own loss"
            f"{f', {exact}' if proof.difference else ''}.",
        )
    return Finding(
        check="output head",
        status="ok",
        message="Training uses the model's own head, since its logits are capped or scaled, or "
        "model.head=model; this takes more memory.",
        other_trainers="Fused or chunked losses that ignore a cap or scale train something else.",
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
                cu_seqlens=batch.cu_seqlens,
                max_seqlen=batch.max_seqlen,
                loss_positions=batch.loss_positions,
                targets=batch.targets,
            )
        return loss

    def logits(self, batch: Batch, positions: Tensor) -> Tensor:
        """Logits at `positions` of a row."""
        with torch.no_grad():
            return self._lm.logits(
                batch.input_ids,
                batch.position_ids,
                positions,
                cu_seqlens=batch.cu_seqlens,
                max_seqlen=batch.max_seqlen,
            ).float()


def _prove(folder: Path, *, attention: str, head: str) -> _Proof:
    """Run the checks of training on a small model, with narrow layers if they can be narrowed.

    Raises:
        ModelError: as training would, for the model itself.
        _CannotShrinkError: no small model can be made.
    """
    from huggingface_hub.errors import StrictDataclassError

    values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    reason = ""
    for narrow in (True, False):
        try:
            model = _build(shrink(values, narrow=narrow), attention=attention)
            checked = _WholeModel(model)
            difference = choose_head(
                checked, vocab_size=VOCABULARY, dtype="float32", wanted_head=head
            )
        except (*_UNBUILDABLE, StrictDataclassError) as error:
            reason = reason or f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            continue
        return _Proof(sum(p.numel() for p in model.parameters()), checked.head, difference)
    raise _CannotShrinkError(reason)


def _build(values: dict[str, Any], *, attention: str) -> nn.Module:
    def build(folder: str, sharding: AbstractContextManager[Any]) -> Any:
        return build_model(
            folder,
            dtype=torch.float32,
            attention=attention,
            device="cpu",
            activation_checkpointing="none",
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
    small = {
        key: shrink(value, narrow=narrow) if key.endswith("_config") and value else value
        for key, value in values.items()
        if not isinstance(value, dict) or key != "quantization_config"
    }
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
    chosen = sorted({*(kinds.index(kind) for kind in kinds), 0, min(1, layers - 1)})[:_MAX_LAYERS]
    small[name] = len(chosen)
    for key, value in by_layer.items():
        small[key] = [value[i] for i in chosen]


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
