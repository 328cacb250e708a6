"""Run a module in a child process that the kernel ends as soon as its parent has ended.

    python -m ftdist.io.child_process PARENT_PID MODULE [ARGUMENT ...]

However the parent ends, by SIGKILL too, and whatever the child does, such as a template without
end or native code that holds the interpreter: no thread of the child has to run for that. The
signal is SIGTERM: a child that has to clean up handles it.
"""

import ctypes
import os
import runpy
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>."""


def command(module: str, arguments: Sequence[str]) -> list[str]:
    """The command that runs `python -m MODULE ARGUMENTS...` as a child that ends with us.

    "Us" is the thread that starts it; it should wait for the child.
    """
    own = [sys.executable, "-m", "ftdist.io.child_process", str(os.getpid())]
    return [*own, module, *arguments]


def end_with_parent(parent: int, *, number: signal.Signals = signal.SIGTERM) -> None:
    """Have the kernel send this process a signal when its parent ends.

    Args:
        parent: pid of it; if it has ended already, this process exits.
        number: the signal.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    end_with_parent(int(sys.argv[1]))
    del sys.argv[:2]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
