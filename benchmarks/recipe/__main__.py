"""Judge the recipe: `ftdist expert` on seven libraries, asked by hand-written questions.

    python -m benchmarks.recipe                        all libraries, seed 1
    python -m benchmarks.recipe a45 nut --seeds 1,2,3
    python -m benchmarks.recipe catalogue --dry-run    the commands, and what each library holds
    python -m benchmarks.recipe a45 nut optim.peak_lr=1e-4 --root attempts/lr    one key for all

Nothing is set by library. A complete run is not run again, and an interrupted one continues: give
an attempt with other keys a root of its own. Documents, runs, logs, results.json and results.md
are there; the results are written after each run.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.recipe.libraries import LIBRARIES
from benchmarks.recipe.packages import FetchError
from benchmarks.recipe.questions import read_questions
from benchmarks.recipe.results import Result
from benchmarks.recipe.runs import Machine, Run
from benchmarks.recipe.table import page
from examples.smollm2 import fetch
from ftdist.errors import FtdistError
from ftdist.io.jsonl import write_whole

CHECKOUT = Path(__file__).parents[2]
ROOT = CHECKOUT / ".cache" / "recipe"
MODEL = CHECKOUT / ".cache" / "ftdist" / "smollm2-135m-instruct"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is not complete, and write the table.

    Returns:
        0, or the exit code of the first run that failed.
    """
    options = _parser().parse_intermixed_args(arguments)
    names = [word for word in options.words if "=" not in word] or list(LIBRARIES)
    unknown = [name for name in names if name not in LIBRARIES]
    if unknown:
        _parser().error(f"no library {unknown[0]!r}: choose among {', '.join(LIBRARIES)}")
    root = options.root.resolve()
    machine = Machine(
        model=options.model.resolve(),
        dtype=options.dtype,
        ranks=options.ranks,
        device=options.device,
        overrides=tuple(word for word in options.words if "=" in word),
    )
    seeds = [int(seed) for seed in options.seeds.split(",")]
    runs = [Run(library=LIBRARIES[name], seed=seed, root=root) for seed in seeds for name in names]
    try:
        if not options.dry_run and options.model == MODEL:
            fetch(MODEL, console=Console())
        return _run_all(runs, machine=machine, dry=options.dry_run)
    except (FetchError, FtdistError, LookupError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


def _run_all(runs: Sequence[Run], *, machine: Machine, dry: bool) -> int:
    first_failure = 0
    for number, run in enumerate(runs, 1):
        run.check_words(machine)
        run.write_inputs()
        state = "complete" if run.is_complete else "to run"
        print(f"{number} of {len(runs)}: {run.name}, {_counts(run)}: {state}", flush=True)
        print(f"  {run.command(machine)}", flush=True)
        if dry or run.is_complete:
            continue
        code = run.start(machine)
        if code:
            print(f"{run.name} failed with exit code {code}", file=sys.stderr)
            first_failure = first_failure or code
        _write(runs, machine=machine)
    text = _write(runs, machine=machine)
    print(text if text else "No run is complete.")
    return first_failure


def _counts(run: Run) -> str:
    counts = Counter(row["kind"] for row in read_questions(run.library.name))
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    return f"hand-written questions: {kinds}"


def _write(runs: Sequence[Run], *, machine: Machine) -> str:
    """Write the results of the complete runs; "" if there is none."""
    results = [Result.from_run(run) for run in runs if run.is_complete]
    if not results:
        return ""
    root = runs[0].root
    text = page(results, machine=machine)
    values = [result.to_json() for result in results]
    write_whole(root / "results.json", json.dumps(values, indent=2) + "\n")
    write_whole(root / "results.md", text)
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recipe", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("words", nargs="*", metavar="LIBRARY or KEY=VALUE")
    parser.add_argument("--seeds", default="1", help="such as 1,2,3")
    parser.add_argument("--root", type=Path, default=ROOT, help="folder of runs and results")
    parser.add_argument("--model", type=Path, default=MODEL, help="folder of the base model")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--ranks", type=int, default=2, help="cluster.tasks_per_node")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--dry-run", action="store_true", help="print the plan, run nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
