"""Name the row that ends the process that tokenises it, by trying again a row at a time."""

from pathlib import Path

from ftdist.data.encoder_file import load_encoder
from ftdist.errors import DataError
from ftdist.io.worker_pool import run_alone
from ftdist.library.schema import Passage
from ftdist.prepare.tokenize_shard import Portion, Task, encode_rows, encode_task


class CrashingRowError(DataError):
    """A row that ends the process that tokenises it, perhaps for want of memory."""


def retry_row_by_row(task: Task) -> Portion:
    """Tokenise a portion whose worker ended: it may have been killed by somebody else.

    Raises:
        CrashingRowError: it ends another process too; the row is named.
    """
    return run_alone(_encode_named, task, on_crash=_refuse)


def _encode_named(task: Task) -> Portion:
    """Tokenise each row, noting which before, and then the portion."""
    encoder, note = load_encoder(task.encoder), _note(task)
    for part in task.parts:
        note.write_text(f"{part.name}, its first row,", encoding="utf-8")
        for row in part.rows:
            note.write_text(str(row.location), encoding="utf-8")
            if isinstance(row, Passage):
                encoder.encode_text(row.text)
            else:
                list(encode_rows(iter([row]), encoder=encoder))
            note.write_text(f"The row after {row.location}", encoding="utf-8")
    first = task.parts[0]
    note.write_text(f"{first.name}, or what follows its row {first.first_row},", encoding="utf-8")
    return encode_task(task)


def _refuse(task: Task) -> Portion:
    raise CrashingRowError(
        f"{_note(task).read_text(encoding='utf-8')} ends the process that tokenises it.",
        remedy="make sure that there is memory for it; else leave that row out, and report it.",
    )


def _note(task: Task) -> Path:
    return task.ids.with_suffix(".row")
