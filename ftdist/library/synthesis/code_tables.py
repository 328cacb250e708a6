"""Questions of tables of codes: what each means, what to do about it, and which code it is."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from ftdist.library.synthesis.attribute_lexicon import find_attribute
from ftdist.library.synthesis.fault_wordings import code_wordings
from ftdist.library.synthesis.qa_headings import lower_first
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.sections import Section
from ftdist.library.synthesis.subject import Subject
from ftdist.library.synthesis.table_shapes import row_text

_CODE_COLUMN = re.compile(
    r"\b(?:code|error|fault|alarm|display|message|event|number|no)\b", re.IGNORECASE
)
_ANY_NUMBER = re.compile(r"^\W*(?:number|no)\W*$", re.IGNORECASE)
_CODE = re.compile(r"^(?:[A-Za-z]{1,4}[- ]?\d{1,4}[A-Za-z]?|\d{1,4}|[A-Z]{2,6})$")
SYMPTOM = re.compile(r"symptom|problem|error|\bfault|issue|message|alarm|indication", re.IGNORECASE)
REMEDY = re.compile(r"remedy|solution|fix|action|resolution|what to do|correct", re.IGNORECASE)
MEANING = re.compile(r"meaning|description|explanation|purpose|cause|definition", re.IGNORECASE)


def code_column(head: Sequence[str], body: Sequence[tuple[str, ...]]) -> int | None:
    """The column of error codes and the like; None: there is none."""
    for column, name in enumerate(head):
        cells = [row[column] for row in body]
        is_code = _CODE_COLUMN.search(name) and not find_attribute(name).identifier
        if _ANY_NUMBER.match(name):  # of pieces, unless another column says what each means
            is_code = is_code and column == 0 and any(map(_explains, head))
        if is_code and cells and all(map(_CODE.match, cells)):
            return column
    return None


def _explains(heading: str) -> bool:
    return any(kind.search(heading) for kind in (MEANING, REMEDY, SYMPTOM))


def code_pairs(
    body: Sequence[tuple[str, ...]],
    head: Sequence[str],
    code_column: int,
    *,
    section: Section,
    subject: Subject,
    name: str,
    page: int | None,
) -> Iterator[QAPair]:
    """What each code means, what to do about it, and which code means something."""
    kind = _code_kind(f"{head[code_column]} {section.heading}")
    meanings = Counter(cell.casefold() for row in body for cell in row)
    for row in body:
        code = row[code_column]
        for column, cell in enumerate(row):
            is_named = head[column].strip() or len(head) == 2
            if column == code_column or not cell or not is_named:
                continue
            is_remedy = bool(REMEDY.search(head[column]))
            wordings = code_wordings(kind, code, name=name, is_remedy=is_remedy)
            if is_remedy:
                question = f"What should I do about {kind} {code}"
            elif MEANING.search(head[column]) or SYMPTOM.search(head[column]) or len(head) == 2:
                question = f"What does {kind} {code} mean"
            else:
                question = f"What is the {lower_first(head[column])} of {kind} {code}"
                wordings = ()
            yield QAPair(
                question=f"{subject.named_in(question, preposition='on')}?",
                answer=f"{code}: {cell}",
                made_by="table",
                section=section.name,
                page=page,
                value=cell,
                evidence=row_text(row, head=head),
                wordings=wordings,
            )
            is_meaning = MEANING.search(head[column]) or SYMPTOM.search(head[column])
            if is_meaning and meanings[cell.casefold()] == 1:
                yield _code_of(code, cell, kind=kind, name=name, section=section, page=page)


def _code_of(
    code: str, meaning: str, *, kind: str, name: str, section: Section, page: int | None
) -> QAPair:
    """The question from a meaning to its code."""
    meant = lower_first(meaning).rstrip(".")
    what, on = ("code" if kind == "code" else f"{kind} code"), f" on {name}" if name else ""
    shows = f"does {name} show" if name else "is shown"
    return QAPair(
        question=f"Which {what}{on} means {meant}?",
        answer=f"{code}: {meaning}",
        made_by="reverse",
        section=section.name,
        page=page,
        value=code,
        evidence=f"{code}\n{meaning}",
        asked_value=meaning.casefold(),
        wordings=(
            f"What is the {what} for {meant}{on}?",
            f"Which {kind} {shows}: {meant}?",
            f"{meant} which {what}",
        ),
    )


def _code_kind(text: str) -> str:
    """What the codes of a table are called, by its headings."""
    words = text.casefold()
    return next((kind for kind in ("error", "fault", "alarm") if kind in words), "code")
