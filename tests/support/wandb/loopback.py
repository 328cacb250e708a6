"""A stand-in for the W&B server: as much of it as an online run of wandb 0.31 asks for.

    with WandbLoopback() as server:
        ...  # run something with {**os.environ, **server.environment()}
        server.history("run-id"), server.runs["run-id"].exit_code

It listens on this machine alone, and answers wrongly or not at all where `server.fault` says so.
What it was asked and does not know stands in `server.unknown`, what broke in it in `server.errors`.
"""

import base64
import gzip
import json
import re
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self
from urllib.parse import unquote

from tests.support.ports import reserve
from tests.support.wandb.artifacts import Artifacts

ENTITY = "loopback"
API_KEY = "0123456789" * 4
"""Of the length that wandb insists on."""

Fault = Literal["500", "429", "401", "hang"]
Answer = tuple[int, dict[str, Any]]
"""A status and what to send as JSON."""

_FILE_STREAM = re.compile(r"/files/[^/]+/[^/]+/([^/]+)/file_stream")
_OPERATION = re.compile(r"(?:query|mutation)\s+(\w+)")
_UPLOAD = "/_upload/"
_WRITER_ROWS = 10**9
"""Each writer of a shared run counts its rows from 0: they are kept this far apart."""

_TOLD = {
    "displayName": "name",
    "notes": "notes",
    "tags": "tags",
    "project": "project",
    "entity": "entity",
    "groupName": "group",
    "host": "host",
    "jobType": "job_type",
    "commit": "commit",
    "repo": "repo",
}
"""Which variables of UpsertBucket land in which field."""


@dataclass(kw_only=True)
class LoopbackRun:
    """One run as the server knows it."""

    config: dict[str, Any] = field(default_factory=dict)
    """As W&B keeps it: each key's value under "value"."""

    history: dict[int, str] = field(default_factory=dict)
    """Rows as JSON, by the number that the writer gave them."""

    events: dict[int, str] = field(default_factory=dict)
    """Rows of system metrics, likewise."""

    console: dict[int, str] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    state: str = "running"
    exit_code: int | None = None
    upserts: int = 0
    finishes: int = 0
    posts: int = 0
    """How often rows were sent, empty ones to show a sign of life included."""

    uploaded: list[str] = field(default_factory=list)
    writers: list[str] = field(default_factory=list)
    """Ids of the writers that share the run; none where it has one."""

    preempting: bool = False
    stopped: bool = False
    """Whether somebody pressed "stop" on the run's page."""

    name: str | None = None
    notes: str | None = None
    tags: list[str] = field(default_factory=list)
    project: str | None = None
    entity: str | None = None
    group: str | None = None
    host: str | None = None
    job_type: str | None = None
    commit: str | None = None
    repo: str | None = None


class WandbLoopback:
    """The server; it answers within a `with` block.

    Between two `with` blocks nothing answers at its port, and nobody else can take it.

    Args:
        storage: whether files can be uploaded.
    """

    def __init__(self, *, storage: bool = True) -> None:
        self.runs: dict[str, LoopbackRun] = {}
        self.uploads: dict[str, bytes] = {}
        self.keys: set[str] = set()
        """API keys that were shown."""
        self.alerts: list[dict[str, Any]] = []
        """What was sent by e-mail or Slack, with `severity` and `runName`."""
        self.operations: list[str] = []
        """What was asked, in order."""
        self.unknown: list[str] = []
        self.errors: list[str] = []
        self.fault: Fault | None = None
        """What every request from now on meets."""
        self.takes_files = True
        """Whether files that were asked for can be uploaded; else that is forbidden."""
        self.loses_summaries = False
        """Whether a run's summary is taken and not kept."""
        self.closing = threading.Event()
        self._storage = storage
        self._lock = threading.RLock()
        reserved = reserve()
        weakref.finalize(self, reserved.close)
        self._address: tuple[str, int] = reserved.getsockname()
        self._server: _Server | None = None
        self.url = f"http://127.0.0.1:{self._address[1]}"
        self.artifacts = Artifacts(lambda name: f"{self.url}{_UPLOAD}{name}")
        self._operations: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "Viewer": self._viewer,
            "ServerFeaturesQuery": lambda _: {"serverInfo": _SERVER_INFO},
            "UpsertBucket": self._upsert,
            "RunResumeStatus": self._resume_status,
            "RewindRun": self._rewind,
            "CreateRunFiles": self._create_files,
            "NotifyScriptableRunAlert": self._alert,
            "MarkRunFilesUploaded": lambda _: {"markRunFilesUploaded": {"success": True}},
            "OrganizationCoreWeaveOrganizationID": lambda _: {
                "entity": {"organization": {"coreWeaveOrganizationId": None}}
            },
            **self.artifacts.operations,
        }

    def __enter__(self) -> Self:
        self.closing.clear()
        self._server = _Server(self._address, self)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.closing.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def environment(self) -> dict[str, str]:
        """What makes a process that uses wandb talk to this server and to nothing else."""
        return {
            "WANDB_MODE": "online",
            "WANDB_BASE_URL": self.url,
            "WANDB_API_KEY": API_KEY,
            "WANDB_ERROR_REPORTING": "false",
            # By default a cloud's address for metadata about the machine.
            "WANDB_X_STATS_COREWEAVE_METADATA_BASE_URL": self.url,
        }

    def stop_run(self, run_id: str) -> None:
        """Press "stop" on the run's page."""
        self.runs[run_id].stopped = True

    def history(self, run_id: str) -> list[dict[str, Any]]:
        """The rows that were logged, wandb's own columns (`_step`, ...) included."""
        with self._lock:
            return [json.loads(row) for row in _in_order(self.runs[run_id].history)]

    def console(self, run_id: str) -> str:
        """What the run printed."""
        with self._lock:
            return "\n".join(_in_order(self.runs[run_id].console))

    def answer(self, method: str, path: str, headers: Message, body: bytes) -> Answer:
        """Answer one request, whatever `fault` says; names of headers in any case."""
        with self._lock:
            self._note_key(headers.get("Authorization", ""))
            if path.startswith("/graphql"):
                return self._graphql(json.loads(body))
            if found := _FILE_STREAM.match(path):
                writer = headers.get("X-WANDB-ASYNC-CLIENT-ID")
                return self._file_stream(unquote(found[1]), json.loads(body), writer=writer)
            if path.startswith(_UPLOAD):
                self.operations.append("upload")
                if not self.takes_files:
                    return 403, {"error": "asked for by a test"}
                self.uploads[path.removeprefix(_UPLOAD)] = body
                return 200, {}
            self.unknown.append(f"{method} {path}")
            return 404, {"error": "unknown path"}

    def _note_key(self, authorization: str) -> None:
        kind, _, shown = authorization.partition(" ")
        if kind == "Basic":
            self.keys.add(base64.b64decode(shown).decode().partition(":")[2])
        elif authorization:
            self.keys.add(authorization)

    def _file_stream(self, run_id: str, sent: Mapping[str, Any], *, writer: str | None) -> Answer:
        """Rows, console lines, the summary and the end of a run come this way."""
        self.operations.append("file_stream")
        run = self.runs.setdefault(run_id, LoopbackRun())
        run.posts += 1
        if writer and writer not in run.writers:
            run.writers.append(writer)
        base = run.writers.index(writer) * _WRITER_ROWS if writer else 0
        for name, chunk in (sent.get("files") or {}).items():
            lines = {base + chunk["offset"] + i: line for i, line in enumerate(chunk["content"])}
            if name == "wandb-summary.json" and not self.loses_summaries:
                run.summary = json.loads(chunk["content"][-1])
            elif name == "wandb-history.jsonl":
                run.history |= lines
            elif name == "wandb-events.jsonl":
                run.events |= lines
            elif name.startswith("output"):
                run.console |= lines
        run.uploaded += sent.get("uploaded") or []
        run.preempting |= bool(sent.get("preempting"))
        if sent.get("complete"):
            run.finishes += 1
            run.exit_code = sent.get("exitcode")
            run.state = "failed" if run.exit_code else "finished"
        return 200, {"limits": {}, "stopped": run.stopped}

    def _graphql(self, request: Mapping[str, Any]) -> Answer:
        query, variables = str(request.get("query", "")), request.get("variables") or {}
        found = _OPERATION.search(query)
        operation = found[1] if found else "unnamed"
        self.operations.append(operation)
        if operation in self._operations:
            return 200, {"data": self._operations[operation](variables)}
        if "viewer" in query:  # wandb's Python side asks this without a name of its own
            return 200, {"data": self._viewer(variables)}
        self.unknown.append(f"{operation}: {query[:200]}")
        return 200, {"data": None, "errors": [{"message": f"unknown operation {operation}"}]}

    def _viewer(self, _: Mapping[str, Any]) -> dict[str, Any]:
        who = {"id": "u", "entity": ENTITY, "username": ENTITY, "email": "user@localhost"}
        return {
            "viewer": {**who, "flags": "{}", "teams": {"edges": []}},
            "serverInfo": _SERVER_INFO,
        }

    def _upsert(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        run_id = variables.get("name") or variables["id"]
        run = self.runs.setdefault(run_id, LoopbackRun())
        run.upserts += 1
        run.state = "running"
        if variables.get("config"):
            run.config = json.loads(variables["config"])
        for variable, attribute in _TOLD.items():
            if variables.get(variable) is not None:
                setattr(run, attribute, variables[variable])
        bucket = self._bucket(run_id, variables)
        return {"upsertBucket": {"inserted": run.upserts == 1, "bucket": bucket}}

    def _resume_status(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        run_id = variables["name"]
        bucket = None
        if run := self.runs.get(run_id):
            bucket = {
                **self._bucket(run_id, variables),
                "notes": "",
                "tags": run.tags,
                "summaryMetrics": json.dumps(run.summary),
                "logLineCount": len(run.console),
                "eventsLineCount": len(run.events),
                "historyTail": json.dumps(_in_order(run.history)[-1:]),
                "eventsTail": json.dumps(_in_order(run.events)[-1:]),
                # Without it the run counts as never started.
                "wandbConfig": json.dumps({"t": {"value": 1}}),
            }
        return {"model": {**_project(variables), "bucket": bucket}}

    def _alert(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        self.alerts.append(dict(variables))
        return {"notifyScriptableRunAlert": {"success": True}}

    def _rewind(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        run_id, last = variables["runName"], variables["metricValue"]
        run = self.runs[run_id]
        run.history = {
            number: row
            for number, row in run.history.items()
            if json.loads(row).get("_step", 0) <= last
        }
        return {"rewindRun": {"rewoundRun": self._bucket(run_id, variables)}}

    def _create_files(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        run_id = variables["run"]
        files = [
            {"name": name, "uploadUrl": f"{self.url}{_UPLOAD}{run_id}/{name}"}
            for name in (variables["files"] if self._storage else [])
        ]
        return {"createRunFiles": {"runID": f"b-{run_id}", "uploadHeaders": [], "files": files}}

    def _bucket(self, run_id: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        run = self.runs[run_id]
        return {
            "id": f"b-{run_id}",
            "name": run_id,
            "displayName": run.name or run_id,
            "description": "",
            "sweepName": None,
            "config": json.dumps(run.config),
            "historyLineCount": len(run.history),
            "project": _project({**variables, "project": variables.get("project") or run.project}),
        }


_SERVER_INFO: dict[str, Any] = {
    "features": [],
    "cliVersionInfo": {},
    "latestLocalVersionInfo": None,
}


def _project(variables: Mapping[str, Any]) -> dict[str, Any]:
    entity = {"id": "e", "name": variables.get("entity") or ENTITY}
    return {"id": "p", "name": variables.get("project") or "p", "entity": entity}


def _in_order(lines: Mapping[int, str]) -> list[str]:
    return [line for _, line in sorted(lines.items())]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], loopback: WandbLoopback) -> None:
        super().__init__(address, _Handler)
        self.loopback = loopback

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base's
        error = sys.exception()
        if not isinstance(error, ConnectionError):  # clients drop what they kept open
            self.loopback.errors.append(f"{client_address}: {error!r}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""

    def _answer(self) -> None:
        body, loopback = self._body(), self.server.loopback
        match loopback.fault:
            case "hang":
                loopback.closing.wait()
                self.close_connection = True
                return
            case None:
                status, result = loopback.answer(self.command, self.path, self.headers, body)
            case code:
                status, result = int(code), {"error": "asked for by a test"}
        content = json.dumps(result).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 - names that http.server looks for

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") == "chunked":
            content = self._chunks()
        else:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        packed = self.headers.get("Content-Encoding") == "gzip"
        return gzip.decompress(content) if packed else content

    def _chunks(self) -> bytes:
        content = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content
