"""A Hugging Face Hub on the loopback address: what huggingface_hub asks of it to read datasets.

It serves repositories with several revisions, asks for tokens, refuses gated datasets, hangs, and
breaks downloads off.
"""

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import unquote, urlsplit

TOKEN = "hf_of_the_loopback_hub"

_API = re.compile(r"/api/datasets/([^/]+/[^/]+)(?:/(revision|tree|refs)(?:/([^/]+))?)?(?:/(.*))?")
_FILE = re.compile(r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


@dataclass
class Repository:
    """A dataset: its files by revision."""

    revisions: dict[str, dict[str, bytes]]
    access: Literal["open", "token", "gated"] = "open"

    def commit(self, revision: str) -> str | None:
        """The commit of a branch, tag or commit; None: there is none."""
        for name, files in self.revisions.items():
            commit = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
            if revision in (name, commit):
                return commit
        return None

    def files(self, revision: str) -> dict[str, bytes]:
        """The files of a revision that there is."""
        commit = self.commit(revision)
        return next(f for name, f in self.revisions.items() if self.commit(name) == commit)


@dataclass
class LoopbackHub:
    """What it serves, how it misbehaves, and what it was asked."""

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    hangs_s: float = 0.0
    """Seconds for which it does not answer."""

    broken_downloads: int = 0
    """Downloads that it will break off in the middle."""

    failing_downloads: int = 0
    """Downloads that it will answer with 503."""

    requests: list[str] = field(default_factory=list)

    def add(
        self,
        name: str,
        files: Mapping[str, bytes | str],
        *,
        revision: str = "main",
        access: Literal["open", "token", "gated"] = "open",
    ) -> str:
        """Add a revision of a dataset; its commit."""
        repository = self.repositories.setdefault(name, Repository({}, access))
        repository.revisions[revision] = {
            path: data.encode() if isinstance(data, str) else data for path, data in files.items()
        }
        commit = repository.commit(revision)
        assert commit is not None
        return commit


@contextmanager
def loopback_hub() -> Iterator[LoopbackHub]:
    """Serve until the block ends."""
    hub = LoopbackHub()

    class Handler(_Handler):
        served = hub

    with serve(Handler) as hub.url:
        yield hub


@contextmanager
def serve(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Answer requests at a loopback address, which is given, until the block ends."""
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """A client that went away is no error."""


class _Handler(BaseHTTPRequestHandler):
    served: LoopbackHub

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        self.served.requests.append(f"{self.command} {path}")
        if self.served.hangs_s:
            time.sleep(self.served.hangs_s)
        if match := _API.fullmatch(path):
            revision = unquote(match[3] or "main")
            self._api(match[1], what=match[2], revision=revision, folder=unquote(match[4] or ""))
        elif match := _FILE.fullmatch(path):
            self._file(match[1], revision=unquote(match[2]), path=unquote(match[3]))
        else:
            self._send(404, b"{}")

    def _repository(self, name: str, *, of_files: bool = False) -> Repository | None:
        repository = self.served.repositories.get(name)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if repository is None or (repository.access == "token" and token != TOKEN):
            self._send(404 if token else 401, b"{}", {"X-Error-Code": "RepoNotFound"})
            return None
        if repository.access == "gated" and of_files:
            self._send(403 if token else 401, b"{}", {"X-Error-Code": "GatedRepo"})
            return None
        return repository

    def _api(self, name: str, *, what: str | None, revision: str, folder: str) -> None:
        if (repository := self._repository(name)) is None:
            return
        if what == "refs":
            refs = [
                {"name": each, "ref": f"refs/heads/{each}", "targetCommit": repository.commit(each)}
                for each in repository.revisions
            ]
            self._json({"branches": refs, "converts": [], "tags": []})
            return
        commit = repository.commit(revision)
        if commit is None:
            self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            return
        files = repository.files(revision)
        if what == "tree":
            is_whole = "recursive=true" in self.path.lower()
            self._json(_listing(files, folder=folder, is_whole=is_whole))
            return
        siblings = [{"rfilename": path} for path in sorted(files)]
        self._json({"id": name, "sha": commit, "siblings": siblings, "private": False})

    def _file(self, name: str, *, revision: str, path: str) -> None:
        if (repository := self._repository(name, of_files=True)) is None:
            return
        commit = repository.commit(revision)
        data = repository.files(revision).get(path) if commit else None
        if commit is None or data is None:
            code = "RevisionNotFound" if commit is None else "EntryNotFound"
            self._send(404, b"{}", {"X-Error-Code": code, "X-Repo-Commit": commit or ""})
            return
        is_get = self.command == "GET"
        if is_get and self.served.failing_downloads:
            self.served.failing_downloads -= 1
            self._send(503, b"{}")
            return
        headers = {
            "ETag": f'"{_oid(data)}"',
            "X-Repo-Commit": commit,
            "Accept-Ranges": "bytes",
        }
        start = int((self.headers.get("Range") or "bytes=0-")[6:].split("-")[0] or 0)
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        is_broken = is_get and self.served.broken_downloads > 0
        if is_broken:
            self.served.broken_downloads -= 1
        self._send(206 if start else 200, data[start:], headers, is_broken=is_broken)

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(
        self,
        code: int,
        data: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        is_broken: bool = False,
    ) -> None:
        self.send_response(code)
        for name, value in {**(headers or {}), "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data[: len(data) // 2] if is_broken else data)
        if is_broken:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def _listing(
    files: Mapping[str, bytes], *, folder: str, is_whole: bool
) -> list[dict[str, str | int]]:
    """The files below a folder, or what is directly in it."""
    start = f"{folder}/" if folder else ""
    below = {path: data for path, data in sorted(files.items()) if path.startswith(start)}
    entries: list[dict[str, str | int]] = [
        {"type": "file", "path": path, "size": len(data), "oid": _oid(data)}
        for path, data in below.items()
        if is_whole or "/" not in path.removeprefix(start)
    ]
    names = {path.removeprefix(start).rpartition("/")[0].partition("/")[0] for path in below} - {""}
    if not is_whole:
        entries += [{"type": "directory", "path": start + n, "size": 0, "oid": n} for n in names]
    return entries


def _oid(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()
