"""Tokenise one source and pack it into a folder."""

import shutil
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ftdist.data.chat_encoder import ChatEncoder
from ftdist.data.encoder_file import save_encoder
from ftdist.data.packed_dataset import IDS, LOSS, OFFSETS, TEACHER_IDS, TEACHER_OFFSETS
from ftdist.errors import DataError
from ftdist.io.units import format_count
from ftdist.io.worker_pool import map_in_order, resolve_num_proc
from ftdist.library.readers.rows.nearest_columns import (
    UNKNOWN_FORM,
    RowFile,
    describe_difference,
)
from ftdist.library.splits.holdout import smallest
from ftdist.library.store.dataset import LIBRARY
from ftdist.plan.dataset_info import PackedSourceInfo
from ftdist.prepare.crashing_row import retry_row_by_row
from ftdist.prepare.data_files import ROWS, SourceFiles
from ftdist.prepare.journal import JOURNAL, Journal
from ftdist.prepare.oversampling import ONCE, repeats_per_pass
from ftdist.prepare.portions import Part, portions_of
from ftdist.prepare.tokenize_shard import (
    NO_ANSWER,
    NO_NEW_FACT,
    BuildSettings,
    Counts,
    Portion,
    Task,
    encode_task,
)
from ftdist.prepare.write_packing import SampleTokens, write_packing
from ftdist.text.terminal import plain

_REPORT_EVERY_S = 5.0
_PORTIONS_ALONE = 2
"""Maximum number of portions tokenised without worker processes, which take longer to start. A row
that ends this process is only named when the command is run again."""

_COPIED_BYTES = 1 << 24
_PORTIONS = ".portions-"


class SourceBuilder:
    """Reads, tokenises, writes and packs one source.

    Args:
        name: of the source; `library` for the library itself.
        folder: exists, empty or with what a killed run has written for the same input.
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
        self._teacher_lengths = array("q")
        self._answer_hashes, self._fact_hashes = array("Q"), array("Q")
        self._unit_hashes = array("Q")
        self._held_from: int | None = None
        """First sample of the held-out file; None: held-out samples are selected by hash."""
        self._began = self._reported = time.monotonic()

    def build(self, files: SourceFiles) -> tuple[PackedSourceInfo, dict[str, Any]]:
        """Write the files of the source.

        Returns:
            its sizes, and its entry in the card.

        Raises:
            DataError: a row is invalid or too long and may not be skipped, or no row is left.
        """
        portions = portions_of(files, source=self._name)
        training = len(portions)
        if files.held_out is not None:
            held_out = replace(files, files=(files.held_out,), held_out=None)
            portions += portions_of(held_out, source=self._name)
        with ExitStack() as stack:
            names = (IDS, LOSS, TEACHER_IDS)
            opened = [stack.enter_context((self._folder / name).open("ab")) for name in names]
            try:
                for number, portion in enumerate(self._encode(portions, opened)):
                    if number == training:
                        self._held_from = len(self._lengths)
                    self._take(portion)
                    self._report("reading")
            except DataError as error:
                if UNKNOWN_FORM not in error.problem:
                    raise
                raise self._explained(error, files) from error
        if not self._lengths:
            self._refuse_empty(files)
        facts = self._pack(oversample=files.role == LIBRARY)
        seconds = time.monotonic() - self._began
        self._report(
            f"done in {seconds:.0f} s: {format_count(facts.sequences, 'sequence')}", now=True
        )
        for rule, (count, example) in self._counts.notes.items():
            line = plain(f"{rule}: {format_count(count, 'time')}, the first in {example}")
            sys.stderr.write(f"prepare: {self._name}: {line}\n")
        return facts, {
            "name": self._name,
            "origin": files.origin,
            "files": [{"name": name, "sha256": digest} for name, digest in files.fingerprint],
            "ignored_files": [files.name(file) for file in files.ignored],
            **asdict(self._counts),
        }

    def _explained(self, error: DataError, files: SourceFiles) -> DataError:
        """An error about a row of unknown form that says how the columns of its file differ."""
        bad = error.problem.partition(f" {UNKNOWN_FORM}")[0]
        kinds = ((file, files.kind(file)) for file in files.files)
        listed = [
            RowFile(f"{files.label or self._name}: {files.name(file)}", file, kind)
            for file, kind in kinds
            if isinstance(kind, str) and kind in ROWS.values()
        ]
        name = bad.rpartition(", row ")[0]
        more = describe_difference(listed, bad=name, settings=files.rows)
        return DataError(f"{error.problem}{more}", remedy=error.remedy)

    def _encode(
        self, portions: Sequence[tuple[Part, ...]], files: Sequence[BinaryIO]
    ) -> Iterator[Portion]:
        """Tokenise the portions that no earlier run did, and append them to the files.

        These are of the ids, the loss mask and the teacher's ids.
        """
        journal = Journal(self._folder / JOURNAL)
        done = tokens = teacher_tokens = 0
        for portion in journal.read(portions):
            done += 1
            tokens += sum(portion.lengths)
            teacher_tokens += sum(portion.teacher_lengths)
            yield portion
        if done:
            self._report(f"{done} of {len(portions)} parts are there already", now=True)
        width = np.dtype(np.uint32).itemsize
        for file, size in zip(files, (width * tokens, tokens, width * teacher_tokens), strict=True):
            file.truncate(size)
        for parts, portion in self._encode_new(portions[done:], files):
            journal.add(parts, portion, written=files)
            yield portion

    def _encode_new(
        self, portions: Sequence[tuple[Part, ...]], files: Sequence[BinaryIO]
    ) -> Iterator[tuple[tuple[Part, ...], Portion]]:
        left = list(self._folder.glob(f"{_PORTIONS}*"))
        for path in left:
            shutil.rmtree(path, ignore_errors=True)
        # If the last run was killed, perhaps by a row: a worker's death names it.
        in_workers = left or len(portions) > _PORTIONS_ALONE
        processes = min(resolve_num_proc(0), len(portions)) if in_workers else 0
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=_PORTIONS) as folder:
            encoder = Path(folder) / "encoder.pickle"
            save_encoder(self._encoder, encoder)
            tasks = [
                Task(
                    parts=parts,
                    settings=self._settings,
                    encoder=encoder,
                    ids=Path(folder) / f"{number}.ids",
                    loss=Path(folder) / f"{number}.loss",
                    teacher=Path(folder) / f"{number}.teacher",
                )
                for number, parts in enumerate(portions)
            ]
            results = (
                map_in_order(
                    encode_task,
                    tasks,
                    processes=processes,
                    on_crash=retry_row_by_row,
                    retry=False,
                )
                if processes
                else map(encode_task, tasks)
            )
            for task, portion in zip(tasks, results, strict=True):
                for path, whole in zip((task.ids, task.loss, task.teacher), files, strict=True):
                    with path.open("rb") as file:
                        shutil.copyfileobj(file, whole, _COPIED_BYTES)
                    path.unlink()
                yield task.parts, portion

    def _take(self, portion: Portion) -> None:
        before = len(self._unit_hashes)
        self._lengths += portion.lengths
        self._loss_counts += portion.loss_counts
        self._teacher_lengths += portion.teacher_lengths
        self._answer_hashes += portion.answer_hashes
        self._fact_hashes += portion.fact_hashes
        self._units += array("q", [before + unit for unit in portion.units])
        self._unit_hashes += portion.unit_hashes
        self._counts.add(portion.counts)

    def _pack(self, *, oversample: bool) -> PackedSourceInfo:
        tokens = SampleTokens(
            *(
                np.array(values, dtype=np.int64)
                for values in (self._lengths, self._loss_counts, self._teacher_lengths)
            )
        )
        np.save(self._folder / OFFSETS, np.concatenate([[0], np.cumsum(tokens.lengths)]))
        if tokens.teacher.any():
            offsets = np.concatenate([[0], np.cumsum(tokens.teacher)])
            np.save(self._folder / TEACHER_OFFSETS, offsets)
        else:
            (self._folder / TEACHER_IDS).unlink()
        held_out = self._held_out()
        facts = np.where(held_out | (not oversample), ONCE, np.array(self._fact_hashes))
        repeats = np.where(held_out, 0, repeats_per_pass(facts))
        sequences = {
            part: write_packing(
                self._folder, part, shown, tokens, sequence_length=self._settings.sequence_length
            )
            for part, shown in (("train", repeats), ("held_out", held_out.astype(np.int64)))
        }
        hashes = np.array(self._answer_hashes)
        answered = ~held_out & ~np.isin(hashes, (NO_ANSWER, NO_NEW_FACT))
        read = np.maximum(tokens.lengths, tokens.teacher)
        return PackedSourceInfo(
            name=self._name,
            weight=1.0,
            samples=int(repeats.sum()),
            sequences=sequences["train"],
            tokens=int(repeats @ tokens.lengths),
            loss_tokens=int(repeats @ tokens.loss),
            answered_samples=int(repeats @ answered),
            answers=len(np.unique(hashes[answered])),
            longest_conversation=int(read[hashes != NO_ANSWER].max(initial=0)),
            distilled_tokens=int(repeats @ tokens.distilled),
            teacher_tokens=int(repeats @ tokens.teacher),
            held_out_samples=int(held_out.sum()),
            held_out_sequences=sequences["held_out"],
        )

    def _held_out(self) -> npt.NDArray[np.bool_]:
        """A mask over the samples: True for those held out of training.

        Selects whole conversations and texts by their content, so that duplicates stay together
        and the order of rows does not matter: those with the smallest keyed hash. A library of a
        single text holds out its end.
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
                f"library.held_out_fraction={share:g} keeps all {choices} samples out of training.",
                remedy="set library.held_out_fraction to 0.1 or less.",
            )
        if len(hashes) == 1:
            return np.arange(samples) >= max(1, samples - wanted)
        chosen = smallest(hashes, wanted)
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
