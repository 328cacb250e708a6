"""Read and tokenise one shard of a source in a worker process."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from ftdist.data.chat_encoder import ChatEncoder, Tokens
from ftdist.data.encoder_file import load_encoder
from ftdist.data.messages import Chat
from ftdist.errors import DataError
from ftdist.io.resource_limits import OutOfTimeError, limited
from ftdist.library.schema import BadRow, Conversation, Location, Passage, Row
from ftdist.prepare import chunking
from ftdist.prepare.oversampling import fact_hash
from ftdist.prepare.portions import Part
from ftdist.prepare.teacher_rows import teacher_tokens

_ROWS_AT_ONCE = 256
_MEMORY_GIB, _CPU_S = 16, 3600
"""What a portion of a MiB, or a longer text, may take: it may be made to take all that there is."""

LEFT_OUT = "answer not learned, for the chat template leaves out its thought or one before it"
NO_ANSWER, NO_NEW_FACT = 0, 1
"""Instead of the hash of an answer: a piece of text; an answer without a fact of its own."""

NAMED_ROWS = 20
"""Maximum number of invalid rows listed in the card; all are counted."""


@dataclass(frozen=True, kw_only=True)
class BuildSettings:
    """Settings for turning a source into sequences."""

    sequence_length: int
    overlong: Literal["error", "drop", "truncate"]
    on_invalid_row: Literal["error", "skip"]
    held_out: float
    seed: int
    teacher: bool = False
    """Whether samples with a context get a teacher."""


@dataclass(kw_only=True)
class Counts:
    """Counts of the rows read from a source."""

    conversations: int = 0
    passages: int = 0
    skipped: int = 0
    """Rows that could not be used."""
    dropped: int = 0
    """Conversations too long for a sequence."""
    truncated: int = 0
    other_openings: int = 0
    """Conversations whose last answer does not begin as one without a thought."""

    first_skipped: list[str] = field(default_factory=list)
    notes: dict[str, tuple[int, str]] = field(default_factory=dict)
    """What readers left out or guessed: how often, and the first example."""

    def record(self, rule: str, *, count: int, example: str) -> None:
        """Count a note."""
        before, first = self.notes.get(rule, (0, example))
        self.notes[rule] = (before + count, first)

    def add(self, other: "Counts") -> None:
        """Add the counts of another part of the source."""
        self.conversations += other.conversations
        self.passages += other.passages
        self.skipped += other.skipped
        self.dropped += other.dropped
        self.truncated += other.truncated
        self.other_openings += other.other_openings
        self.first_skipped = [*self.first_skipped, *other.first_skipped][:NAMED_ROWS]
        for rule, (count, example) in other.notes.items():
            self.record(rule, count=count, example=example)


@dataclass(frozen=True, kw_only=True)
class Task:
    """The tokenisation of one portion."""

    parts: tuple[Part, ...]
    settings: BuildSettings
    encoder: Path
    """Pickled `ChatEncoder`."""

    ids: Path
    """File to write the token ids to, uint32."""

    loss: Path
    """File to write the loss mask to, uint8."""

    teacher: Path
    """File to write the teacher's token ids to, uint32."""


@dataclass(frozen=True, kw_only=True)
class Portion:
    """The result of a portion: sizes and hashes of its samples, in the order of writing."""

    lengths: "array[int]"
    loss_counts: "array[int]"
    teacher_lengths: "array[int]"
    """Per sample, the tokens that its teacher reads; 0 without one."""

    answer_hashes: "array[int]"
    """Per sample, a 64-bit hash of its loss tokens, `NO_ANSWER` or `NO_NEW_FACT`."""

    fact_hashes: "array[int]"
    """Per sample, what `fact_hash` gives."""

    units: "array[int]"
    """Per sample, the index of its conversation or passage."""

    unit_hashes: "array[int]"
    """Per conversation or passage, a 64-bit keyed hash of its content."""

    counts: Counts


def encode_task(task: Task) -> Portion:
    """Tokenise a portion; the entry point of worker processes."""
    with (
        task.ids.open("wb") as ids,
        task.loss.open("wb") as loss,
        task.teacher.open("wb") as teacher,
    ):
        encoding = _Encoding(load_encoder(task.encoder), task.settings)
        try:
            with limited(memory_gib=_MEMORY_GIB, cpu_s=_CPU_S):
                return encoding.run(task.parts, ids=ids, loss=loss, teacher=teacher)
        except (MemoryError, OutOfTimeError) as error:
            limit = f"{_MEMORY_GIB} GiB" if isinstance(error, MemoryError) else f"{_CPU_S} s"
            raise DataError(
                f"{', '.join(dict.fromkeys(part.name for part in task.parts))} takes more than "
                f"{limit} to read and tokenize.",
                remedy="split its rows, or remove it.",
            ) from error


def encode_rows(
    rows: Iterator[Row], *, encoder: ChatEncoder
) -> Iterator[tuple[Row, Tokens | DataError | None]]:
    """Each row, with the tokens of a conversation or why it has none; None for other rows."""
    while batch := list(islice(rows, _ROWS_AT_ONCE)):
        chats = [row for row in batch if isinstance(row, Conversation)]
        encoded = iter(encoder.encode_many([Chat(chat.messages, chat.tools) for chat in chats]))
        for row in batch:
            yield row, next(encoded) if isinstance(row, Conversation) else None


class _Encoding:
    """Tokenises one portion."""

    def __init__(self, encoder: ChatEncoder, settings: BuildSettings) -> None:
        self._encoder, self._settings = encoder, settings
        self._counts = Counts()

    def run(
        self, parts: Sequence[Part], *, ids: BinaryIO, loss: BinaryIO, teacher: BinaryIO
    ) -> Portion:
        """Read and tokenise the parts, and write their token ids and loss masks."""
        lengths, loss_counts, units = array("q"), array("q"), array("q")
        teacher_lengths = array("q")
        answer_hashes, fact_hashes, unit_hashes = array("Q"), array("Q"), array("Q")
        for row, unit in self._units_of(chain.from_iterable(part.rows for part in parts)):
            digest = blake2b(digest_size=8, key=str(self._settings.seed).encode())
            for tokens in unit:
                sample, learned = np.array(tokens.input_ids, dtype=np.uint32), bytes(tokens.loss)
                ids.write(sample.tobytes())
                loss.write(learned)
                teacher.write(np.array(tokens.teacher_ids, dtype=np.uint32).tobytes())
                teacher_lengths.append(len(tokens.teacher_ids))
                digest.update(sample.tobytes())
                answer = sample[np.frombuffer(learned, dtype=np.bool_)].tobytes()
                answer_hashes.append(_answer_hash(row, answer))
                fact_hashes.append(fact_hash(row, answer))
                lengths.append(len(tokens.input_ids))
                loss_counts.append(tokens.loss_tokens)
                units.append(len(unit_hashes))
            unit_hashes.append(_hashed(digest))
        return Portion(
            lengths=lengths,
            loss_counts=loss_counts,
            teacher_lengths=teacher_lengths,
            answer_hashes=answer_hashes,
            fact_hashes=fact_hashes,
            units=units,
            unit_hashes=unit_hashes,
            counts=self._counts,
        )

    def _units_of(
        self, source: Iterator[Row]
    ) -> Iterator[tuple[Conversation | Passage, Iterable[Tokens]]]:
        """Each conversation or passage with its samples."""
        for row, encoded in encode_rows(source, encoder=self._encoder):
            for note in () if isinstance(row, BadRow) else row.notes:
                example = f"{row.location}: {note.excerpt}"
                self._counts.record(note.rule, count=note.count, example=example)
            match row:
                case BadRow():
                    self._bad(row.location, f"{row.location} {row.reason}.", row.remedy or None)
                case Passage():
                    self._counts.passages += 1
                    yield (
                        row,
                        chunking.cut_text(
                            row.text,
                            encoder=self._encoder,
                            sequence_length=self._settings.sequence_length,
                        ),
                    )
                case Conversation():
                    assert encoded is not None
                    tokens = self._usable(encoded, row.location)
                    if tokens is not None:
                        self._counts.conversations += 1
                        if tokens.left_out:
                            self._counts.record(
                                LEFT_OUT, count=tokens.left_out, example=str(row.location)
                            )
                        self._counts.other_openings += not tokens.has_opening
                        yield row, [self._with_teacher(tokens, row)]

    def _with_teacher(self, tokens: Tokens, row: Conversation) -> Tokens:
        if not self._settings.teacher or not row.context:
            return tokens
        length = self._settings.sequence_length
        ids = teacher_tokens(row, tokens, encoder=self._encoder, sequence_length=length)
        if isinstance(ids, str):
            self._counts.record(ids, count=1, example=str(row.location))
            return tokens
        return replace(tokens, teacher_ids=ids)

    def _usable(self, tokens: Tokens | DataError, location: Location) -> Tokens | None:
        if isinstance(tokens, DataError):
            self._bad(location, f"{location} cannot be used. {tokens.problem}", tokens.remedy)
            return None
        if not any(tokens.loss):
            why = ": the chat template leaves the thoughts out" if tokens.left_out else ""
            self._bad(location, f"{location} has no token to learn{why}.")
            return None
        room, length = self._settings.sequence_length, len(tokens.input_ids)
        if length <= room:
            return tokens
        match self._settings.overlong:
            case "truncate" if any(tokens.loss[:room]):
                self._counts.truncated += 1
                return replace(tokens, input_ids=tokens.input_ids[:room], loss=tokens.loss[:room])
            case "drop" | "truncate":
                self._counts.dropped += 1
                return None
        raise DataError(
            f"{location} is {length} tokens long, but batch.sequence_length={room}.",
            remedy=f"set batch.sequence_length to {length} or more (if the model allows), "
            "shorten the conversation, or set library.overlong to drop or truncate.",
        )

    def _bad(self, location: Location, problem: str, remedy: str | None = None) -> None:
        """Skip an invalid row, or raise the error."""
        if self._settings.on_invalid_row == "error":
            what = remedy or f"correct {location}."
            what = f"{what[0].lower()}{what[1:]}".removesuffix(".")
            raise DataError(
                problem,
                remedy=f"{what}, or set library.on_invalid_row=skip to leave such rows out.",
            )
        self._counts.skipped += 1
        if len(self._counts.first_skipped) < NAMED_ROWS:
            self._counts.first_skipped.append(problem)


def _answer_hash(row: Conversation | Passage, answer: bytes) -> int:
    if isinstance(row, Passage):
        return NO_ANSWER
    return _hashed(blake2b(answer, digest_size=8)) if row.has_new_fact else NO_NEW_FACT


def _hashed(digest: blake2b) -> int:
    return int.from_bytes(digest.digest())
