"""Make samples and probes of the selected rows of one shard, in a worker process.

CACHE/samples/KEY/  train.parquet held_out.parquet   samples
                    left_out.parquet             passages that duplicate others, and boilerplate
                    probes.jsonl                 questions withheld from training
                    facts.jsonl                  of things, for further probes
                    stats.json
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from ftdist.io.atomic_dir import atomic_dir
from ftdist.io.hashing import fingerprint
from ftdist.library.cleaning.boilerplate import drop_boilerplate
from ftdist.library.dedup.sections import drop_sections
from ftdist.library.schema import WITHOUT_NEW_FACT, Conversation, Document, Passage, Row, Sample
from ftdist.library.stages.document_questions import (
    chat_fact,
    chat_input,
    document_input,
    questions_of,
)
from ftdist.library.stages.frequent_names import document_names
from ftdist.library.stages.generate import GeneratedQA, GenerationInput, Generator, generate_qa
from ftdist.library.stages.read_shard import SourceShard
from ftdist.library.stages.sample_settings import SampleSettings
from ftdist.library.stages.select import RowSelection
from ftdist.library.stages.worded_samples import WordedSamples, as_messages
from ftdist.library.stats import CurationStats
from ftdist.library.store.row_cache import read_row_cache
from ftdist.library.store.samples import SUFFIX, write_samples
from ftdist.library.synthesis.chat_questions import first_exchange, is_single_question
from ftdist.library.synthesis.citations import with_citation
from ftdist.library.synthesis.facts_to_ask import fact_key
from ftdist.library.synthesis.passages import passage_of, passages, with_focus
from ftdist.library.synthesis.probe_facts import FACTS_FILE, KnownFact, known_facts
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.sections import block_text

FORMAT = 36
"""Raised whenever the same rows would give other samples."""

WITHOUT_PROBE = WITHOUT_NEW_FACT | {"cloze"}
"""Questions that no probe is made of: of several facts or none, or in words that nobody asks in."""

PARTS = ("train", "held_out")
LEFT_OUT = "left_out"
_STATS = "stats.json"


@dataclass(frozen=True, kw_only=True)
class SampleBuildTask:
    """A shard, its selected rows, and how samples are made of them."""

    shard: SourceShard
    selection: RowSelection
    source: str
    settings: SampleSettings
    generated: Path | None = None
    """The file of what a language model wrote for it; None: there is none."""

    @property
    def key(self) -> str:
        """Fingerprint of everything that decides the result."""
        selection, digest = self.selection, sha256()
        for array in (
            selection.keep,
            selection.held_out,
            selection.boilerplate,
            selection.duplicate_sections,
        ):
            digest.update(np.ascontiguousarray(array).tobytes() + b"|")
        content = [self.shard.key, self.source, asdict(self.settings), digest.hexdigest()]
        return fingerprint(FORMAT, *content, self.generated.name if self.generated else None)

    @property
    def folder(self) -> Path:
        """Where the result is, once it is complete."""
        return self.shard.cache / "samples" / self.key

    @property
    def is_built(self) -> bool:
        """Whether the result is in the cache."""
        return (self.folder / _STATS).is_file()

    def rows(self, part: str) -> Iterator[Row]:
        """The selected rows of one part, documents without duplicate sections."""
        keep, held_out = self.selection.keep, self.selection.held_out
        chosen = keep & (held_out if part == "held_out" else ~held_out)
        if not chosen.any():
            return
        duplicates = self._duplicate_sections()
        rows = zip(read_row_cache(self.shard.folder / "rows.arrow"), chosen, strict=True)
        for number, (row, is_chosen) in enumerate(rows):
            if is_chosen and isinstance(row, Document):
                yield drop_sections(row, duplicates.get(number, ()))
            elif is_chosen:
                yield row

    def left_out(self) -> Iterator[Sample]:
        """Passages of documents that no sample holds: they duplicate others, or are boilerplate."""
        boilerplate, duplicates = self.selection.boilerplate, self._duplicate_sections()
        if self.selection.keep.all() and not duplicates and not len(boilerplate):
            return
        rows = read_row_cache(self.shard.folder / "rows.arrow")
        for number, (row, is_kept) in enumerate(zip(rows, self.selection.keep, strict=True)):
            if not isinstance(row, Document):
                continue
            used, _ = drop_boilerplate(drop_sections(row, duplicates.get(number, ())), boilerplate)
            held = {id(block) for block in used.blocks if is_kept and block.kind != "heading"}
            blocks = tuple(block for block in row.blocks if id(block) not in held)
            yield from passages(replace(row, blocks=blocks), words=self.settings.passage_words)

    def _duplicate_sections(self) -> dict[int, set[int]]:
        """The sections that others have too, by row."""
        duplicates: dict[int, set[int]] = {}
        for number, section in self.selection.duplicate_sections.tolist():
            duplicates.setdefault(number, set()).add(section)
        return duplicates


def build_samples(task: SampleBuildTask) -> CurationStats:
    """Make the samples of one shard unless they are in the cache; its stats."""
    if not task.is_built:
        with atomic_dir(task.folder) as tmp:
            builder = _Builder(task)
            for part in PARTS:
                write_samples(tmp / f"{part}{SUFFIX}", builder.samples(part))
            write_samples(tmp / f"{LEFT_OUT}{SUFFIX}", task.left_out())
            lines = "".join(probe.to_json() for probe in builder.probes)
            (tmp / "probes.jsonl").write_text(lines, encoding="utf-8")
            facts = "".join(json.dumps(fact.values()) + "\n" for fact in builder.facts)
            (tmp / FACTS_FILE).write_text(facts, encoding="utf-8")
            builder.stats.save(tmp / _STATS)
    return CurationStats.load(task.folder / _STATS)


def with_generated_qa(task: SampleBuildTask, *, generator: Generator) -> SampleBuildTask:
    """The task with what a language model writes about its training rows."""

    def inputs() -> Iterator[GenerationInput]:
        for row in task.rows("train"):
            match row:
                case Document():
                    document, _ = drop_boilerplate(row, task.selection.boilerplate)
                    yield from document_input(document, task.settings)
                case Conversation():
                    yield from chat_input(row)

    path = generate_qa(inputs, key=task.key, generator=generator, cache=task.shard.cache)
    return replace(task, generated=path)


class _Builder:
    """Makes samples of rows, and collects probes and stats on the way."""

    def __init__(self, task: SampleBuildTask) -> None:
        self._task = task
        self._settings = task.settings
        self._generated = GeneratedQA.load(task.generated)
        self._written = dict(self._generated.questions)
        self.stats = self._generated.stats
        self._worded = WordedSamples(settings=self._settings, stats=self.stats)
        self.probes = self._worded.probes
        self.facts: list[KnownFact] = []

    def samples(self, part: str) -> Iterator[Sample]:
        """The samples of one part."""
        for row in self._task.rows(part):
            for sample in self._of_row(row, is_train=part == "train"):
                self.stats.made_by[sample.made_by] = self.stats.made_by.get(sample.made_by, 0) + 1
                self.stats.record_chat(sample)
                yield sample

    def _of_row(self, row: Row, *, is_train: bool) -> Sequence[Sample]:
        match row:
            case Passage():
                location = str(row.location)
                return [
                    Sample(text=row.text, location=location, made_by="as written", doc_id=location)
                ]
            case Conversation():
                return self._of_conversation(row, is_train=is_train)
            case Document():
                document, dropped = drop_boilerplate(row, self._task.selection.boilerplate)
                for block in dropped:
                    self.stats.record(
                        "repeated text", location=str(row.location), excerpt=block_text(block)
                    )
                return self._of_document(document, is_train=is_train)
        raise AssertionError(row)

    def _of_conversation(self, row: Conversation, *, is_train: bool) -> Sequence[Sample]:
        """A conversation as written; a single question with its answer in several paraphrases."""
        location = str(row.location)
        exchange = first_exchange(row) if is_train else None
        context = row.context
        if exchange and not context:
            context = "Question: {}\nAnswer: {}".format(*exchange)
        sample = Sample(
            messages=row.messages, tools=row.tools, context=context, location=location,
            made_by="as written", doc_id=location,
        )  # fmt: skip
        if exchange is None:
            return [sample]
        question, answer = exchange
        settings = self._settings
        keys = self._worded.keys(
            answer, question=question, given=settings.names, one_in=settings.one_conversation_in
        )
        if is_single_question(row):
            written = self._written.pop(fact_key(chat_fact(row), location=location), ())
            if settings.paraphrases > 1 or written:
                return self._worded.samples(
                    sample, keys=keys, document=row.location.file, written=written
                )
        if keys:
            single_turn = replace(sample, messages=as_messages(question, answer))
            self._worded.withhold([question], single_turn, keys=keys, trained=1)
        return [sample]

    def _of_document(self, document: Document, *, is_train: bool) -> Sequence[Sample]:
        """Its passages, and the questions that it answers in several paraphrases."""
        settings, doc_id = self._settings, str(document.location)
        texts = list(passages(document, words=settings.passage_words))
        samples = list(texts) if settings.passages else []
        pairs = questions_of(document, settings, self._generated)
        asking = [pair for pair in pairs if pair.made_by != "cloze"]
        samples += _rewritten(texts, asking) if settings.passages and is_train else []
        single = sum(pair.made_by not in WITHOUT_PROBE for pair in pairs)
        one_in = -(-single // settings.probes) if settings.probes and is_train else 0
        given = f"{document_names(document)} {settings.names}" if one_in else ""
        self.facts += known_facts(document) if is_train and pairs else ()
        for pair in pairs:

            def cited(answer: str, pair: QAPair = pair) -> str:
                if not settings.cite:
                    return answer
                return with_citation(
                    answer, title=document.title, page=pair.page, section=pair.section
                )

            sample = Sample(
                messages=as_messages(pair.question, cited(pair.answer)),
                location=str(replace(document.location, page=pair.page)),
                section=pair.section,
                context=passage_of(pair, texts),
                made_by=pair.made_by,
                doc_id=doc_id,
            )
            keys = self._worded.keys(
                pair.value or pair.answer,
                question=pair.question,
                given=given,
                one_in=0 if pair.made_by in WITHOUT_PROBE else one_in,
            )
            samples += self._worded.samples(
                sample,
                keys=keys,
                document=doc_id,
                own=pair.wordings,
                written=self._written.pop(fact_key(pair, location=doc_id), ()),
                answers=[cited(answer) for answer in pair.answers],
            )
        return samples


def _rewritten(texts: Sequence[Sample], pairs: Sequence[QAPair]) -> list[Sample]:
    """Each passage once more, with one of its questions in focus; not one without a question."""
    found: list[Sample] = []
    for text in texts:
        own = text.section
        below = f"{own} > " if own else ""
        within = (p for p in reversed(pairs) if p.section == own or p.section.startswith(below))
        focused = next(filter(None, (with_focus(text, pair) for pair in within)), None)
        found += [focused] if focused else []
    return found
