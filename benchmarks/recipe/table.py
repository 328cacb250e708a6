"""The table of all libraries: one row a run, and what its other ways of asking gave."""

from collections.abc import Sequence
from datetime import UTC, datetime

from benchmarks.recipe.libraries import LIBRARIES
from benchmarks.recipe.results import Answers, Result
from benchmarks.recipe.runs import Machine

WAYS = {
    "base": "base",
    "base_passage": "base + passage",
    "base_retrieved": "base + retrieval",
    "tuned": "tuned",
    "tuned_passage": "tuned + passage",
}
"""Ways of asking, in the order of the report."""

STAGES = ("curate", "train", "compare")


def page(results: Sequence[Result], *, machine: Machine) -> str:
    """The results as a Markdown page."""
    return "\n".join(
        [
            "# The recipe on seven libraries",
            "",
            "Written by `python -m benchmarks.recipe`; figures as computed, one row a run. "
            f"Base model: {machine.model.name} in {machine.dtype}, ranks: {machine.ranks}, "
            f"{machine.device}. {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.",
            *(["", f"Keys for all: `{' '.join(machine.overrides)}`."] if machine.overrides else []),
            "",
            *_lines(_head(), [_row(result) for result in results]),
            "",
            "questions: about one fact in other words; trained: questions that training contains "
            "word for word, which are left out. facts: key facts found; whole: questions with "
            "every key fact; page: whole, with the page cited. invented: unanswerable questions "
            "with something invented; leak: questions about other things with library content, "
            "the base's in brackets. general loss: tuned minus base, nats per token; general: "
            "tuned minus base of general questions, with its 95 % interval; instructions: those "
            "followed, the base's in brackets. others: replay and "
            "contrast among a pass's tokens.",
            "",
            "## Facts found, by way of asking",
            "",
            "On the questions that were asked in every way, a sample of those above.",
            "",
            *_lines(["library", "seed", *WAYS.values()], [_ways(result) for result in results]),
            "",
            "## The libraries",
            "",
            *_lines(
                ["library", "what", "licence"],
                [[each.name, each.about, each.licence] for each in LIBRARIES.values()],
            ),
            "",
        ]
    )


def _head() -> list[str]:
    scores = [
        "questions",
        "trained",
        "facts",
        "whole",
        "page",
        "reverse",
        "two facts",
        "invented",
        "leak",
    ]
    cost = ["general loss", "general", "instructions", "exposures", "passes", "steps", "others"]
    return ["library", "seed", *scores, *cost, *(f"{stage}, min" for stage in STAGES)]


def _row(result: Result) -> list[str]:
    tuned = result.answers.get("tuned", Answers())
    base = result.answers.get("base", Answers())
    general = result.general
    return [
        result.library,
        str(result.seed),
        str(result.questions),
        str(result.trained),
        _share(tuned.facts),
        _share(tuned.whole),
        _share(tuned.page),
        _share(tuned.reverse),
        _share(tuned.two_facts),
        _beside(tuned.invented, base.invented),
        _beside(tuned.leak, base.leak),
        "" if result.general_loss is None else f"{result.general_loss:+.3f}",
        "" if general is None else f"{general[0]:+.3f} ({general[1]:+.3f} to {general[2]:+.3f})",
        _beside(*reversed(result.instructions or (None, None))),
        f"{result.exposures:.0f}",
        f"{result.passes:.1f}",
        f"{result.steps:,}",
        f"{100 * result.share_of_others:.0f} %",
        *(f"{result.minutes[stage]:.1f}" if stage in result.minutes else "" for stage in STAGES),
    ]


def _ways(result: Result) -> list[str]:
    shares = (result.compared.get(way, Answers()).facts for way in WAYS)
    return [result.library, str(result.seed), *map(_share, shares)]


def _beside(tuned: float | None, base: float | None) -> str:
    return "" if tuned is None else f"{_share(tuned)} ({_share(base)})"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _lines(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows]]
