"""The documentation site: every page is in its navigation, once."""

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"


def test_every_page_is_in_the_navigation_once() -> None:
    """A decision is reached from the list of decisions instead."""
    project = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]
    listed = sorted(_pages(project["nav"]))
    pages = [str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")]
    decisions = [page for page in pages if page.startswith("decisions/0")]
    assert listed == sorted(set(pages) - set(decisions))
    index = (DOCS / "decisions/README.md").read_text()
    assert [page for page in decisions if f"({Path(page).name})" not in index] == []


def _pages(nav: list[Any]) -> list[str]:
    found = []
    for entry in nav:
        for value in [entry] if isinstance(entry, str) else entry.values():
            found += [value] if isinstance(value, str) else _pages(value)
    return found
