"""Ask base and tuned model the same questions, and write down what each answered and scored.

    runs/R/report/answers.jsonl   a line a probe: question, both answers, both verdicts
    runs/R/report/scores.json     {"base": {"fact_accuracy": ...}, "tuned": {...}, ...}
    runs/R/report/index.html      the page that shows them

One model after the other; its copies, where it has some, each in a process of its own.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ftdist.checkpoint.model_card import with_scores
from ftdist.config.saved_config import load_config
from ftdist.config.schema import EvalConfig, RunConfig
from ftdist.dist.device import choose_device
from ftdist.errors import ConfigError, ModelError
from ftdist.evaluation.base_answers import base_answers
from ftdist.evaluation.contamination import seen_in_training
from ftdist.evaluation.eval_requests import Answers
from ftdist.evaluation.eval_set import Inputs, read_inputs
from ftdist.evaluation.probes import Probe
from ftdist.evaluation.report.cost import cost_of
from ftdist.evaluation.report.html import write_page
from ftdist.evaluation.runner import ask, log
from ftdist.evaluation.scoring.aggregate import Judged, tally
from ftdist.evaluation.scoring.distractors import rankings
from ftdist.evaluation.scoring.judge import LibraryMarks, Verdict, judge
from ftdist.io.jsonl import write_whole
from ftdist.observe.score_table import score_table
from ftdist.observe.wandb.comparison_table import ANSWERS_ASKED, answers_wanted
from ftdist.observe.wandb.comparison_upload import tell_wandb
from ftdist.rundir import RunDir


def compare(run_dir: Path) -> None:
    """Ask both models, write the report, and show it in W&B.

    Args:
        run_dir: of a run that has been exported. The keys in `report/compare.json`, if there
            is one, override the run's config.

    Raises:
        ConfigError: there are no probes, or `compare.json` cannot be used.
        DataError: a probe cannot be used.
        ModelError: the run has not been exported, or a model cannot be loaded.
    """
    run, started = RunDir(run_dir), time.monotonic()
    config = requested_config(run, load_config(run.config), stage="compare")
    settings = config.eval
    show_answers = answers_wanted(run, config)
    if not (run.export / "config.json").is_file():
        raise ModelError(
            f"The run {run.name} has not been exported: there is no model in {run.export}.",
            remedy=f"run `ftdist export {run.name}`, then compare again.",
        )
    inputs = read_inputs(settings, library=Path(config.library.path))
    device = choose_device(config.cluster.device)
    written = sum(probe.kind == "general_open" for probe in inputs.probes)
    log(
        f"compare: {len(inputs.probes) - written} probes from {inputs.source}, "
        f"{len(inputs.general)} general questions ({written} answered in writing too), "
        f"{len(inputs.texts)} general texts"
    )
    base = base_answers(config, inputs, settings, run=run, device=device)
    tuned = ask(
        str(run.export), inputs, settings, name="tuned", device=device,
        system_prompt=config.library.system_prompt,
    )  # fmt: skip
    seen = seen_in_training(inputs, config)
    write_report(
        run, inputs, settings, base=base, tuned=tuned, seen=seen, show_answers=show_answers
    )
    write_page(run)
    log(f"compare: report in {run.report}, {time.monotonic() - started:.0f} s")
    tell_wandb(run, config, log=log)


def write_report(
    run: RunDir,
    inputs: Inputs,
    settings: EvalConfig,
    *,
    base: Answers,
    tuned: Answers,
    seen: dict[str, dict[str, Any]] | None = None,
    show_answers: bool = True,
) -> None:
    """Judge both models' answers and write `answers.jsonl`, `scores.json` and the card's scores.

    Args:
        run: whose report it is.
        inputs: what was asked.
        settings: how.
        base: what the base answered.
        tuned: what the tuned model answered.
        seen: of what was asked, what was trained on.
        show_answers: whether W&B may have the answers too.
    """
    judged = {"base": judge_all(inputs, base), "tuned": judge_all(inputs, tuned)}
    scores = tally(inputs, base=judged["base"], tuned=judged["tuned"])
    scores["cost"] = cost_of(run)
    scores |= {} if seen is None else {"contamination": seen}
    scores["eval_config"] = asdict(settings)
    scores[ANSWERS_ASKED] = show_answers
    scores["truncated"] = {
        "tokens": settings.max_new_tokens,
        "n": len(inputs.probes),
        "base": sum(base.truncated),
        "tuned": sum(tuned.truncated),
    }
    scores["probes"] = str(inputs.source)
    scores["took_s"] = {"base": round(base.took_s, 1), "tuned": round(tuned.took_s, 1)}
    rows = [
        {
            **_asked(probe),
            "base": _row(base, judged["base"].probes[n], index=n),
            "tuned": _row(tuned, judged["tuned"].probes[n], index=n),
        }
        for n, probe in enumerate(inputs.probes)
    ]
    run.report.mkdir(parents=True, exist_ok=True)
    write_whole(run.report / "answers.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    write_whole(run.report / "scores.json", json.dumps(scores, indent=2) + "\n")
    card = run.export / "README.md"
    if card.is_file():
        shown = [row.cells for row in score_table(scores)]
        write_whole(card, with_scores(card.read_text(encoding="utf-8"), shown))


def judge_all(inputs: Inputs, answers: Answers) -> Judged:
    """Verdicts on everything that one model said."""
    marks = LibraryMarks.of(inputs.probes)
    asked = zip(
        inputs.probes, answers.texts, answers.likelihoods, rankings(inputs.probes), strict=True
    )
    return Judged(
        probes=[
            judge(
                probe,
                text,
                marks=marks,
                likelihoods=likelihoods,
                right_choice=ranking.right if ranking else None,
            )
            for probe, text, likelihoods, ranking in asked
        ],
        general=[
            _likeliest(likelihoods) == item.right_choice
            for item, likelihoods in zip(inputs.general, answers.general, strict=True)
        ],
        losses=answers.losses,
        tasks=answers.tasks,
    )


def _likeliest(likelihoods: Sequence[float]) -> int:
    return max(range(len(likelihoods)), key=lambda place: likelihoods[place])


def _asked(probe: Probe) -> dict[str, Any]:
    place = {"document": probe.document, "section": probe.section}
    return {
        "question": probe.question,
        "kind": probe.kind,
        "expected": probe.answer,
        "keys": list(probe.keys),
        **{name: text for name, text in place.items() if text},
    }


def _row(answers: Answers, verdict: Verdict, *, index: int) -> dict[str, Any]:
    return {
        "answer": answers.texts[index],
        "truncated": answers.truncated[index],
        **asdict(verdict),
    }


def requested_config(run: RunDir, config: RunConfig, *, stage: str) -> RunConfig:
    """The run's config, with the keys of `eval` and `merge` that the stage's request overrides.

    Raises:
        ConfigError: the stage's request cannot be used.
    """
    request = run.request(stage)
    if not request.is_file():
        return config
    values = asdict(config)
    try:
        asked = TypeAdapter(dict[str, Any]).validate_json(request.read_bytes())
        asked.pop(ANSWERS_ASKED, None)  # of no concern to what is asked and measured
        for key, value in asked.items():
            section, _, name = key.partition(".")
            values[section][name] = value
        return TypeAdapter(RunConfig).validate_python(values)
    except (ValidationError, KeyError, TypeError) as error:
        reason = str(error)
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise ConfigError(
            f"{request} cannot be used: {reason}.",
            remedy="remove that file, then compare again.",
        ) from error
