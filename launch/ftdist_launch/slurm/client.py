"""What SLURM says and does, asked through its commands; each answers in time or is given up."""

import json
import os
import re
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ftdist.errors import FtdistError
from ftdist_launch.local.submit import is_job_variable

ANSWER_S = 30.0
"""Longest that a command of SLURM may take; a busy controller answers within a few seconds."""

JOB_ID = re.compile(r"\d+(_\d+)?")
_GPUS = re.compile(r"gpu(?::[A-Za-z][\w.-]*)?:(\d+)")


class SlurmError(FtdistError):
    """SLURM did not do what it was asked."""

    exit_code = 69


@dataclass(frozen=True, kw_only=True)
class QueuedJob:
    """A job that waits, runs or is ending."""

    job: str
    """Its number, `12` or, of an array, `12_3`."""

    state: str
    """SLURM's word: PENDING, RUNNING, COMPLETING, ..."""

    reason: str
    """SLURM's word for why it waits; "None" where it does not."""

    nodes: str
    """Nodes that it runs on, as SLURM writes them."""

    start: str
    """When it started or is expected to, as SLURM writes it; "N/A" where that is not known."""


@dataclass(frozen=True, kw_only=True)
class Partition:
    """What one kind of node in a partition offers."""

    name: str
    is_default: bool
    is_up: bool
    time_limit_min: int | None
    """None: no limit."""

    nodes: int
    cores: int
    """Of the smallest node."""

    memory_mib: int
    """Of the smallest node."""

    gpus: int
    """Of each node."""


@dataclass(frozen=True)
class Queue:
    """SLURM as one user sees it from a login node.

    Args:
        answer_s: seconds to wait for each command.
    """

    answer_s: float = ANSWER_S

    def states(self, jobs: Collection[str]) -> dict[str, QueuedJob]:
        """Those of `jobs` that are in the queue, by their number; an ended job is not.

        Raises:
            SlurmError: SLURM does not answer.
        """
        asked = sorted(job for job in jobs if JOB_ID.fullmatch(job))
        if not asked:
            return {}
        whole = sorted({job.partition("_")[0] for job in asked})
        words = ["squeue", "--noheader", "--array", f"--jobs={','.join(whole)}"]
        words += ["--states=all", "--format=%i|%T|%r|%N|%S"]
        done = self._run(words)
        if done.returncode and "Invalid job id" in done.stderr:
            if len(whole) == 1:
                return {}
            # Of several, one that SLURM has forgotten spoils the answer of older versions.
            parts = [self.states([job]) for job in asked]
            return {name: job for part in parts for name, job in part.items()}
        self._check(done, words)
        found = {}
        for line in filter(None, map(str.strip, done.stdout.splitlines())):
            job, state, reason, nodes, start = line.split("|")
            if job in asked and state in _IN_QUEUE:
                found[job] = QueuedJob(
                    job=job, state=state, reason=reason, nodes=nodes, start=start
                )
        return found

    def accounting(self, jobs: Collection[str]) -> dict[str, list[str]]:
        """Every state in which a start of each job ended or is, oldest first, as sacct knows it.

        Raises:
            SlurmError: SLURM does not answer, or keeps no accounts.
        """
        asked = sorted(job for job in jobs if JOB_ID.fullmatch(job))
        if not asked:
            return {}
        words = ["sacct", "--noheader", "--parsable2", "--duplicates", "--allocations"]
        words += [f"--jobs={','.join(asked)}", "--format=JobID,State"]
        found: dict[str, list[str]] = {}
        for line in self._ask(words).splitlines():
            job, _, state = line.partition("|")
            if state:
                found.setdefault(job, []).append(state.split()[0])
        return found

    def partitions(self) -> list[Partition]:
        """The partitions that this user sees, one entry for each kind of node.

        Raises:
            SlurmError: SLURM does not answer.
        """
        words = ["sinfo", "--noheader", "--format=%P|%a|%l|%D|%c|%m|%G"]
        found = []
        for line in self._ask(words).splitlines():
            name, up, limit, nodes, cores, memory, gres = line.strip().split("|")
            gpus = _GPUS.search(gres)
            found.append(
                Partition(
                    name=name.rstrip("*"),
                    is_default=name.endswith("*"),
                    is_up=up == "up",
                    time_limit_min=minutes(limit),
                    nodes=int(nodes),
                    cores=int(cores.rstrip("+")),
                    memory_mib=int(memory.rstrip("+")),
                    gpus=int(gpus[1]) if gpus else 0,
                )
            )
        return found

    def refusal(self, script: str) -> str | None:
        """Why SLURM would not take a batch script; None: it would. Nothing is submitted."""
        done = self._run(["sbatch", "--test-only"], text=script)
        return None if done.returncode == 0 else _told(done.stderr)

    def signal(self, job: str, name: str) -> None:
        """Send a signal to the ranks of a running job, and not to its batch script.

        Raises:
            SlurmError: SLURM does not answer, or refuses.
        """
        self._ask(["scancel", f"--signal={name}", job])

    def cancel(self, jobs: Sequence[str]) -> None:
        """End jobs that wait or run, at once.

        Raises:
            SlurmError: SLURM does not answer, or refuses.
        """
        if jobs:
            self._ask(["scancel", *jobs])

    def requeue(self, job: str) -> None:
        """Have a running job start again.

        Raises:
            SlurmError: SLURM does not answer, or refuses.
        """
        self._ask(["scontrol", "requeue", job])

    def _ask(self, words: Sequence[str]) -> str:
        done = self._run(words)
        self._check(done, words)
        return done.stdout

    def _check(self, done: "subprocess.CompletedProcess[str]", words: Sequence[str]) -> None:
        if done.returncode:
            raise SlurmError(
                f"`{words[0]}` ended with exit code {done.returncode}: {_told(done.stderr)}",
                remedy="ask again in a minute; if it stays so, ask those who run the cluster.",
            )

    def _run(
        self, words: Sequence[str], *, text: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        try:
            return subprocess.run(
                words,
                input=text,
                stdin=subprocess.DEVNULL if text is None else None,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self.answer_s,
                env={k: v for k, v in os.environ.items() if not is_job_variable(k)},
                check=False,
            )
        except FileNotFoundError:
            raise SlurmError(
                f"There is no `{words[0]}` on this machine.",
                remedy="work on a login node of the cluster, or set cluster=local.",
            ) from None
        except subprocess.TimeoutExpired:
            raise SlurmError(
                f"`{words[0]}` gave no answer within {self.answer_s:.0f} s.",
                remedy="ask again in a minute; if it stays so, ask those who run the cluster.",
            ) from None


_IN_QUEUE = frozenset(
    {"PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING"}
    | {"REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESIZING", "STAGE_OUT"}
)


def minutes(limit: str) -> int | None:
    """A time limit as SLURM writes it (`1-02:00:00`, `30:00`), in minutes; None: there is none.

    Raises:
        ValueError: it is none of SLURM's forms.
    """
    if limit.strip().lower() in ("infinite", "unlimited", "n/a", "partition_limit"):
        return None
    days, dash, clock = limit.strip().rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    if dash:  # days-hours[:minutes[:seconds]]
        hours, minute = parts[0], parts[1] if len(parts) > 1 else 0
    elif len(parts) == 3:
        hours, minute = parts[0], parts[1]
    else:  # minutes[:seconds]
        hours, minute = 0, parts[0]
    return (int(days or 0) * 24 + hours) * 60 + minute


def _told(words: str) -> str:
    """What SLURM said, as one line without its own prefixes."""
    lines = [re.sub(r"^\w+: (error: )?", "", line.strip()) for line in words.splitlines()]
    told = "; ".join(dict.fromkeys(line for line in lines if line))
    return told[:500] or json.dumps("nothing")
