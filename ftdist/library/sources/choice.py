"""Choose a subset or split of a dataset."""

from collections.abc import Sequence
from typing import Literal

from ftdist.errors import DataError
from ftdist.library.sources.reference import DataReference

Option = Literal["subset", "split", "revision"]


def choose(
    names: Sequence[str],
    *,
    option: Option,
    default: str | None,
    reference: DataReference,
    key: str,
) -> str:
    """The subset or split that was asked for, else the default, else the only one.

    Args:
        names: of those that there are.
        option: what is chosen.
        default: taken, if it is among them, where nothing was asked for.
        reference: what was asked for.
        key: the config key of the data path.

    Raises:
        DataError: there is none of that name, or several and none was asked for.
    """
    wanted = getattr(reference, option)
    listed = ", ".join(names) or "none"
    if wanted is not None:
        if wanted in names:
            return str(wanted)
        raise DataError(
            f"{key}: {reference.path} has no {option} {wanted!r}; its {option}s: {listed}.",
            remedy=set_option(option, key=key, reference=reference, among=names),
        )
    if default in names:
        return str(default)
    if len(names) == 1:
        return names[0]
    without = "" if default is None else f", none of them {default}"
    raise DataError(
        f"{key}: {reference.path} has several {option}s{without}: {listed}.",
        remedy=set_option(option, key=key, reference=reference, among=names),
    )


def set_option(
    option: Option, *, key: str, reference: DataReference, among: Sequence[str] = ()
) -> str:
    """A remedy: how to set an option of a data path."""
    of_these = "" if not among else " to one of them" if len(among) > 1 else f" to {among[0]}"
    if key.endswith(".path"):
        return f"set {key.removesuffix('path')}{option}{of_these}."
    if key.startswith("eval."):
        return f"name one file in it: {key}=hf://datasets/ORG/NAME/FILE.jsonl."
    value = among[0] if among else option.upper()
    return f"write {key}=[{{path: {reference.path}, {option}: {value}}}]" + (
        ", or another of them." if len(among) > 1 else "."
    )
