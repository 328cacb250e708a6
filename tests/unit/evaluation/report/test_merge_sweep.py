"""Merged models on the page and in the terminal: of which export, which one is kept, and why."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ftdist.errors import StorageError
from ftdist.evaluation.report.merge_sweep import POINTS_NAME, print_merge_sweep
from ftdist.inference.model_fingerprint import model_fingerprint
from ftdist.rundir import RunDir
from tests.support.runs import fake_reports


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """A run that was compared, and has nothing else on record."""
    return fake_reports.make_run(tmp_path)


def _merged(run: RunDir, *, measured_of: tuple[str, ...] = ("loss",), **more: Any) -> None:
    """Three merged models: 0.5 is within 0.02 nats of general loss and gains most."""
    measured = ((1.0, 24, 8, 0.05), (0.5, 12, 4, 0.015), (0.75, 18, 8, 0.03))
    points = [
        {
            "alpha": alpha,
            "base": {},
            "tuned": {"fact_accuracy": hits / 24, "leak_rate": leaks / 16},
            "intervals": {
                "base": {},
                "tuned": {
                    "fact_accuracy": fake_reports.interval(hits, 24, 0.1, 0.9),
                    "leak_rate": fake_reports.interval(leaks, 16, 0.2, 0.8),
                },
            },
            "paired": {"general_mc_accuracy": {}} if "questions" in measured_of else {},
            "general_nll": fake_reports.general_nll(
                difference=loss, low_95=loss - 0.01, high_95=loss + 0.01
            ),
        }
        for alpha, hits, leaks, loss in measured
    ]
    if "loss" not in measured_of:
        for point in points:
            del point["general_nll"]
    run.export.mkdir(parents=True, exist_ok=True)
    output = {
        "export": model_fingerprint(run.export), "candidates": points,
        "chosen": 1, "retention_ok": True,
        "max_loss_increase": 0.02, **more,
    }  # fmt: skip
    run.merged_model.mkdir(parents=True, exist_ok=True)
    (run.merged_model / POINTS_NAME).write_text(json.dumps(output))


def test_merged_models_are_plotted_by_alpha_with_the_selected_one_marked(
    run: RunDir,
) -> None:
    assert "Between base and tuned" not in fake_reports.written(run)
    _merged(run)
    page = fake_reports.written(run)
    part = page[page.index('id="merge-sweep"') :].split("</section>")[0]
    assert "Alpha 0.5 was chosen:" in part
    assert "at most 0.02 nats above" in part
    assert "fact accuracy: from 0.5 at alpha 0.5 to 1 at alpha 1, lowest 0.5 at alpha 0.5." in part
    assert "general NLL: from 0.015 at alpha 0.5 to 0.05 at alpha 1" in part
    rows = [
        re.sub("<[^>]*>", " ", row).split()
        for row in part[part.index("<tbody>") : part.index("</tbody>")].split("<tr>")[1:]
    ]
    assert [(row[0], row[-1] == "chosen") for row in rows] == [
        ("0.5", True), ("0.75", False), ("1", False),
    ]  # fmt: skip
    assert "0.75 (0.10 to 0.90)" in part
    assert "+0.015 (+0.005 to +0.025)" in part


def test_trimmed_models_have_rows_and_curves_of_their_own(run: RunDir) -> None:
    _merged(run, layers=["model.layers.*=0.5"])
    file = run.merged_model / POINTS_NAME
    record = json.loads(file.read_text())
    trimmed = [{**point, "trim_largest": 0.08} for point in record["candidates"]]
    record["candidates"] += trimmed
    file.write_text(json.dumps({**record, "chosen": 4}))
    page = fake_reports.written(run)
    part = page[page.index('id="merge-sweep"') :].split("</section>")[0]
    assert "Shares of the questions, largest 8 % trimmed" in part
    assert "general NLL, largest 8 % trimmed: from 0.015 at alpha 0.5" in part
    assert "Alpha was multiplied by a factor in model.layers.* (0.5)." in part
    names = re.findall(r'<tr><th scope="row" class="n">([^<]*)</th>', part)
    assert names == [
        *("0.5", "0.75", "1"),
        *(f"{alpha} with the largest 8 % trimmed" for alpha in ("0.5", "0.75", "1")),
    ]
    (chosen,) = re.findall(r'class="n">([^<]*)</th>(?:(?!</tr>).)*<td>chosen</td>', part)
    assert chosen == "0.5 with the largest 8 % trimmed"
    console = Console(width=1000, record=True)
    print_merge_sweep(run, console)
    text = console.export_text()
    assert "Alpha 0.5 with the largest 8 % trimmed was chosen: of the merged models" in text


def test_models_are_listed_one_below_the_other_on_a_narrow_terminal(run: RunDir) -> None:
    _merged(run)
    console = Console(width=80, record=True, force_terminal=True)
    print_merge_sweep(run, console)
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    start = lines.index("alpha 0.5 (chosen)")
    assert lines[start + 1] == "  fact accuracy              0.50 (0.10 to 0.90)"
    assert "alpha 1" in lines[start:]


LOSS, QUESTIONS = "general loss at most 0.02 nats above the base's", "general questions not clearly"


@pytest.mark.parametrize(
    ("measured_of", "enough", "output", "untold"),
    [
        (
            ("loss",),
            True,
            f"Alpha 0.5 was chosen: of the merged models that retain enough ({LOSS}), it has the "
            "largest gain. The choice used the same questions",
            "general questions",
        ),
        (
            ("questions",),
            True,
            f"retain enough ({QUESTIONS} worse), it has the largest gain",
            "loss",
        ),
        (("loss", "questions"), True, f"({LOSS}, and {QUESTIONS} worse)", "not measured"),
        (
            ("loss",),
            False,
            f"No merged model retains enough ({LOSS}): alpha 0.5 was chosen, the one with the "
            "lowest general loss. The choice",
            "general questions",
        ),
        (
            ("questions",),
            False,
            f"No merged model retains enough ({QUESTIONS} worse): alpha 0.5 was chosen, the one "
            "nearest to the base. The choice",
            "loss",
        ),
        (
            (),
            None,
            "Alpha 0.5 was chosen for the largest gain. Retention was not measured: there is "
            "neither general loss nor general questions. The choice",
            "enough",
        ),
    ],
)
def test_the_selection_of_a_merged_model_is_explained_by_its_scores(
    run: RunDir, measured_of: tuple[str, ...], enough: bool | None, output: str, untold: str
) -> None:
    _merged(run, measured_of=measured_of, retention_ok=enough)
    console = Console(width=1000, record=True)
    print_merge_sweep(run, console)
    page = " ".join(fake_reports.Page(fake_reports.written(run)).text.split())
    for text in (page, " ".join(console.export_text().split())):
        assert output in text
        why = text[
            text.rindex("Alpha 0.5 was" if enough is not False else "No merged model retains") :
        ]
        assert untold not in why.split("The choice used")[0]


def test_merged_models_of_another_export_are_not_reported(
    run: RunDir,
) -> None:
    _merged(run)
    (run.export / "README.md").write_text("A comparison's scores make no other model.")
    assert "Between base and tuned" in fake_reports.written(run)
    (run.export / "config.json").write_text("{}")
    assert "Between base and tuned" not in fake_reports.written(run)
    with pytest.raises(StorageError, match="no readable merged models of the model in") as caught:
        print_merge_sweep(run, Console())
    assert f"`ftdist merge {run.cli_name}`" in caught.value.remedy


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"export": KEY, "candidates": [], "chosen": 0}']
)
def test_unreadable_merged_models_are_omitted_from_the_report(run: RunDir, text: str) -> None:
    run.export.mkdir(parents=True)
    run.merged_model.mkdir(parents=True)
    output = text.replace("KEY", json.dumps(model_fingerprint(run.export)))
    (run.merged_model / POINTS_NAME).write_text(output)
    assert "Between base and tuned" not in fake_reports.written(run)
