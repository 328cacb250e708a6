"""Real merge sweeps of the tiny model that are interrupted and continued."""

import errno
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from ftdist.checkpoint.weight_interpolation import write_merged_model
from ftdist.cli.main import main
from ftdist.config.compose import compose
from ftdist.config.saved_config import save_config
from ftdist.errors import ConfigError, StorageError
from ftdist.evaluation import merge_sweep
from ftdist.evaluation.merge_sweep import merge_models
from ftdist.evaluation.report.merge_sweep import POINTS_NAME, is_of_export, read_merge_sweep
from ftdist.evaluation.runner import ask
from ftdist.rundir import RunDir
from tests.support.models.tiny_models import spread_tiny

WEIGHTS = "model.safetensors"


class StoppedError(Exception):
    """As a time limit would."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return spread_tiny(tmp_path_factory)


@pytest.fixture
def run(made: Path, tmp_path: Path) -> RunDir:
    """A run whose tuned model is the base with other weights."""
    run = RunDir(tmp_path / "runs" / "r")
    overrides = {
        "run.name": "r", "run.root": tmp_path / "runs", "model.path": made / "model",
        "library.path": made / "library", "library.cache_dir": tmp_path / "cache",
        "eval.max_new_tokens": 3, "eval.num_threads": 1, "eval.general_questions": "none",
        "eval.num_general_generations": 0, "eval.num_instructions": 0,
        "eval.perplexity_texts": tmp_path / "texts.txt",
        "cluster.device": "cpu",
    }  # fmt: skip
    (tmp_path / "texts.txt").write_text("A hook of oak.\n\nA pad of moss.\nAnd a leaf.\n")
    run.create(private=True)
    save_config(compose([f"{key}={value}" for key, value in overrides.items()]), run.config)
    shutil.copytree(made / "model", run.export)
    _train(run)
    run.merge.mkdir()
    return run


def _train(run: RunDir) -> None:
    """Export another model."""
    tuned = AutoModelForCausalLM.from_pretrained(run.export)
    with torch.no_grad():
        tuned.model.norm.weight.add_(1.0)
    tuned.save_pretrained(run.export)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the merged models that are asked; the third one stops the merge."""
    names: list[str] = []

    def counted(*args: Any, name: str, **options: Any) -> Any:
        names.append(name)
        if len(names) == 3:
            raise StoppedError
        return ask(*args, name=name, **options)

    monkeypatch.setattr(merge_sweep, "ask", counted)
    return names


def _ask_for(run: RunDir, alphas: Sequence[float], **more: Any) -> None:
    request = {"merge.alphas": list(alphas), "merge.trim_largest": [0.0], **more}
    run.request("merge").write_text(json.dumps(request))


def _points(run: RunDir) -> list[dict[str, Any]]:
    output = json.loads((run.merged_model / POINTS_NAME).read_text())
    points: list[dict[str, Any]] = output["candidates"]
    return points


def _alpha_of_weights(run: RunDir, made: Path) -> float:
    """Which merged model the folder holds: the norm of the base moved by alpha times 1."""
    name = "model.norm.weight"
    base, mixed = (
        load_file(folder / WEIGHTS)[name] for folder in (made / "model", run.merged_model)
    )
    return float((mixed - base).mean())


def test_an_interrupted_merge_reuses_finished_evaluations(run: RunDir, measured: list[str]) -> None:
    _ask_for(run, [0.25, 0.5, 1.0])
    with pytest.raises(StoppedError):
        merge_models(run.root)
    assert read_merge_sweep(run) is None
    left = run.merge / f".model.{'0' * 32}.tmp"  # by a writer that was killed a year ago
    left.mkdir()
    os.utime(left, (0, 0))
    merge_models(run.root)
    assert measured == ["merged 0.25", "merged 0.5", "merged 1", "merged 1"]
    points = _points(run)
    assert [point["alpha"] for point in points] == [0.25, 0.5, 1.0]
    assert sorted(path.name for path in run.merge.iterdir()) == [
        "measured.jsonl", "merge.json", "model",
    ]  # fmt: skip
    run.merge_candidates.unlink()
    merge_models(run.root)
    assert measured[4:] == ["merged 0.25", "merged 0.5", "merged 1"]
    assert _points(run) == points


def test_the_base_is_evaluated_once_and_replaced_folders_are_named(
    run: RunDir, made: Path, measured: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    _ask_for(run, [0.5])
    merge_models(run.root)
    assert "in place of" not in capsys.readouterr().out
    _ask_for(run, [0.25, 0, 0.25, 0.0])
    with pytest.raises(StoppedError):
        merge_models(run.root)
    merge_models(run.root)
    assert measured == ["merged 0.5", "merged 0.25", "merged 0", "merged 0"]
    assert "chose 0.25 in place of 0.5," in capsys.readouterr().out
    assert _alpha_of_weights(run, made) == pytest.approx(0.25, abs=1e-5)
    found = read_merge_sweep(run)
    assert found is not None
    assert [row[0] for row in found.rows] == ["0", "0.25"]
    assert "Alpha 0 is the base itself and is never chosen." in found.choice
    _ask_for(run, [0.0])
    with pytest.raises(ConfigError, match=r"merge\.alphas=\[0\] leaves no merged model to choose"):
        merge_models(run.root)


def test_alphas_of_the_base_alone_are_refused_before_any_work(
    run: RunDir, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["merge", str(run.root), "merge.alphas=[0,0]"]) == 78
    assert "merge.alphas=[0,0] leaves no merged model to choose" in capsys.readouterr().err
    assert not run.request("merge").exists()


def test_changed_questions_or_exports_are_evaluated_again(run: RunDir, measured: list[str]) -> None:
    _ask_for(run, [0.5])
    merge_models(run.root)
    _ask_for(run, [0.5], **{"eval.batch_size": 3})
    merge_models(run.root)
    assert len(measured) == 1
    _ask_for(run, [0.5], **{"eval.max_new_tokens": 2})
    merge_models(run.root)
    assert len(measured) == 2
    (run.export / "README.md").write_text("A comparison's scores make no other model.")
    merge_models(run.root)
    assert is_of_export(run)
    assert len(measured) == 2
    _train(run)
    assert not is_of_export(run)
    with pytest.raises(StoppedError):
        merge_models(run.root)
    merge_models(run.root)
    assert is_of_export(run)


def test_a_trimmed_update_is_added_to_another_model_and_compared_with_it(
    run: RunDir, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onto = tmp_path / "onto"
    shutil.copytree(made / "model", onto)
    weights = load_file(onto / WEIGHTS)
    weights["model.norm.weight"] += 3.0
    save_file(weights, onto / WEIGHTS, metadata={"format": "pt"})
    (run.export / "README.md").write_text("# r\n\n## Scores\nNone.\n")
    settings = {
        "merge.onto": str(onto),
        "merge.trim_largest": [0.5],
        "merge.layers": ["model.norm.*=0.5"],
    }
    _ask_for(run, [0.0, 0.5], **settings)
    merge_models(run.root)
    # The update is 1 everywhere: at alpha 0.5 times 0.5, a quarter of every second 1 is added.
    moved = (
        load_file(run.merged_model / WEIGHTS)["model.norm.weight"] - weights["model.norm.weight"]
    )
    assert moved.tolist() == pytest.approx([0.25, 0.0] * (len(moved) // 2), abs=1e-6)
    itself, trimmed = _points(run)
    assert itself["general_nll"]["difference"] == 0
    assert (trimmed["alpha"], trimmed["trim_largest"]) == (0.5, 0.5)
    assert "chose 0.5 with the largest 50 % trimmed, in" in capsys.readouterr().out
    card = (run.merged_model / "README.md").read_text()
    assert "These weights are onto + 0.5 (tuned - base), without the largest 50 %" in card
    found = read_merge_sweep(run)
    assert found is not None
    assert "scores are compared with those of onto." in found.how
    assert str(tmp_path) not in card + found.how
    _ask_for(run, [0.5])  # neither trimmed nor onto another model
    merge_models(run.root)
    assert _alpha_of_weights(run, made) == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("merge.onto=LIBRARY", "has no config.json"),
        ('merge.layers=["model.layer.*=0.5"]', "model.layer.* matches none of the model's"),
        ("merge.trim_largest=[0.1] merge.trim_smallest=[0.95]", "leave nothing of the update"),
    ],
)
def test_settings_that_do_not_fit_are_refused_before_any_work(
    run: RunDir, made: Path, capsys: pytest.CaptureFixture[str], key: str, problem: str
) -> None:
    keys = [each.replace("LIBRARY", str(made / "library")) for each in key.split()]
    assert main(["merge", str(run.root), *keys]) == 78
    assert problem in capsys.readouterr().err
    assert not run.request("merge").exists()


def test_a_full_disk_while_saving_the_merged_model_loses_no_scores(
    run: RunDir, measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _ask_for(run, [0.5, 1.0])

    def full(base: Path, tuned: Path, out: Path, **options: Any) -> None:
        if out.name.endswith(".tmp"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(out))
        write_merged_model(base, tuned, out, **options)

    with monkeypatch.context() as patch:
        patch.setattr(merge_sweep, "write_merged_model", full)
        with pytest.raises(StorageError, match="No space left"):
            merge_models(run.root)
    merge_models(run.root)
    assert measured == ["merged 0.5", "merged 1"]
    assert len(_points(run)) == 2


@pytest.mark.parametrize(("stops_at", "kept"), [("set_modes", 1.0), ("write_page", 0.25)])
def test_an_interrupted_merge_always_reports_the_model_on_disk(
    run: RunDir, made: Path, monkeypatch: pytest.MonkeyPatch, stops_at: str, kept: float
) -> None:
    run.report.mkdir()
    (run.report / "scores.json").write_text("{}")
    monkeypatch.setattr(merge_sweep, "write_page", _nothing)
    _ask_for(run, [1.0])
    merge_models(run.root)
    _ask_for(run, [0.25])
    monkeypatch.setattr(merge_sweep, stops_at, _stop)
    with pytest.raises(StoppedError):
        merge_models(run.root)
    found = read_merge_sweep(run)
    assert found is not None
    assert float(found.chosen) == kept
    assert _alpha_of_weights(run, made) == pytest.approx(kept, abs=1e-5)


def _nothing(*_: Any) -> None:
    pass


def _stop(*_: Any, **__: Any) -> None:
    raise StoppedError
