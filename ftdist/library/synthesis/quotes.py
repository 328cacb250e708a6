"""The part of a document that an answer quotes: a sentence with those around it.

A question about one sentence of a paragraph is answered with the paragraph, and one about a step
with the steps around it, so that an answer makes sense by itself.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from textwrap import dedent

from ftdist.library.schema import Block, Document
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.sections import block_text, sections
from ftdist.library.synthesis.statements import LEANS, sentences

_FROM_PROSE = ("sentence", "cloze", "reverse", "written")
_MIN_SHARED = 0.6
"""Of an answer's words, in its quote: a name may stand in it in place of a pronoun."""

_WORD = re.compile(r"\w+")
_MARK = re.compile(r"\(?(?:(?P<number>\d+)|(?P<letter>[A-Za-z]))[.)]")


@dataclass(frozen=True)
class Quotes:
    """The quotes of a document's paragraphs and steps, by section and text of each block."""

    by_block: dict[tuple[str, str], tuple[str, ...]]

    @classmethod
    def of(cls, document: Document, *, words: int) -> "Quotes":
        """The quotes of a document.

        Args:
            document: what is quoted.
            words: approximate maximum of a quote; 0: there are none.
        """
        found: dict[tuple[str, str], tuple[str, ...]] = {}
        for section in sections(document) if words else ():
            for blocks in _paragraphs_and_lists(section.blocks):
                if blocks[0].kind == "paragraph":
                    pieces, between = sentences(blocks[0].text), " "
                    pieces = [piece for piece in pieces if not piece.endswith(":")]
                else:
                    pieces, between = [dedent(block_text(each)) for each in blocks], "\n"
                quotes = tuple(_grouped(pieces, between, words=words))
                for key in [(section.name, each.text) for each in blocks]:
                    found[key] = () if key in found else quotes  # which one is meant is not known
        return cls(found)

    def with_quote(self, pair: QAPair) -> QAPair:
        """A question with the quote that holds all of its answer, which stays its value."""
        if pair.made_by not in _FROM_PROSE or "\n" in pair.answer:
            return pair
        quotes = self.by_block.get((pair.section, pair.evidence), ())
        holding = [quote for quote in quotes if pair.answer in quote] or quotes
        if len(holding) != 1 or len(holding[0]) <= len(pair.answer) or LEANS.match(holding[0]):
            return pair
        words = set(_WORD.findall(pair.answer.casefold()))
        shared = words & set(_WORD.findall(holding[0].casefold()))
        if len(shared) < _MIN_SHARED * len(words):
            return pair
        return replace(pair, answer=holding[0], value=pair.value or pair.answer, answers=())


def _paragraphs_and_lists(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    """Paragraphs one by one, and the steps of each numbered list that can be quoted.

    A list with anything between its steps cannot: a quote would leave out a warning, code or a
    step within a step.
    """
    runs: list[list[Block]] = []
    for block in blocks:
        if runs and _is_next_step(runs[-1][-1], block):
            runs[-1].append(block)
        else:
            runs.append([block])
    items = [run for run in runs if run[0].kind == "item"]
    whole = [
        run
        for run, after in zip(items, [*items[1:], None], strict=False)
        if len(run) > 1
        and _is_first(run[0])
        and (after is None or (_is_first(after[0]) and after[0].level <= run[0].level))
        and not any(step.text.endswith(":") for step in run)
    ]
    yield from (run for run in runs if run[0].kind == "paragraph" or run in whole)


def _is_first(block: Block) -> bool:
    """Whether a block is the first step of a list."""
    return _step_number(block) in (1, ord("a"), ord("A"))


def _is_next_step(step: Block, block: Block) -> bool:
    """Whether a block is the step after another one in the same list."""
    number, after = _step_number(step), _step_number(block)
    is_next = number is not None and after == number + 1
    return is_next and step.kind == block.kind == "item" and block.level == step.level


def _step_number(block: Block) -> int | None:
    """The number that a step's mark stands for, comparable within a list; None: it has none."""
    if not (mark := _MARK.fullmatch(block.marker)):
        return None
    return int(mark["number"]) if mark["number"] else ord(mark["letter"])


def _grouped(pieces: Sequence[str], between: str, *, words: int) -> Iterator[str]:
    """Consecutive pieces joined, in groups of about equal lengths up to about `words`."""
    lengths = [len(piece.split()) for piece in pieces]
    num_groups = -(-sum(lengths) // words)
    room = sum(lengths) / max(1, num_groups)
    group: list[str] = []
    used = 0
    for piece, length in zip(pieces, lengths, strict=True):
        if group and used + length / 2 > room:
            yield between.join(group)
            group, used = [], 0
        group.append(piece)
        used += length
    if group:
        yield between.join(group)
