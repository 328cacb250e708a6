"""Extract questions and answers from FAQs, headings, tables and definition lists.

Every answer quotes the document word for word.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ftdist.library.schema import Block, Document, MadeBy
from ftdist.library.synthesis.sections import Section, joined, sections

MAX_ANSWER_WORDS = 160
"""A longer answer is cut after a block; a longer first block gives no answer."""

_MIN_ANSWER_WORDS = 3
_MAX_QUESTION_WORDS = 40
_MARKED = re.compile(
    r"^(?:(?:Q|Question)\s*\d*\s*[:.)]\s*)(?P<text>.+)$", re.IGNORECASE | re.DOTALL
)
_ANSWER_MARK = re.compile(r"^(?:A(?:nswer)?\s*\d*\s*[:.)]|Answer\s*\d+)\s+", re.IGNORECASE)
_NUMBER = re.compile(r"^\(?\d{1,3}(?:\.\d{1,3})*[.)]?\s+(?=\S)")
_SYMPTOM = re.compile(r"symptom|problem|error|fault|issue|message|alarm|indication", re.IGNORECASE)
_REMEDY = re.compile(r"remedy|solution|fix|action|resolution|what to do|correct", re.IGNORECASE)
_MEANING = re.compile(r"meaning|description|explanation|purpose|cause|definition", re.IGNORECASE)
_HOW_TO = re.compile(
    r"^(?:How to (?P<how>.+)|(?P<ing>Installing|Configuring|Resetting|Replacing|Cleaning|Removing|"
    r"Upgrading|Updating|Building|Testing|Starting|Stopping|Adding|Connecting|Creating|Deleting|"
    r"Enabling|Disabling|Charging|Pairing|Mounting|Restoring|Running|Using|Setting up) "
    r"(?!and\b|or\b|notes\b|options\b)(?P<what>.+))$"
)
_BASE_FORMS = {
    "Installing": "install",
    "Configuring": "configure",
    "Resetting": "reset",
    "Replacing": "replace",
    "Cleaning": "clean",
    "Removing": "remove",
    "Upgrading": "upgrade",
    "Updating": "update",
    "Building": "build",
    "Testing": "test",
    "Starting": "start",
    "Stopping": "stop",
    "Adding": "add",
    "Connecting": "connect",
    "Creating": "create",
    "Deleting": "delete",
    "Enabling": "enable",
    "Disabling": "disable",
    "Charging": "charge",
    "Pairing": "pair",
    "Mounting": "mount",
    "Restoring": "restore",
    "Running": "run",
    "Using": "use",
    "Setting up": "set up",
}


@dataclass(frozen=True, kw_only=True)
class QAPair:
    """A question with the document's answer."""

    question: str
    answer: str
    made_by: MadeBy
    section: str
    page: int | None
    key: str = ""
    """The text that a correct answer must contain, if the document gives it (a table's value)."""


def questions(document: Document) -> list[QAPair]:
    """The questions that a document answers, in its order, each once."""
    pairs: list[QAPair] = []
    for section in sections(document):
        pairs += _from_heading(section, document)
        pairs += _from_blocks(section)
        pairs += _from_definitions(section, document)
        for block in section.blocks:
            if block.kind == "table":
                pairs += _from_table(block, section, document)
    unique: dict[str, QAPair] = {}
    for pair in pairs:
        unique.setdefault(pair.question.casefold(), pair)
    return list(unique.values())


def with_citation(answer: str, *, title: str, page: int | None, section: str) -> str:
    """An answer followed by its source, such as (User Manual, page 12)."""
    last = section.rpartition(" > ")[2]
    where = f"page {page}" if page is not None else f'section "{last}"' if last else ""
    source = f"{title}, {where}" if where else title
    return f"{answer} ({source})" if "\n" not in answer else f"{answer}\n\n({source})"


def _from_heading(section: Section, document: Document) -> Iterator[QAPair]:
    heading = _NUMBER.sub("", section.heading)
    if not heading:
        return
    question, made_by = "", "heading"
    if _is_question(heading):
        question, made_by = heading, "faq"
    elif match := _HOW_TO.match(heading):
        what = match["how"] or f"{_BASE_FORMS[match['ing']]} {match['what']}"
        question = f"How do I {_lower_first(what)} ({document.title})?"
    answer = _answer(section.blocks)
    if question and answer:
        yield QAPair(
            question=question,
            answer=answer,
            made_by="faq" if made_by == "faq" else "heading",
            section=section.name,
            page=section.page,
        )


def _from_blocks(section: Section) -> Iterator[QAPair]:
    """Questions in paragraphs and items, answered by the blocks up to the next question."""
    starts = [number for number, block in enumerate(section.blocks) if _question_in(block)]
    for number, end in pairwise([*starts, len(section.blocks)]):
        block = section.blocks[number]
        answer = _answer(section.blocks[number + 1 : end])
        if answer and not _is_question(answer):
            yield QAPair(
                question=_question_in(block),
                answer=answer,
                made_by="faq",
                section=section.name,
                page=block.page,
            )


def _question_in(block: Block) -> str:
    """The text of a block that is a question; "" for any other block."""
    if block.kind not in ("paragraph", "item", "term"):
        return ""
    if marked := _MARKED.match(block.text):
        return marked["text"].strip()
    text = _NUMBER.sub("", block.text)
    is_led = block.kind != "paragraph" or text != block.text
    return text if is_led and _is_question(text) else ""


def _is_question(text: str) -> bool:
    words = len(text.split())
    return text.rstrip().endswith("?") and 3 <= words <= _MAX_QUESTION_WORDS


def _answer(blocks: Sequence[Block]) -> str:
    """The text of blocks up to the maximum length of an answer; "" if there is no answer."""
    chosen: list[Block] = []
    size = 0
    for block in blocks:
        size += len(block.text.split()) + sum(len(" ".join(row).split()) for row in block.rows)
        if size > MAX_ANSWER_WORDS:
            break
        chosen.append(block)
    while chosen and chosen[-1].text.rstrip().endswith(":") and len(chosen) < len(blocks):
        chosen.pop()  # the text that it announces does not follow
    text = _ANSWER_MARK.sub("", joined(chosen)).strip()
    is_announced = len(text.split()) <= 8 and text.endswith((":", "...", ". . ."))
    return text if len(text.split()) >= _MIN_ANSWER_WORDS and not is_announced else ""


def _from_definitions(section: Section, document: Document) -> Iterator[QAPair]:
    """Terms with their definitions; the title is in the question: many pages define --help."""
    blocks = section.blocks
    for number, block in enumerate(blocks):
        if block.kind != "term" or _is_question(block.text) or len(block.text.split()) > 8:
            continue
        end = number + 1
        while end < len(blocks) and blocks[end].kind != "term":
            end += 1
        answer = _answer(blocks[number + 1 : end])
        term = block.text.rstrip(":").strip()
        if answer and term:
            is_option = term.startswith("-") or "=" in term or "_" in term
            term = f"{term} ({document.title})"
            question = f"What does {term} do?" if is_option else f"What is {term}?"
            yield QAPair(
                question=question,
                answer=answer,
                made_by="definition",
                section=section.name,
                page=block.page,
            )


def _from_table(block: Block, section: Section, document: Document) -> Iterator[QAPair]:
    rows = block.rows
    if len(rows) < 2 or len(rows[0]) < 2:
        return
    head, body = rows[0], rows[1:]
    symptoms = [column for column, cell in enumerate(head) if _SYMPTOM.search(cell)]
    answers = [
        column for column, cell in enumerate(head) if _REMEDY.search(cell) or _MEANING.search(cell)
    ]
    if block.has_header and symptoms and answers and symptoms[0] != answers[-1]:
        yield from _symptoms(body, head, symptoms[0], answers, section=section, page=block.page)
    elif len(head) == 2:
        yield from _properties(
            body if block.has_header else rows, section=section, document=document, page=block.page
        )


def _symptoms(
    body: Sequence[tuple[str, ...]],
    head: tuple[str, ...],
    symptom: int,
    answers: Sequence[int],
    *,
    section: Section,
    page: int | None,
) -> Iterator[QAPair]:
    for row in body:
        cells = [
            (head[column], row[column]) for column in answers if column != symptom and row[column]
        ]
        if not row[symptom] or not cells:
            continue
        answer = cells[0][1] if len(cells) == 1 else "\n".join(f"{h}: {cell}" for h, cell in cells)
        has_remedy = any(_REMEDY.search(name) for name, _ in cells)
        subject = row[symptom].rstrip(".")
        question = (
            f"What should I do about this {head[symptom].lower()}: {subject}?"
            if has_remedy
            else f"What does this {head[symptom].lower()} mean: {subject}?"
        )
        yield QAPair(
            question=question, answer=answer, made_by="symptom", section=section.name, page=page
        )


def _properties(
    body: Sequence[tuple[str, ...]], *, section: Section, document: Document, page: int | None
) -> Iterator[QAPair]:
    subject = section.heading
    subject = document.title if not subject or subject.endswith("?") else subject
    for name, value in body:
        is_name = 0 < len(name.split()) <= 6 and not name.replace(".", "").isdigit()
        if is_name and 0 < len(value.split()) <= 40:
            plain = name.rstrip(":")
            yield QAPair(
                question=f"What does {subject} say about {plain}?",
                answer=f"{plain}: {value}",
                made_by="table",
                section=section.name,
                page=page,
                key=value if len(value.split()) <= 6 else "",
            )


def _lower_first(text: str) -> str:
    """A text with a lower-case first letter, unless it starts with a name or an abbreviation."""
    first = text.split()[0]
    return text if first[1:] != first[1:].lower() else text[0].lower() + text[1:]
