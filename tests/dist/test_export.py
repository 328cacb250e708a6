"""An export answers as the engine did, or is not called done."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ftdist.checkpoint.export import export
from ftdist.checkpoint.manifest import read_manifest, write_manifest
from ftdist.config.saved_config import load_config
from ftdist.errors import StorageError
from ftdist.rundir import RunDir
from tests.support.models.fake_checkpoints import describe
from tests.support.ranks import RunRanks
from tests.support.runs.tiny_runs import STEPS, make_run, run_attempt


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, ingredients: Path) -> RunDir:
    """A run trained on 3 ranks, so that every parameter lies in three unequal pieces.

    Its config is that of a run whose first attempt found GPUs; the export finds none.
    """
    folder = tmp_path_factory.mktemp("export")
    run = make_run(folder / "run", ingredients, world_size=3)
    assert run_attempt(RunRanks(root=folder), run, 1, world_size=3) == [0, 0, 0]
    text = run.config.read_text()
    run.config.write_text(text.replace("device: cpu", "device: cuda"))
    assert load_config(run.config).cluster.device == "cuda"
    return run


def test_export_reloads_in_plain_transformers_with_the_engines_logits(trained: RunDir) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    exported = export(trained.root)
    assert exported.step == STEPS
    assert exported.unchecked is None
    assert exported.largest_difference is not None
    assert exported.largest_difference < 1e-5
    model = AutoModelForCausalLM.from_pretrained(trained.export)
    reference = load_file(
        trained.checkpoints / f"step-{STEPS:08d}" / "reference_logits.safetensors"
    )
    with torch.no_grad():
        logits = model(input_ids=reference["input_ids"]).logits[0, reference["positions"]]
    torch.testing.assert_close(logits, reference["logits"], rtol=1e-4, atol=1e-4)
    assert model.config.tie_word_embeddings
    # The base has no chat template: ours was learned, so ours travels along.
    tokenizer = AutoTokenizer.from_pretrained(trained.export)
    assert "assistant" in tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True
    )
    assert all(path.stat().st_mode & 0o077 == 0 for path in trained.export.iterdir())


_KILLED = """
import os, signal, sys
from pathlib import Path
from ftdist.checkpoint import export as exporting

setattr(exporting, sys.argv[2], lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL))
exporting.export(Path(sys.argv[1]))
"""


@pytest.mark.fault("C14")
@pytest.mark.parametrize("killed_at", ["_write_companions", "verify_export", "set_modes"])
@pytest.mark.timeout(120)
def test_a_killed_export_leaves_the_previous_one_intact(trained: RunDir, killed_at: str) -> None:
    export(trained.root)
    before = {path.name: path.read_bytes() for path in trained.export.iterdir()}
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(trained.root), killed_at],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == -9
    assert {path.name: path.read_bytes() for path in trained.export.iterdir()} == before
    export(trained.root)
    assert list(trained.root.glob(".export.*")) == []


def test_large_export_comes_in_several_files_with_an_index(trained: RunDir) -> None:
    from transformers import AutoModelForCausalLM

    text = trained.config.read_text()
    limit = 20_000 / 2**30  # the embedding alone has 503 * 32 * 4 = 64,384 bytes
    trained.config.write_text(text.replace("max_shard_gib: 4.0", f"max_shard_gib: {limit}"))
    assert trained.config.read_text() != text
    try:
        export(trained.root)
    finally:
        trained.config.write_text(text)
    index = json.loads((trained.export / "model.safetensors.index.json").read_text())
    files = set(index["weight_map"].values())
    assert len(files) > 2
    assert {path.name for path in trained.export.glob("*.safetensors")} == files
    AutoModelForCausalLM.from_pretrained(trained.export)


def test_an_export_with_different_logits_is_refused_and_the_old_one_retained(
    trained: RunDir, tmp_path: Path
) -> None:
    copy = RunDir(tmp_path / "run")
    shutil.copytree(trained.root, copy.root)
    export(copy.root)
    checkpoint = copy.checkpoints / f"step-{STEPS:08d}"
    row = load_file(checkpoint / "reference_logits.safetensors")
    row["logits"][0, 0] += 0.01 * row["logits"].abs().max()
    save_file(row, checkpoint / "reference_logits.safetensors")
    manifest = read_manifest(checkpoint)
    records = tuple(describe(checkpoint, record.name) for record in manifest.files)
    write_manifest(
        checkpoint,
        type(manifest)(
            step=manifest.step,
            attempt=manifest.attempt,
            files=records,
            metadata=manifest.metadata,
        ),
    )
    before = (copy.export / "config.json").stat().st_ino
    with pytest.raises(StorageError, match="logits differ"):
        export(copy.root)
    assert (copy.export / "config.json").stat().st_ino == before


def test_a_run_without_checkpoint_shows_how_to_create_one(
    ingredients: Path,
    tmp_path: Path,
) -> None:
    run = make_run(tmp_path / "run", ingredients, world_size=1)
    with pytest.raises(StorageError, match="has no committed checkpoint") as caught:
        export(run.root)
    assert "ftdist resume run" in caught.value.remedy
