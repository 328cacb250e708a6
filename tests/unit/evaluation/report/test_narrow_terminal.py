"""What a comparison prints: whole in a narrow window, honest at its end, and never in control."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ftdist.evaluation.report import merge_sweep
from ftdist.evaluation.report.merge_sweep import Frontier, print_merge_sweep
from ftdist.evaluation.report.terminal import comparison_markdown, print_comparison
from ftdist.evaluation.scoring.confidence import Paired, Rate, paired_losses
from ftdist.rundir import RunDir

STEERED = "\x1b[31m\x1b]0;pwned\x07\x9b\x7f"
LEFT = "[31m]0;pwned"
WIDTHS = (40, 60, 80, 99, 100, 120)


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
        "eval_config": {"max_new_tokens": 9, "perplexity_texts": STEERED},
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
    _told(tmp_path)
    return tmp_path


def _told(report: Path, **more: Any) -> None:
    (report / "scores.json").write_text(json.dumps(_scores(**more)))


def _printed(report: Path, width: int) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=True, color_system=None)
    print_comparison(report, console)
    return file.getvalue()


@pytest.mark.parametrize("width", WIDTHS)
def test_no_name_and_no_number_is_cut_at_any_width(report: Path, width: int) -> None:
    text = _printed(report, width)
    assert "\u2026" not in text
    assert max(map(len, text.splitlines())) <= width
    words = text.split()
    for whole in ("citation_accuracy", "general_nll", "6.310", "14.465", "+8.155", "(23/24,"):
        assert whole in {word.rstrip(":") for word in words}


@pytest.mark.parametrize("width", [60, 80, 99])
def test_a_score_is_a_short_block_where_its_row_would_be_long(report: Path, width: int) -> None:
    lines = [line.rstrip() for line in _printed(report, width).splitlines()]
    place = lines.index("citation_accuracy: the same, with the right page")
    assert lines[place + 1 : place + 4] == [
        "  0.00 (0/24, 0.00 to 0.14) -> 0.96 (23/24, 0.80 to 0.99)",
        "  better, +0.96 (+0.75 to +0.99)",
        "",
    ]
    assert "  tuned 1.00 (3/3, 0.44 to 1.00)" in lines


def test_a_pipe_is_120_columns_wide_whatever_the_terminal_is(report: Path) -> None:
    file = io.StringIO()
    print_comparison(report, Console(file=file, width=80, color_system=None))
    assert file.getvalue() == _printed(report, 120)


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_of_the_library_or_of_a_model_steers_the_terminal(report: Path, width: int) -> None:
    for text in (_printed(report, width), comparison_markdown(report)):
        assert not {c for c in text if c != "\n" and not c.isprintable()}
    flat = "".join(_printed(report, 1000).split())
    # Of both rows the question, and of each answer its choice, its mark and itself; of the rest
    # the probes, the texts, the section and the first text that was seen.
    assert flat.count(LEFT) == 2 * (1 + 2 * 3) + 4


def test_what_is_clearly_lost_is_said_at_the_end_and_nothing_else_is(report: Path) -> None:
    lost = "General language got clearly worse: +8.155 nats a token."
    assert _printed(report, 120).rstrip().splitlines()[-1].rstrip() == lost
    assert comparison_markdown(report).rstrip().splitlines()[-1] == lost
    _told(report, passages=2)
    text = _printed(report, 120)
    assert "clearly worse" not in text + comparison_markdown(report)
    assert "too few texts" in text


@pytest.mark.parametrize("width", [40, 79, 80, 120])
def test_merged_models_are_shown_whole_at_any_width(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, width: int
) -> None:
    names = (
        "fact accuracy",
        "citation accuracy",
        "general mc accuracy",
        "general accuracy",
        "leak rate",
        "out of scope failure rate",
    )
    found = Frontier(
        charts=(),
        columns=("alpha", *names, "general loss added"),
        rows=(("0.4", *["0.94 (0.83 to 0.98)"] * 6, "+0.015 (+0.005 to +0.025) nats"),),
        chosen="0.4",
        choice="Kept is alpha 0.4.",
    )
    monkeypatch.setattr(merge_sweep, "frontier", lambda _: found)
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=True, color_system=None)
    print_merge_sweep(RunDir(tmp_path), console)
    text = file.getvalue()
    assert "\u2026" not in text
    assert max(map(len, text.splitlines())) <= width
    words = text.split()
    assert (words.count("0.94"), words.count("(0.83"), words.count("0.98)")) == (6, 6, 6)
    assert {"+0.015", "(+0.005", "+0.025)", "chosen", "general"} <= {w.rstrip(":") for w in words}
