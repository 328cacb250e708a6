"""A lead that trains nothing: one attempt's rows go through real sinks and real W&B.

    started = start(run, environment, wandb="online", last=10, halt=5)
    started.wait_at_halt()  # it logged steps 1 to 4, and waits to be let on
    started.go_on()
    done = started.wait()   # exit code, words, and how long its calls took

It runs as `python -m tests.support.wandb.fake_run RUN ...`, in its own process, since it may be
killed.
"""

import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftdist.config.compose import compose
from ftdist.config.saved_config import dump_config
from ftdist.config.schema import RunConfig
from ftdist.observe.loggers import open_metric_logger
from ftdist.observe.wandb import api, client, uploader
from ftdist.plan.dataset_info import PackedDatasetInfo
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir

STEPS = 10
STEP_TOKENS = 8
NAN_STEP = 5
PATIENCE_S = 60.0
CLOSE_TIMEOUT_S = 30.0
"""Longest that an attempt of a test waits for W&B at its end."""

FINISH_TIMEOUT_S = 3.0
ASK_TIMEOUT_S = 2.0
CANARY = "canary-of-the-command-line"


def make_config(root: Path, *, wandb: str, name: str = "r", more: Sequence[str] = ()) -> RunConfig:
    words = ["model.path=m", "library.path=l", f"run.name={name}", f"run.root={root}"]
    return compose([*words, f"tracking={wandb}", "tracking.curves_every_s=0", *more])


def make_plan() -> Plan:
    library = PackedDatasetInfo(path="l", key="k", sources=())
    values: dict[str, Any] = {
        field.name: field.type(0)
        for field in dataclasses.fields(Plan)
        if field.type in (int, float)
    }
    values |= {"steps": STEPS, "library": library, "estimates": ()}
    values |= {"device": "cpu", "dtype": "float32"}
    return Plan(**values)


def make_run(root: Path, *, wandb: str) -> RunDir:
    """A run directory without any ingredients."""
    run = RunDir(root)
    run.create(private=True)
    run.config.write_text(dump_config(make_config(root.parent, wandb=wandb, name=root.name)))
    run.plan.write_text(make_plan().to_json())
    return run


def record(run: RunDir, *, attempt: int, steps: range) -> None:
    """One attempt without W&B, in this process."""
    config = make_config(run.root.parent, wandb="off", name=run.name)
    with open_metric_logger(
        run, config, make_plan(), attempt=attempt, first_step=steps.start - 1
    ) as logger:
        for step in steps:
            logger.log(step, {"train/loss": 1 / step})


def raw_rows(run: RunDir) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.metrics.read_text().splitlines()]


def as_recorded(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of W&B's history under the names of metrics.jsonl, wandb's own columns left out."""
    return [
        {"step": row["trainer/global_step"]}
        | {n: v for n, v in row.items() if not n.startswith(("_", "trainer/"))}
        for row in rows
    ]


def without_time(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "time"} for row in rows]


@dataclass(frozen=True, kw_only=True)
class Done:
    """How an attempt ended."""

    exit_code: int
    out: str
    err: str
    slowest_log_s: float
    """NaN where it did not live to say so, like `close_s`."""

    close_s: float


@dataclass(frozen=True, kw_only=True)
class Started:
    """An attempt at work."""

    run: RunDir
    process: "subprocess.Popen[str]"

    def wait_at_halt(self) -> None:
        wait_for(lambda: (self.run.root / "halted").exists())

    def go_on(self) -> None:
        (self.run.root / "go").touch()

    def wait(self) -> Done:
        out, err = self.process.communicate(timeout=PATIENCE_S)
        last = out.splitlines()[-1] if out else ""
        times = json.loads(last) if last.startswith("{") else {}
        nan = float("nan")
        return Done(
            exit_code=self.process.returncode,
            out=out,
            err=err,
            slowest_log_s=times.get("slowest_log_s", nan),
            close_s=times.get("close_s", nan),
        )


def start(
    run: RunDir,
    environment: Mapping[str, str],
    *,
    wandb: str,
    attempt: int = 1,
    first: int = 0,
    last: int = STEPS,
    halt: int = 0,
    trouble: str = "none",
    more: Sequence[str] = (),
) -> Started:
    """Start one attempt of a run.

    Args:
        run: gets its rows.
        environment: of the process, beside our own.
        wandb: option of conf/tracking/.
        attempt: its number.
        first: steps done before it.
        last: step that it ends at.
        halt: step before which it waits to be let on; 0: none.
        trouble: a signal's name, which wandb-core gets before that step; "die": the attempt kills
            itself at its end; "nan": the loss of step `NAN_STEP` is not a number; or several of
            them, with commas.
        more: overrides of its config.
    """
    words = [str(attempt), str(first), str(last), str(halt), trouble, wandb]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.support.wandb.fake_run",
            str(run.root),
            *words,
            f"--{CANARY}",
            *more,
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return Started(run=run, process=process)


def wait_for(what: Any) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def wandb_core() -> int | None:
    """This process's wandb-core, if it lives."""
    for children in Path("/proc/self/task").glob("*/children"):
        for child in children.read_text().split():
            name, state = Path(f"/proc/{child}/stat").read_text().split()[1:3]
            if name == "(wandb-core)" and state != "Z":
                return int(child)
    return None


def main(root: str, *words: str) -> None:
    """Play the lead."""
    attempt, first, last, halt = (int(word) for word in words[:4])
    trouble, wandb = words[4:6]
    uploader.CLOSE_TIMEOUT_S = 3.0 if trouble == "STOP" else CLOSE_TIMEOUT_S
    uploader.ALERTS_EVERY_S = 0.1
    uploader.FINISH_TIMEOUT_S = FINISH_TIMEOUT_S
    uploader.POLL_EVERY_S = 0.1
    client.SEND_EVERY_S = 1
    api.REQUEST_TIMEOUT_S = ASK_TIMEOUT_S
    run = RunDir(Path(root))
    config = make_config(run.root.parent, wandb=wandb, name=run.name, more=words[7:])
    slowest = 0.0
    with open_metric_logger(run, config, make_plan(), attempt=attempt, first_step=first) as logger:
        for step in range(first + 1, last + 1):
            if step == halt:
                _halt(run, trouble)
            began = time.monotonic()
            row = {
                "train/loss": math.nan if step == NAN_STEP and "nan" in trouble else 1 / step,
                "train/tokens": STEP_TOKENS,
                "throughput/tokens_per_s": 10.0 * step,
            }
            logger.log(step, row)
            slowest = max(slowest, time.monotonic() - began)
        if "die" in trouble:
            wait_for(lambda: list(run.wandb.glob("*run-*/run-*.wandb")))
            time.sleep(2.5)
            os.kill(os.getpid(), signal.SIGKILL)
        began = time.monotonic()
    close_s = time.monotonic() - began
    assert wandb_core() is None
    sys.stdout.write(json.dumps({"slowest_log_s": slowest, "close_s": close_s}) + "\n")


def _halt(run: RunDir, trouble: str) -> None:
    (run.root / "halted").touch()
    wait_for(lambda: (run.root / "go").exists())
    if trouble in ("KILL", "STOP"):
        wait_for(lambda: list(run.wandb.glob("*run-*/run-*.wandb")))
        core = wandb_core()
        assert core is not None
        os.kill(core, signal.Signals["SIG" + trouble])


if __name__ == "__main__":
    main(*sys.argv[1:])
