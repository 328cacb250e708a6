"""Teaching one piece, in a process of its own: its rows that are kept become samples and probes.

CACHE/taught/KEY/  train.arrow held_out.arrow   samples
                   probes.jsonl                 questions withheld from training
                   account.json
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ftdist.data.messages import Message
from ftdist.io.atomic_dir import atomic_dir
from ftdist.io.hashing import fingerprint
from ftdist.library.cleaning.boilerplate import drop_boilerplate
from ftdist.library.dedup.sections import drop_sections
from ftdist.library.samples import Sample
from ftdist.library.schema import Conversation, Document, Passage, Row
from ftdist.library.stages.generate import Matter, Writer, Written, write_piece
from ftdist.library.stages.read_shard import Piece
from ftdist.library.stages.select import Decision
from ftdist.library.stats import Account
from ftdist.library.store.dataset import write_samples
from ftdist.library.store.row_cache import read_rows
from ftdist.library.synthesis.paraphrases import wordings
from ftdist.library.synthesis.passages import passages
from ftdist.library.synthesis.probe_selection import (
    common_names,
    is_chosen,
    keys_of,
    probe,
    withheld,
)
from ftdist.library.synthesis.qa_extraction import Exchange, cited, questions

FORMAT = 5
"""Raised whenever the same rows would be taught in another way."""

PARTS = ("train", "held_out")
_ACCOUNT = "account.json"


@dataclass(frozen=True, kw_only=True)
class TeachSettings:
    """What decides how rows are taught."""

    passages: bool
    passage_words: int
    questions: bool
    wordings: int
    cite: bool
    probes: int
    """Most questions withheld of each document or conversation file."""

    overlap_words: int
    """Words in a row that they may not share with training."""

    seed: int


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """A piece, what was decided on its rows, and how to teach it."""

    piece: Piece
    decision: Decision
    source: str
    settings: TeachSettings
    written: Path | None = None
    """What a language model wrote for it (`written_for`); None: nothing was."""

    @property
    def key(self) -> str:
        """Fingerprint of everything that decides what comes out."""
        digest = hashlib.sha256()
        decision = self.decision
        for array in (decision.kept, decision.held_out, decision.repeated, decision.copied):
            digest.update(np.ascontiguousarray(array).tobytes() + b"|")
        written = self.written.name if self.written else None
        content = [self.piece.key, self.source, asdict(self.settings), digest.hexdigest()]
        return fingerprint(FORMAT, content, written)

    @property
    def folder(self) -> Path:
        """Where what comes out lies, once it is whole."""
        return self.piece.cache / "taught" / self.key

    @property
    def is_taught(self) -> bool:
        """Whether it was made before."""
        return (self.folder / _ACCOUNT).is_file()


def teach_piece(lesson: Lesson) -> Account:
    """Make the samples of one piece, unless that has been done before; its account."""
    if not lesson.is_taught:
        with atomic_dir(lesson.folder) as tmp:
            _teach_into(tmp, lesson)
    return Account.load(lesson.folder / _ACCOUNT)


def written_for(lesson: Lesson, *, writer: Writer) -> Lesson:
    """The lesson with what a language model writes for what is trained of it."""

    def matter() -> Iterator[Matter]:
        settings = lesson.settings
        for row in _rows(lesson, part="train"):
            match row:
                case Document():
                    document, _ = drop_boilerplate(row, lesson.decision.repeated)
                    asked = questions(document) if settings.questions else []
                    yield Matter(
                        document=document,
                        passages=list(passages(document, words=settings.passage_words)),
                        questions=[exchange.question for exchange in asked],
                    )
                case Conversation() if _is_asked(row):
                    yield Matter(document=None, passages=(), questions=[row.messages[0]["content"]])

    path = write_piece(matter, key=lesson.key, writer=writer, cache=lesson.piece.cache)
    return replace(lesson, written=path)


def _teach_into(folder: Path, lesson: Lesson) -> None:
    written = Written.load(lesson.written)
    account = written.account
    with (folder / "probes.jsonl").open("w", encoding="utf-8") as probes:

        def taught(part: str) -> Iterator[Sample]:
            for row in _rows(lesson, part=part):
                samples, withheld = _taught(
                    row, lesson, part=part, written=written, account=account
                )
                for probe in withheld:
                    probes.write(json.dumps(probe, ensure_ascii=False) + "\n")
                for sample in samples:
                    account.made_by[sample.made_by] = account.made_by.get(sample.made_by, 0) + 1
                    yield sample

        for part in PARTS:
            write_samples(folder / f"{part}.arrow", taught(part))
    account.save(folder / _ACCOUNT)


def _rows(lesson: Lesson, *, part: str) -> Iterator[Row]:
    """The kept rows of one part, documents without the sections that another has."""
    decision = lesson.decision
    chosen = decision.kept & (decision.held_out if part == "held_out" else ~decision.held_out)
    if not chosen.any():
        return
    copied: dict[int, set[int]] = {}
    for at, section in decision.copied.tolist():
        copied.setdefault(at, set()).add(section)
    rows = read_rows(lesson.piece.folder / "rows.arrow")
    for at, (row, is_chosen_row) in enumerate(zip(rows, chosen, strict=True)):
        if is_chosen_row:
            gone = copied.get(at, ())
            yield drop_sections(row, gone) if isinstance(row, Document) else row


Probe = dict[str, Any]


def _taught(
    row: Row, lesson: Lesson, *, part: str, written: Written, account: Account
) -> tuple[list[Sample], list[Probe]]:
    """What one row teaches."""
    match row:
        case Passage():
            place = str(row.place)
            return [Sample(text=row.text, place=place, made_by="as written", unit=place)], []
        case Conversation():
            return _of_conversation(row, lesson, part=part, written=written)
        case Document():
            document, gone = drop_boilerplate(row, lesson.decision.repeated)
            for block in gone:
                account.strike("repeated text", place=str(row.place), excerpt=block.text)
            return _of_document(document, lesson, part=part, written=written)
    raise AssertionError(row)


def _of_document(
    document: Document, lesson: Lesson, *, part: str, written: Written
) -> tuple[list[Sample], list[Probe]]:
    settings = lesson.settings
    samples: list[Sample] = []
    probes: list[Probe] = []
    texts = list(passages(document, words=settings.passage_words))
    if settings.passages:
        samples += texts
    asked = questions(document) if settings.questions else []
    known = {exchange.question.casefold() for exchange in asked}
    asked += [
        exchange
        for text in texts
        for exchange in written.questions.get(text.text, [])
        if exchange.question.casefold() not in known
    ]
    one_in = -(-len(asked) // settings.probes) if settings.probes else 0
    given = f"{document.title} {common_names(exchange.answer for exchange in asked)}"
    for exchange in asked:
        answer = exchange.answer
        if settings.cite:
            answer = cited(
                answer, title=document.title, page=exchange.page, section=exchange.section
            )
        page = "" if exchange.page is None else f", page {exchange.page}"
        like = Sample(
            text="-",
            place=f"{document.place}{page}",
            section=exchange.section,
            made_by=exchange.made_by,
            unit=str(document.place),
        )
        more, held = _worded(
            exchange.question,
            answer,
            like=like,
            keys=partial(_keys, exchange, given=given),
            one_in=one_in if part == "train" else 0,
            settings=settings,
            written=written,
        )
        samples += more
        place = {"document": str(document.place), "section": exchange.section}
        probes += [probe | place for probe in held]
    return samples, probes


def _keys(exchange: Exchange, *, given: str) -> list[str]:
    if exchange.key:
        return [exchange.key]
    return keys_of(exchange.answer, question=exchange.question, given=given)


def _of_conversation(
    row: Conversation, lesson: Lesson, *, part: str, written: Written
) -> tuple[list[Sample], list[Probe]]:
    """A conversation as it is; a single question and answer in several wordings."""
    place = str(row.place)
    like = Sample(messages=row.messages, place=place, made_by="as written", unit=place)
    question, answer = row.messages[0]["content"], row.messages[-1]["content"]
    if part != "train" or not _is_asked(row) or lesson.settings.wordings == 1:
        return [like], []
    samples, held = _worded(
        question,
        answer,
        like=like,
        keys=partial(keys_of, answer, question=question),
        one_in=_ONE_CONVERSATION_IN if lesson.settings.probes else 0,
        settings=lesson.settings,
        written=written,
    )
    return samples, [probe | {"document": row.place.file} for probe in held]


def _is_asked(row: Conversation) -> bool:
    """Whether a conversation is one question and its answer."""
    first = row.messages[0]
    is_one = len(row.messages) == 2 and first["role"] == "user"
    question = first["content"].rstrip()
    return is_one and question.endswith("?") and len(question.split()) <= _QUESTION_WORDS


_QUESTION_WORDS = 40
_ONE_CONVERSATION_IN = 10
"""Of conversations that are a question and an answer, one in so many gives a probe."""


def _worded(
    question: str,
    answer: str,
    *,
    like: Sample,
    keys: Callable[[], list[str]],
    one_in: int,
    settings: TeachSettings,
    written: Written,
) -> tuple[list[Sample], list[Probe]]:
    """A question in several wordings, each a sample, and a further one that is a probe.

    `keys` tells what makes an answer to it right; it is asked where there may be a probe.
    """
    chosen = bool(one_in) and is_chosen(question, one_in=one_in, seed=settings.seed)
    known = keys() if chosen else []
    is_probe = bool(known)
    by_rule = wordings(question, count=settings.wordings + is_probe, seed=settings.seed)
    by_model = written.wordings.get(question, [])
    worded = list(dict.fromkeys([by_rule[0], *by_model, *by_rule[1:]]))
    held: str | None = None
    if is_probe:
        trained = len(by_model) + settings.wordings
        worded, held = withheld(worded, trained=trained, overlap_words=settings.overlap_words)
    samples = [
        replace(
            like,
            text="",
            messages=(
                Message(role="user", content=text),
                Message(role="assistant", content=answer),
            ),
            made_by=like.made_by
            if number == 0
            else "written wording"
            if text in by_model
            else "wording",
        )
        for number, text in enumerate(worded)
    ]
    return samples, [] if held is None else [probe(held, answer, known)]
