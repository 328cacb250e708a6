"""One source, tokenised and packed into a folder."""

import hashlib
import sys
import time
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ftdist.config.plan import SourceFacts
from ftdist.data.chat import ChatEncoder, Tokens
from ftdist.data.pack import pack_samples
from ftdist.data.packed import IDS, LOSS, OFFSETS
from ftdist.errors import DataError
from ftdist.library import conversations, curated, documents
from ftdist.library.files import SourceFiles
from ftdist.library.rows import BadRow, Conversation, Passage, Place, Row

_ROWS_AT_ONCE = 256
_REPORT_EVERY_S = 5.0
_NAMED_ROWS = 20
"""Bad rows that the card names; all are counted."""


@dataclass(frozen=True, kw_only=True)
class BuildSettings:
    """What decides how a source becomes sequences."""

    sequence_tokens: int
    on_long: Literal["error", "drop", "truncate"]
    on_bad_row: Literal["error", "skip"]
    held_out: float
    seed: int


@dataclass(kw_only=True)
class Counts:
    """What was met while reading a source."""

    conversations: int = 0
    passages: int = 0
    skipped: int = 0
    """Rows that could not be used."""
    dropped: int = 0
    """Conversations too long for a sequence."""
    truncated: int = 0
    first_skipped: list[str] = field(default_factory=list)


class SourceBuilder:
    """Reads, encodes, writes and packs one source.

    Args:
        name: of the source; `library` for the library itself.
        folder: exists, empty.
    """

    def __init__(
        self, *, name: str, folder: Path, encoder: ChatEncoder, settings: BuildSettings
    ) -> None:
        self._name = name
        self._folder = folder
        self._encoder = encoder
        self._settings = settings
        self._counts = Counts()
        self._lengths, self._loss_counts, self._units = array("q"), array("q"), array("q")
        self._unit_hashes = array("Q")
        self._held_from: int | None = None
        """First sample that is kept out, where that was decided before; None: they are chosen."""
        self._began = self._reported = time.monotonic()

    def build(self, files: SourceFiles, *, weight: float) -> tuple[SourceFacts, dict[str, Any]]:
        """Make the source's files.

        Returns:
            its facts, and what the card says about it.

        Raises:
            DataError: a row is bad or too long and is not to be left out, or nothing is left.
        """
        with (self._folder / IDS).open("wb") as ids, (self._folder / LOSS).open("wb") as loss:
            for unit in self._units_of(files):
                self._write(unit, ids=ids, loss=loss)
            if files.held_out is not None:
                self._held_from = len(self._lengths)
                for unit in self._units_of(replace(files, files=(files.held_out,), held_out=None)):
                    self._write(unit, ids=ids, loss=loss)
        if not self._lengths:
            self._refuse_empty(files)
        facts = self._pack(weight=weight)
        seconds = time.monotonic() - self._began
        self._report(f"done in {seconds:.0f} s: {facts.sequences} sequences", now=True)
        return facts, {
            "name": self._name,
            "files": [{"name": name, "sha256": digest} for name, digest in files.fingerprint],
            "ignored_files": [files.name(file) for file in files.ignored],
            **asdict(self._counts),
        }

    def _units_of(self, files: SourceFiles) -> Iterator[Iterable[Tokens]]:
        """The samples of each conversation or passage."""
        source = _rows(files, source=self._name)
        for rows in iter(lambda: list(islice(source, _ROWS_AT_ONCE)), []):
            chats = [row for row in rows if isinstance(row, Conversation)]
            encoded = iter(self._encoder.encode_many([chat.messages for chat in chats]))
            for row in rows:
                match row:
                    case BadRow():
                        self._bad(row.place, f"{row.place} {row.reason}.")
                    case Passage():
                        self._counts.passages += 1
                        yield documents.cut_text(
                            row.text,
                            encoder=self._encoder,
                            sequence_tokens=self._settings.sequence_tokens,
                        )
                    case Conversation():
                        tokens = self._usable(next(encoded), row.place)
                        if tokens is not None:
                            self._counts.conversations += 1
                            yield [tokens]

    def _usable(self, tokens: Tokens | DataError, place: Place) -> Tokens | None:
        if isinstance(tokens, DataError):
            self._bad(place, f"{place} cannot be used. {tokens.problem}", tokens.remedy)
            return None
        if not any(tokens.loss):
            self._bad(place, f"{place} has no token to learn.")
            return None
        room, length = self._settings.sequence_tokens, len(tokens.input_ids)
        if length <= room:
            return tokens
        match self._settings.on_long:
            case "truncate" if any(tokens.loss[:room]):
                self._counts.truncated += 1
                return Tokens(tokens.input_ids[:room], tokens.loss[:room])
            case "drop" | "truncate":
                self._counts.dropped += 1
                return None
        raise DataError(
            f"{place} is {length} tokens long, but batch.sequence_tokens={room}.",
            remedy=f"set batch.sequence_tokens to {length} or more (if the model allows), "
            "shorten the conversation, or set library.on_long to drop or truncate.",
        )

    def _bad(self, place: Place, problem: str, remedy: str | None = None) -> None:
        """Skip a row, or refuse to go on."""
        if self._settings.on_bad_row == "error":
            what = f"correct {place}" if remedy is None else remedy.removesuffix(".")
            raise DataError(
                problem,
                remedy=f"{what}, or set library.on_bad_row=skip to leave such rows out.",
            )
        self._counts.skipped += 1
        if len(self._counts.first_skipped) < _NAMED_ROWS:
            self._counts.first_skipped.append(problem)

    def _write(self, unit: Iterable[Tokens], *, ids: Any, loss: Any) -> None:
        number = len(self._unit_hashes)
        digest = hashlib.blake2b(digest_size=8, key=str(self._settings.seed).encode())
        for tokens in unit:
            sample = np.array(tokens.input_ids, dtype=np.uint32).tobytes()
            ids.write(sample)
            loss.write(np.array(tokens.loss, dtype=np.uint8).tobytes())
            digest.update(sample)
            self._lengths.append(len(tokens.input_ids))
            self._loss_counts.append(tokens.loss_tokens)
            self._units.append(number)
            self._report("reading")
        self._unit_hashes.append(int.from_bytes(digest.digest()))

    def _pack(self, *, weight: float) -> SourceFacts:
        lengths = np.array(self._lengths, dtype=np.int64)
        loss_counts = np.array(self._loss_counts, dtype=np.int64)
        np.save(self._folder / OFFSETS, np.concatenate([[0], np.cumsum(lengths)]))
        held_out = self._held_out()
        sequences = {}
        for part, chosen in (("train", ~held_out), ("held_out", held_out)):
            samples = np.flatnonzero(chosen)
            packing = pack_samples(lengths[samples], sequence_tokens=self._settings.sequence_tokens)
            sequences[part] = len(packing)
            order, starts = samples[packing.samples], packing.offsets[:-1]
            for what, array_of in (
                ("samples", order),
                ("offsets", packing.offsets),
                ("tokens", _sums(lengths[order], starts)),
                ("loss_tokens", _sums(loss_counts[order], starts)),
            ):
                np.save(self._folder / f"{part}-{what}.npy", array_of)
        return SourceFacts(
            name=self._name,
            weight=weight,
            samples=int((~held_out).sum()),
            sequences=sequences["train"],
            tokens=int(lengths[~held_out].sum()),
            loss_tokens=int(loss_counts[~held_out].sum()),
            held_out_samples=int(held_out.sum()),
            held_out_sequences=sequences["held_out"],
        )

    def _held_out(self) -> npt.NDArray[np.bool_]:
        """Which samples are kept out of training; bool, one each.

        Whole conversations and texts, chosen by what they hold, so that equal ones stay together
        and the order of rows does not matter: those with the smallest keyed hash. A library of a
        single text keeps out its end.
        """
        share, samples = self._settings.held_out, len(self._lengths)
        if self._held_from is not None:
            return np.arange(samples) >= self._held_from
        units, hashes = (np.array(values) for values in (self._units, self._unit_hashes))
        choices = samples if len(hashes) == 1 else len(hashes)
        wanted = round(share * choices)
        if share > 0 and samples >= 10:
            wanted = max(1, wanted)
        if wanted == 0:
            return np.zeros(samples, dtype=np.bool_)
        if wanted >= choices > 1:
            raise DataError(
                f"library.held_out={share:g} keeps all {choices} samples out of training.",
                remedy="set library.held_out to 0.1 or less.",
            )
        if len(hashes) == 1:
            return np.arange(samples) >= max(1, samples - wanted)
        chosen = hashes <= np.sort(hashes)[wanted - 1]
        return np.zeros(samples, dtype=np.bool_) if chosen.all() else chosen[units]

    def _refuse_empty(self, files: SourceFiles) -> None:
        counts = self._counts
        reason = f" The first: {counts.first_skipped[0]}" if counts.first_skipped else ""
        raise DataError(
            f"{files.root} (source {self._name!r}) holds nothing to learn: {len(files.files)} "
            f"files read, {counts.skipped} rows skipped, {counts.dropped} too long.{reason}",
            remedy="give it conversations with answers, or text.",
        )

    def _report(self, what: str, *, now: bool = False) -> None:
        if not now and time.monotonic() - self._reported < _REPORT_EVERY_S:
            return
        self._reported = time.monotonic()
        read = self._counts.conversations + self._counts.passages
        sys.stderr.write(
            f"prepare: {self._name}: {what}; {read} conversations and texts, "
            f"{sum(self._lengths)} tokens\n"
        )


def _rows(files: SourceFiles, *, source: str) -> Iterator[Row]:
    for file in files.files:
        name = f"{source}: {files.name(file)}"
        if file == files.held_out:
            continue
        if file.suffix == curated.SUFFIX:
            yield from curated.read_rows(file)
        elif file.suffix.lower() in documents.SUFFIXES:
            yield documents.read_document(file, name=name)
        else:
            yield from conversations.read_conversations(file, name=name)


def _sums(values: npt.NDArray[np.int64], starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Sums of the runs of `values` that begin at `starts`."""
    return np.add.reduceat(values, starts) if len(starts) else np.empty(0, dtype=np.int64)
