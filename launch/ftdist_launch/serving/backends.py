"""The inference server behind `ftdist serve`: vLLM, llama.cpp or transformers."""

import ctypes
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx

from ftdist.dist.visible_gpus import visible_gpus
from ftdist.errors import ConfigError, FtdistError
from ftdist_launch.local.processes import handled
from ftdist_launch.subprocesses import environment

BackendName = Literal["vllm", "llama.cpp", "transformers"]
BACKENDS: tuple[BackendName, ...] = ("vllm", "llama.cpp", "transformers")

LOOPBACK = "127.0.0.1"
POLL_S = 0.25
NOTE_EVERY_S = 20.0
TERMINATE_S = 10.0
TAIL_LINES = 12

START_TIMEOUT_S = 3600.0
"""Longest time for loading a model."""

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>."""


@dataclass(frozen=True, kw_only=True)
class Backend:
    """An inference server that can be started on a port of this machine."""

    name: BackendName
    command: tuple[str, ...]
    """Its command, with `{port}` in place of the port."""

    model: str
    """The name under which it serves the model."""

    key_variable: str | None = None
    """The environment variable of the key that it demands; None: anyone who reaches its port on
    this machine may use the model."""


@dataclass(frozen=True, kw_only=True)
class Served:
    """A running inference server."""

    url: str
    """Such as http://127.0.0.1:40123, without /v1."""

    model: str

    key: str | None = None
    """The server demands it as a bearer token."""

    @property
    def headers(self) -> dict[str, str]:
        """Of a request to the server."""
        return {} if self.key is None else {"Authorization": f"Bearer {self.key}"}


def choose_backend(model: Path, *, wanted: BackendName | None) -> Backend:
    """The server for a model folder or a GGUF file: the one wanted, or the best that is installed.

    Args:
        model: a Hugging Face model folder, or a GGUF file.
        wanted: None: llama.cpp for a GGUF file, which `transformers serve` 5.23 does not load; for
            a folder vLLM where it is installed, else transformers.

    Raises:
        ConfigError: it is not installed, or cannot serve this model.
    """
    fitting: tuple[BackendName, ...] = ("vllm", "transformers")
    if model.suffix == ".gguf":
        fitting = ("llama.cpp",)
    if wanted is not None and wanted not in fitting:
        serves = "a GGUF file" if wanted == "llama.cpp" else "a Hugging Face folder"
        raise ConfigError(
            f"{wanted} serves {serves}, and {model} is none.",
            remedy=f"leave out --backend, or choose {' or '.join(fitting)}.",
        )
    for name in fitting if wanted is None else (wanted,):
        found = _command(name, model)
        if found is not None:
            return found
    names = fitting if wanted is None else (wanted,)
    raise ConfigError(
        f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} not installed.",
        remedy=f"{', or '.join(_INSTALL[name] for name in names)}.",
    )


_KEY_VARIABLES: dict[BackendName, str] = {"vllm": "VLLM_API_KEY", "llama.cpp": "LLAMA_API_KEY"}

_INSTALL: dict[BackendName, str] = {
    "vllm": "install vLLM (pip install vllm) into this environment",
    "llama.cpp": "put llama-server of llama.cpp on the PATH",
    "transformers": "run `pip install 'ftdist[serve]'`",
}


def _command(name: BackendName, model: Path) -> Backend | None:
    """The backend, if it is installed."""
    address = ("--host", LOOPBACK, "--port", "{port}")
    command: tuple[str, ...]
    match name:
        case "vllm":
            program = find_program("vllm")
            served = model.parent.name
            command = ("serve", str(model), "--served-model-name", served, *address)
        case "llama.cpp":
            program = find_program("llama-server")
            served = model.stem
            command = ("--model", str(model), "--alias", served, "--jinja", *address)
        case "transformers":
            installed = all(map(importlib.util.find_spec, ("fastapi", "uvicorn")))
            program = sys.executable if installed else None
            served = str(model)
            # On a CPU, bfloat16 is slow, and compare computes in float32.
            dtype = () if visible_gpus() else ("--dtype", "float32")
            module = ("-m", "transformers.cli.transformers", "serve")
            command = (*module, served, *address, *dtype)
    if program is None:
        return None
    return Backend(
        name=name,
        command=(program, *command),
        model=served,
        key_variable=_KEY_VARIABLES.get(name),
    )


def find_program(*names: str) -> str | None:
    """The first of these programs beside this Python or on the PATH."""
    beside = Path(sys.executable).parent
    for name in names:
        if os.access(beside / name, os.X_OK):
            return str(beside / name)
        if found := shutil.which(name):
            return found
    return None


@contextmanager
def running(
    backend: Backend, *, log: Callable[[str], None], start_timeout_s: float = START_TIMEOUT_S
) -> Iterator[Served]:
    """A started server that answers, until the block ends, or this process does.

    Raises:
        FtdistError: it ended before it answered, or did not answer in time.
    """
    port = free_port()
    command = [part.format(port=port) if part == "{port}" else part for part in backend.command]
    key = secrets.token_urlsafe(32) if backend.key_variable else None
    variables = {backend.key_variable: key} if backend.key_variable and key else {}
    has_nohup = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output,
        handled(_exit, signal.SIGTERM),
        handled(signal.SIG_IGN if has_nohup else _terminate, signal.SIGHUP),
    ):
        server = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environment() | {"HF_HUB_OFFLINE": "1"} | variables,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        try:
            url = f"http://{LOOPBACK}:{port}"
            problem = _wait_until_healthy(server, url, timeout_s=start_timeout_s, log=log)
            if problem is not None:
                output.seek(0)
                lines = output.read().splitlines()[-TAIL_LINES:]
                raise FtdistError(
                    f"{backend.name} {problem}:\n" + "\n".join(f"  {line}" for line in lines),
                    remedy="see its own message above; another --backend may serve this model.",
                )
            yield Served(url=url, model=backend.model, key=key)
        finally:
            _stop(server)


def _exit(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def _terminate(_: int, __: object) -> None:
    signal.raise_signal(signal.SIGTERM)  # a web server handles it


def _end_with_parent() -> None:
    """Ask the kernel to terminate this process if its parent is killed."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _wait_until_healthy(
    server: "subprocess.Popen[bytes]", url: str, *, timeout_s: float, log: Callable[[str], None]
) -> str | None:
    """Wait until the server answers. Returns None, or what it did instead."""
    began = noted = time.monotonic()
    while server.poll() is None:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{url}/health", timeout=5, trust_env=False).is_success:
                return None
        now = time.monotonic()
        if now - began >= timeout_s:
            return f"did not answer within {timeout_s:.0f} s"
        if now - noted >= NOTE_EVERY_S:
            noted = now
            log(f"Loading the model, {now - began:.0f} s so far.")
        time.sleep(POLL_S)
    return f"ended with exit code {server.returncode} before it answered"


def _stop(server: "subprocess.Popen[bytes]") -> None:
    """End the server and the processes that it started, such as vLLM's engine."""
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        server.wait(timeout=TERMINATE_S)
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def free_port() -> int:
    """A port of the loopback interface that nothing uses."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on an address, which nobody else can take then.

    Raises:
        ConfigError: another program listens there, or it is no address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(
            f"Cannot listen on {host}:{port}: {error.strerror}.",
            remedy="choose another --port or --host.",
        ) from None
