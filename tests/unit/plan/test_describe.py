"""The plan in words."""

from dataclasses import replace
from typing import Any

import pytest

from ftdist.plan.describe import few_steps_warning
from ftdist.plan.plan import Plan
from tests.support.models.tiny_models import save_tiny_model, tiny_config, tiny_plan


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """One of a library of 8 rows on two ranks; the tests choose steps and batch."""
    model = save_tiny_model(tmp_path_factory.mktemp("model") / "m", "llama")
    return tiny_plan(tiny_config(model), world_size=2)


def with_rows(plan: Plan, rows: int, **changes: Any) -> Plan:
    (source,) = plan.library.sources
    library = replace(plan.library, sources=(replace(source, sequences=rows),))
    return replace(plan, library=library, sequence_length=64, micro_batch_size=1, **changes)


def test_a_step_larger_than_the_library_is_warned_of_with_a_smaller_one(plan: Plan) -> None:
    small = with_rows(plan, 1000, steps=2, global_sequences=2000)
    # 3 passes x 64,000 tokens / 100 steps = 1,920 = 15 x (64 tokens x 2 ranks)
    assert few_steps_warning(small, epochs=3) == (
        "Warning: only 2 steps of 128,000 tokens each, for 64,000 tokens of library. A model "
        "learns little in so few: try batch.tokens=1920."
    )


def test_a_step_that_cannot_be_smaller_asks_for_shorter_sequences(plan: Plan) -> None:
    least = with_rows(plan, 2, steps=1, global_sequences=2)
    assert few_steps_warning(least, epochs=1) == (
        "Warning: only 1 step of 128 tokens each, for 128 tokens of library. A model learns "
        "little in so few: try a shorter batch.sequence_length."
    )


def test_many_steps_and_a_chosen_number_of_steps_need_no_warning(plan: Plan) -> None:
    assert few_steps_warning(with_rows(plan, 8, steps=20, global_sequences=2), epochs=3) is None
    assert few_steps_warning(with_rows(plan, 8, steps=1, global_sequences=2), epochs=None) is None
