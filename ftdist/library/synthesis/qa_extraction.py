"""Questions and answers from what already is one: FAQs, headings, tables, definition lists.

No answer is made up: each is what the document says there, word for word.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ftdist.library.schema import Block, Document, MadeBy
from ftdist.library.synthesis.sections import Section, joined, sections

MAX_ANSWER_WORDS = 160
"""Longer answers are cut after a block; a first block that is longer still makes no answer."""

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
    """A question, and the answer that the document gives."""

    question: str
    answer: str
    made_by: MadeBy
    section: str
    page: int | None
    key: str = ""
    """What a right answer holds, where the document itself says it (a table's value)."""


def questions(document: Document) -> list[QAPair]:
    """The questions that a document answers, in its order, each once."""
    found: list[QAPair] = []
    for section in sections(document):
        found += _of_heading(section, document)
        found += _of_blocks(section)
        found += _of_definitions(section, document)
        for block in section.blocks:
            if block.kind == "table":
                found += _of_table(block, section, document)
    unique: dict[str, QAPair] = {}
    for exchange in found:
        unique.setdefault(exchange.question.casefold(), exchange)
    return list(unique.values())


def with_citation(answer: str, *, title: str, page: int | None, section: str) -> str:
    """An answer that ends with where it stands, such as (User Manual, page 12)."""
    last = section.rpartition(" > ")[2]
    where = f"page {page}" if page is not None else f'section "{last}"' if last else ""
    source = f"{title}, {where}" if where else title
    return f"{answer} ({source})" if "\n" not in answer else f"{answer}\n\n({source})"


def _of_heading(section: Section, document: Document) -> Iterator[QAPair]:
    heading = _NUMBER.sub("", section.heading)
    if not heading:
        return
    question, made_by = "", "heading"
    if _is_question(heading):
        question, made_by = heading, "faq"
    elif match := _HOW_TO.match(heading):
        what = match["how"] or f"{_BASE_FORMS[match['ing']]} {match['what']}"
        question = f"How do I {_small(what)} ({document.title})?"
    answer = _answer(section.blocks)
    if question and answer:
        yield QAPair(
            question=question,
            answer=answer,
            made_by="faq" if made_by == "faq" else "heading",
            section=section.name,
            page=section.page,
        )


def _of_blocks(section: Section) -> Iterator[QAPair]:
    """Paragraphs and items that are questions, with what follows up to the next one."""
    at = [number for number, block in enumerate(section.blocks) if _asked(block)]
    for number, end in pairwise([*at, len(section.blocks)]):
        block = section.blocks[number]
        answer = _answer(section.blocks[number + 1 : end])
        if answer and not _is_question(answer):
            yield QAPair(
                question=_asked(block),
                answer=answer,
                made_by="faq",
                section=section.name,
                page=block.page,
            )


def _asked(block: Block) -> str:
    """The question that a block is, or ""."""
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
    """What blocks say, as far as it is no longer than an answer may be; "": nothing that short."""
    chosen: list[Block] = []
    size = 0
    for block in blocks:
        size += len(block.text.split()) + sum(len(" ".join(row).split()) for row in block.rows)
        if size > MAX_ANSWER_WORDS:
            break
        chosen.append(block)
    while chosen and chosen[-1].text.rstrip().endswith(":") and len(chosen) < len(blocks):
        chosen.pop()  # what it announces does not follow
    text = _ANSWER_MARK.sub("", joined(chosen)).strip()
    is_announced = len(text.split()) <= 8 and text.endswith((":", "...", ". . ."))
    return text if len(text.split()) >= _MIN_ANSWER_WORDS and not is_announced else ""


def _of_definitions(section: Section, document: Document) -> Iterator[QAPair]:
    """Terms with what is said of them; asked under the title, for many pages explain --help."""
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


def _of_table(block: Block, section: Section, document: Document) -> Iterator[QAPair]:
    rows = block.rows
    if len(rows) < 2 or len(rows[0]) < 2:
        return
    head, body = rows[0], rows[1:]
    asks = [at for at, cell in enumerate(head) if _SYMPTOM.search(cell)]
    tells = [at for at, cell in enumerate(head) if _REMEDY.search(cell) or _MEANING.search(cell)]
    if block.has_header and asks and tells and asks[0] != tells[-1]:
        yield from _symptoms(body, head, asks[0], tells, section=section, page=block.page)
    elif len(head) == 2:
        yield from _properties(
            body if block.has_header else rows, section=section, document=document, page=block.page
        )


def _symptoms(
    body: Sequence[tuple[str, ...]],
    head: tuple[str, ...],
    asks: int,
    tells: Sequence[int],
    *,
    section: Section,
    page: int | None,
) -> Iterator[QAPair]:
    for row in body:
        told = [(head[at], row[at]) for at in tells if at != asks and row[at]]
        if not row[asks] or not told:
            continue
        answer = told[0][1] if len(told) == 1 else "\n".join(f"{h}: {cell}" for h, cell in told)
        does = any(_REMEDY.search(name) for name, _ in told)
        subject = row[asks].rstrip(".")
        question = (
            f"What should I do about this {head[asks].lower()}: {subject}?"
            if does
            else f"What does this {head[asks].lower()} mean: {subject}?"
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


def _small(text: str) -> str:
    """A text with a small first letter, unless its first word is a name or an abbreviation."""
    first = text.split()[0]
    return text if first[1:] != first[1:].lower() else text[0].lower() + text[1:]
