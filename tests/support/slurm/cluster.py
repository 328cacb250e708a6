"""A SLURM of several nodes on this machine, what tests do to it, and a user who logs in to it.

`slurmlab.sh` makes the nodes. Every wait has an end, and tells then what the cluster looked like.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ftdist.rundir import RunDir

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = Path(__file__).parents[1] / "slurmlab.sh"
START_S = 180.0
ANSWER_S = 30.0
POLL_S = 0.2
PATIENCE = float(os.environ.get("FTDIST_PATIENCE", "1"))
"""What every wait is multiplied by, for a machine that does other work meanwhile."""
LOG_CHARACTERS = 3000

ENDED = frozenset({"COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "OUT_OF_MEMORY", "DEADLINE"})
"""States that a job does not leave again; NODE_FAIL and PREEMPTED it may."""

_UNTIL_ORPHANED = 'cat >/dev/null; "$0" stop >/dev/null 2>&1; rm -rf "$SLURMLAB_DIR"'
"""Ends the cluster once nobody holds the other end of standard input, however that came about."""


class ClusterWaitError(Exception):
    """What a test waited for did not come, or cannot come any more."""


@dataclass(frozen=True, kw_only=True)
class NodeProcess:
    """A process on a node, as this machine sees it."""

    pid: int
    """Here, not on the node: `os.kill` takes it."""

    command: str
    rank: int | None
    """Of the run; None: this is no rank."""


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
        environment = {**_plain_environment(), **wishes}
        guard = subprocess.Popen(
            ["bash", "-c", _UNTIL_ORPHANED, str(SCRIPT)],
            stdin=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        try:
            _checked([str(SCRIPT), "start"], environment=environment, timeout_s=START_S)
            names = tuple(f"node{number + 1}" for number in range(nodes))
            yield cls(folder=folder, nodes=names)
        finally:
            guard.communicate(timeout=START_S * PATIENCE)

    def client(self, *command: str, timeout_s: float = ANSWER_S) -> str:
        """What one of SLURM's commands, given on this machine, prints."""
        environment = {**_plain_environment(), **self.environment}
        return _checked(command, environment=environment, timeout_s=timeout_s)

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
        self.wait_until(lambda: self.node_state(node) == "idle", what=f"{node} idle", timeout_s=60)

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
        try:
            init = (self.folder / f"pid/{node}.init").read_text().split()[0]
            namespace = Path(f"/proc/{init}/ns/pid").readlink()
        except OSError:
            return []
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and folder.name != init:
                with suppress(OSError):  # it has ended meanwhile
                    if (folder / "ns/pid").readlink() == namespace:
                        found += _look_at(folder)
        return found

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
        environment = {**_plain_environment(), "SLURMLAB_DIR": str(self.folder)}
        return _checked([str(SCRIPT), *words], environment=environment, timeout_s=timeout_s)


@dataclass(frozen=True, kw_only=True)
class Login:
    """A user at the login node of a cluster, in a folder that its nodes see too."""

    lab: SlurmLab
    folder: Path
    checkout: Path = ROOT
    """Where ftdist is installed from."""

    def __call__(
        self, *arguments: str, code: int | None = 0, timeout_s: float = 120.0
    ) -> "subprocess.CompletedProcess[str]":
        """Give a command of ftdist.

        Args:
            *arguments: what follows `ftdist`.
            code: the exit code that it must end with; None: whichever.
            timeout_s: seconds that it may take.
        """
        __tracebackhide__ = True
        environment = {**_plain_environment(), **self.lab.environment, "HOME": str(self.folder)}
        if self.checkout != ROOT:
            environment["PYTHONPATH"] = f"{self.checkout}:{self.checkout / 'launch'}"
        done = subprocess.run(
            [sys.executable, "-m", "ftdist", *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s * PATIENCE,
            check=False,
        )
        if code is not None and done.returncode != code:
            raise AssertionError(
                f"`ftdist {' '.join(arguments)}` ended with {done.returncode}, not {code}:\n"
                f"{done.stdout}{done.stderr}"
            )
        return done

    def run(self, name: str) -> RunDir:
        """A run that was made here."""
        return RunDir(self.folder / "runs" / name)

    def job(self, name: str, stage: str = "train") -> str:
        """The number of a run's newest job of one stage."""
        events = self.run(name).read_events()
        submitted = [event for event in events if event["event"] == "job_submitted"]
        return str([event["job"] for event in submitted if event["stage"] == stage][-1])

    def wait_for_state(self, job: str, *states: str, timeout_s: float = 120.0) -> str:
        """Wait until a job is in one of `states`; the logs are shown if it does not come so far."""
        return self.lab.wait_for_state(job, states, timeout_s=timeout_s, logs=self.folder)

    def wait_until(self, so: Callable[[], bool], *, what: str, timeout_s: float = 120.0) -> None:
        """Wait until something is so; the logs are shown if it does not come so far."""
        self.lab.wait_until(so, what=what, timeout_s=timeout_s, logs=self.folder)


@contextmanager
def logged_in(lab: SlurmLab, folder: Path, *, checkout: Path = ROOT) -> Iterator[Login]:
    """A user who leaves no job behind."""
    login = Login(lab=lab, folder=folder, checkout=checkout)
    try:
        yield login
    finally:
        lab.end_jobs(folder)


def copy_checkout(folder: Path) -> Path:
    """A copy of the product's code, for a test that changes it."""
    for package in ("ftdist", "launch", "conf"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    return folder


def _plain_environment() -> dict[str, str]:
    """Ours without what a job around us, or another cluster, would say."""
    foreign = ("SLURM", "SBATCH_", "SRUN_", "SALLOC_", "SQUEUE_", "SACCT_", "PYTEST_")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


def _checked(command: Collection[str], *, environment: dict[str, str], timeout_s: float) -> str:
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


def _number(node: str) -> str:
    return node.removeprefix("node")


def _look_at(folder: Path) -> list[NodeProcess]:
    """The process of a folder in /proc; none if it is the node's own or has ended."""
    words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
    command = " ".join(words).strip()
    name = Path(words[0]).name
    own = name.startswith(("slurmd", "slurmstepd")) or command == "sleep 86400"
    if not command or own:
        return []
    rank = _environment_of(folder).get("SLURM_PROCID") if _is_rank(folder, command) else None
    return [NodeProcess(pid=int(folder.name), command=command, rank=int(rank) if rank else None)]


def _is_rank(folder: Path, command: str) -> bool:
    """Whether this is what srun started; a child that a rank forked has the same command."""
    if "submitit" not in command or not Path(command.split()[0]).name.startswith("python"):
        return False
    parent = (folder / "stat").read_text().rpartition(") ")[2].split()[1]
    return "submitit" not in Path(f"/proc/{parent}/cmdline").read_text(errors="replace")


def _environment_of(folder: Path) -> dict[str, str]:
    entries = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)
