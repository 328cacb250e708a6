"""The name of this machine."""

import os
import socket


def node_name() -> str:
    """This machine's name as SLURM knows it, or else its host name without the domain."""
    return os.environ.get("SLURMD_NODENAME") or socket.gethostname().partition(".")[0]
