"""A stopped run whose model, tokenizer, weights, config, cache or checkpoints changed meanwhile.

Real commands on a real run of one rank: trials 7 and 8 of the fault audit.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ftdist.observe.metrics import read_metrics
from ftdist.rundir import RunDir
from tests.dist.test_end_to_end import ftdist

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

TRAIN = (
    *("train", "experiment=tiny", "tracking=off", "run.name=r", "cluster.tasks_per_node=1"),
    *("cluster.cpus_per_task=1", "train.steps=6", "checkpoint.every_steps=2"),
    *("checkpoint.keep_latest=5", "checkpoint.async_save=false", "eval.loss_every_steps=0"),
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of 6 steps, all done."""
    folder = tmp_path_factory.mktemp("user")
    done = ftdist(folder, *TRAIN, timeout_s=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def stopped(finished: Path, tmp_path: Path) -> Iterator[Path]:
    """The same, as if it had been stopped after step 4; everything is put back afterwards."""
    kept = tmp_path / "kept"
    shutil.copytree(finished, kept, symlinks=True)
    run = RunDir(finished / "runs/r")
    shutil.rmtree(run.checkpoints / "step-00000006")
    lines = run.events.read_text().splitlines(keepends=True)
    last = next(n for n, line in enumerate(lines) if '"step": 6' in line)
    run.events.write_text("".join(lines[:last]))
    yield finished
    shutil.rmtree(finished)
    shutil.copytree(kept, finished, symlinks=True)


def base_of(folder: Path) -> Path:
    return folder / ".cache/ftdist/tiny/model"


def losses(folder: Path) -> list[float]:
    return [row["train/loss"] for row in read_metrics(folder / "runs/r/metrics.jsonl")]


def refused(folder: Path, *words: str) -> str:
    before = RunDir(folder / "runs/r").newest_attempt()
    done = ftdist(folder, "resume", "r", *words)
    assert done.returncode == 78, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert RunDir(folder / "runs/r").newest_attempt() == before  # no rank was started
    return done.stderr


@pytest.mark.fault("C9", "M5")
def test_a_changed_base_and_an_edited_config_are_refused_and_put_back_is_equal(
    stopped: Path,
) -> None:
    whole, base = losses(stopped), base_of(stopped)
    originals = {path: path.read_bytes() for path in base.iterdir()}
    values = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(values | {"rms_norm_eps": 0.5}))
    scaled = {name: w * w.dtype.type(1.5) for name, w in weights_of(base).items()}
    save_file(scaled, base / "model.safetensors", metadata={"format": "pt"})
    text = (base / "tokenizer.json").read_text()
    (base / "tokenizer.json").write_text(text + " ")
    config = stopped / "runs/r/config.yaml"
    yaml = config.read_text()
    peak = next(line for line in yaml.splitlines() if "peak_lr" in line)
    config.write_text(yaml.replace(peak, "  peak_lr: 0.123"))

    shown = refused(stopped)
    assert "  - model: config.json: rms_norm_eps: was " in shown
    assert ", is 0.5\n" in shown
    assert "  - model: model.safetensors: was " in shown
    assert "  - tokenizer: tokenizer.json: was " in shown
    assert "  - config: optim.peak_lr: was " in shown
    assert "resume.accept=[model,tokenizer,config]" in shown

    for path, content in originals.items():
        path.write_bytes(content)
    config.write_text(yaml)
    done = ftdist(stopped, "resume", "r")
    assert done.returncode == 0, done.stderr
    assert losses(stopped) == whole


def weights_of(base: Path) -> dict[str, np.ndarray]:
    return load_file(base / "model.safetensors")


@pytest.mark.fault("C9", "M5")
def test_an_accepted_tokenizer_is_recorded_and_only_then_exported(stopped: Path) -> None:
    base, run = base_of(stopped), RunDir(stopped / "runs/r")
    trained = json.loads((base / "tokenizer.json").read_text())
    changed = json.loads((base / "tokenizer.json").read_text())
    changed["model"]["vocab"] = rotated(changed["model"]["vocab"])
    (base / "tokenizer.json").write_text(json.dumps(changed))

    first = ftdist(stopped, "export", "r")
    assert first.returncode == 0, first.stderr
    shipped = json.loads((run.export / "tokenizer.json").read_text())
    assert shipped["model"]["vocab"] == trained["model"]["vocab"]

    assert "resume.accept=[tokenizer]" in refused(stopped)
    done = ftdist(stopped, "resume", "r", "resume.accept=[tokenizer]")
    assert done.returncode == 0, done.stderr
    (event,) = [e for e in run.read_events() if e["event"] == "changes_accepted"]
    assert event["sections"] == ["tokenizer"]
    assert ftdist(stopped, "export", "r").returncode == 0
    shipped = json.loads((run.export / "tokenizer.json").read_text())
    assert shipped["model"]["vocab"] == changed["model"]["vocab"]


def rotated(vocabulary: dict[str, int]) -> dict[str, int]:
    """Letters with each other's ids."""
    letters = [token for token in vocabulary if len(token) == 1]
    ids = [vocabulary[token] for token in letters]
    return vocabulary | dict(zip(letters, [*ids[1:], ids[0]], strict=True))


@pytest.mark.fault("M6", "D6")
def test_a_damaged_packed_cache_is_packed_again_and_the_run_equal(stopped: Path) -> None:
    whole = losses(stopped)
    (ids,) = stopped.glob(".cache/ftdist/**/source-000/ids.bin")
    content = bytearray(ids.read_bytes())
    for bit in range(24):
        content[bit * 100] ^= 1
    ids.write_bytes(content)
    done = ftdist(stopped, "resume", "r")
    assert done.returncode == 0, done.stderr
    assert "the content of source-000/ids.bin has changed" in done.stderr + done.stdout
    assert losses(stopped) == whole


@pytest.mark.fault("M1", "C5")
def test_emptied_checkpoints_need_the_users_word_to_start_over(stopped: Path) -> None:
    whole, run = losses(stopped), RunDir(stopped / "runs/r")
    shutil.rmtree(run.checkpoints)
    run.checkpoints.mkdir()
    done = ftdist(stopped, "resume", "r")
    assert done.returncode == 74, done.stderr
    assert "4 steps would be lost" in done.stderr
    rows = run.metrics.read_text()
    done = ftdist(stopped, "resume", "r", "resume.restart=true")
    assert done.returncode == 0, done.stderr
    assert losses(stopped) == whole
    assert run.metrics.read_text().startswith(rows)
