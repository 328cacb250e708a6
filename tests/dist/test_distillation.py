"""Context distillation: gradient and loss of plain torch, however a batch is cut; resumed alike."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div

from ftdist.data.collate import Batch, build_batch, build_teacher_rows
from ftdist.data.packing import PackedSequence
from ftdist.dist.world import World
from ftdist.observe.metrics import read_metrics
from ftdist.train.step import train_step
from tests.dist.test_gradient import relative_error
from tests.dist.test_kl_to_base import SEQUENCES, build, source_of, two_models
from tests.support.models.packed_rows import loss_tokens, sequences
from tests.support.models.tiny_models import VOCAB
from tests.support.ranks import RunRanks
from tests.support.runs.tiny_runs import STEPS, curve, make_run, run_attempt, stop_and_resume
from tests.support.runs.written_library import exchange, write_curated

KL_WEIGHT = 1.5


def rows() -> list[PackedSequence]:
    """Of two samples each; the second one of the library's has a teacher, who reads 5 more."""
    draw = np.random.default_rng(3)
    made = []
    for number, row in enumerate(sequences(SEQUENCES)):
        first, _ = row.lengths.tolist()
        before = draw.integers(1, VOCAB, size=5, dtype=np.uint32)
        loss = row.loss[first:].copy()
        loss[0] = False
        teacher = PackedSequence.of_sample(
            np.concatenate([before, row.input_ids[first:]]),
            loss=np.concatenate([np.zeros(5, dtype=np.bool_), loss]),
        )
        taught = replace(row, distilled=np.array([False, True]), teacher_rows=(teacher,))
        made.append(row if source_of(number) == 1 else taught)
    return made


def micro_batches(world: World, *, micro_steps: int) -> list[Batch]:
    whole = rows()
    each = -(-SEQUENCES // (world.size * micro_steps))
    made = []
    for micro_step in range(micro_steps):
        start = micro_step * world.size * each
        asks = any(source_of(n) for n in range(start, min(start + world.size * each, SEQUENCES)))
        mine = range(start + world.rank * each, min(start + (world.rank + 1) * each, SEQUENCES))
        own = [whole[number] for number in mine]
        made.append(
            build_batch(
                own,
                sources=[source_of(number) for number in mine],
                kl_sources=(1,),
                uses_reference=asks,
                teacher_rows=build_teacher_rows(own, rows=each, together=1),
            )
        )
    return made


def gradients(
    world: World, model: Path, base: Path, dtype: str, weight: float, micro_steps: int
) -> Any:
    from deepspeed.utils import safe_get_full_grad

    library = {"context_distillation": weight, "kl_to_base_weight": KL_WEIGHT}
    engine = build(world, model, base, dtype, **library)
    for batch in micro_batches(world, micro_steps=micro_steps):
        loss, _ = engine.forward(batch)
        engine.backward(loss / loss_tokens(sequences(SEQUENCES)))
    return {
        name: safe_get_full_grad(parameter).float().clone()
        for name, parameter in engine.named_parameters()
    }


def plain(
    model: Path, base: Path, dtype: torch.dtype, weight: float
) -> tuple[dict[str, Tensor], list[float]]:
    """Gradient, and the sums of a step's losses, by transformers and torch alone."""
    from transformers import AutoModelForCausalLM

    tuned, frozen = (AutoModelForCausalLM.from_pretrained(m, dtype=dtype) for m in (model, base))
    sums = [0.0] * 4
    for number, row in enumerate(rows()):
        start = 0
        for sample, length in enumerate(row.lengths.tolist()):
            ids = torch.tensor(row.input_ids[start : start + length].astype("int64"))[None]
            learned = torch.tensor(row.loss[start : start + length])[1:]
            logits = tuned(input_ids=ids).logits[0, :-1][learned].float()
            hard = cross_entropy(logits, ids[0, 1:][learned], reduction="sum")
            read, more = ids, 0
            if taught := source_of(number) == 0 and sample == 1:
                read = torch.tensor(row.teacher_rows[0].input_ids.astype("int64"))[None]
                more = 5
            with torch.no_grad():
                wanted = frozen(input_ids=read).logits[0, more:-1][learned].float().log_softmax(-1)
            soft = kl_div(logits.log_softmax(-1), wanted, log_target=True, reduction="sum")
            if taught:
                loss = (1 - weight) * hard + weight * soft
                sums[2] += hard.item()
                sums[3] += soft.item()
            else:
                loss = KL_WEIGHT * soft if source_of(number) else hard
                sums[source_of(number)] += (soft if source_of(number) else hard).item()
            (loss / loss_tokens(rows())).backward()
            start += length
    return {name: p.grad.float() for name, p in tuned.named_parameters()}, sums


@pytest.mark.parametrize(
    ("dtype", "weight", "tolerance"),
    [
        ("float32", 0.4, 2e-6),
        pytest.param("float32", 1.0, 2e-6, marks=pytest.mark.slow),
        pytest.param("bfloat16", 0.4, 2e-2, marks=pytest.mark.slow),
    ],
)
def test_the_gradient_is_that_of_two_plain_forwards_however_the_batch_is_split(
    run_ranks: RunRanks, tmp_path: Path, dtype: str, weight: float, tolerance: float
) -> None:
    model, base = two_models(tmp_path, "llama_tied")
    expected, _ = plain(model, base, getattr(torch, dtype), weight)
    cut = run_ranks(3, gradients, model, base, dtype, weight, 2)[1]
    assert relative_error(cut, expected) < tolerance
    if weight == 0.4:
        whole = run_ranks(1, gradients, model, base, dtype, weight, 1)[0]
        assert relative_error(whole, expected) < tolerance


def sums_of_a_step(world: World, model: Path, base: Path) -> list[float]:
    library = {"context_distillation": 0.4, "kl_to_base_weight": KL_WEIGHT}
    engine = build(world, model, base, "float32", **library)
    batches = micro_batches(world, micro_steps=2)
    result = train_step(engine, batches, loss_tokens=loss_tokens(rows()), sources=2)
    of_replay = result.distilled_sums[:, 1].tolist()
    assert of_replay == [0.0, 0.0]
    return [*result.loss_sums.tolist(), *result.distilled_sums[:, 0].tolist()]


def test_each_loss_is_summed_by_itself(run_ranks: RunRanks, tmp_path: Path) -> None:
    model, base = two_models(tmp_path, "llama_tied")
    _, expected = plain(model, base, torch.float32, 0.4)
    ranks = run_ranks(2, sums_of_a_step, model, base)
    assert [sum(parts) for parts in zip(*ranks, strict=True)] == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_a_resumed_run_with_a_teacher_equals_an_undisturbed_one(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path
) -> None:
    """8 steps of 6 rows pass several times over the library: the first attempt has cached states,
    the second one computes them again."""
    samples = [
        exchange(f"Count {n}.", f"It is {n * 7}.", context=f"{n}: {n * 7}" if n % 3 else "")
        for n in range(24)
    ]
    library = write_curated(tmp_path / "curated", samples, samples[:2])
    given = (f"library.path={library}", "library.context_distillation=0.5")
    whole = make_run(tmp_path / "whole", ingredients, *given, world_size=2)
    assert run_attempt(run_ranks, whole, 1, world_size=2) == [0, 0]
    parts = make_run(tmp_path / "parts", ingredients, *given, world_size=2)
    stop_and_resume(run_ranks, parts, world_size=2, interrupt_rank=1)
    assert curve(parts) == curve(whole)

    steps = read_metrics(whole.metrics)
    divergences = [row["train/loss/distillation"] for row in steps]
    assert len(divergences) == STEPS
    assert divergences == [row["train/loss/distillation"] for row in read_metrics(parts.metrics)]
    assert min(divergences) > 0
