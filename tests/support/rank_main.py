"""One rank of a distributed test: started by `tests.support.ranks`, never by hand.

    python -m tests.support.rank_main FOLDER RANK SIZE DEVICE TIMEOUT_S group|alone

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
from pathlib import Path

from jaxtyping import install_import_hook

from tests.support.shapes import CHECKER, PACKAGES

PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>."""


def main(arguments: list[str]) -> int:
    """Meet the other ranks, call the function, leave its result."""
    folder, rank, size = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    device, timeout_s = arguments[3], float(arguments[4])
    # A test runner that is killed takes its ranks along.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.umask(0o077)
    with (folder / f"rank-{rank}.stack").open("w") as stack:
        faulthandler.enable(file=stack)
        faulthandler.register(signal.SIGUSR1, file=stack, all_threads=True)
        try:
            group = arguments[5] == "group"
            call(folder, rank, size, device=device, timeout_s=timeout_s, group=group)
        except BaseException:  # noqa: BLE001 - reported to the test, whatever it is
            write_aside(folder / f"rank-{rank}.error", traceback.format_exc().encode())
            return 1
    return 0


def call(folder: Path, rank: int, size: int, *, device: str, timeout_s: float, group: bool) -> None:
    """Run the function between the making and the end of the process group, where there is one."""
    # As pytest does for itself: shapes and types of the product are checked here too.
    install_import_hook(PACKAGES, CHECKER)
    from ftdist.dist.world import World, process_group

    with (folder / "call.pkl").open("rb") as file:
        function, args, kwargs = pickle.load(file)
    world = World(rank=rank, size=size, local_rank=rank, local_size=size)
    meeting = folder / "rendezvous"
    joined = process_group(world, rendezvous=meeting, device=device, timeout_s=timeout_s)
    with joined if group else nullcontext():
        write_aside(folder / f"rank-{rank}.met", b"")
        result = function(world, *args, **kwargs)
        write_aside(folder / f"rank-{rank}.result", pickle.dumps(result))


def write_aside(path: Path, content: bytes) -> None:
    """Write a file that appears whole."""
    aside = path.with_name(f"{path.name}.tmp")
    aside.write_bytes(content)
    aside.rename(path)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Not by way of the interpreter's end: there threads of native libraries, which nobody waits
    # for, abort a rank now and then whose work is done and written.
    os._exit(code)
