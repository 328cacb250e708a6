"""Write `runs/R/report/training.html`: the run's curves as one file that needs no account.

`ftdist.observe.live_page` keeps it up to date while the run trains. Loads no torch.
"""

import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ftdist.errors import FtdistError
from ftdist.io.html import render
from ftdist.io.jsonl import write_whole
from ftdist.io.units import format_duration
from ftdist.observe import metrics
from ftdist.observe.metrics import Row, read_metrics
from ftdist.observe.redact import redacted
from ftdist.observe.training_charts import training_charts, with_total_tokens
from ftdist.observe.training_events import describe_events, is_training, outcome_of
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir

NAME = "training.html"

Event = Mapping[str, Any]


def write_training_page(run: RunDir, *, refresh_s: float = 0.0) -> Path:
    """Draw the page from the records of a run and replace the old one.

    Args:
        run: its metrics and events are read.
        refresh_s: interval at which a browser reads the page again while the run trains; 0: never.

    Raises:
        OSError: the page cannot be written.
    """
    path = run.report / NAME
    run.report.mkdir(exist_ok=True)
    text = training_page(run, refresh_s=refresh_s)
    write_whole(path, without_local_folders(text, run))
    return path


def without_local_folders(text: str, run: RunDir) -> str:
    """Shorten paths of this machine: the page is made to be shared."""
    for folder, name in ((run.root.parent.parent, "."), (Path.home(), "~")):
        if folder.name:
            text = re.sub(rf"{re.escape(str(folder))}(?![\w.-])", name, text)
    return text.replace("./runs/", "runs/")


def training_page(run: RunDir, *, refresh_s: float) -> str:
    """The page as HTML; texts of the run are text in it."""
    rows = with_total_tokens(read_metrics(run.metrics))
    events = list(run.read_events())
    plan = _read_plan(run)
    kl_sources = read_kl_sources(run)
    trains = is_training(events)
    return render(
        "observe/templates/training.html.jinja",
        run=run.name,
        state=outcome_of(events),
        trains=trains,
        refresh_s=round(refresh_s) if trains else 0,
        updated=f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        facts=_facts(rows, plan, trains=trains),
        axes={
            by: training_charts(rows, kl_sources=kl_sources, by=by) for by in ("steps", "tokens")
        },
        events=describe_events(redacted(events, environment=os.environ)),
        has_report=(run.report / "index.html").is_file(),
    )


def _facts(rows: Sequence[Row], plan: Plan | None, *, trains: bool) -> dict[str, str]:
    """The newest values, by what they are."""
    if not rows:
        return {}
    newest: Row = {}
    for row in rows:
        newest |= row
    steps = f"{newest[metrics.STEP.name]:,}"
    facts = {"steps": steps if plan is None else f"{steps} of {plan.steps:,}"}
    for name, metric, pattern in (
        ("training loss", metrics.LOSS, "{:.4g}"),
        ("held-out loss", metrics.HELD_OUT_LOSS, "{:.4g}"),
        ("tokens", metrics.TOTAL_TOKENS, "{:,}"),
        ("tokens/s", metrics.TOKENS_PER_S, "{:,.0f}"),
        ("GiB at most per rank", metrics.PEAK_GIB, "{:.2f}"),
    ):
        if metric.name in newest:
            facts[name] = pattern.format(newest[metric.name])
    if trains and metrics.ETA_S.name in newest:
        facts["left"] = format_duration(newest[metrics.ETA_S.name])
    return facts


def read_kl_sources(run: RunDir) -> list[str]:
    """Losses that are a KL divergence: of sources, and distillation; none without a plan."""
    plan = _read_plan(run)
    if plan is None:
        return []
    distillation = metrics.DISTILLATION.name.removeprefix(metrics.source_loss(""))
    return [*(s.name for s in plan.library.sources if s.kl_to_base), distillation]


def _read_plan(run: RunDir) -> Plan | None:
    try:
        return Plan.from_json(run.plan.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, KeyError, FtdistError):
        return None
