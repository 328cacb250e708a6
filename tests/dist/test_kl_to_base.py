"""Sources that follow the base model: KL(base || model), however a batch is cut."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div

from ftdist.config.schema import RunConfig
from ftdist.data.collate import Batch, build_batch
from ftdist.data.reference_rows import ReferenceHolders
from ftdist.data.sampler import SequenceRefs
from ftdist.dist.world import World
from ftdist.train.step import train_step
from ftdist.zero.build import build_engine
from ftdist.zero.engine import Zero3Engine
from ftdist.zero.reference_model import ReferenceModel
from tests.dist.test_gradient import relative_error
from tests.support.models.packed_rows import loss_tokens, sequences
from tests.support.models.tiny_models import save_tiny_model, tiny_config, tiny_plan
from tests.support.ranks import RunRanks

SEQUENCES = 7
FOLLOWS = (1,)
"""Every third sequence comes from source 1, which follows the base: with 3 ranks it is always the
last rank that asks, and in the last micro-step nobody does."""


def source_of(number: int) -> int:
    return 1 if number % 3 == 2 else 0


def build(world: World, model: Path, base: Path, dtype: str, **library: Any) -> Zero3Engine:
    """An engine whose base is another model than the one it starts from.

    `library` has values of that section of the config.
    """
    from ftdist.zero import build as building

    config = tiny_config(model)
    config = replace(config, library=replace(config.library, **library))
    plan = tiny_plan(config, world_size=world.size)
    own, *_ = plan.library.sources
    sources = (own, replace(own, name="replay", kl_to_base=True))
    plan = replace(plan, library=replace(plan.library, sources=sources))
    build_reference = building.build_reference

    def of_another(config: RunConfig, *args: Any, **kwargs: Any) -> ReferenceModel:
        other = replace(config, model=replace(config.model, path=str(base)))
        return build_reference(other, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "build_reference", of_another)
        return build_engine(config, plan, world=world, device="cpu", dtype=dtype)  # type: ignore[arg-type]


def micro_batches(world: World, *, micro_steps: int) -> list[Batch]:
    rows = sequences(SEQUENCES)
    each = -(-SEQUENCES // (world.size * micro_steps))
    made = []
    for micro_step in range(micro_steps):
        start = micro_step * world.size * each
        asks = any(
            source_of(n) == 1 for n in range(start, min(start + world.size * each, SEQUENCES))
        )
        mine = range(start + world.rank * each, min(start + (world.rank + 1) * each, SEQUENCES))
        made.append(
            build_batch(
                [rows[number] for number in mine],
                sources=[source_of(number) for number in mine],
                kl_sources=FOLLOWS,
                uses_reference=asks,
            )
        )
    return made


def gradients(world: World, model: Path, base: Path, dtype: str, micro_steps: int) -> Any:
    from deepspeed.utils import safe_get_full_grad

    engine = build(world, model, base, dtype)
    for batch in micro_batches(world, micro_steps=micro_steps):
        loss, _ = engine.forward(batch)
        engine.backward(loss / loss_tokens(sequences(SEQUENCES)))
    return {
        name: safe_get_full_grad(parameter).float().clone()
        for name, parameter in engine.named_parameters()
    }


def plain(model: Path, base: Path, dtype: torch.dtype) -> tuple[dict[str, Tensor], list[float]]:
    """Gradient and each source's summed loss, by transformers and torch alone."""
    from transformers import AutoModelForCausalLM

    tuned, frozen = (AutoModelForCausalLM.from_pretrained(m, dtype=dtype) for m in (model, base))
    rows, sums = sequences(SEQUENCES), [0.0, 0.0]
    for number, row in enumerate(rows):
        start = 0
        for length in row.lengths.tolist():
            ids = torch.tensor(row.input_ids[start : start + length].astype("int64"))[None]
            learned = torch.tensor(row.loss[start : start + length])[1:]
            logits = tuned(input_ids=ids).logits[0, :-1][learned].float()
            if source_of(number) == 1:
                with torch.no_grad():
                    wanted = frozen(input_ids=ids).logits[0, :-1][learned].float().log_softmax(-1)
                loss = kl_div(logits.log_softmax(-1), wanted, log_target=True, reduction="sum")
            else:
                loss = cross_entropy(logits, ids[0, 1:][learned], reduction="sum")
            (loss / loss_tokens(rows)).backward()
            sums[source_of(number)] += loss.item()
            start += length
    return {name: p.grad.float() for name, p in tuned.named_parameters()}, sums


def recomputed_and_cached(world: World, model: Path, base: Path, dtype: str) -> list[bool]:
    """Whether each of two exchanges gives this rank the bits that the base itself gives it."""
    engine = build(world, model, base, dtype)
    reference = engine._reference
    assert reference is not None
    rows = sequences(SEQUENCES)
    tokens = np.array([loss_tokens([row]) for row in rows])
    holders = ReferenceHolders({1: tokens}, rank=world.rank, world_size=world.size, max_tokens=999)

    def states(*indices: int) -> tuple[Tensor, Tensor, bool]:
        refs = SequenceRefs(np.ones(len(indices), dtype=np.int64), np.array(indices))
        ours = holders.micro_step(refs, np.arange(len(indices)))
        own = [rows[index] for _, index in ours.keys]
        batch = build_batch(own, sources=[1] * len(own), kl_sources=FOLLOWS, uses_reference=True)
        again = reference._hidden(batch)
        given = reference._hidden(replace(batch, reference_rows=ours))
        return again, given, ours.exchange is not None

    for first in ((0, 1, 2), (4, 5, 6)):
        again, given, exchanged = states(*first)
        assert torch.equal(again, given)
        assert not exchanged
    results = []
    # The second time, rows are with other ranks; in the last micro-step one has none.
    for second in ((5, 2, 4), (1, 6)):
        again, given, exchanged = states(*second)
        results.append(exchanged and torch.equal(again, given))
    return results


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_cached_states_of_the_base_equal_recomputed_ones_bit_for_bit(
    run_ranks: RunRanks, tmp_path: Path, dtype: str
) -> None:
    model, base = two_models(tmp_path, "llama_tied")
    assert run_ranks(3, recomputed_and_cached, model, base, dtype) == [[True, True]] * 3


def two_models(folder: Path, family: str) -> tuple[Path, Path]:
    model = save_tiny_model(folder / "model", family)
    # Another depth: another model, of another size, with the same words.
    return model, save_tiny_model(folder / "base", family, num_hidden_layers=1)


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [("float32", 2e-6), pytest.param("bfloat16", 2e-2, marks=pytest.mark.slow)],
)
def test_the_kl_gradient_is_independent_of_the_batch_split(
    run_ranks: RunRanks, tmp_path: Path, dtype: str, tolerance: float
) -> None:
    model, base = two_models(tmp_path, "llama_tied")
    expected, _ = plain(model, base, getattr(torch, dtype))
    whole = run_ranks(1, gradients, model, base, dtype, 1)[0]
    cut = run_ranks(3, gradients, model, base, dtype, 3)[1]
    assert relative_error(whole, expected) < tolerance
    assert relative_error(cut, expected) < tolerance


def sums_of_steps(world: World, model: Path, base: Path) -> list[list[float]]:
    engine = build(world, model, base, "float32")
    tokens = loss_tokens(sequences(SEQUENCES))
    batches = micro_batches(world, micro_steps=2)
    results = [train_step(engine, batches, loss_tokens=tokens, sources=2) for _ in range(8)]
    return [result.loss_sums.tolist() for result in results]


def test_each_source_has_its_own_loss_and_the_base_is_unchanged(
    run_ranks: RunRanks, tmp_path: Path
) -> None:
    model, base = two_models(tmp_path, "qwen3")
    _, expected = plain(model, base, torch.float32)
    ranks = run_ranks(2, sums_of_steps, model, base)
    steps = [
        [sum(parts) for parts in zip(*ranks_of_step, strict=True)]
        for ranks_of_step in zip(*ranks, strict=True)
    ]
    assert steps[0] == pytest.approx(expected, rel=1e-5)
    # Followed, the base is come nearer to: it does not run away with the model.
    assert steps[-1][1] < 0.8 * steps[0][1]
    assert steps[-1][0] < 0.8 * steps[0][0]
