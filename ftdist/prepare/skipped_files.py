"""Files of a source that training does not read: they are named, and documents get a remedy."""

from collections.abc import Mapping

from ftdist.library.readers.discovery import is_probes
from ftdist.prepare.data_files import SourceFiles, curate_command, has_documents
from ftdist.text.terminal import plain

_MAX_NAMED = 3


def skipped_lines(sources: Mapping[str, SourceFiles]) -> list[str]:
    """A line for each source with files that are not read: how many, the first, what to do."""
    return [
        plain(f"{name}: {_skipped(source)}") for name, source in sources.items() if source.skipped
    ]


def _skipped(source: SourceFiles) -> str:
    files = source.skipped
    names = [
        source.name(file) + (" (probes)" if is_probes(file) else "") for file in files[:_MAX_NAMED]
    ]
    more = f" and {len(files) - _MAX_NAMED} more" if len(files) > _MAX_NAMED else ""
    number = "1 file" if len(files) == 1 else f"{len(files)} files"
    remedy = ""
    if has_documents(files):
        remedy = f". To learn documents, make a library of them: {curate_command(source.root)}"
    return f"{number} not read: {', '.join(names)}{more}{remedy}"
