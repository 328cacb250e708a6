"""Questions that the rows of tables answer."""

import re
from collections.abc import Iterator, Sequence

from ftdist.library.schema import Block, Document
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.sections import Section
from ftdist.text.qa_marks import is_answer_name, is_asked, is_question_name, split_marked

_SYMPTOM = re.compile(r"symptom|problem|error|fault|issue|message|alarm|indication", re.IGNORECASE)
_REMEDY = re.compile(r"remedy|solution|fix|action|resolution|what to do|correct", re.IGNORECASE)
_MEANING = re.compile(r"meaning|description|explanation|purpose|cause|definition", re.IGNORECASE)
_MAX_KEY_WORDS = 6


def pairs_from_table(block: Block, *, section: Section, document: Document) -> Iterator[QAPair]:
    """Questions of a table: its own, else those that its headings or its two columns suggest."""
    rows = block.rows
    if not rows or len(rows[0]) < 2:
        return
    head, body = rows[0], rows[1:]
    columns = _question_columns(rows)
    symptoms = [column for column, cell in enumerate(head) if _SYMPTOM.search(cell)]
    answers = [
        column for column, cell in enumerate(head) if _REMEDY.search(cell) or _MEANING.search(cell)
    ]
    if columns:
        yield from _from_columns(rows, *columns, section=section, page=block.page)
    elif block.has_header and symptoms and answers and symptoms[0] != answers[-1]:
        yield from _symptoms(body, head, symptoms[0], answers, section=section, page=block.page)
    elif len(head) == 2 and len(rows) > 1:
        yield from _properties(
            body if block.has_header else rows, section=section, document=document, page=block.page
        )


def _question_columns(rows: Sequence[tuple[str, ...]]) -> tuple[int, int] | None:
    """The columns of questions and of answers, by their headings or their question marks."""
    head = rows[0]
    named = next((column for column, cell in enumerate(head) if is_question_name(cell)), None)
    answers = [column for column, cell in enumerate(head) if is_answer_name(cell)]
    if named is not None and answers:
        return named, answers[0]
    for column in range(len(head)):
        cells = [row[column] for row in rows[1:] or rows if row[column]]
        if cells and sum(map(is_asked, cells)) * 2 > len(cells):
            if answers:
                return column, answers[0]
            return (column, 1 - column) if len(head) == 2 else None
    return (named, 1 - named) if named is not None and len(head) == 2 else None


def _from_columns(
    rows: Sequence[tuple[str, ...]],
    question_column: int,
    answer_column: int,
    *,
    section: Section,
    page: int | None,
) -> Iterator[QAPair]:
    """The questions of a column with the answers beside them."""
    for row in rows:
        question, answer = row[question_column], row[answer_column]
        if is_question_name(question) or is_answer_name(answer):
            continue  # the headings
        _, question = split_marked(question)[0]
        _, answer = split_marked(answer, expects_answer=True)[-1]
        if question and answer:
            is_key = len(answer.split()) <= _MAX_KEY_WORDS
            yield QAPair(
                question=question,
                answer=answer,
                made_by="faq",
                section=section.name,
                page=page,
                key=answer.rstrip(".") if is_key else "",
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
        is_name = is_name and not is_asked(name)
        if is_name and 0 < len(value.split()) <= 40:
            plain = name.rstrip(":")
            yield QAPair(
                question=f"What does {subject} say about {plain}?",
                answer=f"{plain}: {value}",
                made_by="table",
                section=section.name,
                page=page,
                key=value if len(value.split()) <= _MAX_KEY_WORDS else "",
            )
