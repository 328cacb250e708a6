"""Run directories with metrics, evaluations, events and nodes written by hand, for live views."""

import json
import math
from pathlib import Path
from typing import Any

from ftdist.rundir import RunDir
from tests.support.slurm.records import Event, attempt_started, make_run

START = 1_000_000.0


def metric_rows(steps: int, *, attempt: int = 1) -> list[dict[str, Any]]:
    """A loss that falls from 4 to 1, and a held-out loss every ten steps."""
    rows = []
    for step in range(1, steps + 1):
        row = {
            **{"step": step, "attempt": attempt, "time": START + step},
            **{"train/loss": 1.0 + 3.0 * math.exp(-step / 20), "optim/learning_rate": 1e-4},
            **{"train/loss/library": 2.0, "train/loss/replay": 0.04, "optim/grad_norm": 0.5},
            **{"throughput/tokens_per_s": 5000.0, "time/step_s": 1.0, "time/data_s": 0.01},
            **{"time/eta_s": 7800.0, "memory/peak_gib": 38.25},
        }
        if step % 10 == 0:
            row |= {"eval/held_out_loss": 1.5 + 1 / step, "time/evaluate_s": 12.0}
            row |= {"eval/fact_accuracy_ranked": 0.75, "eval/fact_recall_greedy": 0.5}
            row |= {"time/probe_eval_s": 48.0}
            row |= {"eval/general_nll_delta": 0.011}
        rows.append(row)
    return rows


def evaluation(step: int, *, right: int) -> dict[str, Any]:
    """Of four library questions and two general ones."""
    return {
        **{"step": step, "attempt": 1, "digest": "d", "known": [0.0] * 4, "losses": []},
        **{"ranked": [n < right for n in range(4)], "recalled": [n < right for n in range(6)]},
        **{"general": [True, False], "generations": []},
    }


def watched_run(root: Path, *events: Event, steps: int = 40, device: str = "cpu") -> RunDir:
    """A run of 100 steps with two nodes, of which some steps are done."""
    run = make_run(root, attempt_started(1, job=None, steps=100), *events)
    run.metrics.write_text("".join(f"{json.dumps(row)}\n" for row in metric_rows(steps)))
    evaluations = [evaluation(0, right=1), evaluation(10, right=2), evaluation(20, right=3)]
    run.evals.write_text("".join(f"{json.dumps(row)}\n" for row in evaluations))
    run.plan.write_text(json.dumps({"device": device}))
    run.attempt(1).mkdir(parents=True)
    for host, percent in (("n1", 97.0), ("n2", 71.0)):
        row = {"time": START, "cpu_percent": percent, "memory_gib": 20.0}
        (run.attempt(1) / f"system-{host}.jsonl").write_text(json.dumps(row) + "\n")
    return run
