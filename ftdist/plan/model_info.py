"""Sizes of a base model, read from config.json and the safetensors headers, without torch."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftdist.errors import ModelError
from ftdist.plan.layer_shape import LayerShape, guessed_layer_shape, read_layer_shape
from ftdist.plan.stored_tensors import locate_tensors

_HIDDEN = ("hidden_size", "n_embd", "d_model")
_LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
_HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
_KEY_VALUE_HEADS = ("num_key_value_heads", "num_kv_heads")
_POSITIONS = ("max_position_embeddings", "n_positions", "max_sequence_length", "n_ctx")

_EXPERTS = (
    "num_local_experts",
    "num_experts",
    "n_routed_experts",
    "moe_num_experts",
    "n_experts",
    "num_routed_experts",
)
_EMBEDDINGS = (
    "embed_tokens.weight",
    "wte.weight",
    "word_embeddings.weight",
    "embed_in.weight",
    "tok_embeddings.weight",
)
"""Name endings of the input embedding in the usual families."""


def model_name(folder: str) -> str:
    """The usual name of the model in a folder: `owner/name` for one from the hub."""
    parts = Path(folder).parts
    if len(parts) > 2 and parts[-2] == "snapshots" and parts[-3].startswith("models--"):
        return parts[-3].removeprefix("models--").replace("--", "/")
    return Path(folder).name


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """Sizes of a base model."""

    parameters: int
    """All elements in its files; a tied head counts once."""

    largest_parameter: int
    """Elements of the largest single parameter."""

    hidden_size: int
    layers: int
    vocab_size: int

    max_position: int | None
    """Its maximum position count; None: the config does not set one."""

    model_type: str
    tied: bool
    """Whether the output head is the input embedding."""

    attention_heads: int | None = None
    """None: the config does not set their number."""

    key_value_heads: int | None = None
    """Fewer than `attention_heads` with grouped-query attention."""

    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Shapes of the tensors in its files, by name."""

    layer: LayerShape | None = None
    """What its layers are made of; None: only the sizes above are known."""

    @property
    def layer_shape(self) -> LayerShape:
        """What its layers are made of, or a guess."""
        return self.layer or guessed_layer_shape(self.hidden_size)

    @property
    def embedding(self) -> str | None:
        """Name of the input embedding in its files; None: it has no usual name."""
        names = (name for name in self.shapes if name.endswith(_EMBEDDINGS))
        return next((name for name in names if len(self.shapes[name]) == 2), None)

    @property
    def embedding_rows(self) -> int:
        """How many token ids it knows."""
        name = self.embedding
        return self.vocab_size if name is None else self.shapes[name][0]


def read_model_info(path: Path) -> ModelInfo:
    """Sizes of the model in the folder `path`.

    Raises:
        ModelError: no such folder, no config.json, no safetensors, or a damaged header.
    """
    if not path.is_dir():
        raise ModelError(
            f"There is no model folder {path}.",
            remedy="set model.path to a folder with config.json and *.safetensors.",
        )
    config = _read_config(path)
    shapes = {name: tensor.shape for name, tensor in locate_tensors(path).items()}
    if not shapes:
        raise ModelError(
            f"The safetensors files in {path} hold no tensors.",
            remedy="download the model again.",
        )
    sizes = [math.prod(shape) for shape in shapes.values()]
    heads = _optional_size(config, _HEADS, path=path)
    has_head = any(name.endswith("lm_head.weight") for name in shapes)
    hidden_size = _size(config, _HIDDEN, path=path)
    return ModelInfo(
        parameters=sum(sizes),
        largest_parameter=max(sizes),
        hidden_size=hidden_size,
        layers=_size(config, _LAYERS, path=path),
        vocab_size=_vocab_size(config, shapes, path=path),
        max_position=_optional_size(config, _POSITIONS, path=path),
        model_type=str(config.get("model_type", "unknown")),
        tied=bool(config.get("tie_word_embeddings", not has_head)),
        attention_heads=heads,
        key_value_heads=_optional_size(config, _KEY_VALUE_HEADS, path=path) or heads,
        shapes=shapes,
        layer=read_layer_shape(config, hidden_size=hidden_size),
    )


def read_vocab_size(path: Path) -> int:
    """Tokens of the model in a folder, by its config.json alone.

    Raises:
        ModelError: there is no config.json, or it does not say.
    """
    return _size(_read_config(path), ("vocab_size",), path=path)


def embedding_rows(path: Path) -> int | None:
    """How many token ids the model in a folder knows; None for a folder without a model."""
    try:
        return read_model_info(path).embedding_rows
    except ModelError:
        return None


def untrainable(path: Path) -> Iterator[ModelError]:
    """The reasons in config.json why ftdist cannot train a model; none if it cannot be read."""
    try:
        config = _read_config(path)
    except ModelError:
        return
    kind = config.get("model_type", "this model")
    parts = [config, *(part for part in config.values() if isinstance(part, dict))]
    counts = [(name, part.get(name)) for part in parts for name in _EXPERTS]
    experts = {n: c for n, c in counts if isinstance(c, int) and c > 1}
    for name, count in list(experts.items())[:1]:
        yield ModelError(
            f"{kind} is a mixture of {count} experts ({name} in {path / 'config.json'}), which "
            "ftdist does not train yet: ranks would gather different experts and wait for each "
            "other.",
            remedy="choose a model without experts (a dense one).",
        )
    if any(part.get("quantization_config") for part in parts):
        yield ModelError(
            f"{path / 'config.json'} has a quantization_config: ftdist trains all weights, and "
            "quantised ones cannot be trained.",
            remedy="take the model's unquantised weights.",
        )


def _read_config(path: Path) -> dict[str, Any]:
    file = path / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"{path} has no config.json, so it is not a Hugging Face model folder.",
            remedy="set model.path to the folder that holds config.json and *.safetensors.",
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file} cannot be read: {error}.", remedy="download it again.") from None
    if not isinstance(config, dict):
        raise ModelError(f"{file} is not a JSON object.", remedy="download it again.")
    inner = config.get("text_config")  # the language model of a multimodal model
    return {**config, **inner} if isinstance(inner, dict) else config


def _vocab_size(
    config: dict[str, Any], shapes: Mapping[str, tuple[int, ...]], *, path: Path
) -> int:
    """By config.json, which may leave a default out, or else the rows of the input embedding."""
    size = _optional_size(config, ("vocab_size",), path=path)
    rows = (shape[0] for name, shape in shapes.items() if name.endswith(_EMBEDDINGS))
    return size or next(rows, 0) or _size(config, ("vocab_size",), path=path)


def _size(config: dict[str, Any], names: tuple[str, ...], *, path: Path) -> int:
    """The first of some keys of config.json that is set; one of them must be."""
    size = _optional_size(config, names, path=path)
    if size is None:
        raise ModelError(
            f"{path / 'config.json'} says no {names[0]}.",
            remedy="take a causal language model in Hugging Face format.",
        )
    return size


def _optional_size(config: dict[str, Any], names: tuple[str, ...], *, path: Path) -> int | None:
    for name in names:
        value = config.get(name)
        if value is None or value == 0:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ModelError(
                f"{path / 'config.json'} says {name}={str(value)[:40]!r}, which is no whole number "
                "above 0.",
                remedy="correct it, or download the model again.",
            )
        return value
    return None
