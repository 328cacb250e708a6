"""A SLURM of several nodes on this machine, and what tests do to it.

`slurmlab.sh` makes the nodes. Every wait has an end, and tells then what the cluster looked like.
"""

import subprocess
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.slurm.commands import PATIENCE, checked_output, plain_environment
from tests.support.slurm.processes import NodeProcess, processes_of

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = Path(__file__).parents[1] / "slurmlab.sh"
START_S = 180.0
ANSWER_S = 30.0
POLL_S = 0.2
LOG_CHARACTERS = 3000

ENDED = frozenset({"COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "OUT_OF_MEMORY", "DEADLINE"})
"""States that a job does not leave again; NODE_FAIL and PREEMPTED it may."""

UP = frozenset({"idle", "mix"})
"""States of a node without a job; `sinfo` may call it mixed for minutes after its last one."""

_UNTIL_ORPHANED = 'cat >/dev/null; "$0" stop >/dev/null 2>&1; rm -rf "$SLURMLAB_DIR"'
"""Ends the cluster once nobody holds the other end of standard input, however that came about."""


class ClusterWaitError(Exception):
    """What a test waited for did not come, or cannot come any more."""


@dataclass(frozen=True, kw_only=True)
class SlurmLab:
    """A running cluster."""

    folder: Path
    """Configuration and state; logs of the daemons in `log`."""

    nodes: tuple[str, ...]

    @property
    def environment(self) -> dict[str, str]:
        """What SLURM's commands need to find this cluster."""
        return {"SLURM_CONF": str(self.folder / "etc/slurm.conf")}

    @classmethod
    @contextmanager
    def running(cls, *, nodes: int = 2, **settings: int) -> Iterator["SlurmLab"]:
        """A new cluster for the length of a `with` block, and not longer if we are killed in it.

        Args:
            nodes: how many.
            **settings: of `slurmlab.sh`, such as grace_s.
        """
        folder = Path(tempfile.mkdtemp(prefix="ftdist-lab-", dir="/tmp"))  # sockets: a short path
        values = {"dir": folder, "nodes": nodes, **settings}
        wishes = {f"SLURMLAB_{name.upper()}": str(value) for name, value in values.items()}
        environment = {**plain_environment(), **wishes}
        guard = subprocess.Popen(
            ["bash", "-c", _UNTIL_ORPHANED, str(SCRIPT)],
            stdin=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        try:
            checked_output([str(SCRIPT), "start"], environment=environment, timeout_s=START_S)
            names = tuple(f"node{number + 1}" for number in range(nodes))
            yield cls(folder=folder, nodes=names)
        finally:
            guard.communicate(timeout=START_S * PATIENCE)

    def client(self, *command: str, timeout_s: float = ANSWER_S) -> str:
        """What one of SLURM's commands, given on this machine, prints."""
        environment = {**plain_environment(), **self.environment}
        return checked_output(command, environment=environment, timeout_s=timeout_s)

    def exec(self, node: str, *command: str, timeout_s: float = ANSWER_S) -> str:
        """What a command on a node prints."""
        return self._script("exec", node, *command, timeout_s=timeout_s)

    def kill_node(self, node: str) -> None:
        """Power a node off without notice."""
        self._script("kill-node", _number(node))

    def crash_node(self, node: str) -> None:
        """Kill all that runs on a node; its network stays, so that peers' connections break."""
        self._script("crash-node", _number(node))

    def boot_node(self, node: str) -> None:
        """Boot a node that was killed; SLURM may give it to a waiting job at once."""
        self._script("revive-node", _number(node))

    def revive_node(self, node: str) -> None:
        """Boot a node that was killed, and wait until SLURM uses it again."""
        self.boot_node(node)
        self.wait_until(lambda: self.node_state(node) in UP, what=f"{node} up", timeout_s=60)

    def link_down(self, node: str) -> None:
        """Cut a node's network; what runs on it runs on."""
        self._script("link-down", _number(node))

    def link_up(self, node: str) -> None:
        """Restore a node's network."""
        self._script("link-up", _number(node))

    def kill_slurmd(self, node: str) -> None:
        """Kill a node's daemon; its jobs live on."""
        self._script("kill-slurmd", _number(node))

    def start_slurmd(self, node: str) -> None:
        """Start the daemon of a node again."""
        self._script("start-slurmd", _number(node))

    def kill_controller(self) -> None:
        """Kill slurmctld: no command of SLURM is answered until it is started again."""
        self._script("kill-ctld")

    def start_controller(self) -> None:
        """Start slurmctld with its state, and wait until it answers."""
        self._script("start-ctld")
        self.wait_until(self.answers, what="an answer of slurmctld", timeout_s=60)

    def answers(self) -> bool:
        """Whether slurmctld answers."""
        try:
            self.client("squeue", "--noheader")
        except AssertionError:
            return False
        return True

    def node_state(self, node: str) -> str:
        """SLURM's word for a node: idle, alloc, comp, down*, ..."""
        return self.client("sinfo", "-h", "-N", "-p", "main", "-n", node, "-o", "%t").strip()

    def queue(self) -> list[str]:
        """Jobs that wait, run, or whose processes are being ended."""
        return self.client("squeue", "--noheader", "--format=%i").split()

    def state(self, job: str) -> str:
        """SLURM's word for a job, ended ones included."""
        words = ("--noheader", "--array", "--states=all", f"--jobs={job}", "--format=%T")
        return self.client("squeue", *words).partition("\n")[0]

    def starts(self, job: str) -> list[str]:
        """How each start of a job ended, or what it does now, oldest first, as the accounts say."""
        return [line.split()[0] for line in self._accounts(job, "State", "--duplicates")]

    def exit_code(self, job: str) -> int:
        """The exit code of a job's newest start."""
        return int(self._accounts(job, "ExitCode")[-1].partition(":")[0])

    def wait_for_state(
        self, job: str, states: Collection[str], *, timeout_s: float, logs: Path | None = None
    ) -> str:
        """Wait until a job is in one of `states`, and return it.

        Args:
            job: its number.
            states: SLURM's words.
            timeout_s: seconds.
            logs: folder of the logs to show if it does not come so far.

        Raises:
            ClusterWaitError: it is in none of them in time, or ended in another one.
        """
        state = ""

        def there() -> bool:
            nonlocal state
            state = self.state(job)
            if state in ENDED.difference(states):
                raise ClusterWaitError(f"Job {job} ended as {state}.\n{self.report(logs)}")
            return state in states

        what = f"job {job} {' or '.join(sorted(states))}"
        self.wait_until(there, what=what, timeout_s=timeout_s, logs=logs)
        return state

    def wait_until(
        self, so: Callable[[], bool], *, what: str, timeout_s: float, logs: Path | None = None
    ) -> None:
        """Wait until something is so.

        Raises:
            ClusterWaitError: it is not in time.
        """
        deadline = time.monotonic() + timeout_s * PATIENCE
        while not so():
            if time.monotonic() > deadline:
                report = self.report(logs)
                raise ClusterWaitError(f"Not within {timeout_s:.0f} s: {what}.\n{report}")
            time.sleep(POLL_S)

    def report(self, logs: Path | None = None) -> str:
        """What SLURM says about nodes and jobs, and the ends of the logs below a folder."""
        parts = []
        for command in ("sinfo -N", "squeue --states=all", "sacct -D -X"):
            parts += [f"== {command}", self.client(*command.split())]
        found = sorted(logs.rglob("*_log.*")) if logs else []
        for path in [*found, *(path for path in self.log_files() if not found)]:
            text = path.read_text(encoding="utf-8", errors="replace")
            parts += [f"== {path}", text[-LOG_CHARACTERS:]]
        return "\n".join(parts)

    def log_files(self) -> list[Path]:
        """What SLURM's own daemons wrote."""
        return sorted((self.folder / "log").glob("slurm*.log"))

    def processes(self, node: str) -> list[NodeProcess]:
        """What runs on a node, SLURM's daemons excepted; nothing on one that is off."""
        return processes_of(self.folder / f"pid/{node}.init")

    def ranks(self, node: str) -> list[NodeProcess]:
        """The ranks on a node, in order."""
        found = [process for process in self.processes(node) if process.rank is not None]
        return sorted(found, key=lambda process: process.rank or 0)

    def end_jobs(self, below: Path) -> None:
        """Cancel what was submitted below a folder, and wait until nothing of it is left."""

        def left() -> list[str]:
            lines = self.client("squeue", "--noheader", "--format=%i|%Z").splitlines()
            jobs = (line.split("|", 1) for line in lines)
            return [job for job, folder in jobs if Path(folder).is_relative_to(below)]

        if jobs := left():
            self.client("scancel", *jobs)
            self.wait_until(lambda: not left(), what="an empty queue", timeout_s=60, logs=below)

    def _accounts(self, job: str, field: str, *more: str) -> list[str]:
        """A line for the newest start of a job, or with `--duplicates` for each."""

        def ask(field: str) -> list[str]:
            words = ("--noheader", "--parsable2", "--allocations", f"--format={field}")
            return self.client("sacct", *words, *more, f"--jobs={job}").splitlines()

        state = self.state(job)
        if state in ENDED:  # the accounts follow the queue by seconds
            what = f"accounts of the end of job {job}"
            self.wait_until(lambda: state in "".join(ask("State")[-1:]), what=what, timeout_s=30)
        return ask(field)

    def _script(self, *words: str, timeout_s: float = 60.0) -> str:
        environment = {**plain_environment(), "SLURMLAB_DIR": str(self.folder)}
        return checked_output([str(SCRIPT), *words], environment=environment, timeout_s=timeout_s)


def _number(node: str) -> str:
    return node.removeprefix("node")
