"""What every rank runs: module-level callables of one argument, which submitit pickles by name.

Each reads its place among the ranks from submitit, leaves behind why it failed, and ends with the
exit code of its error. The heavy packages are loaded inside, on the rank alone.
"""

import faulthandler
import json
import os
import re
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from ftdist.errors import ConfigError, FtdistError, HangError, RequeueError
from ftdist.io.jsonl import write_whole
from ftdist.rundir import RunDir
from ftdist_launch.local.processes import ProcessId, end_with
from ftdist_launch.local.submit import ENDS_WITH, visible_gpus
from ftdist_launch.logs.timestamps import add_timestamps
from ftdist_launch.rank_failures import (
    ECHO,
    FAILED,
    RankFailure,
    exit_path,
    start_path,
    traceback_path,
    write_failure,
)
from ftdist_launch.slurm.sbatch import CURATION

HANG = re.compile(
    r"timed out waiting|watchdog caught collective operation timeout|before timing out"
    r"|application timeout caused pair closure|timed out in monitoredbarrier|wait timeout after"
    r"|timed out after \d+ ?(ms|milliseconds|seconds)",
    re.IGNORECASE,
)
"""What gloo, NCCL and the rendezvous store say when a peer lives and does not answer."""


STOPS = (signal.SIGUSR2, signal.SIGTERM)
"""Signals that ask a rank to stop."""


@dataclass(frozen=True, kw_only=True)
class RankInfo:
    """A rank's place, as submitit says it."""

    rank: int
    size: int
    local_rank: int
    local_size: int


def train(run_dir: str) -> None:
    """One rank of the newest attempt of a run."""
    run = RunDir(Path(run_dir))
    # A file system of several nodes may show a rank the newest attempt late.
    attempt = int(os.environ.get("FTDIST_ATTEMPT") or run.newest_attempt())
    _look_for_no_gpu_in_vain()

    def body(facts: RankInfo) -> int:
        from ftdist.dist.world import Address, World
        from ftdist.train.main import main

        place = None
        if on_slurm():
            place = Address(host=os.environ["MASTER_ADDR"], port=int(os.environ["MASTER_PORT"]))

        world = World(
            rank=facts.rank,
            size=facts.size,
            local_rank=facts.local_rank,
            local_size=facts.local_size,
        )
        return main(run.root, world, attempt=attempt, rendezvous=place)

    run_rank(run.attempt(attempt), body)


def curate(work_dir: str) -> None:
    """Make a library, as `curation.json` of its working folder asks: one process."""
    work = RunDir(Path(work_dir))
    _look_for_no_gpu_in_vain()

    def body(facts: RankInfo) -> int:  # noqa: ARG001 - one process alone has no place
        from ftdist.library.main import curate_as_asked

        sys.stdout.write(curate_as_asked(work.root / CURATION).card + "\n")
        return 0

    run_rank(work.attempts / "curate", body)


def prepare(run_dir: str) -> None:
    """Tokenise and pack a run's library, and plan the run: one process."""
    run = RunDir(Path(run_dir))

    def body(facts: RankInfo) -> int:  # noqa: ARG001 - one process alone has no place
        from ftdist.config.compose import load_config
        from ftdist.prepare.main import prepare as prepare_library
        from ftdist_launch.run_setup import write_first_plan

        config = load_config(run.config)
        plan = write_first_plan(run, config, library=prepare_library(config))
        run.append_event("data_prepared", steps=plan.steps, library=plan.library.path)
        return 0

    run_rank(run.attempts / "prepare", body)


def export(run_dir: str) -> None:
    """Make the best committed checkpoint, or the newest, a Hugging Face folder: one process."""
    run = RunDir(Path(run_dir))
    _look_for_no_gpu_in_vain()

    def body(facts: RankInfo) -> int:  # noqa: ARG001 - one process alone has no place
        from ftdist.checkpoint.export import export as export_run

        exported = export_run(run.root)
        with suppress(OSError):
            run.append_event("model_exported", step=exported.step, dtype=exported.dtype)
        return 0

    run_rank(run.attempts / "export", body)


def merge(run_dir: str) -> None:
    """Measure models between the base and the tuned one, and keep the best: one process."""
    _look_for_no_gpu_in_vain()

    def body(facts: RankInfo) -> int:  # noqa: ARG001 - one process alone has no place
        from ftdist.evaluation.merge_sweep import merge_models

        merge_models(Path(run_dir))
        return 0

    run_rank(RunDir(Path(run_dir)).attempts / "merge", body)


def compare(run_dir: str) -> None:
    """Ask the base and the tuned model the same questions: one process."""
    _look_for_no_gpu_in_vain()

    def body(facts: RankInfo) -> int:  # noqa: ARG001 - one process alone has no place
        from ftdist.evaluation.compare import compare as compare_run

        compare_run(Path(run_dir))
        return 0

    run_rank(RunDir(Path(run_dir)).attempts / "compare", body)


def run_rank(folder: Path, body: Callable[[RankInfo], int]) -> None:
    """Run `body` as one rank, and leave in `folder` how it ended.

    Args:
        folder: of this attempt, made by the launcher.
        body: answers with the exit code.

    Raises:
        SystemExit: with the exit code, unless it is 0: then submitit notes a success.
    """
    add_timestamps()
    # The launcher set the umask that the run's privacy asks for; this process inherited it.
    facts = read_rank_info()
    if on_slurm():
        _refuse_other_code()
    own = ProcessId.from_pid(os.getpid())
    assert own is not None
    host_facts = {
        "time": time.time(),
        "host": socket.gethostname(),
        "pid": own.pid,
        "start_ticks": own.start_ticks,
        "cores": len(os.sched_getaffinity(0)),
    }
    write_whole(start_path(folder, facts.rank), json.dumps(host_facts) + "\n")
    with (folder / f"stacks-{facts.rank:05d}.txt").open("w", encoding="utf-8") as stacks:
        faulthandler.enable(stacks, all_threads=True)
        faulthandler.register(signal.SIGUSR1, file=stacks, all_threads=True)
        # Until the loop listens there is nothing to save: a wish to stop ends the rank at once.
        for number in STOPS:
            signal.signal(number, _stop_before_training)
        _end_with_starter()
        code = _guarded(folder, facts, body)
        _stop_no_more()
        write_whole(exit_path(folder, facts.rank), json.dumps({"exit_code": code}) + "\n")
        with suppress(ValueError):
            faulthandler.unregister(signal.SIGUSR1)
        faulthandler.disable()
    # srun takes the first code but 0 for a failure and kills the other ranks, which may be saving.
    if code and not (on_slurm() and code == RequeueError.exit_code):
        sys.exit(code)


def _guarded(folder: Path, facts: RankInfo, body: Callable[[RankInfo], int]) -> int:
    try:
        return body(facts)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except FtdistError as error:
        code = error.exit_code
        problem, remedy, expected = error.problem, error.remedy, True
        trace = traceback.format_exc()
    except BaseException as error:  # noqa: BLE001 - whatever it is, the rank says so and ends
        code = FtdistError.exit_code
        words = " ".join(str(error).split())[:500]
        problem, expected = f"Rank {facts.rank} failed: {type(error).__name__}: {words}", False
        path = traceback_path(folder, facts.rank)
        remedy = f"read {path}; this may be a mistake of ftdist's own."
        if _is_hang(error):
            code, expected = HangError.exit_code, True
            problem = f"Rank {facts.rank} waited in vain for another rank to answer: {words}"
            remedy = (
                f"read where each rank was in {folder}/stacks-*.txt; where a step takes longer "
                "than cluster.collective_timeout_s, raise that."
            )
        elif ECHO.search(words):
            remedy = "nothing here: another rank ended, which is the one to look at."
        trace = traceback.format_exc()
        path.write_text(trace, encoding="utf-8")
    if code == RequeueError.exit_code:
        return code
    sys.stderr.write(" ".join(f"{FAILED}{problem} To fix: {remedy}".split()) + "\n")
    write_failure(
        folder,
        RankFailure(
            rank=facts.rank,
            time=time.time(),
            problem=problem,
            remedy=remedy,
            exit_code=code,
            traceback=trace,
            expected=expected,
        ),
    )
    return code


def _is_hang(error: BaseException) -> bool:
    """Whether a collective gave up waiting; a peer that has gone is told otherwise.

    By its words: torch's errors are RuntimeErrors, and torch is not loaded here.
    """
    words = str(error)
    return isinstance(error, RuntimeError) and bool(HANG.search(words)) and not ECHO.search(words)


def read_rank_info() -> RankInfo:
    """This process's place among the ranks; the only reader of submitit's environment."""
    import submitit

    place = submitit.JobEnvironment()
    return RankInfo(
        rank=place.global_rank,
        size=place.num_tasks,
        local_rank=place.local_rank,
        local_size=place.num_tasks // place.num_nodes,
    )


def on_slurm() -> bool:
    """Whether SLURM started this process as a rank."""
    return os.environ.get("SUBMITIT_EXECUTOR") == "slurm"


def _refuse_other_code() -> None:
    """A job runs the code in its run directory, or none."""
    code = Path(os.environ["FTDIST_RUN"]).resolve() / "code"
    if not Path(__file__).resolve().is_relative_to(code):
        sys.stderr.write(f"{FAILED}This job runs {__file__}, which is not the code in {code}.\n")
        sys.exit(ConfigError.exit_code)


def _look_for_no_gpu_in_vain() -> None:
    """DeepSpeed warns that it looked for a GPU in vain, unless it is told that there is none."""
    if not visible_gpus():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")


def _stop_before_training(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    _stop_no_more()
    raise SystemExit(RequeueError.exit_code)


def _stop_no_more() -> None:
    """Hear no more wishes: the rank ends, and one more would break into the interpreter's end."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)


def _end_with_starter() -> None:
    """End with the process that started this rank, where that has asked for it."""
    asked = os.environ.get(ENDS_WITH)
    if asked and not on_slurm():
        pid, start_ticks = map(int, asked.split())
        starter = ProcessId(pid=pid, start_ticks=start_ticks)
        end_with(starter, exit_code=RequeueError.exit_code)
