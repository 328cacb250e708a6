"""`ftdist serve`: with real processes in the place of vLLM, llama-server and the converter."""

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from ftdist.cli.commands import serve
from ftdist.cli.main import main
from ftdist.rundir import RunDir
from tests.support.ports import reserved_port
from tests.support.wandb.fake_run import make_run

SERVER = """\
import http.server, json, os, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(b"{}")

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        seen = {"authorization": self.headers["Authorization"], "argv": sys.argv, **body}
        seen["key"] = os.environ.get("VLLM_API_KEY") or os.environ.get("LLAMA_API_KEY")
        with open(LOG, "a") as log:
            log.write(json.dumps(seen) + "\\n")
        self.answer(json.dumps({"choices": [{"message": {"content": REPLY}}]}).encode())

    def answer(self, data):
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass

port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
CONVERTER = "import sys\nopen(sys.argv[sys.argv.index('--outfile') + 1], 'w').close()\n"
PYTHON = sys.executable
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDir:
    """A run whose comparison was right four times, with answers of up to 5 tokens."""
    made = make_run(tmp_path / "r", wandb="off")
    made.export.mkdir()
    (made.export / "config.json").touch()
    made.report.mkdir()
    probe = {"question": "Is it?", "keys": ["yes"], "kind": "fact", "tuned": {"answer": "yes"}}
    (made.report / "answers.jsonl").write_text(f"{json.dumps(probe)}\n" * 4)
    (made.report / "scores.json").write_text('{"eval_config": {"max_new_tokens": 5}}')
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr("sys.executable", str(programs / "python"))
    return made


def install(run: RunDir, name: str, code: str, **values: str) -> None:
    lines = [f"#!{PYTHON}", *(f"{key} = {value!r}" for key, value in values.items()), code]
    program = run.root.parent / "bin" / name
    program.write_text("\n".join(lines))
    program.chmod(0o755)


def install_server(run: RunDir, name: str, *, reply: str) -> None:
    install(run, name, SERVER, LOG=str(run.root / "seen"), REPLY=reply)


def requests(run: RunDir) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.root / "seen").read_text().splitlines()]


@pytest.mark.parametrize(("reply", "code"), [("yes", 0), ("no", 78)])
def test_verification_of_a_worse_model_fails(
    run: RunDir, reply: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    install_server(run, "vllm", reply=reply)
    assert main(["serve", str(run.root), "--verify"]) == code
    assert ("Warning: the served model is worse" in capsys.readouterr().out) == (code == 78)
    assert [request["max_tokens"] for request in requests(run)] == [5] * 4


def test_the_server_demands_a_key_of_its_own_that_the_command_line_does_not_show(
    run: RunDir,
) -> None:
    install_server(run, "vllm", reply="yes")
    for _ in range(2):
        assert main(["serve", str(run.root), "--verify"]) == 0
    keys = {request["key"] for request in requests(run)}
    assert len(keys) == 2
    for request in requests(run):
        assert request["authorization"] == f"Bearer {request['key']}"
        assert request["key"] not in " ".join(request["argv"])


def test_an_export_to_gguf_that_answers_worse_is_kept_with_a_warning(
    run: RunDir, capsys: pytest.CaptureFixture[str]
) -> None:
    install(run, "convert-hf-to-gguf", CONVERTER)
    install_server(run, "llama-server", reply="no")
    assert main(["export", str(run.root), "--format", "gguf"]) == 0
    file = run.gguf / "r-auto.gguf"
    assert file.is_file()
    shown = capsys.readouterr().err
    assert f"Warning: {file} exists, but answers worse than {run.export}." in shown
    assert "older than the export" not in shown


def test_a_gguf_file_older_than_the_export_is_named(
    run: RunDir, capsys: pytest.CaptureFixture[str]
) -> None:
    install_server(run, "llama-server", reply="yes")
    run.gguf.mkdir()
    file = run.gguf / "r-f16.gguf"
    file.touch()
    os.utime(file, (1e9, 1e9))
    assert main(["serve", str(run.root), "--gguf", "--verify"]) == 0
    assert f"Warning: {file} is older than the export" in capsys.readouterr().err


def test_a_taken_port_is_refused_before_anything_is_loaded(
    run: RunDir, capsys: pytest.CaptureFixture[str]
) -> None:
    install_server(run, "vllm", reply="yes")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["serve", str(run.root), "--port", str(port)]) == 78
    shown = capsys.readouterr().err
    assert f"Cannot listen on 127.0.0.1:{port}" in shown
    assert "Warning: every user of this machine may use the model" in shown
    assert "Loading" not in shown


def test_the_port_is_taken_while_the_model_loads(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Served is the socket that was bound first, so that nobody can take the port meanwhile."""
    install_server(run, "vllm", reply="yes")
    bound: list[socket.socket] = []
    monkeypatch.setattr(serve, "_serve", lambda _, listener: bound.append(listener.dup()))
    with reserved_port() as port:
        assert main(["serve", str(run.root), "--port", str(port)]) == 0
    assert bound[0].getsockname() == ("127.0.0.1", port)
    bound[0].close()


@pytest.mark.parametrize("port", ["80000", "0", "http"])
def test_a_port_that_does_not_exist_is_refused(port: str, capsys: Captured) -> None:
    assert main(["serve", "r", "--port", port]) == 78
    assert f"{port} is not a port, a whole number of 1 to 65535" in capsys.readouterr().err
