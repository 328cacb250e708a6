"""Start a peer's ranks, watch them, and read what they measured."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.measure import MemorySampler, Outcome, read_steps
from benchmarks.settings import PeerSettings

CHECKOUT = Path(__file__).resolve().parents[1]
REQUIREMENTS = Path(__file__).with_name("requirements-trl.txt")
TRL_FOLDER = CHECKOUT / ".cache" / "bench-trl"
TIMEOUT_S = 3600.0
LOG_LINES = 20


class BenchmarkError(Exception):
    """A configuration did not run to its end."""


def run_peer(
    name: str, *, python: Path, module: str, settings: PeerSettings, folder: Path
) -> Outcome:
    """Run all ranks of `python -m MODULE SETTINGS.json` to their end.

    Args:
        name: of the configuration.
        python: of the environment that has what the module imports.
        module: reads the settings and writes its steps.
        settings: `log` is the folder of this run.
        folder: the same, made here.

    Raises:
        BenchmarkError: a rank failed, or did not end in an hour.
    """
    folder.mkdir(parents=True)
    path = folder / "settings.json"
    settings.write(path)
    load_before = os.getloadavg()[0]
    launched = time.time()
    command = [str(python), "-m", module, str(path)]
    with ExitStack() as stack:
        ranks = _start(command, ranks=settings.ranks, folder=folder, stack=stack)
        sampler = stack.enter_context(MemorySampler(lambda: [rank.pid for rank in ranks]))
        _wait(ranks, name=name, folder=folder)
    steps = read_steps(folder, ranks=settings.ranks)
    return Outcome(
        name=name,
        launched=launched,
        ranks_started=max(sampler.started.values()),
        steps=steps,
        peaks_gib=sampler.peaks_gib(until=steps[-1].time),
        cpu_step_s=sampler.cpu_step_s(steps),
        load_before=load_before,
    )


def run_ranks(name: str, *, module: str, settings: Path, ranks: int) -> None:
    """Run all ranks of `python -m MODULE SETTINGS`, in our own environment, to their end.

    Raises:
        BenchmarkError: a rank failed, or did not end in an hour.
    """
    command = [sys.executable, "-m", module, str(settings)]
    with ExitStack() as stack:
        started = _start(command, ranks=ranks, folder=settings.parent, stack=stack)
        _wait(started, name=name, folder=settings.parent)


def _start(
    command: Sequence[str], *, ranks: int, folder: Path, stack: ExitStack
) -> list[subprocess.Popen[bytes]]:
    """The processes of all ranks, each with a log in the folder."""
    started: list[subprocess.Popen[bytes]] = []
    port = _free_port()
    for rank in range(ranks):
        log = stack.enter_context((folder / f"rank-{rank}.log").open("wb"))
        started.append(
            subprocess.Popen(
                command,
                cwd=CHECKOUT,
                env=rank_environment(rank, ranks=ranks, port=port, work=folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        )
    return started


def rank_environment(rank: int, *, ranks: int, port: int, work: Path) -> dict[str, str]:
    """Environment of one rank: its place, one thread, and nothing from the network."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return {
        **clean_environment(),
        **threads,
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(ranks),
        "LOCAL_WORLD_SIZE": str(ranks),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "DS_ACCELERATOR": "cpu",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_CACHE": str(work / "datasets"),
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONUNBUFFERED": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }


def clean_environment() -> dict[str, str]:
    """The caller's environment without settings of allocators and threads, for everybody alike."""
    unwanted = ("MALLOC_", "OMP_", "MKL_", "KMP_", "LD_PRELOAD", "GLIBC_TUNABLES", "THP_")
    return {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}


def make_trl_environment() -> Path:
    """The Python of TRL's own environment, made where it is missing or its pins have changed.

    Raises:
        BenchmarkError: it cannot be installed.
    """
    python, made = TRL_FOLDER / "bin" / "python", TRL_FOLDER / "requirements.txt"
    wanted = REQUIREMENTS.read_text(encoding="utf-8")
    if made.is_file() and made.read_text(encoding="utf-8") == wanted:
        return python
    _say(f"Making TRL's environment in {TRL_FOLDER.relative_to(CHECKOUT)}; this takes minutes.")
    shutil.rmtree(TRL_FOLDER, ignore_errors=True)
    _install([sys.executable, "-m", "venv", str(TRL_FOLDER)])
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _install([*pip, "-r", str(REQUIREMENTS)])
    made.write_text(wanted, encoding="utf-8")
    return python


def versions(python: Path, packages: Sequence[str]) -> Mapping[str, str]:
    """Versions of packages in the environment of a Python."""
    code = "import importlib.metadata as m, sys; print(*[m.version(p) for p in sys.argv[1:]])"
    done = subprocess.run(
        [str(python), "-c", code, *packages], capture_output=True, text=True, check=True
    )
    return dict(zip(packages, done.stdout.split(), strict=True))


def _wait(ranks: Sequence[subprocess.Popen[bytes]], *, name: str, folder: Path) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    try:
        while any(rank.poll() is None for rank in ranks):
            failed = [at for at, rank in enumerate(ranks) if rank.poll() not in (None, 0)]
            if failed or time.monotonic() > deadline:
                break
            time.sleep(0.1)
    finally:
        codes = [rank.poll() for rank in ranks]
        for rank in ranks:
            if rank.poll() is None:
                rank.kill()
            rank.wait()
    if any(codes):
        first = next(at for at, code in enumerate(codes) if code)
        raise BenchmarkError(f"{name}: rank {first} failed.\n{_tail(folder / f'rank-{first}.log')}")
    if None in codes:
        raise BenchmarkError(f"{name}: ranks did not end in {TIMEOUT_S:.0f} s; see {folder}.")


def _install(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{' '.join(command)} failed:\n{done.stderr.strip()[-2000:]}")


def _tail(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-LOG_LINES:])


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _say(text: str) -> None:
    print(text, flush=True)
