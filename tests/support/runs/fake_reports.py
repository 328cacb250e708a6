"""Reports for tests of the page: what a comparison writes, by hand, and the page as it is read."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from ftdist.config.compose import compose
from ftdist.config.saved_config import save_config
from ftdist.evaluation.report.html import write_page
from ftdist.evaluation.scoring.confidence import Paired
from ftdist.rundir import RunDir


def interval(hits: int, asked: int, low: float, high: float) -> dict[str, Any]:
    return {"hits": hits, "n": asked, "low_95": low, "high_95": high}


def scores(**more: Any) -> dict[str, Any]:
    """Facts clearly better, general knowledge within the noise, leaks clearly worse."""
    return {
        "base": {"fact_accuracy": 0.0, "general_accuracy": 0.5, "leak_rate": 0.0},
        "tuned": {"fact_accuracy": 0.75, "general_accuracy": 0.625, "leak_rate": 1.0},
        "intervals": {
            "base": {
                "fact_accuracy": interval(0, 24, 0.0, 0.14),
                "general_accuracy": interval(12, 24, 0.31, 0.69),
                "leak_rate": interval(0, 16, 0.0, 0.19),
            },
            "tuned": {
                "fact_accuracy": interval(18, 24, 0.55, 0.88),
                "general_accuracy": interval(15, 24, 0.43, 0.79),
                "leak_rate": interval(16, 16, 0.81, 1.0),
            },
        },
        "paired": {
            "fact_accuracy": Paired(both=0, tuned_only=18, base_only=0, neither=6).fields(),
            "general_accuracy": Paired(both=10, tuned_only=5, base_only=2, neither=7).fields(),
            "leak_rate": Paired(both=0, tuned_only=16, base_only=0, neither=0).fields(),
        },
        "cost": None,
        "eval_config": eval_config(),
        "truncated": {"tokens": 128, "n": 1, "base": 0, "tuned": 0},
        "flips": {
            "fact_improved": 18, "fact_regressed": 0, "general_improved": 5, "general_regressed": 2,
        },
        "probes": "library/probes.jsonl",
        "took_s": {"base": 100.0, "tuned": 90.0},
        **more,
    }  # fmt: skip


def eval_config(**more: Any) -> dict[str, Any]:
    """The evaluation settings of a config, but for what is given."""
    return {
        "probes": None, "general_questions": None, "perplexity_texts": None, "lm_eval_tasks": [],
        "max_new_tokens": 128, "batch_size": 64, "num_replicas": None, "num_threads": 0,
        "num_general_generations": 60, "num_instructions": 100, **more,
    }  # fmt: skip


def general_nll(**more: Any) -> dict[str, Any]:
    """General text that got clearly worse."""
    return {
        "passages": 20, "base": 6.31, "tuned": 14.465, "difference": 8.155, "low_95": 7.9,
        "high_95": 8.5, "clear": True,
        "intervals": {"base": [6.0, 7.0], "tuned": [14.0, 15.0]}, **more,
    }  # fmt: skip


def answer(text: str, *, right: bool, chosen: str | None = None) -> dict[str, Any]:
    return {
        "answer": text,
        "right": right,
        "page": None,
        "leaked": [],
        "chosen": chosen,
        "truncated": False,
    }


def row(question: str, kind: str = "fact", **more: Any) -> dict[str, Any]:
    return {
        "question": question, "kind": kind, "expected": "Hold it.", "keys": ["hold"],
        "base": answer("No idea.", right=False), "tuned": answer("Hold it.", right=True), **more,
    }  # fmt: skip


def make_run(tmp_path: Path) -> RunDir:
    """A run that was compared, and has nothing else on record."""
    run = RunDir(tmp_path / "runs" / "r")
    run.create(private=True)
    overrides = {
        "run.name": "r", "run.root": run.root.parent, "model.path": "base",
        "library.path": tmp_path, "train.epochs": 1, "optim.peak_lr": 0.001,
    }  # fmt: skip
    save_config(compose([f"{key}={value}" for key, value in overrides.items()]), run.config)
    run.report.mkdir()
    compared(run)
    return run


def compared(run: RunDir, *rows: dict[str, Any], **more: Any) -> None:
    rows = rows or (row("How do I reset it?"),)
    more = {"truncated": {"tokens": 128, "n": len(rows), "base": 0, "tuned": 0}, **more}
    (run.report / "scores.json").write_text(json.dumps(scores(**more)))
    (run.report / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def written(run: RunDir) -> str:
    return write_page(run).read_text(encoding="utf-8")


class Page(HTMLParser):
    """What is open at the end, all tags, the data of scripts, and all visible text."""

    VOID = ("meta", "br", "path", "rect", "circle")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif "style" not in self.open:
            self.text += f"{data} "


def add_training(run: RunDir) -> None:
    """Metrics and events of three steps in two attempts."""
    losses = {1: 8.0, 2: 4.0, 3: 2.0}
    for step, loss in losses.items():
        row: dict[str, Any] = {
            "step": step, "attempt": 1, "time": 1.0, "train/loss": loss, "train/tokens": 1000,
            "optim/learning_rate": 0.001 * step, "time/step_s": 1799.0, "time/data_s": 1.0,
        }  # fmt: skip
        if step == 3:
            row |= {"eval/held_out_loss": 2.5, "train/loss/<b>manual": 2.25}
        with run.metrics.open("a") as file:
            file.write(json.dumps(row) + "\n")
    for time, event, more in (
        (0.0, "run_requested", {"version": "0.1.0", "git": {"commit": "abc123", "dirty": False}}),
        (0.0, "attempt_started", {"attempt": 1, "world_size": 2, "checkpoint": None}),
        (3600.0, "attempt_finished", {"attempt": 1, "outcome": "failed", "checkpoint": 2,
                                   "cause": "Rank 1 was lost."}),
        (3600.0, "attempt_started", {"attempt": 2, "world_size": 4, "checkpoint": 2}),
        (7200.0, "attempt_finished", {"attempt": 2, "outcome": "done", "checkpoint": 3}),
    ):  # fmt: skip
        with run.events.open("a") as file:
            file.write(json.dumps({"time": time, "event": event, **more}) + "\n")
    run.overrides.write_text("run.name=r\nlibrary.path=/my library\n")
