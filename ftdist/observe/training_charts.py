"""The charts of a run's metrics: what the model learns, how fast, and with how much memory."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ftdist.observe import metrics
from ftdist.observe.charts import Chart, chart, points
from ftdist.observe.metrics import Metric, Row, source_loss

Axis = Literal["steps", "tokens"]

_X_TITLES: Mapping[Axis, str] = {"steps": "step", "tokens": "tokens"}


@dataclass(frozen=True, kw_only=True)
class _Plot:
    """A chart of some metrics."""

    title: str
    metrics: Mapping[str, Metric]
    """By the names of their curves."""

    logarithmic: bool = False
    restarts: bool = field(default=False)
    """Whether restarts are marked."""


_LOSS = _Plot(
    title="Loss, nats per token",
    metrics={"training": metrics.LOSS, "held-out": metrics.HELD_OUT_LOSS},
    logarithmic=True,
    restarts=True,
)
_RATE = _Plot(title="Learning rate", metrics={"learning rate": metrics.LEARNING_RATE})
_MORE = (
    _Plot(
        title="Evaluations: share of the questions",
        metrics={
            "key facts, greedy": metrics.FACT_RECALL_GREEDY,
            "library, ranked": metrics.FACT_ACCURACY_RANKED,
            "general": metrics.GENERAL_MC_ACCURACY,
        },
    ),
    _Plot(
        title="General loss above the base's, nats per token",
        metrics={"general loss": metrics.GENERAL_NLL_DELTA},
    ),
    _Plot(
        title="Log-likelihood of known answers, nats per byte",
        metrics={"known answers": metrics.ANSWER_LOGPROB_PER_BYTE},
    ),
    _RATE,
    _Plot(
        title="Gradient norm before clipping",
        metrics={"gradient norm": metrics.GRAD_NORM},
        logarithmic=True,
    ),
    _Plot(
        title="Tokens per second, all ranks",
        metrics={"tokens/s": metrics.TOKENS_PER_S},
        restarts=True,
    ),
    _Plot(
        title="Time of a step, seconds",
        metrics={"step": metrics.STEP_S, "waiting for data": metrics.DATA_S},
    ),
    _Plot(
        title="Lag of the last rank behind the first, seconds",
        metrics={"lag": metrics.RANK_LAG_S},
    ),
    _Plot(title="Model TFLOP/s per rank", metrics={"model TFLOP/s": metrics.TFLOPS}),
    _Plot(
        title="Utilization: share of the hardware's rate",
        metrics={
            "MFU, of the data sheet": metrics.MFU,
            "of measured matrix products": metrics.GEMM_UTILIZATION,
            "goodput, of the attempt's time": metrics.GOODPUT,
        },
    ),
    _Plot(title="Peak memory of the fullest rank, GiB", metrics={"memory": metrics.PEAK_GIB}),
)


def summary_charts(rows: Sequence[Row], *, kl_sources: Sequence[str]) -> list[Chart]:
    """Losses and learning rate over steps.

    Args:
        rows: of `metrics.jsonl`.
        kl_sources: sources whose loss is KL(base || model).
    """
    found = [
        _draw(_LOSS, rows, by="steps"),
        *_source_charts(rows, kl_sources=kl_sources, by="steps"),
        _draw(_RATE, rows, by="steps"),
    ]
    return [drawn for drawn in found if drawn is not None]


def training_charts(rows: Sequence[Row], *, kl_sources: Sequence[str], by: Axis) -> list[Chart]:
    """All charts that have points.

    Args:
        rows: of `metrics.jsonl`, with `trainer/tokens` (`with_total_tokens`).
        kl_sources: sources whose loss is KL(base || model).
        by: the horizontal axis.
    """
    found = [
        _draw(_LOSS, rows, by=by),
        *_source_charts(rows, kl_sources=kl_sources, by=by),
        *(_draw(plot, rows, by=by) for plot in _MORE),
    ]
    return [drawn for drawn in found if drawn is not None]


def with_total_tokens(rows: Sequence[Row]) -> list[Row]:
    """The rows with the tokens of all steps up to each one."""
    total, result = 0, []
    for row in rows:
        total += row.get(metrics.TOKENS.name, 0)
        result.append({**row, metrics.TOTAL_TOKENS.name: total})
    return result


def _draw(plot: _Plot, rows: Sequence[Row], *, by: Axis) -> Chart | None:
    x = _x(by)
    series = {name: points(rows, metric.name, x=x) for name, metric in plot.metrics.items()}
    starts = [
        row[x]
        for before, row in itertools.pairwise(rows)
        if row.get(metrics.ATTEMPT.name) != before.get(metrics.ATTEMPT.name)
    ]
    return chart(
        plot.title,
        series,
        logarithmic=plot.logarithmic,
        x_title=_X_TITLES[by],
        restarts=starts if plot.restarts else (),
    )


def _source_charts(
    rows: Sequence[Row], *, kl_sources: Sequence[str], by: Axis
) -> list[Chart | None]:
    """Losses of sources, and KL to the base apart: they have other sizes."""
    prefix = source_loss("")
    names = sorted({name for row in rows for name in row if name.startswith(prefix)})
    series = {name.removeprefix(prefix): points(rows, name, x=_x(by)) for name in names}
    losses = {name: curve for name, curve in series.items() if name not in kl_sources}
    kl = {name: curve for name, curve in series.items() if name in kl_sources}
    return [
        chart(
            "Training loss of each source, nats per token",
            losses,
            logarithmic=True,
            x_title=_X_TITLES[by],
        ),
        chart("KL(base || model) of each source, nats per token", kl, x_title=_X_TITLES[by]),
    ]


def _x(by: Axis) -> str:
    return metrics.STEP.name if by == "steps" else metrics.TOTAL_TOKENS.name
