"""The measurements as tables and sentences, in Markdown; the same text is printed and written."""

import os
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import WARM_UP_STEPS, Outcome, median, ratio_by_round

OURS, BARE, TRL_PACKED, TRL_UNPACKED = "ftdist", "bare DeepSpeed", "TRL packed", "TRL unpacked"
MIN_OVER_BARE, MIN_OVER_TRL = 1.1, 1.35
MAX_FIRST_STEP_OVER_TRL = 0.8
MIN_OF_TOKENIZERS, MIN_FILLED, MAX_ORDER_US = 0.8, 0.99, 10

_COMPONENTS = (
    "## Where a step's time goes",
    "",
    "ftdist's engine, without launcher and logs; wall time of a rank, means over ranks. Products "
    "are float32 matrix products, by torch's profiler in one more step; gathers, reductions and "
    "the optimizer include the wait for other ranks. The rate is that of float32 products of one "
    "thread, all ranks at once; its share counts 6 FLOPs per token and weight, and in the head "
    "per loss token.",
    "",
)

_RECIPE = (
    "## The recipe on seven libraries",
    "",
    "What `ftdist expert` reaches is measured apart from speed: `python -m benchmarks.recipe` "
    "curates, trains and compares seven libraries with the product's command and nothing set by "
    "library, and asks hand-written questions. `benchmarks/README.md` says what the libraries are, "
    "what is counted, and how to repeat it.",
    "",
)

Value = Callable[[Outcome], float]


@dataclass(frozen=True)
class Column:
    """One figure of a configuration."""

    title: str
    value: Value
    digits: int

    def show(self, number: float) -> str:
        """A number as it stands in a table."""
        return f"{number:.{self.digits}f}"


COLUMNS = (
    Column("tokens/s", lambda run: run.tokens_per_s, 1),
    Column("loss tokens/s", lambda run: run.loss_tokens_per_s, 1),
    Column("step, s", lambda run: run.step_s, 2),
    Column("processor time of a step, s", lambda run: run.cpu_step_s, 2),
    Column("peak memory, GiB", lambda run: run.peak_gib, 2),
    Column("first step, s", lambda run: run.first_step_s, 1),
    Column("first step from the command, s", lambda run: run.command_to_first_step_s, 1),
)


def medians_table(runs: Mapping[str, Sequence[Outcome]]) -> list[str]:
    """One line a configuration: the median of its rounds."""
    lines = head(["", *(column.title for column in COLUMNS)])
    for name, outcomes in runs.items():
        cells = [column.show(median(map(column.value, outcomes))) for column in COLUMNS]
        lines.append(line([name, *cells]))
    return lines


def every_run_table(runs: Mapping[str, Sequence[Outcome]]) -> list[str]:
    """One line a run, in the order in which they ran."""
    titles = ["round", "", *(column.title for column in COLUMNS), "ranks' peaks, GiB"]
    lines = head([*titles, "steps, s", "load before"])
    for number in range(max(map(len, runs.values()))):
        for name, outcomes in runs.items():
            run = outcomes[number]
            figures = [column.show(column.value(run)) for column in COLUMNS]
            peaks = " ".join(f"{peak:.2f}" for peak in run.peaks_gib)
            steps = " ".join(f"{seconds:.1f}" for seconds in step_times(run))
            cells = [str(number + 1), name, *figures, peaks, steps, f"{run.load_before:.1f}"]
            lines.append(line(cells))
    return lines


def ratios_table(runs: Mapping[str, Sequence[Outcome]]) -> list[str]:
    """Our figures over each other configuration's: the median over rounds, and each round."""
    others = [name for name in runs if name != OURS]
    lines = head(["ftdist over", *(column.title for column in COLUMNS)])
    for name in others:
        cells = []
        for column in COLUMNS:
            ratios = ratio_by_round(runs[OURS], runs[name], value=column.value)
            each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
            cells.append(f"{median(ratios):.2f} ({each})")
        lines.append(line([name, *cells]))
    return lines


def step_times(run: Outcome) -> list[float]:
    """Wall time of each step but the first."""
    return [
        after.time - before.time for before, after in zip(run.steps, run.steps[1:], strict=False)
    ]


def verdicts(runs: Mapping[str, Sequence[Outcome]]) -> list[str]:
    """Which goals were met, in a sentence each."""
    sentences = []
    for name, least in ((BARE, MIN_OVER_BARE), (TRL_PACKED, MIN_OVER_TRL)):
        if name in runs:
            ratios = ratio_by_round(runs[OURS], runs[name], value=lambda run: run.tokens_per_s)
            goal = f"at least {least} times the tokens/s of {name}"
            measured = f"{median(ratios):.2f} times its tokens/s"
            sentences.append(_verdict(goal, met=median(ratios) >= least, measured=measured))
    if TRL_PACKED in runs:
        ratios = ratio_by_round(
            runs[OURS], runs[TRL_PACKED], value=lambda run: run.command_to_first_step_s
        )
        ratio = median(ratios)
        goal = (
            f"start to first step in at most {MAX_FIRST_STEP_OVER_TRL} of the time of {TRL_PACKED}"
        )
        met = ratio <= MAX_FIRST_STEP_OVER_TRL
        sentences.append(_verdict(goal, met=met, measured=f"{ratio:.2f} of its time"))
    lower = [name for name in (BARE, TRL_PACKED, TRL_UNPACKED) if name in runs]
    if lower:
        own = median(run.peak_gib for run in runs[OURS])
        theirs = {name: median(run.peak_gib for run in runs[name]) for name in lower}
        listed = ", ".join(f"{gib:.2f} ({name})" for name, gib in theirs.items())
        measured = f"{own:.2f} GiB against {listed}"
        goal = f"less memory than {', '.join(lower)}"
        sentences.append(_verdict(goal, met=own < min(theirs.values()), measured=measured))
    return sentences


def data_verdicts(tokenised: Mapping[str, Any]) -> list[str]:
    """Which goals of `benchmarks.tokenise` were met, in a sentence each."""
    ratio, filled, order_us = (
        tokenised[name] for name in ("ratio", "filled", "order_us_per_sequence")
    )
    each = ", ".join(f"{one:.2f}" for one in tokenised["ratios"])
    return [
        _verdict(
            f"rows to packed tokens at {MIN_OF_TOKENIZERS} of the speed of tokenizers alone",
            met=ratio >= MIN_OF_TOKENIZERS,
            measured=f"{ratio:.2f} ({each}), {tokenised['ratio_to_fast']:.2f} of its speed without "
            f"offsets, {tokenised['tokens']:,} tokens, {tokenised['cores']} cores",
        ),
        _verdict(
            f"sequences at least {MIN_FILLED:.0%} full",
            met=filled >= MIN_FILLED,
            measured=f"{filled:.2%}",
        ),
        _verdict(
            f"order and mixing in at most {MAX_ORDER_US} microseconds a sequence",
            met=order_us <= MAX_ORDER_US,
            measured=f"{order_us:.1f}",
        ),
    ]


def machine() -> dict[str, str]:
    """What the figures were taken on."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    total = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    huge = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return {
        "CPU": cpu[1].strip() if cpu else platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{int(total[1]) / 2**20:.1f} GiB" if total else "unknown",
        "system": f"Linux {platform.release().partition('-')[0]}, {' '.join(platform.libc_ver())}",
        "huge pages": huge.read_text().strip() if huge.is_file() else "unknown",
    }


def document(
    runs: Mapping[str, Sequence[Outcome]],
    *,
    facts: Mapping[str, str],
    settings: Sequence[str],
    tokenised: Mapping[str, Any],
    components: Sequence[str] = (),
) -> str:
    """The whole page.

    Args:
        runs: of each configuration, a run for each round, in turns.
        facts: machine, versions, date.
        settings: what was asked of each configuration, a sentence each.
        tokenised: what `benchmarks.tokenise` found.
        components: the table of a step's components; empty: they were not measured.
    """
    rounds, steps = len(runs[OURS]), len(runs[OURS][0].steps)
    lines = [
        "# Speed and memory, measured",
        "",
        "Written by `make bench`, figures as printed. How it measures: `benchmarks/README.md`.",
        "",
        "## Goals",
        "",
        *(f"- {sentence}" for sentence in verdicts(runs)),
        *(f"- {sentence}" for sentence in data_verdicts(tokenised)),
        "",
        "## Medians",
        "",
        f"{rounds} rounds of {steps} steps, configurations in turns. Speeds are over the steps "
        f"after the first {WARM_UP_STEPS}.",
        "",
        *medians_table(runs),
        "",
        "## ftdist over the others",
        "",
        "Median over rounds, and each round. Above 1 is better for tokens/s, below 1 for the rest.",
        "",
        *ratios_table(runs),
        "",
        *(_COMPONENTS if components else ()),
        *components,
        "## Every run",
        "",
        *every_run_table(runs),
        "",
        "## What ran",
        "",
        *(f"- {sentence}" for sentence in settings),
        "",
        "## Where",
        "",
        *head(["", ""]),
        *(line([name, value]) for name, value in facts.items()),
        "",
        *_RECIPE,
    ]
    return "\n".join(lines)


def _verdict(goal: str, *, met: bool, measured: str) -> str:
    return f"{'Met' if met else 'NOT met'}: {goal}. Measured: {measured}."


def head(titles: Sequence[str]) -> list[str]:
    """The head of a table."""
    return [line(titles), line(["---"] * len(titles))]


def line(cells: Sequence[str]) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |"
