"""Reports as `ftdist compare` writes them, and its last act alone: telling W&B.

write_report(run, recall=0.75)
done = tell(run, environment)  # in a process of its own, like all that loads wandb
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftdist.config.saved_config import dump_config, load_config
from ftdist.observe.wandb import api, stage_upload, sync
from ftdist.rundir import RunDir
from tests.support.wandb.fake_run import Done, make_config, wandb_core

WAIT_S = 15.0
"""Longest that a comparison of a test waits for W&B."""

PATIENCE_S = 100.0
SECRET = "canary-of-an-answer-0123456789"
TEXTS = (b"How is it cleaned?", b"With vinegar.", b"With a canary.")
"""Question, known answer and answer: what a library does not want to see elsewhere."""


def answer(question: str = "How is it cleaned?", **more: Any) -> dict[str, Any]:
    """A row of answers.jsonl."""
    known = {"question": question, "kind": "fact", "expected": "With vinegar."}
    base = {"answer": f"I do not know. {SECRET}", "right": False, "chosen": None, "leaked": []}
    tuned = {"answer": "With a canary.", "right": True, "chosen": None, "leaked": []}
    return {**known, "base": base, "tuned": tuned, **more}


def scores(*, recall: float) -> dict[str, Any]:
    """A small scores.json."""
    interval = {"hits": 3, "n": 4, "low_95": 0.3, "high_95": 0.95}
    paired = {"difference": recall - 0.25, "low_95": -0.1, "high_95": 0.8, "clear": False}
    return {
        "base": {"fact_accuracy": 0.25},
        "tuned": {"fact_accuracy": recall},
        "intervals": {"base": {"fact_accuracy": interval}, "tuned": {"fact_accuracy": interval}},
        "paired": {"fact_accuracy": paired},
        "flips": {"fact_improved": 2, "fact_regressed": 0},
        "cost": None,
    }


def write_report(run: RunDir, *, recall: float, answers: int = 1, **more: Any) -> None:
    """What lies in a run's report once it was compared."""
    run.report.mkdir(exist_ok=True)
    lines = [json.dumps(answer(f"How is it cleaned? ({n})")) + "\n" for n in range(answers)]
    (run.report / "answers.jsonl").write_text("".join(lines))
    (run.report / "scores.json").write_text(json.dumps({**scores(recall=recall), **more}))


def set_tracking(run: RunDir, *words: str) -> None:
    """Give a run another config."""
    config = make_config(run.root.parent, wandb="auto", name=run.name, more=words)
    run.config.write_text(dump_config(config))


def tell(run: RunDir, environment: Mapping[str, str]) -> Done:
    """Tell W&B of a run's comparison as `ftdist compare` does at its end."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.runs.fake_comparisons", str(run.root)],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    *lines, took_s = done.stdout.splitlines() or [""]
    return Done(
        exit_code=done.returncode,
        out="\n".join(lines),
        err=done.stderr,
        slowest_log_s=float("nan"),
        close_s=float(took_s or "nan"),
    )


def main(root: str) -> None:
    """Be the end of a comparison, and say how long it took."""
    stage_upload.WAIT_S = WAIT_S
    stage_upload.FINISH_TIMEOUT_S = 3.0
    sync.CONFIRM_TIMEOUT_S = 1.0
    api.REQUEST_TIMEOUT_S = 2.0
    run = RunDir(Path(root))
    config = load_config(run.config)
    began = time.monotonic()
    stage_upload.upload_comparison(run, config, log=lambda line: print(line, flush=True))
    took_s = time.monotonic() - began
    assert wandb_core() is None
    print(took_s)


if __name__ == "__main__":
    main(*sys.argv[1:])
