"""Questions that the rows of tables answer."""

import re
from collections.abc import Iterator, Sequence

from ftdist.library.schema import Block, Document
from ftdist.library.synthesis.code_tables import (
    MEANING,
    REMEDY,
    SYMPTOM,
    code_column,
    code_pairs,
)
from ftdist.library.synthesis.facts import Fact
from ftdist.library.synthesis.fault_wordings import SIGNAL, symptom_wordings
from ftdist.library.synthesis.qa_headings import lower_first
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.sections import Section
from ftdist.library.synthesis.subject import Subject
from ftdist.library.synthesis.table_facts import table_facts
from ftdist.library.synthesis.table_shapes import row_text
from ftdist.library.synthesis.topics import topic_of
from ftdist.text.qa_marks import is_answer_name, is_asked, is_question_name, split_marked

_STATE = re.compile(
    r"^(?:colou?r|state|status|behaviour|behavior|pattern|blinking|flashing)s?$", re.IGNORECASE
)
_ANY_NAME = re.compile(
    r"^(?:property|properties|parameters?|features?|specifications?|characteristics?|items?|names?|"
    r"values?|data|settings?|details?|)$",
    re.IGNORECASE,
)
_DATA = re.compile(r"\b(?:data|specifications?|dimensions?|ratings?|properties)\b", re.IGNORECASE)
_MAX_NAME_WORDS, _MAX_VALUE_WORDS = 6, 40


def pairs_from_table(block: Block, *, section: Section, document: Document) -> Iterator[QAPair]:
    """Questions of a table: its own, else those that its headings and first column suggest.

    A table that tells facts of things (`facts_of_table`) gives none here.
    """
    rows = block.rows
    if not rows or len(rows[0]) < 2:
        return
    head, body = rows[0], rows[1:]
    columns = _question_columns(rows)
    subject = Subject.from_title(document.title)
    topic = topic_of(document)
    name = topic.thing.names[0] if topic else subject.with_article if subject.name else ""
    if columns:
        yield from _from_columns(rows, *columns, section=section, page=block.page)
    elif block.has_header and (code := code_column(head, body)) is not None:
        yield from code_pairs(
            body, head, code, section=section, subject=subject, name=name, page=block.page
        )
    elif block.has_header and (found := _symptom_columns(head)):
        yield from _symptoms(body, head, *found, section=section, name=name, page=block.page)
    elif len(rows) > 1 and not table_facts(block, section=section, document=document):
        yield from _properties(block, section=section, document=document)


def facts_of_table(block: Block, *, section: Section, document: Document) -> list[Fact]:
    """The facts of a table, unless its rows are questions, codes or symptoms."""
    if not block.rows or len(block.rows[0]) < 2 or _question_columns(block.rows):
        return []
    head, body = block.rows[0], block.rows[1:]
    is_own = block.has_header and (code_column(head, body) is not None or _symptom_columns(head))
    return [] if is_own else table_facts(block, section=section, document=document)


def _symptom_columns(head: Sequence[str]) -> tuple[int, list[int]] | None:
    """The column of symptoms and those that explain or cure them."""
    symptoms = [
        column
        for column, cell in enumerate(head)
        if SYMPTOM.search(cell) or (column == 0 and SIGNAL.match(cell))
    ]
    answers = [
        column for column, cell in enumerate(head) if REMEDY.search(cell) or MEANING.search(cell)
    ]
    return (symptoms[0], answers) if symptoms and answers and symptoms[0] != answers[-1] else None


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
            yield QAPair(
                question=question,
                answer=answer,
                made_by="faq",
                section=section.name,
                page=page,
                evidence=f"{question}\n{answer}",
            )


def _symptoms(
    body: Sequence[tuple[str, ...]],
    head: tuple[str, ...],
    symptom: int,
    answers: Sequence[int],
    *,
    section: Section,
    name: str,
    page: int | None,
) -> Iterator[QAPair]:
    for row in body:
        cells = [
            (head[column], row[column]) for column in answers if column != symptom and row[column]
        ]
        if not any(map(str.isalnum, row[symptom])) or not cells:
            continue
        answer = cells[0][1] if len(cells) == 1 else "\n".join(f"{h}: {cell}" for h, cell in cells)
        has_remedy = any(REMEDY.search(name) for name, _ in cells)
        states = [cell for at, cell in enumerate(row) if cell and _STATE.match(head[at])]
        shown = ", ".join([row[symptom].rstrip("."), *(lower_first(each) for each in states)])
        kind = head[symptom].lower()
        question = (
            f"What should I do about this {kind}: {shown}?"
            if has_remedy
            else f"What does this {kind} mean: {shown}?"
        )
        yield QAPair(
            question=question,
            answer=answer,
            made_by="symptom",
            section=section.name,
            page=page,
            wordings=symptom_wordings(kind, shown, name=name, is_remedy=has_remedy),
            evidence=row_text(row, head=head),
        )


def _properties(block: Block, *, section: Section, document: Document) -> Iterator[QAPair]:
    """What each cell beside a name in the first column says."""
    head = block.rows[0] if block.has_header else ()
    if len(block.rows[0]) > 2 and not all(head):
        return
    for row in block.rows[1:] if block.has_header else block.rows:
        name, *cells = row
        is_name = 0 < len(name.split()) <= _MAX_NAME_WORDS and not name.replace(".", "").isdigit()
        if not is_name or is_asked(name) or not any(map(str.isalnum, name)):
            continue
        plain = name.rstrip(":")
        for column, value in enumerate(cells, 1):
            heading = head[column] if head else ""
            question = _property_question(
                plain, heading, section=section, title=document.title, columns=1 + len(cells)
            )
            if question and 0 < len(value.split()) <= _MAX_VALUE_WORDS:
                what = plain if len(cells) == 1 else f"{plain}, {lower_first(heading)}"
                yield QAPair(
                    question=question,
                    answer=f"{what}: {value}",
                    made_by="table",
                    section=section.name,
                    page=block.page,
                    value=value,
                    evidence=row_text(row, head=head),
                )


def _property_question(
    name: str, heading: str, *, section: Section, title: str, columns: int
) -> str:
    """A question for one cell; "" if its column has no name that a question can use.

    Args:
        name: in the first column of its row.
        heading: of its column.
        section: of the table.
        title: of the document.
        columns: of the table.
    """
    subject = Subject.from_title(title)
    if not _ANY_NAME.match(heading) and len(heading.split()) <= _MAX_NAME_WORDS:
        if MEANING.search(heading):
            return f"{subject.named_in(f'What does {name} mean', preposition='in')}?"
        of = name if _is_code(name) else f"the {lower_first(name)}"
        question = f"What is the {lower_first(heading)} of {of}"
        return f"{subject.named_in(question, preposition='on')}?"
    if columns > 2:
        return ""
    if subject.name and (_DATA.search(section.heading) or not section.heading):
        are = "are" if name.endswith("s") and not name.endswith("ss") else "is"
        return f"What {are} the {lower_first(name)} of {subject.with_article}?"
    about = section.heading
    about = title if not about or about.endswith("?") else about
    return f"What does {about} say about {name}?"


def _is_code(name: str) -> bool:
    return any(not char.isalpha() and char not in " -" for char in name) or name.isupper()
