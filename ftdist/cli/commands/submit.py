"""`ftdist submit`: submit a run, or a sweep, to a SLURM cluster."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ftdist.config.compose import compose, hydra_flags, is_sweep, run_hydra_flags, sweep

if TYPE_CHECKING:
    from ftdist.config.schema import RunConfig


def main(words: Sequence[str]) -> int:
    """Submit one run, or with `-m` a sweep as one job array.

    Raises:
        FtdistError: a check failed, or SLURM rejected a job.
    """
    dry = "--dry-run" in words
    words = [word for word in words if word != "--dry-run"]
    if hydra_flags(words):
        sys.stdout.write(run_hydra_flags(words).replace("ftdist train", "ftdist submit"))
        return 0
    if not is_sweep(words):
        return _submit([list(words)], name=None, dry=dry)
    runs = sweep(words)
    names = [word.partition("=")[2] for word in words if word.startswith("run.name=")]
    return _submit(runs, name=names[0] if names else "sweep", dry=dry)


def _submit(runs: list[list[str]], *, name: str | None, dry: bool) -> int:
    from ftdist_launch.run_setup import library_warnings
    from ftdist_launch.slurm.client import Queue
    from ftdist_launch.slurm.submit import SubmitRequest, check, dry_run, submit

    from ftdist.cli.common import log, print_result

    queue = Queue()
    requests = [
        SubmitRequest(config=check(compose(words), queue=queue, log=log), overrides=tuple(words))
        for words in runs
    ]
    for note in dict.fromkeys(note for each in requests for note in library_warnings(each.config)):
        log(note)
    if dry:
        for each in requests:
            _print_plan(each.config)
        sys.stdout.write(dry_run(requests[0].config) + "\n")
        log("Nothing was submitted.")
        return 0
    submitted = submit(requests, sweep=name, queue=queue)
    for run, job in zip(submitted.runs, submitted.train, strict=True):
        print_result(f"Run {run.name}: job {job}, in {run.root}.")
    first = submitted.runs[0]
    print_result(
        f"Job {', '.join(submitted.prepare)} prepares the library first. "
        f"Watch it: `ftdist status {first.cli_name}`, `ftdist logs {first.cli_name} -f`."
    )
    return 0


def _print_plan(config: "RunConfig") -> None:
    from ftdist_launch.slurm.preflight import plan_summary
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"Plan of run {config.run.name}", show_header=False)
    for what, how_much in plan_summary(config):
        table.add_row(what, how_much)
    Console(soft_wrap=not sys.stdout.isatty()).print(table)
