"""Commands that tests give to a cluster."""

import os
import subprocess
from collections.abc import Collection

PATIENCE = float(os.environ.get("FTDIST_PATIENCE", "1"))
"""What every wait is multiplied by, for a machine that does other work meanwhile."""


def plain_environment() -> dict[str, str]:
    """Ours without what a job around us, or another cluster, would say."""
    foreign = ("SLURM", "SBATCH_", "SRUN_", "SALLOC_", "SQUEUE_", "SACCT_", "PYTEST_")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


def checked_output(
    command: Collection[str], *, environment: dict[str, str], timeout_s: float
) -> str:
    """What a command prints; it must end well and in time."""
    __tracebackhide__ = True
    done = subprocess.run(
        list(command),
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s * PATIENCE,
        check=False,
    )
    if done.returncode:
        words = " ".join(command)
        raise AssertionError(f"`{words}` ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout
