"""One rank of a distributed test: forked by the server of `tests.support.ranks`.

Reads FOLDER/call.pkl; leaves rank-N.result (a pickle) or rank-N.error (a traceback) there.
"""

import ctypes
import faulthandler
import os
import pickle
import signal
import sys
import traceback
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>."""


@dataclass(frozen=True, kw_only=True)
class RankCall:
    """A function's call on one rank, as `RunRanks` asks for it."""

    folder: Path
    rank: int
    size: int
    device: str
    timeout_s: float
    """Of the process group."""

    group: bool
    environment: dict[str, str]


def run(call: RankCall) -> None:
    """Meet the other ranks, call the function, leave its result, end the process."""
    code = _run(call)
    sys.stdout.flush()
    sys.stderr.flush()
    # Not by way of the interpreter's end: there threads of native libraries, which nobody waits
    # for, abort a rank now and then whose work is done and written.
    os._exit(code)


def _run(call: RankCall) -> int:
    os.setsid()  # its children can be killed with it
    # A test runner that is killed takes the server along, and that its ranks.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.umask(0o077)
    os.environ.clear()
    os.environ.update(call.environment, OMP_NUM_THREADS="1", MKL_NUM_THREADS="1",
                      TOKENIZERS_PARALLELISM="false")  # fmt: skip
    log = os.open(call.folder / f"rank-{call.rank}.log", os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    with (call.folder / f"rank-{call.rank}.stack").open("w") as stack:
        faulthandler.enable(file=stack)
        faulthandler.register(signal.SIGUSR1, file=stack, all_threads=True)
        try:
            _call(call)
        except BaseException:  # noqa: BLE001 - reported to the test, whatever it is
            error = call.folder / f"rank-{call.rank}.error"
            write_aside(error, traceback.format_exc().encode())
            return 1
    return 0


def _call(call: RankCall) -> None:
    """Run the function between the making and the end of the process group, where there is one."""
    import tests.support.rank_imports  # noqa: F401 - before anything of the product
    from ftdist.dist.world import World, process_group

    with (call.folder / "call.pkl").open("rb") as file:
        function, args, kwargs = pickle.load(file)
    world = World(rank=call.rank, size=call.size, local_rank=call.rank, local_size=call.size)
    meeting = call.folder / "rendezvous"
    joined = process_group(world, rendezvous=meeting, device=call.device, timeout_s=call.timeout_s)
    with joined if call.group else nullcontext():
        write_aside(call.folder / f"rank-{call.rank}.met", b"")
        result = function(world, *args, **kwargs)
        write_aside(call.folder / f"rank-{call.rank}.result", pickle.dumps(result))


def write_aside(path: Path, content: bytes) -> None:
    """Write a file that appears whole."""
    aside = path.with_name(f"{path.name}.tmp")
    aside.write_bytes(content)
    aside.rename(path)
