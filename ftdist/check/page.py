"""The page of `ftdist check`: findings, sources, and samples with their learned tokens marked."""

import os
from pathlib import Path

from ftdist.check.findings import Report
from ftdist.check.whitespace import visible
from ftdist.errors import StorageError
from ftdist.io.html import render
from ftdist.io.jsonl import write_whole

_PRIVATE, _SHARED = 0o077, 0o022


def write_page(report: Report, path: Path, *, private: bool) -> None:
    """Write the page.

    Args:
        report: what it shows.
        path: of the page; a file that is there is replaced.
        private: whether only the user may read it: it holds samples of the library.

    Raises:
        StorageError: it cannot be written.
    """
    text = render(
        "check/check.html.jinja",
        report=report,
        visible=visible,
        most=lambda histogram: max(samples for _, samples in histogram),
    )
    mask = os.umask(_PRIVATE if private else _SHARED)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)
    except OSError as error:
        raise StorageError(
            f"The page {path} cannot be written: {error.strerror}.",
            remedy="name another file with --html.",
        ) from error
    finally:
        os.umask(mask)
