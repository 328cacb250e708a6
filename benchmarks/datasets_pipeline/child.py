"""One way from JSONL to token ids, in processes of its own; prints what it wrote as JSON.

    python -m benchmarks.datasets_pipeline.child WAY MODEL ROWS OUT PROCESSES

WAY is `datasets` (load_dataset, map, filter, save_to_disk; its cache beside OUT) or `ftdist`
(`prepare`, which also packs); with `-read` only rows are read, into Arrow files.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from datasets.fingerprint import Hasher

from benchmarks.datasets_pipeline.encoding import CountingEncoder, load_encoder
from ftdist.config.compose import compose
from ftdist.data.chat_encoder import Tokens
from ftdist.data.messages import Chat
from ftdist.data.packed_dataset import CARD, IDS, source_folder
from ftdist.errors import FtdistError
from ftdist.io.hashing import file_sha256, fingerprint
from ftdist.io.worker_pool import map_in_order
from ftdist.library.readers.records.jsonl_rows import Span, split_jsonl
from ftdist.library.readers.rows.chat_formats import read_conversations
from ftdist.library.schema import BadRow, Row
from ftdist.library.store.row_cache import write_rows
from ftdist.prepare.main import prepare

SPAN_BYTES = 32 << 20


def main() -> int:
    """Run one way."""
    way, *paths, processes = sys.argv[1:]
    model, rows, out = map(Path, paths)
    began = time.perf_counter()
    encoder = None if way.startswith("ftdist") or "read" in way else load_encoder(model)
    try:
        facts = WAYS[way](encoder, model, rows, out, int(processes))
    except FtdistError as error:
        sys.stderr.write(f"{error.problem} To fix: {error.remedy}\n")
        return error.exit_code
    files = sorted(path for path in out.rglob("*") if path.is_file())
    hashes = {str(path.relative_to(out)): file_sha256(path) for path in files}
    seconds = time.perf_counter() - began
    sys.stdout.write(json.dumps(facts | {"seconds": seconds, "files": hashes}) + "\n")
    return 0


class Encode:
    """Chats to ids and loss masks, a batch at a time; what cannot be encoded is left empty."""

    def __init__(self, encoder: CountingEncoder) -> None:
        self._encoder = encoder

    def __call__(self, batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """The columns `ids` and `loss` of a batch."""
        encoded = self._encoder.encode_many([Chat(messages) for messages in batch["messages"]])
        good = [each if isinstance(each, Tokens) else Tokens([], []) for each in encoded]
        return {"ids": [each.input_ids for each in good], "loss": [each.loss for each in good]}


def is_learned(loss: list[int]) -> bool:
    """Whether a row has anything to learn."""
    return any(loss)


def with_datasets(
    encoder: CountingEncoder,
    _: object,
    rows: Path,
    out: Path,
    processes: int,
    *,
    keyed: bool = True,
) -> Any:
    """As its documentation has it; ids as uint32 and the mask as uint8, as ftdist stores them.

    Args:
        encoder: of the chats.
        rows: JSONL.
        out: the folder that `save_to_disk` writes; the cache is beside it.
        processes: number of workers.
        keyed: whether the step gets ftdist's own fingerprint of the encoder, else `datasets` makes
            one of the function's pickle.
    """
    import datasets

    table = _loaded(rows, out)
    columns = {
        "ids": datasets.List(datasets.Value("uint32")),
        "loss": datasets.List(datasets.Value("uint8")),
    }
    encoded = table.map(
        Encode(encoder),
        batched=True,
        batch_size=256,
        num_proc=processes,
        remove_columns=table.column_names,
        features=datasets.Features(columns),
        new_fingerprint=fingerprint(table._fingerprint, encoder.fingerprint()) if keyed else None,
    )
    kept = encoded.filter(is_learned, input_columns="loss", num_proc=processes)
    kept.save_to_disk(str(out), num_proc=processes)
    digest = sha256()
    for batch in kept.with_format("arrow").iter(1024):
        ids = batch["ids"].combine_chunks().flatten()
        digest.update(np.asarray(ids, dtype=np.uint32).tobytes())
    return {
        "rows": len(kept),
        "ids": digest.hexdigest(),
        "fingerprint": kept._fingerprint,
        "function": Hasher.hash(Encode(encoder)),
    }


def with_ftdist(_: object, model: Path, rows: Path, out: Path, processes: int) -> Any:
    """As `ftdist train` prepares its library; the cache is beside `out`."""
    config = compose(
        [
            "run.name=benchmark",
            f"model.path={model}",
            f"library.path={rows}",
            f"library.cache_dir={out.with_name('cache')}",
            "library.held_out_fraction=0",
            "library.on_invalid_row=skip",
            "library.overlong=truncate",
        ]
    )
    with (
        patch("ftdist.prepare.source.resolve_num_proc", return_value=processes),
        patch("ftdist.prepare.main.ChatEncoder", CountingEncoder),
    ):
        facts = prepare(config)
    folder = Path(facts.path)
    folder.rename(out)
    [source] = json.loads((out / CARD).read_text(encoding="utf-8"))["sources"]
    return {
        "rows": facts.sources[0].samples,
        "ids": file_sha256(out / source_folder(0) / IDS),
        "first_skipped": source["first_skipped"],
    }


def read_with_datasets(_: object, _model: Path, rows: Path, out: Path, _processes: int) -> Any:
    """Rows into an Arrow table."""
    return {"rows": len(_loaded(rows, out))}


def read_with_ftdist(_: object, _model: Path, rows: Path, out: Path, processes: int) -> Any:
    """Rows into Arrow files, a span of the file in each, as curation reads them."""
    out.mkdir()
    tasks = [
        (rows, span, first_row, out / f"{number:05d}.arrow")
        for number, (span, first_row) in enumerate(split_jsonl(rows, span_bytes=SPAN_BYTES))
    ]
    number, invalid = 0, []
    for rows_of_span, bad in map_in_order(
        read_span, tasks, processes=processes, on_crash=lambda task: (0, [f"{task} died"])
    ):
        number += rows_of_span
        invalid += bad
    return {"rows": number, "first_skipped": invalid}


def read_span(task: tuple[Path, Span | None, int, Path]) -> tuple[int, list[str]]:
    """Read one span; the number of its rows, and those that cannot be used."""
    path, span, first_row, out = task
    invalid: list[str] = []
    number = 0

    def usable() -> Iterator[Row]:
        nonlocal number
        for row in read_conversations(path, name=path.name, span=span, first_row=first_row):
            if isinstance(row, BadRow):
                invalid.append(f"{row.location} {row.reason}")
            else:
                number += 1
                yield row

    write_rows(out, usable())
    return number, invalid


def _loaded(rows: Path, out: Path) -> Any:
    import datasets

    datasets.disable_progress_bars()
    # One JSONL file is one shard to it: num_proc would be reset to 1, with a warning.
    return datasets.load_dataset(
        "json", data_files=str(rows), split="train", cache_dir=str(out.with_name("cache"))
    )


WAYS: dict[str, Callable[..., dict[str, Any]]] = {
    "datasets": with_datasets,
    "datasets-hashed": partial(with_datasets, keyed=False),
    "ftdist": with_ftdist,
    "datasets-read": read_with_datasets,
    "ftdist-read": read_with_ftdist,
}

if __name__ == "__main__":
    sys.exit(main())
