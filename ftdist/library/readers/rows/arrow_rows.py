"""Rows of Arrow files: of `datasets` (streams) and Feather."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.ipc

from ftdist.library.schema import BadRowError

_BATCH = 256


def read_arrow(path: Path, *, drop: Collection[str]) -> Iterator[tuple[int, Any]]:
    """Numbered rows of an Arrow file or stream, without the columns in `drop`."""
    number = 0
    try:
        with pyarrow.memory_map(str(path)) as file:
            for whole in _batches(file):
                columns = [name for name in whole.schema.names if name not in drop]
                batch = whole.select(columns)
                for first in range(0, batch.num_rows, _BATCH):
                    for value in batch.slice(first, _BATCH).to_pylist():
                        number += 1
                        yield number, value
    except UnicodeDecodeError:
        yield number + 1, BadRowError("is not UTF-8 text", "Write it as UTF-8.")
    except (pyarrow.ArrowException, OSError) as error:
        first_line = str(error).partition("\n")[0]
        yield (
            number + 1,
            BadRowError(
                f"cannot be read as an Arrow file: {first_line}", "Write it again, or as Parquet."
            ),
        )


def _batches(file: Any) -> Iterator[Any]:
    """The record batches of either format."""
    try:
        reader = pyarrow.ipc.open_file(file)
    except pyarrow.ArrowInvalid:
        file.seek(0)
        yield from pyarrow.ipc.open_stream(file)
        return
    for index in range(reader.num_record_batches):
        yield reader.get_batch(index)
