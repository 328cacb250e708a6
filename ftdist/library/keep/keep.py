"""Replay and contrast of a curation: general prompts and other products, answered by the base."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Self

from ftdist.config.curation import KeepSection
from ftdist.data.message import Message
from ftdist.library.curated import read_samples
from ftdist.library.keep.answers import Ask, answered
from ftdist.library.keep.contrast import contrast_questions, find_products
from ftdist.library.samples import MadeBy, Sample

_LOOKED_AT = 20_000
"""Questions of the library that are looked at for its products' names."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Samples that the base model answered, and the products that contrast stays away from."""

    replay: tuple[Sample, ...]
    contrast: tuple[Sample, ...]
    products: tuple[str, ...]

    @classmethod
    def nothing(cls) -> Self:
        """Nothing was asked."""
        return cls(replay=(), contrast=(), products=())


def kept_samples(
    trained: Sequence[Path], *, settings: KeepSection, seed: int, ask: Ask, cache: Path
) -> Kept:
    """Ask the base model general prompts and about other products.

    Args:
        trained: files of the library's samples.
        settings: how many of each.
        seed: of the choice of products.
        ask: gives the base model's answers.
        cache: where they are kept.
    """
    replay = answered(general_prompts()[: settings.base_answers], ask=ask, cache=cache)
    questions = list(_questions(trained))
    products = tuple(settings.products or find_products(questions))
    others = contrast_questions(
        questions, products=products, count=settings.contrast_answers, seed=seed
    )
    contrast = answered(others, ask=ask, cache=cache)
    return Kept(
        replay=tuple(_sample(pair, made_by="replay") for pair in replay),
        contrast=tuple(_sample(pair, made_by="contrast") for pair in contrast),
        products=products,
    )


def general_prompts() -> list[str]:
    """Prompts of general chat that ftdist brings, evenly mixed: the first n are of all kinds."""
    text = files("ftdist.library.keep").joinpath("prompts.txt").read_text(encoding="utf-8")
    prompts = text.splitlines()
    step = 89  # prime, and no divisor of their number: each is taken once
    return [prompts[number * step % len(prompts)] for number in range(len(prompts))]


def _questions(trained: Sequence[Path]) -> Iterator[str]:
    number = 0
    for path in trained:
        for sample in read_samples(path):
            if sample.messages:
                yield sample.messages[0]["content"]
                number += 1
            if number >= _LOOKED_AT:
                return


def _sample(pair: tuple[str, str], *, made_by: MadeBy) -> Sample:
    question, answer = pair
    place = f"{made_by}: {question}"
    return Sample(
        messages=(
            Message(role="user", content=question),
            Message(role="assistant", content=answer),
        ),
        place=place,
        made_by=made_by,
        unit=place,
    )
