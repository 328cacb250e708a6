"""A run that was trained on GPUs is compared, merged and asked where there are none."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ftdist.config.compose import compose
from ftdist.config.saved_config import save_config
from ftdist.errors import DeviceError
from ftdist.evaluation.compare import compare
from ftdist.evaluation.merge_sweep import merge_models
from ftdist.inference import interactive
from ftdist.library.base_model import _load
from ftdist.rundir import RunDir
from ftdist.testing import tiny
from tests.support.models.tiny_models import spread_weights

SEES_NO_GPU = "compare: this process sees no GPU: models are evaluated on the CPU"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """An exported run whose first attempt fixed cluster.device=cuda; two probes."""
    root = tmp_path_factory.mktemp("gpu run")
    made = tiny.make(root / "made")
    probes = (made / "library/probes.jsonl").read_text().splitlines()[:2]
    (root / "probes.jsonl").write_text("\n".join(probes) + "\n")
    run = RunDir(root / "runs" / "r")
    overrides = {
        "run.name": "r", "run.root": root / "runs", "model.path": made / "model",
        "library.path": made / "library", "library.cache_dir": root / "cache",
        "eval.probes": root / "probes.jsonl", "eval.max_new_tokens": 4, "eval.num_threads": 1,
        "eval.general_questions": "none", "eval.perplexity_texts": "none",
        "eval.num_general_generations": 0, "eval.num_instructions": 0,
        "merge.alphas": "[1.0]", "merge.trim_largest": "[0.0]",
        "cluster.device": "cuda", "tracking": "off",
    }  # fmt: skip
    run.create(private=True)
    save_config(compose([f"{key}={value}" for key, value in overrides.items()]), run.config)
    shutil.copytree(made / "model", run.export)
    spread_weights(run.export)
    return run


def test_compare_runs_on_the_cpu_and_says_so(
    run: RunDir, capsys: pytest.CaptureFixture[str]
) -> None:
    compare(run.root)
    assert SEES_NO_GPU in capsys.readouterr().out.splitlines()
    scores = json.loads((run.report / "scores.json").read_text())
    assert {"base", "tuned"} <= scores.keys()


@pytest.mark.parametrize("stage", [compare, merge_models])
def test_a_job_that_has_gpus_does_not_fall_back_to_the_cpu(
    run: RunDir, monkeypatch: pytest.MonkeyPatch, stage: Callable[[Path], object]
) -> None:
    monkeypatch.setenv("SLURM_GPUS_ON_NODE", "1")
    monkeypatch.setenv("SLURMD_NODENAME", "node7")
    with pytest.raises(DeviceError, match="The job on node7 has GPUs, but torch"):
        stage(run.root)


def test_merge_runs_on_the_cpu_and_says_so(run: RunDir, capsys: pytest.CaptureFixture[str]) -> None:
    merge_models(run.root)
    assert SEES_NO_GPU in capsys.readouterr().out.splitlines()
    assert (run.merged_model / "config.json").is_file()


def test_the_tuned_model_answers_on_the_cpu(
    run: RunDir, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {
        "prompt": "How do I charge the Fernbot?", "models": ["tuned"], "max_answer_tokens": 3,
        "threads": 1, "device": "cuda",
    }  # fmt: skip
    assert interactive.main(str(run.root), json.dumps(settings)) == 0
    shown = capsys.readouterr()
    assert "This process sees no GPU: the model runs on the CPU." in shown.err
    assert shown.out.strip()


def test_curation_asks_the_base_model_on_the_cpu(run: RunDir) -> None:
    assert not _load(str(Path(run.root).parents[1] / "made/model")).on_gpu
