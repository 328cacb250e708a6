"""`ftdist submit`: submit a run, or a sweep, to a SLURM cluster."""

import sys
from collections.abc import Sequence

from ftdist_launch.setup.library_warnings import library_warnings
from ftdist_launch.slurm.client import Queue
from ftdist_launch.slurm.preflight import plan_summary, save_notes
from ftdist_launch.slurm.submit import check, dry_run, submit

from ftdist.cli.common import answer_hydra, log, print_json, print_plan, print_result, take_flag
from ftdist.cli.config_note import log_user_files
from ftdist.config.compose import compose
from ftdist.config.sweep import Sweep, is_sweep, read_sweep


def main(words: Sequence[str]) -> int:
    """Submit one run, or with `-m` a sweep as one job array.

    Raises:
        FtdistError: a check failed, or SLURM rejected a job.
    """
    dry, words = take_flag("--dry-run", words)
    as_json, words = take_flag("--json", words)
    if answer_hydra(words, command="submit"):
        return 0
    if not is_sweep(words):
        return _submit([words], sweep=None, dry=dry, as_json=as_json)
    sweep = read_sweep(words, verb="submit")
    return _submit([run.overrides for run in sweep.runs], sweep=sweep, dry=dry, as_json=as_json)


def _submit(runs: Sequence[Sequence[str]], *, sweep: Sweep | None, dry: bool, as_json: bool) -> int:
    log_user_files(runs)
    queue = Queue()
    configs = [check(compose(words), queue=queue, log=log) for words in runs]
    notes = (note for c in configs for note in (*library_warnings(c), *save_notes(c)))
    for note in dict.fromkeys(notes):
        log(note)
    if dry:
        for config in configs:
            print_plan(plan_summary(config), title=f"Plan of run {config.run.name}")
        sys.stdout.write(dry_run(configs[0]) + "\n")
        log("Nothing was submitted.")
        return 0
    submitted = submit(configs, overrides=runs, sweep=sweep, queue=queue)
    if as_json:
        rows = [
            {"run": run.name, "folder": run.root, "prepare_job": prepare, "job": job}
            for run, prepare, job in submitted
        ]
        print_json({"runs": rows})
        return 0
    for run, _, job in submitted:
        print_result(f"Run {run.name}: job {job}, in {run.root}.")
    first = submitted[0][0].cli_name
    print_result(
        f"Job {', '.join(prepare for _, prepare, _ in submitted)} prepares the library first. "
        f"Watch it: `ftdist watch {first}`, `ftdist logs {first} -f`."
    )
    if sweep is not None:
        print_result("The runs with their scores, and the best of them: `ftdist status`.")
    return 0
