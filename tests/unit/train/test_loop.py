"""What the loop decides after a step, with stand-ins for all that computes."""

from types import SimpleNamespace
from typing import Any

import pytest

from ftdist.dist.phases import PhaseTracker
from ftdist.errors import DivergedError
from ftdist.train.loop import Loop, LoopEnd
from ftdist.train.metrics_row import StepReport
from ftdist.train.rollbacks import RollBack
from tests.support.runs.fake_runs import some_config

ROLL_BACK = RollBack(spike=40, to_step=30, first=34, end=40)
REPORT = StepReport(
    loss_sums=[1.0],
    distilled_cross_entropy=[0.0],
    distillation=[0.0],
    non_finite_ranks=(),
    grad_norm=1.0,
    skipped=False,
    peak_gib=0.0,
    wants_stop=False,
    waits_s=(0.0,),
    all_written=False,
)
TOO_OFTEN = DivergedError("The run has gone back 3 times.", remedy="lower optim.peak_lr.")


def loop_with(**parts: Any) -> tuple[Any, list[str]]:
    """A loop, and the calls that it makes."""
    calls: list[str] = []

    def call(name: str, value: Any = None) -> Any:
        def record(*_: Any, **__: Any) -> Any:
            calls.append(name)
            return value

        return record

    loop: Any = Loop.__new__(Loop)
    loop._phases = PhaseTracker(some_config().cluster)
    loop._saves = SimpleNamespace(drain=call("drain"))
    loop._instruments = SimpleNamespace(startup_s=0.0)
    loop._plan = SimpleNamespace(steps=100)
    loop._evaluator = SimpleNamespace(run_if_overdue=call("overdue"))
    loop._monitors = SimpleNamespace(
        health=SimpleNamespace(
            begin=call("begin"), after_step=call("health", parts.get("spike")), has_diverged=False
        ),
        consistency=SimpleNamespace(after_step=call("compare")),
        rollback=SimpleNamespace(
            is_wanted=lambda spike: spike is not None,
            decide=call("decide", parts.get("decision")),
            record=call("record"),
            go_back=call("go back", 30),
        ),
    )
    return loop, calls


@pytest.mark.fault("N2")
@pytest.mark.parametrize("decision", [ROLL_BACK, TOO_OFTEN, None])
def test_the_save_under_way_is_committed_before_it_is_decided_what_follows_a_spike(
    decision: object,
) -> None:
    loop, calls = loop_with(spike="a spike", decision=decision)
    assert loop._judge(40, {}, REPORT) is decision
    assert calls == ["health", "compare", "drain", "decide"]


def test_without_a_spike_nothing_waits_for_a_save() -> None:
    loop, calls = loop_with()
    assert loop._judge(40, {}, REPORT) is None
    assert calls == ["health", "compare"]


@pytest.mark.fault("N2", "L12")
def test_a_stop_in_the_step_of_a_roll_back_is_recorded_and_does_not_wait_for_a_load() -> None:
    loop, calls = loop_with()
    answers = [False, True]
    loop._guard = SimpleNamespace(should_stop=lambda: answers.pop(0))
    loop._train = lambda *_, **__: ROLL_BACK
    assert loop.run(first_step=0) == LoopEnd(reason="stopped", step=40)
    assert calls == ["overdue", "begin", "record"]
