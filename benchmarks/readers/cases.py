"""Documents with assertions: small ones of this folder, and real ones of Debian's packages."""

import gzip
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.readers.assertions import Assertion, read_assertions
from benchmarks.readers.candidates import CACHE, CHECKOUT, FORMATS

CASES = CHECKOUT / "benchmarks" / "reader_cases"
_SUFFIX = {"markdown": ".md", "text": ".txt"}


@dataclass(frozen=True)
class Case:
    """A document and what stands in it.

    Attributes:
        name: of its assertions' file, without suffix.
        format: of `FORMATS`.
        path: of the document.
        assertions: what a person reads.
        is_real: from a package; else written for this purpose.
    """

    name: str
    format: str
    path: Path
    assertions: tuple[Assertion, ...]
    is_real: bool = False


def small_cases() -> list[Case]:
    """The documents stored beside their assertions."""
    return [
        Case(facts.stem, name, _beside(facts, name), read_assertions(facts)[1])
        for name in FORMATS
        for facts in sorted((CASES / name).glob("*.facts"))
    ]


def real_cases() -> list[Case]:
    """Documents of Debian's packages, fetched once.

    Raises:
        OSError: a package cannot be fetched.
        subprocess.CalledProcessError: likewise.
    """
    cases = []
    for facts in sorted((CASES / "real").glob("*.facts")):
        settings, assertions = read_assertions(facts)
        document = _document(facts.stem, settings)
        cases.append(Case(facts.stem, settings["format"], document, assertions, is_real=True))
    return cases


def _beside(facts: Path, name: str) -> Path:
    """The document of the same name; formats under "other" have suffixes of their own."""
    if name != "other":
        return facts.with_suffix(_suffix(name))
    (document,) = (path for path in facts.parent.glob(f"{facts.stem}.*") if path != facts)
    return document


def _suffix(name: str) -> str:
    return _SUFFIX.get(name, f".{name}")


def _document(name: str, settings: dict[str, str]) -> Path:
    """The file of a package, unpacked, with the named pages only."""
    pages = settings.get("pages", "")
    document = CACHE / "documents" / f"{name}{'-' + pages if pages else ''}"
    document = document.with_name(document.name + _suffix(settings["format"]))
    if document.is_file():
        return document
    source = _package(settings["package"]) / settings["file"]
    document.parent.mkdir(parents=True, exist_ok=True)
    part = document.with_name(f".{document.name}")
    data = source.read_bytes()
    part.write_bytes(gzip.decompress(data) if source.suffix == ".gz" else data)
    if pages:
        _cut(part, pages)
    part.rename(document)
    return document


def _package(name: str) -> Path:
    folder = CACHE / "packages" / name
    if not folder.is_dir():
        work = CACHE / "packages" / f".{name}"
        work.mkdir(parents=True, exist_ok=True)
        fetch = ["apt-get", "download", "-q", name]
        if subprocess.run(fetch, cwd=work, check=False).returncode:
            subprocess.run(["apt-get", "update", "-q"], check=True)
            subprocess.run(fetch, cwd=work, check=True)
        (archive,) = work.glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", str(archive), str(work / "files")], check=True)
        (work / "files").rename(folder)
        shutil.rmtree(work)
    return folder


def _cut(path: Path, pages: str) -> None:
    import pypdfium2

    first, _, last = pages.partition("-")
    whole, part = pypdfium2.PdfDocument(path), pypdfium2.PdfDocument.new()
    part.import_pages(whole, list(range(int(first) - 1, int(last or first))))
    part.save(path)
