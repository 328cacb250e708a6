"""Which folders are installed, and under which names; all else is in pyproject.toml.

Why: docs/decisions/0011-installed-packages.md.
"""

import re
from pathlib import Path

from setuptools import find_namespace_packages, find_packages, setup

ROOT = Path(__file__).parent
"""Of the repository."""

_IMAGE = re.compile(r"^!\[[^\]]*\]\([^)]*\)\n\n?(\*[^*\n]+\*\n\n)?", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]*)\]\((?!https?://)[^)]*\)")


def readme() -> str:
    """README.md without what breaks on a package index: images, captions, relative links."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return _LINK.sub(r"\1", _IMAGE.sub("", text))


def mapped(package: str, folder: str) -> list[str]:
    """The packages of a folder without Python files and of its subfolders."""
    return [package, *(f"{package}.{name}" for name in find_namespace_packages(folder))]


setup(
    packages=[
        # Folders of templates and of the project of `ftdist init` have no Python files.
        *find_namespace_packages(include=["ftdist*"], exclude=["*__pycache__*"]),
        *find_packages("launch"),
        *mapped("ftdist.conf", "conf"),
        *mapped("ftdist.docs", "docs"),
    ],
    package_dir={
        "ftdist_launch": "launch/ftdist_launch",
        "ftdist.conf": "conf",
        "ftdist.docs": "docs",
    },
    long_description=readme(),
    long_description_content_type="text/markdown",
)
