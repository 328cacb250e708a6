"""What the documents name exists: links, headings, make targets, verbs, modules."""

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

from ftdist.cli.main import VERBS
from ftdist.config.keys import config_keys
from tests.support.tiers import TESTS

ROOT = TESTS.parent
NOT_OURS = {".venv", ".git", ".cache", ".pytest_cache", "runs", "build", "library", "golden"}
DOCUMENTS = sorted(
    path for path in ROOT.rglob("*.md") if NOT_OURS.isdisjoint(path.relative_to(ROOT).parts)
)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    broken = broken_links(document.read_text(encoding="utf-8"), document)
    assert broken == []


def broken_links(text: str, document: Path) -> list[str]:
    """Relative links of a document that lead nowhere."""
    broken = []
    for target in LINK.findall(FENCE.sub("", text)):
        if re.match(r"[a-z]+:", target):
            continue
        path_part, _, heading = target.partition("#")
        path = (document.parent / path_part).resolve() if path_part else document
        if not path.exists() or (heading and heading not in headings(path)):
            broken.append(target)
    return broken


def headings(path: Path) -> set[str]:
    """Anchors of a document's headings, as a repository host makes them."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles}


def test_a_link_to_a_missing_file_or_heading_is_seen(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# One, two\n")
    text = (
        "[a](other.md) [b](other.md#one-two) [c](none.md) [d](other.md#three) [e](https://x.org/y)"
    )
    assert broken_links(text, tmp_path / "this.md") == ["none.md", "other.md#three"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z.][a-z.-]*):", makefile, re.MULTILINE))
    assert commands(document, r"make ([a-z.][a-z.-]*)") - targets == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_verb_that_is_named_exists(document: Path) -> None:
    assert commands(document, r"(?:\.venv/bin/)?ftdist ([a-z]+)") - set(VERBS) == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_module_that_is_run_with_python_m_exists(document: Path) -> None:
    modules = commands(document, r"(?:\S*/)?python3? -m ([\w.]+)")
    assert {name for name in modules if importlib.util.find_spec(name) is None} == set()


def commands(document: Path, pattern: str) -> set[str]:
    """What `pattern` captures at the start of code: between backticks, indented, or in a fence."""
    text = document.read_text(encoding="utf-8")
    fenced = "\n".join(FENCE.findall(text))
    code = re.findall(rf"^(?:\$ )?{pattern}", fenced, re.MULTILINE)
    indented = re.findall(rf"^(?: {{4}}|\t) *(?:\$ )?{pattern}", text, re.MULTILINE)
    inline = re.findall(rf"`{pattern}[^`]*`", text)
    return {*code, *indented, *inline}


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    pages = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert pages
    assert [page for page in pages if f"({page})" not in index] == []


def test_make_help_lists_every_target_that_has_a_comment() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    listed = re.findall(r"^  make (\S+)", shown, re.MULTILINE)
    assert {"help", "demo", "test", "check", "bench", ".venv"} <= set(listed)


def test_every_key_of_cluster_is_explained_in_its_document() -> None:
    text = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
    keys = [name.removeprefix("cluster.") for name in config_keys() if name.startswith("cluster.")]
    assert keys
    assert [key for key in keys if f"`{key}`" not in text] == []
