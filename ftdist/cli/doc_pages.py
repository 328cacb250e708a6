"""Paths of documentation pages in messages: those of the installed ftdist."""

import re
from pathlib import Path

_PAGE = re.compile(r"(?<![\w/])docs/[\w/-]+\.md")


def with_page_paths(message: str) -> str:
    """A message in which the names of pages in docs/ are paths that can be opened.

    A wheel holds the pages inside the package, a checkout next to it. In the checkout itself, and
    for pages that are nowhere, the message is unchanged.
    """
    return _PAGE.sub(lambda match: _path(match[0]), message)


def _path(page: str) -> str:
    package = Path(__file__).resolve().parents[1]
    found = (folder / page for folder in (package, package.parent))
    if Path(page).is_file():
        return page
    return next((str(path) for path in found if path.is_file()), page)
