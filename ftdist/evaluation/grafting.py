"""Whether a run's update fits another model: the same tensors, and the same tokens. No torch."""

import json
from pathlib import Path
from typing import Any

from ftdist.errors import ModelError
from ftdist.plan.model_info import ModelInfo, read_model_info

_REMEDY = "name a checkpoint of the family, size and tokenizer of model.path in merge.onto."

_OTHER_FORMATS = ("tokenizer.model", "vocab.json", "vocab.txt", "merges.txt")
"""Files of a tokenizer without tokenizer.json."""


def check_onto(onto: Path, *, base: Path) -> None:
    """Refuse a model to which the update of a model trained from `base` cannot be added.

    Raises:
        ModelError: it has other tensors, shapes or tokens, or cannot be read.
    """
    theirs, ours = read_model_info(onto), read_model_info(base)
    if theirs.model_type != ours.model_type:
        raise ModelError(
            f"The model in {onto} is a {theirs.model_type}, and the base model a "
            f"{ours.model_type}.",
            remedy=_REMEDY,
        )
    if difference := _tensor_difference(theirs, ours):
        raise ModelError(
            f"The update does not fit the model in {onto}: {difference}.", remedy=_REMEDY
        )
    if difference := _token_difference(onto, base):
        raise ModelError(
            f"The model in {onto} has another tokenizer than the base model: {difference}.",
            remedy=_REMEDY,
        )


def _tensor_difference(theirs: ModelInfo, ours: ModelInfo) -> str | None:
    """The first tensor that only one has, or that has another shape."""
    shapes, wanted = _shapes(theirs), _shapes(ours)
    for name in sorted(wanted):
        if name not in shapes:
            return f"it does not hold {name}, which is {list(wanted[name])}"
        if shapes[name] != wanted[name]:
            return f"its {name} is {list(shapes[name])}, and that of the base {list(wanted[name])}"
    more = sorted(n for n in shapes.keys() - wanted.keys() if n.endswith(".weight"))
    return f"it holds {more[0]}, which the base does not" if more else None


def _shapes(model: ModelInfo) -> dict[str, tuple[int, ...]]:
    """By names without the first part of a causal LM's, which a bare backbone's files lack."""
    shapes = dict(model.shapes)
    if model.tied:
        shapes.pop("lm_head.weight", None)
    tops = {name.partition(".")[0] for name in shapes if ".layers." in name or ".h." in name}
    prefix = f"{tops.pop()}." if len(tops) == 1 else ""
    return {name.removeprefix(prefix): shape for name, shape in shapes.items()}


def _token_difference(onto: Path, base: Path) -> str | None:
    """The first token or merge that differs."""
    theirs, ours = _vocabulary(onto), _vocabulary(base)
    if theirs is None or ours is None:
        names = [n for n in _OTHER_FORMATS if _bytes(onto / n) != _bytes(base / n)]
        return f"{names[0]} differs" if names else None
    for token in sorted(theirs[0].keys() | ours[0].keys()):
        ids = [ids.get(token, "missing") for ids in (theirs[0], ours[0])]
        if ids[0] != ids[1]:
            return f"token {token!r} is {ids[0]} there and {ids[1]} in the base"
    return "its merges differ" if theirs[1] != ours[1] else None


def _vocabulary(folder: Path) -> tuple[dict[str, Any], list[str]] | None:
    """Tokens with their ids, and merges, of tokenizer.json; None: there is none."""
    file = folder / "tokenizer.json"
    if not file.is_file():
        return None
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        model, vocab = content["model"], content["model"]["vocab"]
        if isinstance(vocab, list):  # of a unigram model: pairs of token and score
            vocab = {token: at for at, (token, _) in enumerate(vocab)}
        added = {token["content"]: token["id"] for token in content.get("added_tokens", ())}
        merges = [m if isinstance(m, str) else " ".join(m) for m in model.get("merges", ())]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{file} cannot be read: {error!r}.", remedy="download it again."
        ) from None
    return {**vocab, **added}, merges


def _bytes(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None
