"""A comparison in the terminal: nothing is cut off, regressions come last, no control codes."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ftdist.evaluation.report import merge_sweep
from ftdist.evaluation.report.merge_sweep import MergeSweep, print_merge_sweep
from ftdist.evaluation.report.terminal import comparison_markdown, print_comparison
from ftdist.evaluation.scoring.confidence import Paired, Rate, paired_losses
from ftdist.rundir import RunDir
from tests.support.runs import fake_reports

STEERED = "\x1b[31m\x1b]0;pwned\x07\x9b\x7f"
LEFT = "[31m]0;pwned"


def _scores(*, passages: int = 20) -> dict[str, Any]:
    rates = {"citation_accuracy": (0, 23), "general_mc_accuracy": (12, 12)}
    tuned = {name: Rate(hits, 24) for name, (_, hits) in rates.items()} | {
        "spurious_citation_rate": Rate(3, 3)
    }
    base = {name: Rate(hits, 24) for name, (hits, _) in rates.items()}
    return {
        "base": {name: rate.value for name, rate in base.items()},
        "tuned": {name: rate.value for name, rate in tuned.items()},
        "intervals": {
            "base": {name: rate.fields() for name, rate in base.items()},
            "tuned": {name: rate.fields() for name, rate in tuned.items()},
        },
        "paired": {
            "citation_accuracy": Paired(both=0, tuned_only=23, base_only=0, neither=1).fields(),
            "general_mc_accuracy": Paired(both=12, tuned_only=0, base_only=0, neither=12).fields(),
        },
        "general_nll": paired_losses([(6.31, 1)] * passages, [(14.465, 1)] * passages),
        "documents": [
            {"document": "guide.pdf", "section": STEERED, "n": 24,
             "base": base["general_mc_accuracy"].fields(),
             "tuned": tuned["general_mc_accuracy"].fields()},
        ],
        "eval_config": fake_reports.eval_config(perplexity_texts=STEERED),
        "truncated": {"tokens": 9, "n": 2, "base": 0, "tuned": 0},
        "cost": None,
        "probes": STEERED,
        "contamination": {"texts": {"contaminated": 1, "n": 2, "first": STEERED}},
    }  # fmt: skip


@pytest.fixture
def report(tmp_path: Path) -> Path:
    answer = {"answer": STEERED, "right": False, "chosen": STEERED, "leaked": [STEERED]}
    kinds = ("fact", "out_of_scope")
    rows = [
        {"question": f"How {STEERED}?", "kind": kind, "expected": STEERED, "keys": [],
         "base": answer, "tuned": answer}
        for kind in kinds
    ]  # fmt: skip
    (tmp_path / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    _write_report(tmp_path)
    return tmp_path


def _write_report(report: Path, **more: Any) -> None:
    (report / "scores.json").write_text(json.dumps(_scores(**more)))


def _printed(report: Path, width: int) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=True, color_system=None)
    print_comparison(report, console)
    return file.getvalue()


def test_no_name_and_no_number_is_cut_at_80_columns(report: Path) -> None:
    width = 80
    text = _printed(report, width)
    assert "\u2026" not in text
    assert max(map(len, text.splitlines())) <= width
    words = text.split()
    for whole in ("citation_accuracy", "general_nll", "6.310", "14.465", "+8.155", "(23/24,"):
        assert whole in {word.rstrip(":") for word in words}


def test_a_pipe_is_always_120_columns_wide(report: Path) -> None:
    file = io.StringIO()
    print_comparison(report, Console(file=file, width=80, color_system=None))
    assert file.getvalue() == _printed(report, 120)


def test_library_and_model_text_cannot_control_the_terminal(report: Path) -> None:
    for text in (_printed(report, 80), comparison_markdown(report)):
        assert not {c for c in text if c != "\n" and not c.isprintable()}
    flat = "".join(_printed(report, 1000).split())
    # Of both rows the question, and of each answer its choice, its mark and itself; of the rest
    # the probes, the texts, the section and the first text that was seen.
    assert flat.count(LEFT) == 2 * (1 + 2 * 3) + 4


def test_only_significant_regressions_are_listed_at_the_end(report: Path) -> None:
    lost = "Loss on general text got clearly worse: +8.155 nats per token."
    assert _printed(report, 120).rstrip().splitlines()[-1].rstrip() == lost
    assert comparison_markdown(report).rstrip().splitlines()[-1] == lost
    _write_report(report, passages=2)
    text = _printed(report, 120)
    assert "clearly worse" not in text + comparison_markdown(report)
    assert "too few texts" in text


def test_merged_models_are_shown_whole_at_80_columns(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    width = 80
    names = (
        "fact accuracy",
        "citation accuracy",
        "general mc accuracy",
        "general accuracy",
        "leak rate",
        "out of scope failure rate",
    )
    found = MergeSweep(
        charts=(),
        columns=("alpha", *names, "general loss added"),
        rows=(("0.4", *["0.94 (0.83 to 0.98)"] * 6, "+0.015 (+0.005 to +0.025) nats"),),
        chosen="0.4",
        how="",
        choice="Alpha 0.4 was chosen.",
    )
    monkeypatch.setattr(merge_sweep, "read_merge_sweep", lambda _: found)
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=True, color_system=None)
    print_merge_sweep(RunDir(tmp_path), console)
    text = file.getvalue()
    assert "\u2026" not in text
    assert max(map(len, text.splitlines())) <= width
    words = text.split()
    assert (words.count("0.94"), words.count("(0.83"), words.count("0.98)")) == (6, 6, 6)
    assert {"+0.015", "(+0.005", "+0.025)", "chosen", "general"} <= {w.rstrip(":") for w in words}
