"""Write `runs/R/report/index.html`, a self-contained report page of a run. Loads no torch.

Every call renders it from the run directory: answers and scores of `ftdist compare`, metrics,
events, config. Sections without data are left out.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ftdist.checkpoint.store import CheckpointStore
from ftdist.config.saved_config import load_config
from ftdist.config.schema import RunConfig
from ftdist.evaluation.report.exposures import exposure_chart, exposure_rows, exposure_text
from ftdist.evaluation.report.merge_sweep import read_merge_sweep
from ftdist.evaluation.report.reproduce import reproduce
from ftdist.evaluation.report.terminal import Report, read_report
from ftdist.evaluation.report.text import (
    NOT_IN_COST,
    contamination_texts,
    eval_config_text,
    leaked_text,
    scratch_hours,
    truncation_text,
)
from ftdist.evaluation.report.training_evals import learning
from ftdist.io.html import render, source
from ftdist.io.jsonl import write_whole
from ftdist.io.sampling import evenly_spaced
from ftdist.library.store.dataset import MANIFEST
from ftdist.observe.metrics import read_metrics
from ftdist.observe.passage_table import (
    COLUMNS,
    PASSAGE_COLUMNS,
    passage_notes,
    passage_sentence,
    passage_table,
    retrieval_wins,
    wins_sentence,
)
from ftdist.observe.score_table import (
    GROUPS,
    ScoreRow,
    regressions,
    score_table,
    split_headline,
    verdict_word,
)
from ftdist.observe.training_charts import summary_charts
from ftdist.observe.training_page import NAME as TRAINING_PAGE
from ftdist.observe.training_page import (
    read_kl_sources,
    without_local_folders,
    write_training_page,
)
from ftdist.plan.model_info import model_name
from ftdist.rundir import RunDir

PAGE = "index.html"

MAX_SHOWN = 3
"""Answers of each kind that stand open on the page."""

MAX_WINS = 20
"""Questions in the list of those where retrieval wins."""

MAX_LISTED = 200
"""Answers in the list of all, and in the blind comparison; answers.jsonl has every one."""

KINDS = {
    "fact": "About the library",
    "general": "General knowledge",
    "out_of_scope": "About other things: the library should stay out",
    "instruction": "Instructions",
    "general_open": "General questions, answered in writing: the library should stay out",
}


def write_page(run: RunDir) -> Path:
    """Write the page of a run that was compared, and its curves; returns where it is.

    Raises:
        StorageError: there is no comparison, or it cannot be read.
        ConfigError: the run's config cannot be read.
    """
    text = page(run, load_config(run.config), read_report(run.report))
    text = without_local_folders(text, run)
    path = run.report / PAGE
    write_whole(path, text)
    write_training_page(run)
    return path


def page(run: RunDir, config: RunConfig, report: Report) -> str:
    """The page as HTML; what models and libraries wrote is text in it."""
    rows, events = read_metrics(run.metrics), list(run.read_events())
    script = source("evaluation/report/templates/blind.js.jinja")
    first = _first(report.answers)
    blind = json.dumps(_blind(report.answers, run=run.name))
    table = score_table(report.scores)
    headline, others = split_headline(table)
    best = CheckpointStore(run.checkpoints, keep=1).best()
    return render(
        "evaluation/report/templates/report.html.jinja",
        run=run.name,
        base=model_name(config.model.path),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        blind=json.loads(blind),
        blind_key=f"ftdist-votes-{hashlib.sha256(blind.encode()).hexdigest()[:16]}",
        first=first,
        leaked_text=leaked_text,
        verdict_word=verdict_word,
        **_retrieval(report),
        kinds=_by_kind(report.answers, first=first),
        listed=evenly_spaced(report.answers, MAX_LISTED),
        answers=len(report.answers),
        scores=report.scores,
        headline=headline,
        groups=_grouped(others),
        num_others=len(others),
        regressions=regressions(table),
        without_base=[row.label for row in table if row.base is None],
        cost=_cost(report.scores),
        not_in_cost=NOT_IN_COST,
        charts=summary_charts(rows, kl_sources=read_kl_sources(run)),
        training_page=TRAINING_PAGE,
        contamination=contamination_texts(report.scores),
        sweep=read_merge_sweep(run),
        exposures=exposure_chart(report.scores),
        exposure_rows=exposure_rows(report.scores),
        exposure_text=exposure_text(report.scores),
        learning=learning(run.evals, best=None if best is None else best.step),
        attempts=_attempts(events),
        library=_library(config),
        evaluation=eval_config_text(report.scores),
        truncation=truncation_text(report.scores),
        reproduce=reproduce(run, config, events, scores=report.scores),
    )


def _retrieval(report: Report) -> dict[str, Any]:
    """What the page shows of answers from passages."""
    rows, wins = passage_table(report.scores), retrieval_wins(report.answers)
    return {
        "columns": COLUMNS,
        "passage_columns": PASSAGE_COLUMNS,
        "listed_columns": COLUMNS if rows else {"base": "base", "tuned": "tuned"},
        "passage_rows": rows,
        "passage_sentence": passage_sentence(report.scores),
        "passage_notes": passage_notes(report.scores),
        "wins_sentence": wins_sentence(report.answers),
        "retrieval_wins": evenly_spaced(wins, MAX_WINS),
        "num_retrieval_wins": len(wins),
    }


def _first(answers: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The question at the top: the first that only the tuned model gets right, if there is one."""
    facts = [row for row in answers if row["kind"] == "fact"]
    gained = [row for row in facts if row["tuned"]["right"] and not row["base"]["right"]]
    return next(iter([*gained, *facts, *answers]), None)


def _by_kind(
    answers: Sequence[dict[str, Any]], *, first: dict[str, Any] | None
) -> list[dict[str, Any]]:
    """Of each kind some answers, evenly spread over the file: nobody chose them.

    Args:
        answers: all of them.
        first: the one that stands at the top, which is counted and not shown again.
    """
    of_kind = {kind: [row for row in answers if row["kind"] == kind] for kind in KINDS}
    return [
        {"title": title, "rows": evenly_spaced(rest, MAX_SHOWN), "n": len(of_kind[kind])}
        for kind, title in KINDS.items()
        if (rest := [row for row in of_kind[kind] if row is not first])
    ]


def _blind(answers: Sequence[dict[str, Any]], *, run: str) -> dict[str, Any]:
    """What the blind comparison shows: questions that the two models answer differently."""
    differing = [row for row in answers if row["base"]["answer"] != row["tuned"]["answer"]]
    rows = [
        {
            "question": row["question"],
            "kind": row["kind"],
            "expected": "" if row["kind"] == "out_of_scope" else row["expected"],
            "base": row["base"]["answer"],
            "tuned": row["tuned"]["answer"],
        }
        for row in evenly_spaced(differing, MAX_LISTED)
    ]
    return {"run": run, "rows": rows}


def _grouped(rows: Sequence[ScoreRow]) -> list[dict[str, Any]]:
    return [
        {"name": name, "words": words, "rows": members}
        for name, words in GROUPS.items()
        if (members := [row for row in rows if row.doc.group == name])
    ]


def _cost(scores: Mapping[str, Any]) -> dict[str, str]:
    """What the run and its comparison took, by name."""
    facts = {}
    if cost := scores["cost"]:
        share = 100 * cost["share_of_scratch"]
        facts = {
            "optimizer steps": f"{cost['steps']:,}",
            "tokens trained on": f"{cost['tokens']:,.0f}",
            "rank-hours": f"{cost['rank_hours']:,.2f}",
            "device": str(cost["device"]),
            "of training from scratch": f"{share:.2g} % of {cost['from_scratch_tokens']:,.0f} "
            "tokens",
            "rank-hours from scratch, at this run's speed": scratch_hours(cost),
        }
    took = scores["took_s"]
    facts["for the answers of base and tuned"] = f"{took['base']:,.0f} s and {took['tuned']:,.0f} s"
    return facts


def _attempts(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each start of the run and how it ended, oldest first."""
    starts = {e["attempt"]: e for e in events if e.get("event") == "attempt_started"}
    ends = {e["attempt"]: e for e in events if e.get("event") == "attempt_finished"}
    begin = min((start["time"] for start in starts.values()), default=0.0)
    whole = max((e["time"] for e in (*starts.values(), *ends.values())), default=begin) - begin
    found = []
    for number, start in sorted(starts.items()):
        end = ends.get(number, {})
        until = end.get("time", begin + whole)
        found.append(
            {
                "number": number,
                "time": start["time"],
                "ranks": start.get("world_size"),
                "from_step": start.get("checkpoint") or 0,
                "took_s": until - start["time"],
                "left": 100 * (start["time"] - begin) / whole if whole else 0.0,
                "width": 100 * (until - start["time"]) / whole if whole else 100.0,
                "outcome": end.get("outcome", "unknown"),
                "checkpoint": end.get("checkpoint"),
                "cause": end.get("cause"),
            }
        )
    return found


def _library(config: RunConfig) -> dict[str, Any] | None:
    """The main figures of a curated library; None for files as they are, or if it has gone."""
    folder = Path(config.library.path)
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return {
            "name": manifest["name"],
            "card": str(folder / "index.html"),
            "sources": [
                {
                    "name": source["name"],
                    "role": source["role"],
                    "rows": source["rows"],
                    "samples": source["files"]["train"]["samples"],
                    "held_out": source["files"]["held_out"]["samples"],
                    "share": manifest["mix"][source["name"]]["share"],
                }
                for source in manifest["sources"]
            ],
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None
