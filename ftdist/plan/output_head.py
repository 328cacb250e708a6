"""Whether a model's output head is in its files as its config.json says, without torch."""

from pathlib import Path
from typing import TYPE_CHECKING

from ftdist.errors import ModelError
from ftdist.plan.model_info import ModelInfo, read_model_info
from ftdist.plan.stored_tensors import StoredTensor, locate_tensors

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

HEAD = "lm_head.weight"
"""Name ending of an output head in the usual families."""

UNTIE = "set tie_word_embeddings=false in its config.json if the model has a head of its own."

_CHUNK_BYTES = 1 << 24
_NUMPY = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


def check_head(path: Path) -> None:
    """Refuse a head in the files of a tied model that differs, and an untied model without one.

    Raises:
        ModelError: it is such a model, or its files cannot be read.
    """
    model = read_model_info(path)
    head = next((name for name in model.shapes if name.endswith(HEAD)), None)
    if model.embedding is not None and model.embedding_rows != model.vocab_size:
        raise ModelError(
            f"{model.embedding} in {path} has {model.embedding_rows} rows, but its config.json "
            f"says vocab_size={model.vocab_size}.",
            remedy="use the config.json that belongs to these weights.",
        )
    if not model.tied:
        if lacks_head(model):
            raise missing_head(path)
    elif head is not None and model.embedding is not None:
        tensors = locate_tensors(path)
        if not _are_equal(tensors[head], tensors[model.embedding]):
            raise differing_alias(path, head, of=model.embedding)


def lacks_head(model: ModelInfo) -> bool:
    """Whether no tensor could be the output head: none has the shape of the input embedding."""
    if model.embedding is None:
        return False
    shape = model.shapes[model.embedding]
    return sum(other in (shape, shape[::-1]) for other in model.shapes.values()) == 1


def missing_head(path: Path) -> ModelError:
    """The files of a model that is not tied hold no head."""
    return ModelError(
        f"The files in {path} hold no output head, and the model's config.json does not tie it "
        "to the input embedding.",
        remedy="set tie_word_embeddings=true in its config.json if the model was trained so, or "
        "download the model again.",
    )


def differing_alias(path: Path, name: str, *, of: str) -> ModelError:
    """A tensor is stored twice, with different values."""
    return ModelError(
        f"{name} in {path} differs from {of}, and the model has one parameter for both.",
        remedy=UNTIE,
    )


def _are_equal(one: StoredTensor, other: StoredTensor) -> bool:
    import numpy as np

    if one.shape != other.shape:
        return False
    with one.file.open("rb") as first, other.file.open("rb") as second:
        first.seek(one.start)
        second.seek(other.start)
        sizes = [np.dtype(_NUMPY[tensor.dtype]).itemsize for tensor in (one, other)]
        left = (one.end - one.start) // sizes[0]
        while left > 0:
            count = min(left, _CHUNK_BYTES // max(sizes))
            a = _floats(first.read(count * sizes[0]), one.dtype)
            b = _floats(second.read(count * sizes[1]), other.dtype)
            if not np.array_equal(a, b):
                return False
            left -= count
    return True


def _floats(data: bytes, dtype: str) -> "npt.NDArray[np.floating]":
    """Stored numbers; bfloat16 is the upper half of float32."""
    import numpy as np

    values = np.frombuffer(data, dtype=_NUMPY[dtype])
    if dtype != "BF16":
        return values
    return (values.astype(np.uint32) << 16).view(np.float32)
