"""An export is compared with the trained model wherever it runs, or says that it was not."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ftdist.checkpoint import verify_export as verifying
from ftdist.checkpoint.verify_export import Verification, possible_placements, verify_export
from ftdist.errors import StorageError
from ftdist.testing.tiny import make

GIB = 2**30


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("tiny")) / "model"


@pytest.fixture(scope="module")
def reference(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The logits of the model itself at the last four positions."""
    from transformers import AutoModelForCausalLM

    ids, positions = torch.arange(32)[None], torch.arange(28, 32)
    with torch.no_grad():
        logits = AutoModelForCausalLM.from_pretrained(model)(input_ids=ids).logits[0, positions]
    file = tmp_path_factory.mktemp("checkpoint") / "reference_logits.safetensors"
    save_file({"input_ids": ids, "positions": positions, "logits": logits}, file)
    return file


def _verify(model: Path, reference: Path | None, *, attention: str = "auto") -> Verification:
    return verify_export(
        model,
        reference,
        choice="cuda",
        dtype="float32",
        trained_dtype="float32",
        attention=attention,
    )


@pytest.mark.parametrize("attention", ["auto", "flash_attention_2", "eager"])
def test_a_model_trained_on_gpus_is_verified_without_one(
    model: Path, reference: Path, attention: str
) -> None:
    verified = _verify(model, reference, attention=attention)
    assert verified.unchecked is None
    assert verified.largest_difference is not None
    assert verified.largest_difference < 1e-5


def test_a_model_larger_than_the_memory_is_verified_layer_by_layer(
    model: Path, reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "available_memory", lambda: 1000.0)
    assert list(possible_placements(10**6, free_gpu_memory=(), host_memory=1000.0)) == [
        verifying._Placement(device_map={"": "disk"})
    ]
    assert _verify(model, reference) == Verification(largest_difference=0.0)


def test_other_logits_are_an_error(model: Path, reference: Path, tmp_path: Path) -> None:
    row = load_file(reference)
    row["logits"][0, 0] += 0.01 * row["logits"].abs().max()
    save_file(row, tmp_path / "other.safetensors")
    with pytest.raises(StorageError, match="logits differ"):
        _verify(model, tmp_path / "other.safetensors")


def test_a_check_that_cannot_run_says_so(
    model: Path, reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_memory(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.\nGPU 0")

    monkeypatch.setattr(verifying, "_logits_at", out_of_memory)
    verified = _verify(model, reference)
    assert verified.largest_difference is None
    assert verified.unchecked == (
        "The exported model was not reloaded and compared with the trained one "
        "(OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB)."
    )


def test_a_checkpoint_without_logits_is_said_to_be_unchecked(model: Path) -> None:
    assert _verify(model, None) == Verification(
        largest_difference=None,
        unchecked="The exported model was not reloaded and compared with the trained one: its "
        "checkpoint was written beside training, without logits to compare (the last, the best "
        "and that of a stop have them).",
    )


def _kinds(weights_gib: float, *, gpus: tuple[int, ...], host_gib: float) -> list[str]:
    placements = possible_placements(
        int(weights_gib * GIB),
        free_gpu_memory=[gib * GIB for gib in gpus],
        host_memory=host_gib * GIB,
    )
    return [
        placement.device_map if isinstance(placement.device_map, str)
        else str(placement.device_map[""])
        for placement in placements
    ]  # fmt: skip


def test_placements_go_from_fast_to_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model is said to fit where 1.3 times its weights are free."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert _kinds(16, gpus=(10, 80), host_gib=64) == ["cuda:1", "auto", "cpu", "disk"]
    assert _kinds(141, gpus=(80, 80), host_gib=512) == ["auto", "cpu", "disk"]
    assert _kinds(141, gpus=(), host_gib=512) == ["cpu", "disk"]
    assert _kinds(141, gpus=(), host_gib=183) == ["disk"]  # 1.3 x 141 = 183.3


def test_what_exceeds_the_gpus_goes_to_host_memory_and_then_to_disk() -> None:
    [split, *_] = possible_placements(
        141 * GIB, free_gpu_memory=(65 * GIB, 65 * GIB), host_memory=26 * GIB
    )
    assert split.max_memory == {0: 50 * GIB, 1: 50 * GIB, "cpu": 20 * GIB}
