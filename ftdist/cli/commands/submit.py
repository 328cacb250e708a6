"""`ftdist submit`: submit a run, or a sweep, to a SLURM cluster."""

import sys
from collections.abc import Sequence

from ftdist_launch.setup.run_setup import library_warnings
from ftdist_launch.slurm.client import Queue
from ftdist_launch.slurm.preflight import plan_summary
from ftdist_launch.slurm.submit import SubmitRequest, check, dry_run, submit

from ftdist.cli.common import answer_hydra, log, print_plan, print_result
from ftdist.config.compose import compose, is_sweep, sweep


def main(words: Sequence[str]) -> int:
    """Submit one run, or with `-m` a sweep as one job array.

    Raises:
        FtdistError: a check failed, or SLURM rejected a job.
    """
    dry = "--dry-run" in words
    words = [word for word in words if word != "--dry-run"]
    if answer_hydra(words, command="submit"):
        return 0
    if not is_sweep(words):
        return _submit([words], name=None, dry=dry)
    names = [word.partition("=")[2] for word in words if word.startswith("run.name=")]
    return _submit(sweep(words), name=names[0] if names else "sweep", dry=dry)


def _submit(runs: list[list[str]], *, name: str | None, dry: bool) -> int:
    queue = Queue()
    requests = [
        SubmitRequest(config=check(compose(words), queue=queue, log=log), overrides=tuple(words))
        for words in runs
    ]
    for note in dict.fromkeys(note for each in requests for note in library_warnings(each.config)):
        log(note)
    if dry:
        for each in requests:
            print_plan(plan_summary(each.config), title=f"Plan of run {each.config.run.name}")
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
