"""What a run ended with: recall of facts by hand-written questions, and what it cost."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any, Self

import pyarrow.parquet as pq
from ftdist_launch.expert.stages import read_stages

from benchmarks.recipe.runs import Run
from ftdist.plan.plan import Plan
from ftdist.text.matching import Words, words

Row = Mapping[str, Any]

PLAIN = "plain"
"""Of a question about one fact, in other words than training's."""

WITH_PASSAGES = frozenset(("base_passage", "base_retrieved", "tuned_passage"))
"""Ways of asking that a sample of the questions is asked in."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Scores of one way of asking (base, tuned, with a passage), each from 0 to 1; None: not asked.

    Attributes:
        facts: key facts found, of those of all questions about one fact in other words.
        whole: questions whose every key fact was found.
        page: the same, with the page cited.
        reverse, two_facts: whole answers to questions of these forms.
        invented: unanswerable questions that were answered with something invented.
        leak: questions about other things, answered with library content.
    """

    facts: float | None = None
    whole: float | None = None
    page: float | None = None
    reverse: float | None = None
    two_facts: float | None = None
    invented: float | None = None
    leak: float | None = None


@dataclass(frozen=True, kw_only=True)
class Result:
    """The figures of one run.

    Attributes:
        answers: by way of asking.
        compared: the same, each on the questions that were asked in every way.
        questions: how many questions about one fact in other words.
        trained: questions that training contains word for word, which count for nothing.
        general_loss: tuned minus base, in nats per token.
        general: tuned minus base of general questions, with its 95 % interval.
        instructions: accuracy of base and tuned model.
        exposures: of each answer, on average.
        recall_by_exposures: `exposures` of `scores.json`, which counts the curation's probes too.
        share_of_others: replay and contrast among a pass's tokens.
        minutes: by stage.
    """

    library: str
    seed: int
    answers: dict[str, Answers]
    questions: int
    trained: int
    general_loss: float | None
    general: tuple[float, float, float] | None
    exposures: float
    passes: float
    steps: int
    share_of_others: float
    instructions: tuple[float, float] | None = None
    minutes: dict[str, float] = field(default_factory=dict)
    recall_by_exposures: Any = None
    compared: dict[str, Answers] = field(default_factory=dict)

    @classmethod
    def from_run(cls, run: Run) -> Self:
        """Read a complete run.

        Raises:
            OSError: it has no report.
        """
        rows = _read(run.folder.report / "answers.jsonl")
        written = {row["question"]: row for row in _read(run.probes)}
        taught = trained_questions(run.root / "libraries" / run.name / "data")
        asked = {text: row for text, row in written.items() if words(text) not in taught}
        scores = json.loads((run.folder.report / "scores.json").read_text(encoding="utf-8"))
        plan = Plan.from_json(run.folder.plan.read_text(encoding="utf-8"))
        sources = plan.library.sources
        others = sum(source.weight for source in sources if not source.own)
        paired = scores["paired"].get("general_mc_accuracy")
        return cls(
            library=run.library.name,
            seed=run.seed,
            answers=answers_of(rows, asked=asked),
            compared=answers_of(asked_in_every_way(rows), asked=asked),
            questions=sum(_form(row) == PLAIN for row in asked.values()),
            trained=len(written) - len(asked),
            general_loss=scores.get("general_nll", {}).get("difference"),
            general=paired and (paired["difference"], paired["low_95"], paired["high_95"]),
            instructions=_instructions(scores),
            exposures=plan.exposures,
            passes=plan.epochs,
            steps=plan.steps,
            share_of_others=others / sum(source.weight for source in sources),
            minutes={
                stage.name: stage.seconds / 60
                for stage in read_stages(run.folder)
                if stage.seconds is not None
            },
            recall_by_exposures=scores.get("exposures"),
        )

    def to_json(self) -> dict[str, Any]:
        """For the file of results."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """From what `to_json` gave."""
        answers, compared = (
            {name: Answers(**fields) for name, fields in values.get(key, {}).items()}
            for key in ("answers", "compared")
        )
        pairs = {name: values[name] and tuple(values[name]) for name in ("general", "instructions")}
        return cls(**{**values, **pairs, "answers": answers, "compared": compared})


def trained_questions(data: Path) -> set[Words]:
    """The words of each question that a curated library trains on.

    Args:
        data: folder of its Parquet files.
    """
    return {
        words(message["content"] or "")
        for path in sorted(data.glob("*-train.parquet"))
        for messages in pq.read_table(path, columns=["messages"])["messages"].to_pylist()
        for message in messages or ()
        if message["role"] == "user"
    }


def asked_in_every_way(rows: Iterable[Row]) -> list[Row]:
    """The rows of `answers.jsonl` whose questions were also asked with passages."""
    return [row for row in rows if row.keys() >= WITH_PASSAGES]


def answers_of(rows: Iterable[Row], *, asked: Mapping[str, Row]) -> dict[str, Answers]:
    """Scores by way of asking.

    Args:
        rows: of `answers.jsonl`: questions, and by way of asking an answer with its verdict.
        asked: the hand-written questions; probes that the curation made count for leaks alone.
    """
    by_name: dict[str, list[tuple[str, Row, Row]]] = {}
    for row in rows:
        question = asked.get(row["question"])
        form = _form(row) if question is None else _form(question)
        if question is None and form != "out_of_scope":
            continue
        for name, verdict in row.items():
            if isinstance(verdict, Mapping) and "answer" in verdict:
                by_name.setdefault(name, []).append((form, row, verdict))
    return {name: _scores(verdicts) for name, verdicts in by_name.items()}


def _scores(verdicts: list[tuple[str, Row, Row]]) -> Answers:
    def share(form: str, value: str, *, is_wrong: bool = False) -> float | None:
        values = [bool(v[value]) for f, _, v in verdicts if f == form and v.get(value) is not None]
        return fmean(v != is_wrong for v in values) if values else None

    plain = [(row, verdict) for form, row, verdict in verdicts if form == PLAIN]
    keys = sum(len(row["keys"]) for row, _ in plain)
    missing = sum(len(verdict.get("missing") or ()) for _, verdict in plain)
    return Answers(
        facts=1 - missing / keys if keys else None,
        whole=share(PLAIN, "right"),
        page=share(PLAIN, "page"),
        reverse=share("reverse", "right"),
        two_facts=share("two_facts", "right"),
        invented=share("unanswerable", "right", is_wrong=True),
        leak=share("out_of_scope", "right", is_wrong=True),
    )


def _instructions(scores: Mapping[str, Any]) -> tuple[float, float] | None:
    accuracies = [scores[model].get("instruction_accuracy") for model in ("base", "tuned")]
    return None if None in accuracies else (accuracies[0], accuracies[1])


def _form(row: Row) -> str:
    """What a question counts for: its kind, or of a fact its form."""
    if row["kind"] != "fact":
        return str(row["kind"])
    form = str(row.get("form", ""))
    return form if form in ("reverse", "two_facts") else PLAIN


def _read(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
