"""Real manuals, help pages and chats from public packages; downloaded once."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import uuid4

import pytest

FOLDER = Path(__file__).resolve().parents[3] / ".cache" / "ftdist" / "test-libraries"
_TIMEOUT_S = 240


def debian_docs(package: str) -> Path:
    """What a Debian package holds, unpacked."""
    return _kept(package, lambda into: _unpack_debian(package, into))


def wheel_files(name: str, version: str) -> Path:
    """What a wheel of PyPI holds, unpacked."""
    return _kept(f"{name}-{version}", lambda into: _unpack_wheel(f"{name}=={version}", into))


def packages(name: str, requirements: Sequence[str]) -> Path:
    """A folder with packages for `PYTHONPATH`, as constraints.txt pins them, and nothing they need.

    Kept out of the virtual environment, where others would find and import them in every process.
    """
    return _kept(name, lambda into: _install(requirements, into))


def needs(program: str) -> None:
    """Skip a test where a program is not there; fail it where CI=true is set."""
    if shutil.which(program) is None:
        _cannot(f"{program} is not installed")


def _kept(name: str, make: Callable[[Path], None]) -> Path:
    folder = FOLDER / name
    if not folder.is_dir():
        aside = FOLDER / f".{name}.{uuid4().hex}"
        (aside / "files").mkdir(parents=True)
        try:
            make(aside)
            if not folder.exists():
                (aside / "files").rename(folder)
        except (OSError, subprocess.SubprocessError) as error:
            _cannot(f"{name} cannot be fetched: {error}")
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return folder


def _unpack_debian(package: str, aside: Path) -> None:
    if shutil.which("apt-get") is None:
        raise OSError("no apt-get here")
    fetch = ["apt-get", "download", "-q", package]
    if _run(fetch, cwd=aside).returncode:
        _run(["apt-get", "update", "-q"], cwd=aside)
        _run(fetch, cwd=aside).check_returncode()
    (archive,) = aside.glob("*.deb")
    _run(["dpkg-deb", "-x", archive.name, "files"], cwd=aside).check_returncode()


def _unpack_wheel(requirement: str, aside: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps"]
    _run([*command, "-d", ".", requirement], cwd=aside).check_returncode()
    (wheel,) = aside.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(aside / "files")


def _install(requirements: Sequence[str], aside: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-compile"]
    constraints = ["-c", str(FOLDER.parents[2] / "constraints.txt")]
    _run([*command, *constraints, "-t", "files", *requirements], cwd=aside).check_returncode()


def _run(command: list[str], *, cwd: Path) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        command, cwd=cwd, timeout=_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL
    )


def _cannot(reason: str) -> None:
    if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        pytest.fail(reason)
    pytest.skip(reason)
