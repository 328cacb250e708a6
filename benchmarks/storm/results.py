"""What a storm showed: figures of each fault and of the whole, from the run's own records."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import mean
from typing import Any

Row = Mapping[str, Any]

STALL_STEPS = 10
"""A step that takes as long as this many is a stall: a rank or a node stood still."""


@dataclass(kw_only=True)
class Strike:
    """One fault that was brought about."""

    kind: str
    at: float
    """When, seconds since 1970."""

    detail: str = ""
    survived: bool = True
    """Whether the run went on by itself."""

    cause: str = ""
    """What the run said where it did not."""

    attempt: int = 0
    """Of the last row before."""

    step: int = 0
    """The last step that had been made."""

    first_step_s: float | None = None
    """Seconds to the first step of the next attempt; None: no attempt began."""

    new_step_s: float | None = None
    """Seconds to the first step that had not been made before; None: the run had ended."""

    repeated: int = 0
    """Steps that were made a second time."""


@dataclass(frozen=True, kw_only=True)
class Whole:
    """Figures of a storm as a whole."""

    seed: int
    minutes: float
    nodes: int
    faults: int
    survived: int
    interruptions: int
    """Times that another attempt began to make steps: two faults can share one, and a stop that is
    asked for ends its attempt some steps later.
    """

    steps: int
    """New steps within the storm."""

    repeated: int
    step_s: float
    """Mean wall time per step of the undisturbed run, without its saves."""

    save_every_steps: int
    save_s: float
    """Mean time that a save holds training up."""

    restart_s: float | None
    """Seconds without a step per interruption: until it is noticed, and until the next attempt
    makes its first step.
    """

    mttf_s: float | None
    """Wall time of the storm per interruption."""

    ettr: float
    """Productive step time over wall time."""

    ettr_expected: float | None
    """By Young's model, with this MTTF, save interval, save time and restart time."""

    best_interval_s: float | None
    """Young's: sqrt(2 x save time x MTTF)."""

    equal: bool
    """Every step's loss and the final state are those of the undisturbed run, bit for bit."""

    orphans: int
    """Processes left on any node after the end."""

    unnoticed: int
    """Damaged checkpoints from which an attempt started without a word."""


def measure(strike: Strike, rows: Sequence[Row], *, until: float) -> None:
    """Fill in what the rows of a run tell about a fault.

    Args:
        strike: with `at`.
        rows: all lines of metrics.jsonl in order, repeated steps included.
        until: when the next fault came, or the end.
    """
    before = [row for row in rows if row["time"] <= strike.at]
    after = [row for row in rows if strike.at < row["time"] <= until]
    strike.attempt = max((row["attempt"] for row in before), default=0)
    strike.step = max((row["step"] for row in before), default=0)
    later = [row["time"] for row in after if row["attempt"] > strike.attempt]
    new = [row["time"] for row in after if row["step"] > strike.step]
    strike.first_step_s = min(later) - strike.at if later else None
    strike.new_step_s = min(new) - strike.at if new else None
    made = {row["step"] for row in before}
    strike.repeated = len({row["step"] for row in after} & made)


def expected_ettr(
    *, step_s: float, every: int, save_s: float, restart_s: float, mttf_s: float
) -> float:
    """Share of the wall time that is productive by Young's model.

    Of each stretch of `mttf_s` the restart and half a save interval are lost; of what is left the
    saves take their share.
    """
    interval_s = every * step_s
    productive = max(mttf_s - restart_s - interval_s / 2, 0.0) / mttf_s
    return productive * interval_s / (interval_s + save_s)


def best_interval(*, save_s: float, mttf_s: float) -> float:
    """Young's best time between two saves."""
    return math.sqrt(2 * save_s * mttf_s)


def whole(
    strikes: Sequence[Strike],
    rows: Sequence[Row],
    undisturbed: Sequence[Row],
    *,
    window: tuple[float, float],
    every: int,
    **more: Any,
) -> Whole:
    """Figures of a storm.

    Args:
        strikes: measured.
        rows: all lines of the run's metrics.jsonl.
        undisturbed: those of the run without faults.
        window: when the storm began and ended.
        every: steps between two saves.
        **more: seed, minutes, nodes, equal, orphans, unnoticed.
    """
    wall_s = window[1] - window[0]
    inside = [row for row in rows if window[0] < row["time"] <= window[1]]
    start = max((row["step"] for row in rows if row["time"] <= window[0]), default=0)
    steps = max((row["step"] for row in inside), default=start) - start
    took_s = undisturbed[-1]["time"] - undisturbed[0]["time"]
    step_s = (took_s - sum(_save_times(undisturbed[1:]))) / (len(undisturbed) - 1)
    upto = [row for row in rows if row["time"] <= window[1]]
    interruptions = sum(before["attempt"] != after["attempt"] for before, after in pairwise(upto))
    saves = _save_times(undisturbed)
    save_s = mean(saves) if saves else 0.0
    restart_s = _stalled_s(upto, step_s=step_s) / interruptions if interruptions else None
    mttf_s = wall_s / interruptions if interruptions else None
    return Whole(
        faults=len(strikes),
        survived=sum(strike.survived for strike in strikes),
        interruptions=interruptions,
        steps=steps,
        repeated=sum(strike.repeated for strike in strikes),
        step_s=step_s,
        save_every_steps=every,
        save_s=save_s,
        restart_s=restart_s,
        mttf_s=mttf_s,
        ettr=steps * step_s / wall_s,
        ettr_expected=(
            expected_ettr(
                step_s=step_s, every=every, save_s=save_s, restart_s=restart_s, mttf_s=mttf_s
            )
            if restart_s is not None and mttf_s is not None
            else None
        ),
        best_interval_s=best_interval(save_s=save_s, mttf_s=mttf_s) if mttf_s else None,
        **more,
    )


def _stalled_s(rows: Sequence[Row], *, step_s: float) -> float:
    """Seconds without a step: between attempts, and where a step took many times as long."""
    stalls = [
        after["time"] - before["time"] - step_s
        for before, after in pairwise(rows)
        if after["attempt"] != before["attempt"]
        or after["time"] - before["time"] > STALL_STEPS * step_s
    ]
    return float(sum(stalls))


def _save_times(rows: Iterable[Row]) -> list[float]:
    return [row["time/save_s"] for row in rows if row.get("time/save_s")]


def to_json(result: Whole, strikes: Sequence[Strike]) -> dict[str, Any]:
    """All of it, for `json`."""
    return {"whole": asdict(result), "faults": [asdict(strike) for strike in strikes]}


def markdown(values: Mapping[str, Any]) -> str:
    """The tables of one storm.

    Args:
        values: as `to_json` returns them.
    """
    result, strikes = values["whole"], values["faults"]
    begin = strikes[0]["at"] if strikes else 0.0
    lines = [
        f"| fault, seed {result['seed']} | at | went on | steps repeated | first step | new step |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for strike in strikes:
        cells = [
            f"{strike['kind']}: {strike['detail']}",
            f"{strike['at'] - begin:.0f} s",
            "by itself" if strike["survived"] else f"**no**: {strike['cause']}",
            str(strike["repeated"]),
            _seconds(strike["first_step_s"]),
            _seconds(strike["new_step_s"]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", *_sentences(result), ""])


def _sentences(result: Mapping[str, Any]) -> list[str]:
    shares = f"{result['ettr']:.1%}"
    if result["ettr_expected"] is not None:
        shares += (
            f", {result['ettr'] / result['ettr_expected']:.2f} of the "
            f"{result['ettr_expected']:.1%} that Young's model allows with an interruption every "
            f"{result['mttf_s']:.0f} s, {result['restart_s']:.1f} s to restart and "
            f"{result['save_s'] * 1000:.0f} ms per save every "
            f"{result['save_every_steps'] * result['step_s']:.1f} s "
            f"(best: every {result['best_interval_s']:.1f} s)"
        )
    return [
        f"{result['survived']} of {result['faults']} faults survived without a person, in "
        f"{result['minutes']:.1f} minutes on {result['nodes']} nodes; {result['interruptions']} "
        f"of them interrupted the run. {result['repeated']} steps were repeated of "
        f"{result['steps']} new ones. ETTR (productive step time over wall time): {shares}.",
        f"Losses and final state equal to the undisturbed run's, bit for bit: "
        f"{'yes' if result['equal'] else '**no**'}. Processes left over: {result['orphans']}. "
        f"Damaged checkpoints used unnoticed: {result['unnoticed']}.",
    ]


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"
