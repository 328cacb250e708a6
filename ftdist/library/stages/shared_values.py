"""Values that lead to no thing: several things of the library have them.

CACHE/values/KEY/values.json   of one shard: digests of values, each with that of its thing
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from ftdist.io.atomic_dir import atomic_dir
from ftdist.io.hashing import fingerprint
from ftdist.io.progress import LogFn, report_progress
from ftdist.io.worker_pool import map_in_order
from ftdist.library.schema import Document
from ftdist.library.stages.build_samples import FORMAT
from ftdist.library.stages.read_shard import CHAT_KINDS, SourceShard
from ftdist.library.stages.row_table import LIBRARY, Mask, ReadSource
from ftdist.library.stages.select import Selection
from ftdist.library.store.row_cache import read_row_cache
from ftdist.library.synthesis.document_facts import document_facts
from ftdist.library.synthesis.qa_pair import value_digest
from ftdist.library.synthesis.qa_sentences import pairs_from_sentences
from ftdist.library.synthesis.reverse_questions import asked_values
from ftdist.library.synthesis.sections import sections
from ftdist.library.synthesis.yes_no import yes_or_no

_FILE = "values.json"
_SEVERAL = ""
"""The digest of several things."""


@dataclass(frozen=True)
class _Task:
    shard: SourceShard
    keep: Mask

    @property
    def folder(self) -> Path:
        rows = sha256(np.ascontiguousarray(self.keep).tobytes()).hexdigest()
        return self.shard.cache / "values" / fingerprint(FORMAT, self.shard.key, rows)


def shared_values(
    read: Sequence[ReadSource], selection: Selection, *, processes: int, log: LogFn
) -> tuple[str, ...]:
    """Digests (`value_digest`) of what several of the library's things have in common.

    Args:
        read: the sources, of which those of the library count.
        selection: rows that are left out do not count.
        processes: workers, one a shard.
        log: receives progress lines.
    """
    tasks = [
        _Task(shard, rows.keep)
        for source in read
        if source.role == LIBRARY
        for shard, rows in zip(source.shards, selection.by_source[source.name], strict=True)
        if shard.kind not in CHAT_KINDS
    ]
    sizes = [0 if (task.folder / _FILE).is_file() else task.shard.size for task in tasks]
    results = map_in_order(_values, tasks, processes=processes, on_crash=_nothing)
    owners: dict[str, str] = {}
    for found in report_progress(results, sizes=sizes, log=log):
        _add(found, owners)
    return tuple(sorted(value for value, thing in owners.items() if thing == _SEVERAL))


def _values(task: _Task) -> dict[str, str]:
    path = task.folder / _FILE
    if not path.is_file():
        owners: dict[str, str] = {}
        for document in _documents(task):
            for value, thing in _asked_values(document):
                _add({value_digest(value): value_digest(thing.casefold())}, owners)
        with atomic_dir(task.folder) as tmp:
            (tmp / _FILE).write_text(json.dumps(owners), encoding="utf-8")
    values: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return values


def _add(found: Mapping[str, str], owners: dict[str, str]) -> None:
    """Add values with their things to those that are known."""
    for value, thing in found.items():
        if owners.setdefault(value, thing) != thing:
            owners[value] = _SEVERAL


def _documents(task: _Task) -> Iterator[Document]:
    for row, is_kept in zip(
        read_row_cache(task.shard.folder / "rows.arrow"), task.keep, strict=True
    ):
        if is_kept and isinstance(row, Document):
            yield row


def _asked_values(document: Document) -> Iterator[tuple[str, str]]:
    """What questions from a value to its thing name (`QAPair.asked_value`), with the thing."""
    for fact in document_facts(document):
        if yes_or_no(fact.value) is None:
            yield from ((value, fact.thing.name) for value in asked_values(fact))
    for section in sections(document):
        for pair in pairs_from_sentences(section, document):
            if pair.asked_value:
                yield pair.asked_value, pair.value


def _nothing(_: _Task) -> dict[str, str]:
    return {}
