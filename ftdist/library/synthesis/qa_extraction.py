"""Extract questions and answers from FAQs, headings, tables and definition lists.

Every answer quotes the document word for word.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, takewhile, zip_longest

from ftdist.library.schema import Block, Document, MadeBy
from ftdist.library.synthesis.attribute_lexicon import is_attribute
from ftdist.library.synthesis.document_facts import document_fact_pairs
from ftdist.library.synthesis.led_lists import led_list_pairs
from ftdist.library.synthesis.problem_headings import what_to_do
from ftdist.library.synthesis.qa_headings import how_to_question, topic_question
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.qa_sentences import pairs_from_sentences
from ftdist.library.synthesis.qa_tables import facts_of_table, pairs_from_table
from ftdist.library.synthesis.sections import Section, joined, sections
from ftdist.library.synthesis.statements import sentences
from ftdist.library.synthesis.subject import Subject, is_collection, without_kind_of_document
from ftdist.library.synthesis.things import NAMES_SEVERAL
from ftdist.text.qa_marks import (
    is_answer_name,
    is_asked,
    split_marked,
    starts_marked,
    without_question_mark,
)

MAX_ANSWER_WORDS = 160
"""A longer answer is cut after a block; a longer first block gives no answer."""

_MIN_ANSWER_WORDS = 3
_MAX_QUESTION_WORDS = 40
_SHORT_WORDS = 40
"""An answer up to this length is one fact, whose sentences give no questions of their own."""

_NUMBER = re.compile(r"^\(?\d{1,3}(?:[.)]|(?:\.\d{1,3})+[.)]?)\s+(?=\S)")
_SENTENCE = re.compile(
    r"""\s*.+?(?:[?\uff1f\u3002]+|[.!]+(?=["')\u201d]*(?:\s|$)))["')\u201d\u00bb*]*|.+""", re.DOTALL
)
_REMARK = re.compile(r"(?<=\S)\s*\([^()]*\?\)\s*$")


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """A block, or a part of one that is marked as a question or an answer."""

    block: Block
    question: str = ""
    """The question that it asks; "" if it asks none."""

    is_marked: bool = False
    """Whether a mark such as "Q:" or "A:" says what it is."""

    marked: Block | None = None
    """The block with its mark, if it is all of a block."""


def questions(document: Document) -> list[QAPair]:
    """The questions that a document answers, in its order, each once."""
    pairs: list[QAPair] = []
    all_sections = list(sections(document))
    for section, after in zip_longest(all_sections, all_sections[1:]):
        pieces = _pieces(section.blocks)
        is_answer_below = not pieces and after is not None and is_answer_name(after.heading)
        answer = _pieces(after.blocks) if is_answer_below else pieces
        pairs += _from_heading(section, answer, document)
        pairs += _from_pieces(section, pieces)
        pairs += _from_definitions(section, document)
        pairs += led_list_pairs(section, document)
        for block in section.blocks:
            if block.kind == "table":
                pairs += pairs_from_table(block, section=section, document=document)
    pairs += document_fact_pairs(document)
    short = "\n".join(pair.answer for pair in pairs if _is_one_fact(pair))
    from_sentences = [
        pair for section in all_sections for pair in pairs_from_sentences(section, document)
    ]
    owners: dict[str, set[str]] = defaultdict(set)
    for pair in from_sentences:
        owners[pair.asked_value].add(pair.value)
    for pair in from_sentences:
        is_own = not pair.asked_value or len(owners[pair.asked_value]) == 1
        pairs += [pair] if is_own and pair.answer not in short else []
    unique: dict[str, QAPair] = {}
    for pair in pairs:
        unique.setdefault(pair.question.casefold(), pair)
    return list(unique.values())


def _is_one_fact(pair: QAPair) -> bool:
    """Whether a question asks for all of a short answer, as a heading's "What should I know" not.

    A heading with a single sentence does.
    """
    is_asked_for = pair.made_by != "heading" or len(sentences(pair.answer)) == 1
    return is_asked_for and len(pair.answer.split()) <= _SHORT_WORDS


def _from_heading(
    section: Section, pieces: Sequence[_Piece], document: Document
) -> Iterator[QAPair]:
    heading = _NUMBER.sub("", without_question_mark(section.heading))
    if not heading:
        return
    question, wordings = heading if _is_question(heading) else "", list[str]()
    made_by: MadeBy = "faq" if question else "heading"
    above = _up_to_question(pieces)
    answer = _answer(_without_facts(above, section, document))
    title = document.title
    is_several = bool(NAMES_SEVERAL.search(without_kind_of_document(title)))
    subject = Subject("") if is_several or is_collection(title) else Subject.from_title(title)
    is_prose = any(piece.block.kind in ("paragraph", "item") for piece in above)
    question = question or how_to_question(heading, subject=subject)
    if not question and is_prose and heading.casefold() != document.title.casefold():
        min_words = 1 if subject.name or is_several else 2
        question = topic_question(heading, answer=answer, subject=subject, min_words=min_words)
        to_do = what_to_do(heading, answer=answer, title=title) if question and is_several else []
        question, *wordings = to_do or [question]
    if question and answer:
        yield QAPair(
            question=question,
            answer=answer,
            made_by=made_by,
            section=section.name,
            page=section.page,
            wordings=tuple(wordings),
        )


def _without_facts(
    pieces: Sequence[_Piece], section: Section, document: Document
) -> Sequence[_Piece]:
    """The pieces without tables of facts, which have questions of their own."""
    return [
        piece
        for piece in pieces
        if piece.block.kind != "table"
        or not facts_of_table(piece.block, section=section, document=document)
    ]


def _from_pieces(section: Section, pieces: Sequence[_Piece]) -> Iterator[QAPair]:
    """Questions in paragraphs and items, answered by what stands before the next question."""
    for number, piece in enumerate(pieces):
        if not piece.question:
            continue
        following = _up_to_question(pieces[number + 1 :])
        if piece.block.kind == "term":  # in a list of terms; the next one has nothing to do with it
            following = list(takewhile(lambda each: each.block.kind != "term", following))
        answer = _answer(following, is_marked=piece.is_marked)
        if answer and not _is_question(answer):
            yield QAPair(
                question=piece.question,
                answer=answer,
                made_by="faq",
                section=section.name,
                page=piece.block.page,
            )


def _up_to_question(pieces: Sequence[_Piece]) -> Sequence[_Piece]:
    for number, piece in enumerate(pieces):
        if piece.question:
            return pieces[:number]
    return pieces


def _pieces(blocks: Sequence[Block]) -> list[_Piece]:
    """The blocks of a section, those with marks split into questions, answers and other text."""
    pieces: list[_Piece] = []
    for block in chain.from_iterable(map(_marked_rows, blocks)):
        if block.kind not in ("paragraph", "item", "term", "definition"):
            pieces.append(_Piece(block=block))
            continue
        expects_answer = bool(pieces and pieces[-1].question and pieces[-1].is_marked)
        parts = split_marked(block.text, expects_answer=expects_answer)
        is_next_answer = parts == [("answer", "")] and pieces and not pieces[-1].question
        if parts == [("text", block.text.strip())] or is_next_answer:
            pieces.append(_Piece(block=block, question=_unmarked_question(block)))
            continue
        for kind, text in parts:
            if text:
                is_marked = kind != "text"
                piece = _Piece(
                    block=replace(block, kind="paragraph" if is_marked else block.kind, text=text),
                    question=_NUMBER.sub("", text) if kind == "question" else "",
                    is_marked=is_marked,
                    marked=block if len(parts) == 1 else None,
                )
                pieces.append(piece)
    following = [*pieces[1:], None]
    return list(chain.from_iterable(map(_settled, pieces, following)))


def _settled(piece: _Piece, after: _Piece | None) -> list[_Piece]:
    """A marked question without its answer, which may stand in the same paragraph.

    Without a question mark, what begins like "P: 5 bar" asks nothing, unless an answer follows.
    """
    is_answered = after is not None and after.is_marked and not after.question
    if not piece.question or not piece.is_marked or is_answered:
        return [piece]
    end = _end_of_questions(piece.question)
    if not end:
        return [_Piece(block=piece.marked or piece.block)]
    question = replace(piece, question=piece.question[:end])
    rest = replace(piece.block, text=piece.question[end:].strip())
    return [question, _Piece(block=rest)] if rest.text else [question]


def _end_of_questions(text: str) -> int:
    """The end of the first question in a text and of those that follow it; 0 if it asks none."""
    end = 0
    for sentence in _SENTENCE.finditer(text):
        if is_asked(sentence[0]):
            end = sentence.end()
        elif end:
            break
    return end


def _marked_rows(block: Block) -> list[Block]:
    """A table whose first column holds marks, such as "Q:" and "A:", as paragraphs."""
    if block.kind != "table" or not all(starts_marked(f"{row[0]} x") for row in block.rows):
        return [block]
    texts = (" ".join(filter(None, row)) for row in block.rows)
    return [Block(kind="paragraph", text=text, page=block.page) for text in texts]


def _unmarked_question(block: Block) -> str:
    """The text of a block that is a question; "" for any other block."""
    text = _NUMBER.sub("", block.text)
    is_led = block.kind in ("item", "term") or (block.kind == "paragraph" and text != block.text)
    return text if is_led and _is_question(text) else ""


def _is_question(text: str) -> bool:
    # "Restart it (is this needed?)" is a step with a remark.
    without_remark = _REMARK.sub("", text)
    return is_asked(without_remark) and 3 <= len(text.split()) <= _MAX_QUESTION_WORDS


def _answer(pieces: Sequence[_Piece], *, is_marked: bool = False) -> str:
    """The text of pieces up to the maximum length of an answer; "" if there is no answer.

    Args:
        pieces: between a question and the next; the answer begins at its mark, if it has one.
        is_marked: whether the question has a mark.
    """
    first = next((at for at, piece in enumerate(pieces) if piece.is_marked), None)
    is_marked = is_marked or first is not None
    blocks = [piece.block for piece in pieces[first or 0 :]]
    chosen: list[Block] = []
    size = 0
    for block in blocks:
        size += len(block.text.split()) + sum(len(" ".join(row).split()) for row in block.rows)
        if size > MAX_ANSWER_WORDS:
            break
        chosen.append(block)
    while chosen and chosen[-1].text.rstrip().endswith(":") and len(chosen) < len(blocks):
        chosen.pop()  # the text that it announces does not follow
    text = joined(chosen).strip()
    is_announced = len(text.split()) <= 8 and text.endswith((":", "...", ". . ."))
    min_words = 1 if is_marked else _MIN_ANSWER_WORDS
    return text if len(text.split()) >= min_words and not is_announced else ""


def _from_definitions(section: Section, document: Document) -> Iterator[QAPair]:
    """Terms with their definitions; the subject is in the question: many pages define --help."""
    blocks = section.blocks
    subject = Subject(Subject.from_title(document.title).name or document.title.split("|")[0])
    for number, block in enumerate(blocks):
        if block.kind != "term" or _is_question(block.text) or len(block.text.split()) > 8:
            continue
        if is_attribute(block.text):
            continue  # a fact
        end = number + 1
        while end < len(blocks) and blocks[end].kind not in ("term", "paragraph"):
            end += 1
        answer = _answer([_Piece(block=each) for each in blocks[number + 1 : end]])
        term = block.text.rstrip(":").strip()
        is_option = term.startswith("-") or "=" in term or "_" in term
        is_fact = not is_option and re.search(r"\d", answer) and len(answer.split()) < 9
        if answer and term and not is_fact:
            question = f"What does {term} do" if is_option else f"What is {term}"
            question = subject.named_in(question, preposition="in")
            yield QAPair(
                question=f"{question}?",
                answer=answer,
                made_by="definition",
                section=section.name,
                page=block.page,
            )
