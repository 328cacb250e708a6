"""Ask base and tuned model the same questions, and write down what each answered and scored.

    runs/R/report/answers.jsonl   a line a probe: question, both answers, both verdicts
    runs/R/report/scores.json     {"base": {"recall": ...}, "tuned": {"recall": ...}, ...}
    runs/R/report/index.html      the page that shows them

One process, one model in memory at a time. What the base answers does not depend on the run: it
is kept beside the packed libraries and asked again only if model, probes or settings differ.
"""

import gc
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ftdist.checkpoint.card import with_scores
from ftdist.config.compose import load_config
from ftdist.config.schema import CompareConfig, RunConfig
from ftdist.dist.device import Device, choose_device
from ftdist.errors import ConfigError, ModelError
from ftdist.expert.answers import Answerer, model_key
from ftdist.expert.probes import Probe, find_probes, read_probes
from ftdist.expert.report import write_page
from ftdist.expert.scores import LibraryMarks, Rate, Verdict, judge, rates
from ftdist.rundir import RunDir, write_whole

CACHE_FORMAT = 1
"""Counts up whenever cached answers would no longer be what is answered now."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What one model said.

    Attributes:
        texts: an answer for each probe.
        likelihoods: for each probe the length-normalised log-likelihood of its choices, in nats
            a byte; empty without choices.
        took_s: wall time, model loading included.
    """

    texts: list[str]
    likelihoods: list[list[float]]
    took_s: float


def compare(run_dir: Path) -> None:
    """Ask both models and write the report.

    Args:
        run_dir: of a run that has been exported. `report/compare.json`, if there, takes the
            place of the config's section `compare`.

    Raises:
        ConfigError: there are no probes, or `compare.json` cannot be used.
        DataError: a probe cannot be used.
        ModelError: the run has not been exported, or a model cannot be loaded.
    """
    run, started = RunDir(run_dir), time.monotonic()
    config = load_config(run.config)
    settings = _settings(run, config)
    if not (run.export / "config.json").is_file():
        raise ModelError(
            f"The run {run.name} has not been exported: there is no model in {run.export}.",
            remedy=f"run `ftdist export {run.name}`, then compare again.",
        )
    path = find_probes(settings.probes, library=Path(config.library.path))
    probes = read_probes(path)
    device = choose_device(config.cluster.device)
    _say(f"compare: {len(probes)} probes from {path}")
    base = _base_answers(config, probes, settings, run=run, device=device)
    tuned = ask(
        str(run.export), probes, settings, name="tuned", device=device,
        system_prompt=config.library.system_prompt,
    )  # fmt: skip
    write_report(run, probes, base=base, tuned=tuned, source=path)
    write_page(run)
    _say(f"compare: report in {run.report}, {time.monotonic() - started:.0f} s")


def ask(
    model: str,
    probes: Sequence[Probe],
    settings: CompareConfig,
    *,
    name: str,
    device: Device,
    revision: str | None = None,
    system_prompt: str | None = None,
    chat_template: str | None = None,
) -> Answers:
    """What one model answers to every probe, and how likely it finds the choices of each."""
    started = time.monotonic()
    _say(f"compare: {name}: loading {model}")
    answerer = Answerer(
        model,
        device=device,
        revision=revision,
        system_prompt=system_prompt,
        chat_template=chat_template,
        threads=settings.threads,
    )
    questions = [probe.question for probe in probes]
    texts = answerer.answer(
        questions,
        max_tokens=settings.max_answer_tokens,
        batch=settings.batch_questions,
        progress=_Progress(f"{name}: answers", total=len(questions)),
    )
    places = [place for place, probe in enumerate(probes) if probe.choices]
    likelihoods: list[list[float]] = [[] for _ in probes]
    if places:
        ranked = answerer.rank(
            [questions[place] for place in places],
            [probes[place].choices for place in places],
            batch=settings.batch_questions,
            progress=_Progress(f"{name}: choices", total=len(places)),
        )
        for place, row in zip(places, ranked, strict=True):
            likelihoods[place] = row
    del answerer
    gc.collect()  # the next model must not stand beside this one in memory
    return Answers(texts=texts, likelihoods=likelihoods, took_s=time.monotonic() - started)


def write_report(
    run: RunDir, probes: Sequence[Probe], *, base: Answers, tuned: Answers, source: Path
) -> None:
    """Judge both models' answers and write `answers.jsonl`, `scores.json` and the card's scores."""
    report, export = run.report, run.export
    marks = LibraryMarks.of(probes)
    verdicts = {
        name: [
            judge(probe, text, marks=marks, likelihoods=likelihoods)
            for probe, text, likelihoods in zip(
                probes, answers.texts, answers.likelihoods, strict=True
            )
        ]
        for name, answers in (("base", base), ("tuned", tuned))
    }
    rows = [
        {
            "question": probe.question,
            "kind": probe.kind,
            "expected": probe.answer,
            "keys": list(probe.keys),
            "base": _row(base.texts[n], verdicts["base"][n]),
            "tuned": _row(tuned.texts[n], verdicts["tuned"][n]),
        }
        for n, probe in enumerate(probes)
    ]
    found = {name: rates(probes, verdicts[name]) for name in verdicts}
    found_values = {
        name: {score: rate.value for score, rate in found[name].items()} for name in found
    }
    scores: dict[str, Any] = dict(found_values)
    scores["intervals"] = {
        name: {score: _interval(rate) for score, rate in found[name].items()} for name in found
    }
    scores["gain"] = _gain(probes, verdicts)
    scores["probes"] = str(source)
    scores["took_s"] = {"base": round(base.took_s, 1), "tuned": round(tuned.took_s, 1)}
    report.mkdir(parents=True, exist_ok=True)
    write_whole(report / "answers.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    write_whole(report / "scores.json", json.dumps(scores, indent=2) + "\n")
    card = export / "README.md"
    if card.is_file():
        write_whole(card, with_scores(card.read_text(encoding="utf-8"), found_values))


def _row(answer: str, verdict: Verdict) -> dict[str, Any]:
    return {"answer": answer, **asdict(verdict)}


def _interval(rate: Rate) -> dict[str, float | int]:
    low, high = rate.interval
    return {"hits": rate.hits, "asked": rate.asked, "low_95": low, "high_95": high}


def _gain(probes: Sequence[Probe], verdicts: dict[str, list[Verdict]]) -> dict[str, int]:
    """Probes of recall and retention by who is right: the change, not only the two sums."""
    pairs = [
        (probe.kind, base.right, tuned.right)
        for probe, base, tuned in zip(probes, verdicts["base"], verdicts["tuned"], strict=True)
    ]
    return {
        "recall_gained": pairs.count(("recall", False, True)),
        "recall_lost": pairs.count(("recall", True, False)),
        "retention_gained": pairs.count(("retention", False, True)),
        "retention_lost": pairs.count(("retention", True, False)),
    }


def _settings(run: RunDir, config: RunConfig) -> CompareConfig:
    chosen = run.request
    if not chosen.is_file():
        return config.compare
    try:
        return TypeAdapter(CompareConfig).validate_json(chosen.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"{chosen} cannot be used: {'.'.join(map(str, first['loc']))}: {first['msg']}.",
            remedy="remove that file, then compare again.",
        ) from error


def _base_answers(
    config: RunConfig,
    probes: Sequence[Probe],
    settings: CompareConfig,
    *,
    run: RunDir,
    device: Device,
) -> Answers:
    """The base model's answers, from the cache if they were given before."""
    folder = _base_folder(config.model.path, config.model.revision)
    # A base model without a chat template is asked in the words that the tuned one learned.
    template = run.export / "chat_template.jinja"
    chat_template = template.read_text(encoding="utf-8") if template.is_file() else None
    asked = {
        "format": CACHE_FORMAT,
        "model": model_key(folder),
        "probes": [[probe.question, list(probe.choices)] for probe in probes],
        "max_answer_tokens": settings.max_answer_tokens,
        "system_prompt": config.library.system_prompt,
        "chat_template": None if _has_template(folder) else chat_template,
        "device": device,
    }
    key = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:32]
    kept = Path(config.library.cache) / "base-answers" / f"{key}.json"
    try:
        answers = Answers(**json.loads(kept.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        answers = ask(
            str(folder), probes, settings, name="base", device=device,
            system_prompt=config.library.system_prompt, chat_template=chat_template,
        )  # fmt: skip
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, json.dumps(asdict(answers)) + "\n")
        return answers
    _say(f"compare: base: answered before, read from {kept}")
    return answers


def _base_folder(path: str, revision: str | None) -> Path:
    if Path(path).is_dir():
        return Path(path)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    wanted = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]
    try:
        return Path(snapshot_download(path, revision=revision, allow_patterns=wanted))
    except (OSError, HfHubHTTPError, HFValidationError) as error:
        raise ModelError(
            f"model.path={path} is not a folder, and the hub does not give it: "
            f"{str(error).strip().splitlines()[0]}",
            remedy="name a folder that is there, or check the network and the hub name.",
        ) from error


def _has_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file():
        return True
    settings = folder / "tokenizer_config.json"
    return settings.is_file() and '"chat_template"' in settings.read_text(encoding="utf-8")


class _Progress:
    """Says on stdout how many questions are done and how long the rest will take."""

    def __init__(self, what: str, *, total: int) -> None:
        self._what, self._total, self._done = what, total, 0
        self._started = time.monotonic()

    def __call__(self, count: int) -> None:
        self._done += count
        spent = time.monotonic() - self._started
        left = spent / self._done * (self._total - self._done)
        _say(f"compare: {self._what} {self._done}/{self._total}, {left:.0f} s left")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
