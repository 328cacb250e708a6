"""The readers that are compared, and the environment that each of them gets."""

import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("FTDIST_READERS_CACHE", Path.home() / ".cache" / "ftdist-readers"))
FORMATS = (
    *("html", "docx", "markdown", "pdf", "text", "xlsx", "epub", "pptx", "odt", "other", "rtf"),
)
"""Other: a mail, a notebook, subtitles, reStructuredText and DocBook."""

_PIP = ("pip", "setuptools", "_distutils_hack", "pkg_resources", "distutils-precedence")
_TIMEOUT_S = 900
_MB = 10**6


@dataclass(frozen=True)
class Candidate:
    """A reader.

    Attributes:
        name: of its function in `child.py`.
        requirements: as pip takes them.
        licence: as its package declares it.
        formats: of `FORMATS` that it reads here; docs/readers.md says what is left out, and why.
    """

    name: str
    requirements: tuple[str, ...]
    licence: str
    formats: tuple[str, ...]


_DOCLING_EXTRAS = (
    "convert-core,format-docx,format-html,format-latex,format-markdown,format-opendocument,"
    "format-pdf,format-pptx,format-xlsx"
)
CANDIDATES = (
    Candidate("ftdist", (), "Apache-2.0", FORMATS[:-1]),
    Candidate(
        "docling",
        (f"docling-slim[{_DOCLING_EXTRAS}]==2.143.0",),
        "MIT",
        ("html", "docx", "markdown", "pdf", "xlsx", "epub", "pptx", "odt"),
    ),
    Candidate(
        "markitdown",
        ("markitdown[docx,pdf,pptx,xlsx]==0.1.9",),
        "MIT",
        ("html", "docx", "markdown", "pdf", "text", "xlsx", "epub", "pptx"),
    ),
    Candidate("kreuzberg", ("kreuzberg==4.10.4",), "MIT", FORMATS),
    Candidate("xberg", ("xberg==1.3.9",), "MIT", FORMATS),
    Candidate(
        "trafilatura", ("trafilatura==2.3.1", "lxml_html_clean==0.4.6"), "Apache-2.0", ("html",)
    ),
    Candidate("inscriptis", ("inscriptis==2.7.6",), "Apache-2.0", ("html",)),
    Candidate("pdfplumber", ("pdfplumber==0.11.10",), "MIT", ("pdf",)),
    Candidate("mammoth", ("mammoth==1.13.0",), "BSD-2-Clause", ("docx",)),
    Candidate("pypdfium2", ("pypdfium2==5.15.2",), "BSD-3-Clause, Apache-2.0", ("pdf",)),
)


class InstallError(Exception):
    """A candidate cannot be installed."""


def install(candidate: Candidate) -> Path:
    """The Python of a candidate's own environment, made where it is missing or its pins changed.

    ftdist runs in the environment of this process; its own one only shows its size.

    Raises:
        InstallError: pip failed, or took too long.
    """
    folder = CACHE / "venvs" / candidate.name
    python, stamp = folder / "bin" / "python", folder / "requirements.txt"
    wanted = "\n".join(candidate.requirements or _own_requirements()) + "\n"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return python if candidate.requirements else Path(sys.executable)
    print(f"Installing {candidate.name} into {folder}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(folder)])
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, *wanted.split()])
    stamp.write_text(wanted, encoding="utf-8")
    return python if candidate.requirements else Path(sys.executable)


def installed_mb(candidate: Candidate) -> float:
    """Megabytes of what its packages put into its environment, without pip."""
    (packages,) = (CACHE / "venvs" / candidate.name).glob("lib/python*/site-packages")
    return (
        sum(
            path.stat().st_size
            for entry in packages.iterdir()
            if not entry.name.startswith(_PIP)
            for path in (entry.rglob("*") if entry.is_dir() else [entry])
            if path.is_file() and not path.is_symlink()
        )
        / _MB
    )


def _own_requirements() -> list[str]:
    """What ftdist's readers import, in the versions of this environment."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = ["beautifulsoup4", "charset-normalizer", "lxml", "markdown-it-py", "mdit-py-plugins"]
    names += ["numpy", "pyyaml"]
    for requirement in project["optional-dependencies"]["documents"]:
        names.append(requirement.partition(">")[0].partition("=")[0].strip())
    return sorted(f"{name}=={version(name)}" for name in names)


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise InstallError(f"{' '.join(command)} did not end in {_TIMEOUT_S} s.") from error
    if done.returncode:
        raise InstallError(f"{' '.join(command)} failed:\n{done.stderr.strip()[-2000:]}")
