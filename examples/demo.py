"""The demo: a real base model learns an invented product's manual on this machine.

    python -m examples.demo

Fetches SmolLM2-135M-Instruct, writes the A-45 conversations, then runs the commands that a user
would type: curate, train, export, compare. A stage whose result is there already, made from the
same inputs, is not run again. The run's name holds a hash of those inputs: change one, and a new
run is made.
"""

import hashlib
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from rich.console import Console

from examples import smollm2
from examples.a45 import make as a45
from ftdist.config.compose import compose
from ftdist.config.saved_config import dump_config
from ftdist.errors import FtdistError
from ftdist.evaluation.probes import PROBES_NAME
from ftdist.io.units import format_duration
from ftdist.observe.metrics import PEAK_GIB, TOKENS_PER_S, read_metrics
from ftdist.rundir import RunDir

MODEL = Path(".cache/ftdist/smollm2-135m-instruct")
A45 = Path(".cache/ftdist/a45")
LIBRARY = Path("libraries/a45")
ASKED = A45 / "asked.jsonl"
"""Probes of the A-45 example and those of the curated library."""

CURATION = (
    f"library.name={LIBRARY.name}",
    f"library.sources=[a45={A45 / 'library'}]",
    f"model.path={MODEL}",
    "model.sequence_length=512",
    # The same answer to each question in eight wordings is meant.
    "clean.dedup=false",
    "split.held_out_conversations=0",
    "split.num_probes=0",
    "retention.product_names=[A-45 SuperWidget,A-45 widget,SuperWidget,A-45]",
    "retention=recommended",
    # Less of it than was measured, to be done in half the time; answers here have 30 tokens.
    "retention.num_replay_answers=80",
    "retention.num_replay_texts=50",
    "retention.num_out_of_scope_answers=600",
    "retention.out_of_scope_fraction=0.45",
    "retention.long_answer_fraction=0",
)
STAGES_S = {"model": 25, "library": 190, "train": 940, "export": 10, "compare": 190}
"""About how long each stage takes on two cores: what the remaining time is reckoned from."""

STOPPED = (130, 143)
"""What a command answers that Ctrl-C or a TERM signal stopped."""


class Stages:
    """Says which stage begins and how long the rest will take; adds up the minutes.

    Args:
        console: where it says so.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self.took_s: dict[str, float] = {}

    def run(self, name: str, title: str, work: Callable[[], None]) -> None:
        """Run one stage."""
        names = list(STAGES_S)
        rest_s = sum(STAGES_S[later] for later in names[names.index(name) :])
        self._console.print(
            f"[bold]\\[{names.index(name) + 1}/{len(names)}] {title}[/] "
            f"(about {format_duration(rest_s)} left in all)"
        )
        began = time.monotonic()
        work()
        self.took_s[name] = time.monotonic() - began
        self._console.print(f"      took {format_duration(self.took_s[name])}\n")


def main() -> int:
    """Run the demo; answers with the exit code of the first stage that fails."""
    console = Console(highlight=False)
    stages = Stages(console)
    try:
        stages.run(
            "model",
            "Fetch the base model, SmolLM2-135M-Instruct",
            lambda: _ignore(smollm2.fetch(MODEL, console=console)),
        )
        stages.run("library", "Curate the A-45 SuperWidget library", curate)
        run = RunDir(Path("runs") / f"demo-{fingerprint()}")
        stages.run("train", "Train all parameters, ZeRO-3 over 2 processes", lambda: train(run))
        stages.run("export", "Export a Hugging Face folder", lambda: export(run))
        stages.run("compare", "Ask base and tuned the held-out questions", lambda: compare(run))
    except subprocess.CalledProcessError as error:
        if error.returncode in STOPPED:
            console.print("Stopped. `make demo` goes on from here.")
            return error.returncode
        console.print(f"The demo stopped: `{shlex.join(map(str, error.cmd))}` failed.")
        return error.returncode if error.returncode > 0 else 1
    except FtdistError as error:
        console.print(str(error), markup=False)
        return error.exit_code
    except KeyboardInterrupt:
        console.print("Stopped. `make demo` goes on from here.")
        return 130
    tell(run, stages, console)
    return 0


def fingerprint() -> str:
    """Of everything that the tuned model depends on: config, model and library."""
    digest = hashlib.sha256(dump_config(compose(["experiment=demo"])).encode())
    for file in sorted([*A45.rglob("*.jsonl"), *LIBRARY.rglob("*.parquet")]):
        digest.update(file.read_bytes())
    digest.update((MODEL / smollm2.ORIGIN_FILE).read_bytes())
    return digest.hexdigest()[:8]


def curate() -> None:
    """Write the conversations, curate them, and put together what is asked at the end."""
    a45.write(A45)
    ftdist("curate", *CURATION)
    a45.write_asked(ASKED, own=A45 / PROBES_NAME, curated=LIBRARY / PROBES_NAME)


def train(run: RunDir) -> None:
    """Train the run, or go on with it; a complete run is left alone."""
    if any(event["event"] == "training_complete" for event in run.read_events()):
        _say(f"{run.name} is trained already.")
    elif run.exists():
        ftdist("resume", run.name)
    else:
        ftdist("train", "experiment=demo", f"run.name={run.name}")


def export(run: RunDir) -> None:
    """Export the run, once."""
    if (run.export / "config.json").is_file():
        _say(f"{run.export} is there already.")
    else:
        ftdist("export", run.name)


def compare(run: RunDir) -> None:
    """Compare, once; then show it again from the report."""
    if (run.report / "scores.json").is_file():
        from ftdist.evaluation.report.terminal import print_comparison

        _say(f"{run.report} is there already.")
        print_comparison(run.report, Console())
    else:
        ftdist("compare", run.name)


def ftdist(*arguments: str) -> None:
    """Run a command of ftdist as a user would."""
    _say(f"$ ftdist {shlex.join(arguments)}")
    subprocess.run([sys.executable, "-m", "ftdist", *arguments], check=True)


def tell(run: RunDir, stages: Stages, console: Console) -> None:
    """The demo's figures, in one place."""
    scores = json.loads((run.report / "scores.json").read_text())
    rows = read_metrics(run.metrics)
    # The first step of an attempt warms everything up.
    speed = median(row[TOKENS_PER_S.name] for row in rows[1:])
    peak = max(row[PEAK_GIB.name] for row in rows)
    console.print("[bold]What came out[/]")
    for kind in sorted(scores["tuned"]):
        base, tuned = scores["base"].get(kind), scores["tuned"][kind]
        before = "   -" if base is None else f"{base:.2f}"
        console.print(f"  {kind:<18} base {before}   tuned {tuned:.2f}")
    console.print(
        f"  {len(rows)} steps, {speed:.0f} tokens/s, {peak:.2f} GiB a rank at the highest"
    )
    minutes = {name: f"{seconds / 60:.1f}" for name, seconds in stages.took_s.items()}
    total = sum(stages.took_s.values()) / 60
    listed = ", ".join(f"{name} {took}" for name, took in minutes.items())
    console.print(f"  {total:.1f} minutes: {listed}")
    console.print(f"  tuned model {run.export}, answers {run.report / 'answers.jsonl'}")


def _ignore(result: object) -> None:
    """The stage's result lies on disk."""


def _say(text: str) -> None:
    sys.stdout.write(f"      {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
