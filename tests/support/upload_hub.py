"""A Hugging Face Hub on the loopback address that takes uploads, and fails on request.

Large files go to it as git-lfs does: asked for by sha256, uploaded once, then named by a commit.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from tests.support.loopback_hub import serve

TOKEN = "hf_of_the_upload_hub"
READER = "hf_of_a_reader"
LFS = (".parquet", ".safetensors")
"""Files that are kept outside of git."""

_REPOSITORY = re.compile(r"/api/(dataset|model)s/([^/]+/[^/]+)(?:/(preupload|commit|tree)/main)?")


@dataclass
class Stored:
    """A repository: its files, and how often it was committed to."""

    private: bool
    files: dict[str, bytes] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)


@dataclass
class UploadHub:
    """What it has, how it misbehaves, and what was uploaded."""

    url: str = ""
    repositories: dict[tuple[str, str], Stored] = field(default_factory=dict)
    """By kind (dataset or model) and name."""

    owners: tuple[str, ...] = ("me", "org")
    """Namespaces that the token may write to."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    """Large files by sha256."""

    uploads: list[str] = field(default_factory=list)
    """The sha256 of each large file received, in order."""

    card_errors: list[str] = field(default_factory=list)
    """What is wrong with the front matter of every card."""

    commit_status: int = 200
    """Answer to a commit; 0: the connection breaks."""


@contextmanager
def upload_hub() -> Iterator[UploadHub]:
    """Serve until the block ends."""
    hub = UploadHub()

    class Handler(_Handler):
        served = hub

    with serve(Handler) as hub.url:
        yield hub


class _Handler(BaseHTTPRequestHandler):
    served: UploadHub

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/api/whoami-v2":
            self._whoami()
        elif match := _REPOSITORY.fullmatch(path):
            self._read(match[1], match[2], is_tree=match[3] == "tree")
        else:
            self._send(404, {})

    def do_POST(self) -> None:
        path, body = urlsplit(self.path).path, self._body()
        if path == "/api/repos/create":
            self._create(json.loads(body))
        elif path == "/api/validate-yaml":
            errors = [{"message": error} for error in self.served.card_errors]
            self._send(400 if errors else 200, {"errors": errors, "warnings": []})
        elif path.endswith(".git/info/lfs/objects/batch"):
            self._batch(json.loads(body))
        elif (match := _REPOSITORY.fullmatch(path)) and match[3] == "preupload":
            files = json.loads(body)["files"]
            modes = ["lfs" if f["path"].endswith(LFS) else "regular" for f in files]
            answers = [
                {"path": f["path"], "uploadMode": mode, "shouldIgnore": False}
                for f, mode in zip(files, modes, strict=True)
            ]
            self._send(200, {"files": answers})
        elif (match := _REPOSITORY.fullmatch(path)) and match[3] == "commit":
            self._commit(match[1], match[2], [json.loads(line) for line in body.splitlines()])
        else:
            self._send(404, {})

    def do_PUT(self) -> None:
        sha256 = self.path.removeprefix("/lfs/")
        self.served.blobs[sha256] = self._body()
        self.served.uploads.append(sha256)
        self._send(200, {})

    def _whoami(self) -> None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in (TOKEN, READER):
            self._send(401, {"error": "Invalid username or password."})
            return
        role = "write" if token == TOKEN else "read"
        self._send(200, {"name": "me", "auth": {"accessToken": {"role": role}}})

    def _read(self, kind: str, name: str, *, is_tree: bool) -> None:
        stored = self.served.repositories.get((kind, name))
        if stored is None:
            self._send(404, {}, {"X-Error-Code": "RepoNotFound"})
        elif is_tree:
            self._send(200, [_entry(path, data) for path, data in stored.files.items()])
        else:
            self._send(200, {"id": name, "private": stored.private, "siblings": []})

    def _create(self, asked: dict[str, Any]) -> None:
        owner, kind = asked["organization"], asked.get("type", "model")
        if owner not in self.served.owners:
            error = f"You don't have the rights to create a {kind} under the namespace {owner!r}"
            self._send(403, {"error": error})
            return
        name = f"{owner}/{asked['name']}"
        self.served.repositories[kind, name] = Stored(asked.get("visibility") == "private")
        self._send(200, {"url": f"{self.served.url}/{kind}s/{name}".replace("/models/", "/")})

    def _batch(self, asked: dict[str, Any]) -> None:
        objects = []
        for each in asked["objects"]:
            answer = {"oid": each["oid"], "size": each["size"]}
            if each["oid"] not in self.served.blobs:
                answer["actions"] = {"upload": {"href": f"{self.served.url}/lfs/{each['oid']}"}}
            objects.append(answer)
        self._send(200, {"transfer": "basic", "objects": objects})

    def _commit(self, kind: str, name: str, lines: list[dict[str, Any]]) -> None:
        if not self.served.commit_status:
            self.close_connection = True
            return
        if self.served.commit_status != 200:
            self._send(self.served.commit_status, {"error": "Internal error - we're on it"})
            return
        stored = self.served.repositories[kind, name]
        for line in lines:
            value = line["value"]
            match line["key"]:
                case "header":
                    stored.messages.append(value["summary"])
                case "file":
                    stored.files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    stored.files[value["path"]] = self.served.blobs[value["oid"]]
                case "deletedFile":
                    del stored.files[value["path"]]
        number = f"{len(stored.messages):040x}"
        url = f"{self.served.url}/{kind}s/{name}/commit/{number}".replace("/models/", "/")
        self._send(200, {"commitUrl": url, "commitOid": number})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _send(self, code: int, value: object, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(value).encode()
        self.send_response(code)
        more = {"Content-Type": "application/json", "Content-Length": str(len(data))}
        for name, text in {**(headers or {}), **more}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def _entry(path: str, data: bytes) -> dict[str, Any]:
    """A file as the Hub lists it: git's hash, of a pointer if the file is kept outside of git."""
    sha256 = hashlib.sha256(data).hexdigest()
    lfs = {"oid": sha256, "size": len(data), "pointerSize": 100}
    is_large = path.endswith(LFS)
    blob = b"a pointer" if is_large else data
    header = f"blob {len(blob)}\0".encode()
    entry = {"type": "file", "path": path, "size": len(data)}
    entry["oid"] = hashlib.sha1(header + blob).hexdigest()
    return {**entry, "lfs": lfs} if is_large else entry
