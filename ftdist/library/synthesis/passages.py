"""Documents as text to be learned: a passage a section, under its title, section and page."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from ftdist.library.schema import Block, Document, Sample
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.sections import Section, block_text, joined, sections

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def passages(document: Document, *, words: int) -> Iterator[Sample]:
    """The whole text of a document, each word in one passage.

    Args:
        document: cleaned.
        words: of a passage, about. Short sections that follow each other under the same heading go
            together; long ones are cut between blocks, a block of more than twice as many at the
            end of sentences.
    """
    group: list[Section] = []
    for section in sections(document):
        if not section.blocks:
            continue  # its heading stands above those of the sections in it
        if group and not _goes_with(group, section, words=words):
            yield from _cut(document, group, words=words)
            group = []
        group.append(section)
    if group:
        yield from _cut(document, group, words=words)


def passage_of(pair: QAPair, texts: Sequence[Sample]) -> str:
    """The passage that holds the answer of a question; its evidence if none does.

    Args:
        pair: of the document.
        texts: passages of the document.
    """
    own = pair.evidence or pair.value or pair.answer
    lines = [_plain(line) for line in own.splitlines() if line.strip()]
    shared = [sum(line in _plain(text.text) for line in lines) for text in texts]
    best = max(range(len(texts)), key=shared.__getitem__, default=None)
    return own if best is None or not shared[best] else texts[best].text


def with_focus(passage: Sample, pair: QAPair) -> Sample | None:
    """A passage as the answer to one of its questions: what answers it first, then the rest.

    None if the passage does not hold the answer word for word.
    """
    head, _, body = passage.text.partition("\n\n")
    if pair.answer not in body:
        return None
    before, _, after = body.partition(pair.answer)
    rest = "\n\n".join(part.strip() for part in (before, after) if part.strip(" \n-\u2022"))
    text = "\n\n".join(filter(None, [head, f"{pair.question} {pair.answer}", rest]))
    return replace(passage, text=text, made_by="rewrite")


@lru_cache(maxsize=4096)
def _plain(text: str) -> str:
    return " ".join(text.split()).strip("|- ")


def _goes_with(group: list[Section], section: Section, *, words: int) -> bool:
    """Whether a section is short enough, and near enough, to stand with those before it."""
    first = group[0]
    is_under = section.path[: len(first.path)] == first.path
    is_beside = section.path[:-1] == first.path[:-1] and len(section.path) > 1
    return (is_under or is_beside) and sum(map(_words, [*group, section])) <= words


def _words(section: Section) -> int:
    return sum(len(block_text(block).split()) for block in section.blocks)


def _cut(document: Document, group: list[Section], *, words: int) -> Iterator[Sample]:
    """The passages of sections that go together."""
    above = group[0].path if len(group) == 1 else _common(group)
    blocks: list[Block] = []
    page = next((section.page for section in group if section.page is not None), None)
    for section in group:
        rest = section.path[len(above) :]
        if rest:
            blocks.append(Block(kind="heading", text=rest[-1], page=section.page))
        blocks += [piece for block in section.blocks for piece in _split_block(block, words=words)]
    waiting: list[Block] = []
    for block in blocks:
        size = sum(len(block_text(each).split()) for each in [*waiting, block])
        if waiting and size > words and waiting[-1].kind not in ("heading", "term"):
            yield _passage(document, above, page, waiting)
            waiting, page = [], block.page or page
        waiting.append(block)
    if waiting:
        yield _passage(document, above, page, waiting)


def _common(group: list[Section]) -> tuple[str, ...]:
    """The headings that all sections of a group stand under."""
    shortest = min(len(section.path) for section in group)
    for length in range(shortest, -1, -1):
        if len({section.path[:length] for section in group}) == 1:
            return group[0].path[:length]
    return ()


def _split_block(block: Block, *, words: int) -> Iterator[Block]:
    if block.kind in ("code", "table") or len(block.text.split()) <= 2 * words:
        yield block
        return
    text = ""
    for sentence in _SENTENCE_END.split(block.text):
        if text and len(text.split()) + len(sentence.split()) > words:
            yield replace(block, text=text)
            text = ""
            block = replace(block, kind="paragraph", marker="")
        text = f"{text} {sentence}".strip()
    yield replace(block, text=text)


def _passage(
    document: Document, above: tuple[str, ...], page: int | None, blocks: list[Block]
) -> Sample:
    path = [text for text in above if text.casefold() not in document.title.casefold()]
    head = " > ".join([document.title, *path])
    where = "" if page is None else f" (page {page})"
    location = str(document.location) if page is None else f"{document.location}, page {page}"
    return Sample(
        text=f"{head}{where}\n\n{joined(blocks)}",
        location=location,
        section=" > ".join(above),
        made_by="passage",
        doc_id=str(document.location),
    )
