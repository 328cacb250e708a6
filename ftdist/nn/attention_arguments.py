"""What attention kernels for packed rows get from the model's forward, by transformers' names."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from ftdist.errors import ModelError


def attention_arguments(cu_seqlens: Tensor, max_seqlen: int) -> dict[str, Any]:
    """Keyword arguments of a model's forward, which passes them to each attention layer.

    With them no layer looks for the borders itself, which takes a GPU three waits a layer.
    """
    return {
        "cu_seq_lens_q": cu_seqlens,
        "cu_seq_lens_k": cu_seqlens,
        "max_length_q": max_seqlen,
        "max_length_k": max_seqlen,
    }


def borders_of(options: Mapping[str, Any]) -> Tensor:
    """The borders of the samples among the options of an attention call.

    Raises:
        ModelError: there are none.
    """
    borders: Tensor | None = options.get("cu_seq_lens_q")
    if borders is None:
        raise ModelError(
            "This model does not pass the borders of samples to its attention layers.",
            remedy="set model.attention=sdpa, or eager.",
        )
    return borders


_OPTIONS = {
    "s_aux": "attention sinks",
    "softcap": "soft cap of scores",
    "dropout": "dropout of attention",
}
"""Options of an attention layer that not every kernel has."""


def refuse(kernel: str, options: Mapping[str, Any], names: Iterable[str]) -> None:
    """Raise `ModelError` if an attention call has an option of these names that is not 0 or None.

    Args:
        kernel: as `model.attention` names it.
        options: of the call.
        names: those that the kernel lacks.
    """
    for name in names:
        value = options.get(name)
        if value is not None and (isinstance(value, Tensor) or value):
            raise ModelError(
                f"model.attention={kernel} has no {_OPTIONS[name]}, which this model has.",
                remedy="set model.attention=eager, which has all.",
            )
