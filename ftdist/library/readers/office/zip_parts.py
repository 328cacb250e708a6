"""Parts of documents that are zip archives, read within bounds."""

import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from lxml import etree

from ftdist.library.readers import MAX_DOCUMENT
from ftdist.library.schema import BadRowError

_DOCTYPE = re.compile(rb"<!DOCTYPE[^<>\[]*\[.*?\]\s*>", re.DOTALL)
_INCLUDED = re.compile(rb"%[\w.-]+;")
MAX_RATIO = 100
_FREE_BYTES = 8 * 2**20
"""A part of more bytes may be packed `MAX_RATIO`-fold; the text of documents is 20-fold at most."""

_SAVE_AGAIN = "Open it in the program that made it, and save it again."


class ZipParts:
    """The parts of an archive; decompressed they may have `MAX_DOCUMENT` bytes in all."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._left = MAX_DOCUMENT
        self.names = frozenset(archive.namelist())

    def read(self, name: str) -> bytes:
        """A part.

        Raises:
            BadRowError: it is missing, damaged or too large.
        """
        if name not in self.names:
            raise BadRowError(f"is damaged: {name} is missing", _SAVE_AGAIN)
        packed = self._archive.getinfo(name)
        if packed.file_size > max(_FREE_BYTES, MAX_RATIO * packed.compress_size):
            raise BadRowError(
                f"holds {packed.file_size >> 20} MiB in a part that is packed more than "
                f"{MAX_RATIO}-fold, as only archives made to do harm are",
                "Remove it, or save it again.",
            )
        try:
            with self._archive.open(name) as part:
                data = part.read(self._left + 1)
        except (OSError, EOFError, UnicodeDecodeError) as error:  # a place outside, another name
            raise BadRowError(f"is a damaged archive: {error}", _SAVE_AGAIN) from error
        self._left -= len(data)
        if self._left < 0:
            raise BadRowError(f"holds more than {MAX_DOCUMENT >> 20} MiB of text", "Split it.")
        return data

    def xml(self, name: str) -> etree._Element:
        """The root of a part that is XML."""
        return parse_xml(self.read(name))

    def relations(self, name: str) -> dict[str, tuple[str, str]]:
        """Type and target of the parts that an Office part refers to, by their id."""
        path = PurePosixPath(name)
        of_part = str(path.parent / "_rels" / f"{path.name}.rels")
        if of_part not in self.names:
            return {}
        return {
            each.get("Id", ""): (
                each.get("Type", "").rpartition("/")[2],
                resolved(each.get("Target", ""), base=name),
            )
            for each in self.xml(of_part)
        }


@contextmanager
def open_zip(path: Path) -> Iterator[ZipParts]:
    """Open the parts of a document.

    Raises:
        BadRowError: the archive or a part is damaged or encrypted.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield ZipParts(archive)
    except (zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise BadRowError(f"is a damaged archive: {error}", _SAVE_AGAIN) from error
    except (RuntimeError, NotImplementedError) as error:  # a password; an unknown compression
        raise BadRowError(f"cannot be decompressed: {error}", _SAVE_AGAIN) from error


def parse_xml(data: bytes) -> etree._Element:
    """The root of XML, without what lies outside of it.

    Raises:
        BadRowError: it is not well formed.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    prolog = _DOCTYPE.search(data)
    if prolog:  # without declarations that it includes from other files
        data = data[: prolog.start()] + _INCLUDED.sub(b"", prolog[0]) + data[prolog.end() :]
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise BadRowError(f"is not well-formed XML ({error.msg})", _SAVE_AGAIN) from error


def resolved(target: str, *, base: str) -> str:
    """The name of a part that another refers to."""
    if target.startswith("/"):
        return target[1:]
    parts: list[str] = list(PurePosixPath(base).parent.parts)
    for part in PurePosixPath(target).parts:
        if part == "..":
            del parts[-1:]
        elif part != ".":
            parts.append(part)
    return "/".join(parts)
