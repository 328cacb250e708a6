"""The library as passages that a retriever searches: what its owner would have put into an index.

A document gives its passages, and not the questions that curation made of it. A conversation gives
each question with its answer, as it was written, not reworded. Long texts are cut.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ftdist.config.schema import RunConfig
from ftdist.library.schema import Conversation, MadeBy, Passage
from ftdist.library.store.dataset import LIBRARY
from ftdist.library.store.samples import read_samples
from ftdist.prepare.data_files import SourceFiles
from ftdist.prepare.mixture import find_source_files
from ftdist.prepare.portions import PORTION_BYTES, parts_of
from ftdist.text.matching import words

MAX_WORDS = 300
"""Of a passage; a longer text is several."""

MAX_BYTES = 1 << 28
"""Larger libraries are not searched."""

MAX_CHARACTERS = 1 << 27
"""Nor those of more text, which compressed files do not show: the index takes 2 to 4 GB."""

_MIN_ANSWER_WORDS = 5
"""Equal answers of fewer words may be about different things ("Yes.", "4 kg")."""

_REWORDED: frozenset[str] = frozenset(
    {"wording", "written wording", "reverse", "two facts", "unanswerable", "rewrite"}
)
"""Ways of making a sample that repeat others of its document, or tell nothing of it."""

_SENTENCE_END = re.compile(r"(?<=[.!?])(?=\s)|(?<=[\u3002\uff01\uff1f])")
_MAX_TITLE_WORDS = 30


@dataclass(frozen=True)
class LibraryPassage:
    """A text of the library.

    Attributes:
        text: at most `MAX_WORDS` words.
        document: its document or row; empty: unknown.
    """

    text: str
    document: str = ""

    def is_of(self, document: str) -> bool:
        """Whether it is of this document, or of a row in this file."""
        return bool(document) and f"{self.document},".startswith(f"{document},")


def library_passages(config: RunConfig) -> list[LibraryPassage] | None:
    """The passages of a run's library, without replay and out-of-scope samples.

    Returns:
        each text once; None if the library is too large to search.

    Raises:
        DataError: the library is not there, or cannot be read.
    """
    sources = [files for files in find_source_files(config).values() if files.role == LIBRARY]
    trained = {path for files in sources for path in files.files if path != files.held_out}
    if sum(path.stat().st_size for path in trained) > MAX_BYTES:
        return None
    found: dict[str, LibraryPassage] = {}
    size = 0
    for files in sources:
        for passage in _of_samples(files) if files.is_curated else _of_rows(files):
            size += len(passage.text)
            if size > MAX_CHARACTERS:
                return None
            for text in _cut(passage.text):
                found.setdefault(text, LibraryPassage(text, passage.document))
    return list(found.values())


def _of_samples(files: SourceFiles) -> Iterator[LibraryPassage]:
    """The passages of a curated source."""
    texts: list[LibraryPassage] = []
    pairs: list[tuple[str, Iterator[tuple[str, str]]]] = []
    for path in files.files:
        for sample in read_samples(path) if path != files.held_out else ():
            if _is_reworded(sample.made_by):
                continue
            if sample.messages:
                pairs.append((sample.doc_id, _pairs(sample.messages)))
            else:
                texts.append(LibraryPassage(sample.text, sample.doc_id))
    documents = {text.document for text in texts}
    yield from texts
    yield from _answers((doc, pair) for doc, own in pairs if doc not in documents for pair in own)


def _is_reworded(made_by: MadeBy) -> bool:
    return made_by in _REWORDED


def _of_rows(files: SourceFiles) -> Iterator[LibraryPassage]:
    """The passages of data files."""
    parts = (part for _, part in parts_of(files, source=LIBRARY, portion_bytes=PORTION_BYTES))
    pairs: list[tuple[str, tuple[str, str]]] = []
    for row in (row for part in parts for row in part.rows):
        match row:
            case Conversation():
                pairs += [(row.location.file, pair) for pair in _pairs(row.messages)]
            case Passage():
                yield LibraryPassage(row.text, row.location.file)
    yield from _answers(pairs)


def _pairs(messages: Iterable[object]) -> Iterator[tuple[str, str]]:
    """The questions of a conversation with their answers."""
    question = ""
    for message in messages:
        assert isinstance(message, dict)
        content = message.get("content")
        if message["role"] == "user":
            question = content or ""
        elif message["role"] == "assistant" and content:
            yield question, content


def _answers(pairs: Iterable[tuple[str, tuple[str, str]]]) -> Iterator[LibraryPassage]:
    """Questions with their answers; of several wordings with one answer, the first."""
    seen: set[tuple[str, ...]] = set()
    for document, (question, answer) in pairs:
        answer_words = words(answer)
        is_long = len(answer_words) >= _MIN_ANSWER_WORDS
        key = answer_words if is_long else (*words(question), "", *answer_words)
        if key not in seen:
            seen.add(key)
            yield LibraryPassage(f"{question}\n{answer}".strip(), document)


def _cut(text: str) -> list[str]:
    """Pieces of at most `MAX_WORDS` words, each under the text's first line if that is short."""
    if len(words(text)) <= MAX_WORDS:
        return [text.strip()] if text.strip() else []
    title = text.strip().split("\n", 1)[0]
    head = f"{title}\n\n" if len(words(title)) <= _MAX_TITLE_WORDS else ""
    pieces, waiting, size = [], "", 0
    limit = MAX_WORDS - len(words(head))
    for sentence in _sentences(text.strip().removeprefix(title if head else ""), limit=limit):
        length = len(words(sentence))
        if waiting.strip() and size + length > limit:
            pieces.append(f"{head}{waiting.strip()}")
            waiting, size = "", 0
        waiting, size = waiting + sentence, size + length
    return [*pieces, f"{head}{waiting.strip()}"] if waiting.strip() else pieces


def _sentences(text: str, *, limit: int) -> Iterator[str]:
    """Lines and sentences, with the white space around them; longer ones in equal parts."""
    for line in text.splitlines(keepends=True):
        for sentence in _SENTENCE_END.split(line):
            parts = -(-len(words(sentence)) // limit) or 1
            step = -(-len(sentence) // parts) or 1
            yield from (sentence[at : at + step] for at in range(0, len(sentence), step))
