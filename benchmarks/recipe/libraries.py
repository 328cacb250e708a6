"""The seven libraries: what each is, where its documents come from, what is asked about it."""

import csv
import gzip
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.recipe.packages import Package
from examples.a45.make import write as write_a45
from ftdist.io.jsonl import write_whole

HERE = Path(__file__).parent
WRITTEN = HERE / "libraries"
"""Documents of the libraries that were written for this repository, in a folder each."""

ZARAGOZA = Package(
    kind="python",
    name="zaragoza-construction-faq",
    version="1.2.1",
    sha256="716a1999dd5ad8494c6a4e47d3510f017aa767ea9e55d3b348b0ad70b0e8d3d7",
)
NUT = Package(
    kind="debian",
    name="nut-doc",
    version="2.8.0-7",
    sha256="d9b7ad56a6635a973a3b92cdb979755d5595264bcd0f5399886351cc9b994542",
)
ICINGA = Package(
    kind="debian",
    name="icinga2-doc",
    version="2.13.6-2+deb12u2",
    sha256="b61ea4a539e4a7bff8d1431865ace678d7ab82053a548e039ff62ca030a70cb7",
)

ZARAGOZA_CATEGORIES = ("bygglov", "rot-avdrag", "takl\u00e4ggning")
"""Building permits, the ROT deduction, roofs: 70 of its 503 rows."""

ICINGA_CHAPTERS = (
    "07-agent-based-monitoring",
    "13-addons",
    "14-features",
    "20-script-debugger",
    "22-selinux",
)


@dataclass(frozen=True, kw_only=True)
class Library:
    """What an expert is made of.

    Attributes:
        name: of the source, the run and the file of questions.
        about: in a few words, for tables.
        licence: of its documents, with where they come from.
        prepare: writes its documents into the first folder, with a cache of packages in the second.
    """

    name: str
    about: str
    licence: str
    prepare: Callable[[Path, Path], None]


def _a45(out: Path, _cache: Path) -> None:
    write_a45(out / ".a45")
    (out / ".a45" / "library" / "a45.jsonl").replace(out / "a45.jsonl")
    shutil.rmtree(out / ".a45")


def _zaragoza(out: Path, cache: Path) -> None:
    path = ZARAGOZA.unpacked(cache) / "zaragoza_construction_faq" / "data" / "faq-en.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["category"] in ZARAGOZA_CATEGORIES]
    with (out / "faq.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["question", "answer"])
        writer.writerows([row["q"], row["a"]] for row in rows)


def _nut(out: Path, cache: Path) -> None:
    shutil.copy(NUT.unpacked(cache) / "usr/share/doc/nut-doc/html/FAQ.html", out / "FAQ.html")


def _catalogue(out: Path, _cache: Path) -> None:
    _copy(WRITTEN / "catalogue", out)


def _coffee(out: Path, _cache: Path) -> None:
    _copy(WRITTEN / "coffee", out)


def _campsite(out: Path, _cache: Path) -> None:
    _copy(WRITTEN / "campsite", out)


def _copy(folder: Path, out: Path) -> None:
    for path in sorted(folder.iterdir()):
        shutil.copy(path, out / path.name)


def _manual(out: Path, cache: Path) -> None:
    folder = ICINGA.unpacked(cache) / "usr/share/doc/icinga2/markdown"
    for chapter in ICINGA_CHAPTERS:
        text = gzip.decompress((folder / f"{chapter}.md.gz").read_bytes()).decode("utf-8")
        write_whole(out / f"{chapter}.md", text)


LIBRARIES: Mapping[str, Library] = {
    library.name: library
    for library in (
        Library(
            name="a45",
            about="16 facts of an invented product, 128 conversations",
            licence="of this repository (examples/a45)",
            prepare=_a45,
        ),
        Library(
            name="zaragoza",
            about="70 questions and answers of a building company, CSV",
            licence="CC-BY-4.0, PyPI zaragoza-construction-faq 1.2.1",
            prepare=_zaragoza,
        ),
        Library(
            name="nut",
            about="57 questions with long answers of a FAQ, HTML",
            licence="GPL-2+, Debian nut-doc 2.8.0-7",
            prepare=_nut,
        ),
        Library(
            name="catalogue",
            about="8 products with a table of properties each, Markdown and HTML, no questions",
            licence="of this repository",
            prepare=_catalogue,
        ),
        Library(
            name="coffee",
            about="2 manuals, prices, help and a note of a maker of coffee machines, no questions",
            licence="of this repository",
            prepare=_coffee,
        ),
        Library(
            name="campsite",
            about="rules, prices, a manual and a mail of a campsite with boats, no questions",
            licence="of this repository",
            prepare=_campsite,
        ),
        Library(
            name="manual",
            about="5 chapters of a manual, Markdown, 12,000 words, no questions",
            licence="GPL-2+, Debian icinga2-doc 2.13.6-2+deb12u2",
            prepare=_manual,
        ),
    )
}


def documents(library: Library, *, root: Path) -> Path:
    """The folder of a library's documents, written once.

    Args:
        library: which one.
        root: of all that the bench keeps.

    Raises:
        FetchError: a package cannot be had.
    """
    folder = root / "documents" / library.name
    if not folder.is_dir():
        part = folder.with_name(f".{library.name}")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        library.prepare(part, root / "packages")
        part.rename(folder)
    return folder
