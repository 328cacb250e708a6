"""Real libraries, their counts worked out by another route than the readers'."""

import csv
import gzip
import json
import re
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup

from ftdist.config.compose import compose_curation
from ftdist.library.pipeline import curate
from ftdist.library.readers import read_document
from ftdist.library.readers.rows.chat_formats import read_conversations
from ftdist.library.schema import BadRow, Block, Conversation, Document, Row
from ftdist.library.store.dataset import open_curated
from ftdist.library.store.samples import read_samples
from ftdist.library.synthesis.passages import passages
from ftdist.library.synthesis.qa_extraction import questions
from tests.support.documents.real_libraries import debian_docs, needs, wheel_files

pytestmark = pytest.mark.timeout(280)


@cache
def _document(path: Path, kind: str) -> Document:
    document = read_document(path, name=path.name, kind=kind)
    assert isinstance(document, Document), document
    return document


def _conversations(path: Path, kind: str) -> list[Row]:
    return list(read_conversations(path, name=path.name, kind=kind))


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]{3,}", text.lower())


def _said(block: Block) -> str:
    """A block's text, and that of its cells."""
    return " ".join([block.text, *(cell for row in block.rows for cell in row)])


def _headings(text: str) -> int:
    """Lines of Markdown that begin with `#`, outside of fences."""
    headings, fence = 0, ""
    for line in text.split("\n"):
        mark = re.match(r"\s*(```|~~~)[^`]*$", line)
        if mark and fence in ("", mark[1]):
            fence = "" if fence else mark[1]
        elif not fence and re.match(r" {0,3}#{1,6} +\S", line):
            headings += 1
    return headings


def _nut_pdf(name: str) -> Path:
    return debian_docs("nut-doc") / "usr/share/doc/nut-doc/pdf" / name


@pytest.mark.slow
def test_nut_user_manual_has_the_words_that_pdftotext_finds_on_each_page() -> None:
    needs("pdftotext")
    path = _nut_pdf("user-manual.pdf")
    printed = subprocess.run(
        ["pdftotext", path, "-"], capture_output=True, check=True, timeout=60
    ).stdout.decode()
    pages = printed.split("\f")
    document = _document(path, "pdf")
    read = Counter[int]()
    for block in document.blocks:
        read[block.page or 0] += len(_words(_said(block)))
    assert len(pages) - 1 == 135
    # Blocks count for the page on which they begin: compared over ten pages at a time. The first
    # sixteen pages are title and contents, the contents left out.
    for first in range(21, 131, 10):
        theirs = sum(len(_words(page)) for page in pages[first - 1 : first + 9])
        ours = sum(read[page] for page in range(first, first + 10))
        assert ours == pytest.approx(theirs, rel=0.05), first


@pytest.mark.slow
def test_nut_user_manual_has_the_headings_of_its_bookmarks_on_their_pages() -> None:
    import pypdfium2

    path = _nut_pdf("user-manual.pdf")
    with pypdfium2.PdfDocument(path) as pdf:
        marks = [(m.get_title(), m.get_dest().get_index() + 1) for m in pdf.get_toc()]
    found = {
        (re.sub(r"\W", "", re.sub(r"^[\dA-Z.]+\s", "", block.text)).lower(), block.page)
        for block in _document(path, "pdf").blocks
        if block.kind == "heading"
    }
    missed = [m for m in marks if (re.sub(r"\W", "", m[0]).lower(), m[1]) not in found]
    assert len(marks) == 371
    assert len(missed) <= 0.05 * len(marks), missed[:10]


def test_the_passages_of_the_nut_manual_contain_every_word_equally_often() -> None:
    document = _document(_nut_pdf("user-manual.pdf"), "pdf")
    read = Counter(w for block in document.blocks for w in _words(_said(block)))
    taught = Counter(
        w
        for sample in passages(document, words=300)
        for w in _words(sample.text.split("\n\n", 1)[1])
    )
    headings = Counter(w for b in document.blocks if b.kind == "heading" for w in _words(b.text))
    body = read - headings
    assert body - taught == Counter()


def test_slurm_faq_gives_its_questions_with_their_answers() -> None:
    path = debian_docs("slurm-wlm-doc") / "usr/share/doc/slurm-wlm/html/faq.html"
    soup = BeautifulSoup(path.read_bytes(), "lxml")
    asked = {
        " ".join(bold.get_text().split())
        for bold in soup.find_all("b")
        if bold.get_text().strip().endswith("?")
    }
    found = {exchange.question for exchange in questions(_document(path, "html"))}
    assert len(asked) > 100
    assert len(asked & found) >= 0.95 * len(asked), sorted(asked - found)


def test_slurm_pages_lose_only_navigation_words() -> None:
    folder = debian_docs("slurm-wlm-doc") / "usr/share/doc/slurm-wlm/html"
    for name in ("quickstart.html", "gres.html", "preempt.html"):
        soup = BeautifulSoup((folder / name).read_bytes(), "lxml")
        for tag in soup(["script", "style", "nav", "footer", "head", "form", "aside", "button"]):
            tag.decompose()
        for tag in soup.find_all(attrs={"role": ["navigation", "banner", "contentinfo", "search"]}):
            tag.decompose()
        blocks = _document(folder / name, "html").blocks
        said = " ".join(map(_said, blocks))
        assert len(_words(said)) == pytest.approx(len(_words(soup.get_text(" "))), rel=0.01), name


@pytest.mark.slow
def test_icinga_pages_have_the_headings_outside_of_code() -> None:
    files = sorted((debian_docs("icinga2-doc") / "usr/share/doc").rglob("*.md.gz"))
    assert len(files) == 24
    for path in files:
        theirs = _headings(gzip.decompress(path.read_bytes()).decode())
        ours = sum(block.kind == "heading" for block in _document(path, "markdown").blocks)
        assert ours == pytest.approx(theirs, abs=1), path.name


def test_zaragoza_reads_the_same_in_every_format() -> None:
    data = wheel_files("zaragoza-construction-faq", "1.2.1") / "zaragoza_construction_faq/data"
    with (data / "faq-en.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    asked = {(row["q"].strip(), row["a"].strip()) for row in rows}
    assert len(rows) == 503
    for name, kind in (("faq-en.csv", "csv"), ("faq-en-alpaca.jsonl", "jsonl"),
                       ("faq-en-sharegpt.jsonl", "jsonl")):  # fmt: skip
        read = _conversations(data / name, kind)
        assert not [row for row in read if isinstance(row, BadRow)], name
        found = {
            (row.messages[-2]["content"].strip(), row.messages[-1]["content"].strip())
            for row in read
            if isinstance(row, Conversation)
        }
        assert found == asked, name


@pytest.mark.slow
def test_chitchat_conversations_hold_every_utterance_up_to_the_last_answer() -> None:
    path = wheel_files("chitchat-dataset", "0.9.0") / "chitchat_dataset/dataset.json"
    threads = json.loads(path.read_bytes())
    said = [[m for turn in thread["messages"] for m in turn] for thread in threads.values()]
    two = [thread for thread in said if len({m["sender"] for m in thread}) == 2]
    rows = _conversations(path, "json")
    assert len(threads) == len(rows) == 7168
    good = [row for row in rows if isinstance(row, Conversation)]
    unclear = [
        r for r in rows if isinstance(r, BadRow) and "either may be the assistant" in r.reason
    ]
    assert len(good) + len(unclear) == pytest.approx(len(two), rel=0.01)
    assert len(unclear) < 0.15 * len(two)  # such as "Hi" and "Hello, how are you?"
    texts = [sum(1 for m in thread if m["text"].strip()) for thread in two]
    lines = sum(m["content"].count("\n") + 1 for row in good for m in row.messages)
    assert 0.85 * len(good) / len(two) < lines / sum(texts) < 1.1


def test_chatterbot_lists_become_exchanges_and_others_are_reported() -> None:
    folder = wheel_files("chatterbot-corpus", "1.3.3") / "chatterbot_corpus/data/english"
    bad = 0
    for path in sorted(folder.glob("*.yml")):
        lists = yaml.safe_load(path.read_text(encoding="utf-8"))["conversations"]
        rows = _conversations(path, "yaml")
        assert len(rows) == len(lists)
        bad += sum(isinstance(row, BadRow) for row in rows)
        turns = sum(len(each) // 2 for each in lists if isinstance(each, list))
        found = sum(len(row.messages) // 2 for row in rows if isinstance(row, Conversation))
        assert found == pytest.approx(turns, abs=2), path.name
    assert bad == 1  # trivia.yml, row 14, is a text and no list


def test_nut_faq_gives_20_probes_sharing_no_13_gram_with_training(
    tmp_path: Path,
) -> None:
    config = compose_curation(
        [
            "library.name=nut",
            f"library.root={tmp_path}",
            f"library.sources=['{_nut_pdf('FAQ.pdf')}']",
            f"work.cache_dir={tmp_path / 'cache'}",
            "work.num_proc=1",
        ]
    )
    folder = curate(config, model=None, log=lambda _: None).folder
    lines = (folder / "probes.jsonl").read_text(encoding="utf-8").splitlines()
    asked = [json.loads(line)["question"] for line in lines]
    trained = [
        re.findall(r"\w+", text.casefold())
        for source in open_curated(folder).sources
        for sample in read_samples(source.train)
        for text in (sample.text, *(message["content"] for message in sample.messages))
    ]
    runs = {tuple(words[at : at + 13]) for words in trained for at in range(len(words) - 12)}
    assert len(asked) >= 20
    for question in asked:
        words = re.findall(r"\w+", question.casefold())
        assert not runs & {tuple(words[at : at + 13]) for at in range(len(words) - 12)}, question


@pytest.mark.filterwarnings("ignore::bs4.XMLParsedAsHTMLWarning")
@pytest.mark.parametrize(
    ("manual", "tables", "rows", "spanning"),
    [
        ("user-manual", 16, 305, 1),
        pytest.param("developer-guide", 16, 314, 6, marks=pytest.mark.slow),
        ("cables", 2, 13, 0),
    ],
)
def test_nut_manuals_have_the_rows_of_the_tables_of_their_html_edition(
    manual: str, tables: int, rows: int, spanning: int
) -> None:
    def plain(cell: str) -> str:
        return re.sub(r"\s", "", cell).translate({0x2019: "'", 0x201C: '"', 0x201D: '"'})

    pages = sorted((_nut_pdf("..") / "html" / manual).resolve().glob("*.html"))
    texts = [page.read_bytes() for page in pages]
    soups = [BeautifulSoup(text, "lxml") for text in texts if b"informaltable" in text]
    found = [table for soup in soups for table in soup.select("div.informaltable table")]
    theirs = Counter(
        tuple(plain(cell.get_text()) for cell in row.find_all(["td", "th"]))
        for table in found
        for row in table.find_all("tr")
    )
    blocks = _document(_nut_pdf(f"{manual}.pdf"), "pdf").blocks
    ours = Counter(tuple(map(plain, row)) for block in blocks for row in block.rows)
    assert (len(found), theirs.total()) == (tables, rows)
    # Rows with a cell over several columns or rows are fewer cells there, and one row here.
    assert (theirs - ours).total() == spanning
    # Here alone: the title page's table of versions, headings on each page that a table goes on to.
    more = [row for row, times in (ours - theirs).items() for _ in range(times)]
    versions = [row for row in more if len(row) == 4]
    headings = [row for row in more if row[:2] == ("Name", "Description")]
    assert len(versions) == 3
    assert len(more) - len(versions) - len(headings) <= max(1, spanning)
