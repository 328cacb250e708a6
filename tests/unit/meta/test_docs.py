"""What the documents name exists: links, headings, make targets, verbs, modules."""

import importlib.util
import re
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from ftdist.cli.main import COMMANDS
from ftdist.config.keys import CURATE, config_keys, find_key
from ftdist.observe.score_table import SCORE_DOCS
from tests.support.tiers import TESTS
from tools import config_reference, hardware_reference, metrics_reference

ROOT = TESTS.parent
NOT_OURS = {
    "reader_cases",
    ".venv",
    ".git",
    ".cache",
    ".pytest_cache",
    "runs",
    "build",
    "library",
    "golden",
}
DOCUMENTS = sorted(
    path for path in ROOT.rglob("*.md") if NOT_OURS.isdisjoint(path.relative_to(ROOT).parts)
)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
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


def test_a_link_to_a_missing_file_or_heading_is_detected(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# One, two\n")
    text = (
        "[a](other.md) [b](other.md#one-two) [c](none.md) [d](other.md#three) [e](https://x.org/y)"
    )
    assert broken_links(text, tmp_path / "this.md") == ["none.md", "other.md#three"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_make_target_in_the_docs_exists(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z.][a-z.-]*):", makefile, re.MULTILINE))
    assert commands(document, r"make ([a-z.][a-z.-]*)") - targets == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_command_in_the_docs_exists(document: Path) -> None:
    assert commands(document, r"(?:\.venv/bin/)?ftdist ([a-z]+)") - set(COMMANDS) == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_python_m_module_in_the_docs_exists(document: Path) -> None:
    modules = commands(document, r"(?:\S*/)?python3? -m ([\w.]+)")
    assert {name for name in modules if importlib.util.find_spec(name) is None} == set()


SECTIONS = {name.split(".")[0] for name in [*config_keys(), *config_keys(CURATE)]}
KEY = re.compile(r"(?<![\w./-])(\w+)((?:\.\w+)+)(?==|`)")
"""A dotted name with a value, or at the end of code."""

PAST_COMMANDS = {"docs/LOG.md", "docs/benchmarks.md", "CHANGELOG.md"}
"""Documents of what was measured or changed, with the names of their day."""


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_config_key_in_the_docs_exists(document: Path) -> None:
    if name_of(document) in PAST_COMMANDS:
        pytest.skip("holds commands of the past")
    assert unknown_keys(document.read_text(encoding="utf-8")) == []


def unknown_keys(text: str) -> list[str]:
    """Dotted names in code that begin with a section of the config and are no key of it."""
    code = [*FENCE.findall(text), *re.findall(r"^ {4}.*$", text, re.MULTILINE)]
    code += re.findall(r"`[^`\n]+`", text)
    named = {
        f"{section}{rest}"
        for section, rest in KEY.findall("\n".join(code))
        if section in SECTIONS and not rest.endswith(FILE_SUFFIXES)
    }
    return sorted(
        name for name in named if find_key(name) is None and find_key(name, command=CURATE) is None
    )


FILE_SUFFIXES = (".py", ".json", ".jsonl", ".yaml", ".md", ".txt")


def test_a_reference_to_a_missing_key_is_detected() -> None:
    text = "Set `run.name=R`, `library.extra.stuff` or `optim.peak_lrr=1`; not run.nothing=1.\n"
    assert unknown_keys(text) == ["library.extra.stuff", "optim.peak_lrr"]


def test_every_document_named_in_code_and_config_exists() -> None:
    named: dict[str, Path] = {}
    for folder in ("ftdist", "launch", "conf", "examples", "benchmarks", "docker"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".yaml", ".jinja", ".toml") and path.is_file():
                text = path.read_text(encoding="utf-8")
                named |= dict.fromkeys(re.findall(r"\bdocs/[\w/.-]+\.md", text), path)
    assert named
    assert [
        (name, name_of(path)) for name, path in named.items() if not (ROOT / name).exists()
    ] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_repository_path_in_the_docs_exists(document: Path) -> None:
    folders = "ftdist|launch|tests|conf|examples|benchmarks|tools|docker"
    named = re.findall(
        rf"`((?:{folders})/[\w./-]*|ftdist_launch/[\w./-]+)`",
        document.read_text(encoding="utf-8"),
    )
    roots = (ROOT, ROOT / "launch")
    missing = {name for name in named if not any((root / name).exists() for root in roots)}
    assert missing - ELSEWHERE == set()


ELSEWHERE = {
    *("conf/cluster/mine.yaml", "conf/experiment/mine.yaml", "conf/GROUP/NAME.yaml"),  # users'
    *("ftdist/conf/", "ftdist/launch/"),  # in a wheel; a layout that was rejected
}
"""Paths that documents name and that are not in the repository."""


def test_events_and_their_reference_correspond_one_to_one() -> None:
    page = (ROOT / "docs" / "reference" / "run-directory.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]*) \|", page.partition("## Events")[2], re.MULTILINE)
    documented = set(re.findall(r"`([a-z]+_[a-z_]+)`", "".join(rows)))
    source = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("ftdist", "launch")
        for path in (ROOT / folder).rglob("*.py")
    )
    written = set(re.findall(r'append_event\(\s*"([a-z_]+)"', source))
    assert written - documented == set()
    ends = {"training_complete", "training_stopped"}  # training_REASON
    assert {event for event in documented - ends if f'"{event}"' not in source} == set()


def test_every_function_on_the_architecture_page_exists() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    hops = re.findall(r"^\| \d+ \| `([\w/]+\.py): ([\w.]+)` \|", page, re.MULTILINE)
    assert len(hops) >= 8
    for file, name in hops:
        path = next(p for r in ("ftdist", "launch") if (p := ROOT / r / file).is_file())
        definition = rf"^\s*(?:def|class) {name.split('.')[-1]}\b"
        assert re.search(definition, path.read_text(encoding="utf-8"), re.MULTILINE), (file, name)


def test_scores_and_their_reference_correspond_one_to_one() -> None:
    page = (ROOT / "docs" / "reference" / "scores.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    evaluation = (ROOT / "ftdist" / "evaluation").rglob("*.py")
    source = "".join(path.read_text(encoding="utf-8") for path in evaluation)
    assert set(SCORE_DOCS) - documented == set()
    assert {score for score in documented if f'"{score}"' not in source} == set()


def test_every_page_is_in_the_index_of_the_documentation() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = [
        path.relative_to(ROOT / "docs").as_posix()
        for path in (ROOT / "docs").rglob("*.md")
        if "decisions" not in path.parts
    ]
    assert [page for page in pages if page != "README.md" and f"({page})" not in index] == []


@pytest.mark.parametrize("generator", [config_reference, hardware_reference, metrics_reference])
def test_generated_reference_pages_are_up_to_date(generator: ModuleType) -> None:
    text = generator.PAGE.read_text(encoding="utf-8")
    assert text == generator.page(), "run `make docs`"


def test_images_exist_and_have_a_description() -> None:
    for document in DOCUMENTS:
        for alt, target in IMAGE.findall(document.read_text(encoding="utf-8")):
            assert alt, f"{document}: {target}"
            assert (document.parent / target).is_file(), f"{document}: {target}"


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
    text = (ROOT / "docs" / "how-to" / "cluster.md").read_text(encoding="utf-8")
    keys = [name.removeprefix("cluster.") for name in config_keys() if name.startswith("cluster.")]
    assert keys
    assert [key for key in keys if f"`{key}`" not in text] == []
