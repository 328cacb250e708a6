"""Documents out of packages, by the packages' own clients: pinned by version and SHA-256."""

import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import uuid4

from ftdist.io.hashing import file_sha256


class FetchError(Exception):
    """A package cannot be had, or is another one."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """One package.

    Attributes:
        kind: of Debian (`apt-get download`), or of the Python Package Index (`pip download`).
        sha256: of the package's file.
    """

    kind: Literal["debian", "python"]
    name: str
    version: str
    sha256: str

    def unpacked(self, cache: Path) -> Path:
        """Its files, fetched and unpacked once.

        Args:
            cache: folder of unpacked packages.

        Raises:
            FetchError: it cannot be had, or is another one.
        """
        folder = cache / f"{self.name}-{self.sha256[:12]}"
        if folder.is_dir():
            return folder
        work = cache / f".{self.name}.{uuid4().hex}"
        work.mkdir(parents=True)
        try:
            archive = self._download(work)
            if file_sha256(archive) != self.sha256:
                raise FetchError(f"{archive.name} has another SHA-256 than the pinned one.")
            _unpack(archive, work / "files")
            if not folder.exists():
                (work / "files").rename(folder)
        except (OSError, subprocess.SubprocessError, zipfile.BadZipFile) as error:
            raise FetchError(f"{self.name} {self.version} cannot be fetched: {error}") from error
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return folder

    def _download(self, into: Path) -> Path:
        if self.kind == "debian":
            command = ["apt-get", "download", "-q", f"{self.name}={self.version}"]
            if subprocess.run(command, cwd=into, check=False).returncode:
                subprocess.run(["apt-get", "update", "-q"], check=True)
                subprocess.run(command, cwd=into, check=True)
        else:
            pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
            subprocess.run([*pip, "-q", f"{self.name}=={self.version}"], cwd=into, check=True)
        (archive,) = into.iterdir()
        return archive


def _unpack(archive: Path, into: Path) -> None:
    if archive.suffix == ".deb":
        subprocess.run(["dpkg-deb", "-x", str(archive), str(into)], check=True)
    else:
        with zipfile.ZipFile(archive) as file:
            file.extractall(into)
