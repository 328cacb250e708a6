"""`ftdist train`: train a run in the foreground, on this machine."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ftdist_launch.sweeps.records import mark_best, record_trial, trials_of

from ftdist.api.training import train_run
from ftdist.cli.common import answer_hydra, log
from ftdist.cli.config_note import log_user_files
from ftdist.cli.exit_messages import report_training
from ftdist.cli.progress import supervise
from ftdist.cli.sweep_table import FAILED, print_sweep
from ftdist.config.sweep import Sweep, is_sweep, read_sweep
from ftdist.errors import FtdistError


def main(words: Sequence[str]) -> int:
    """Train one run, or a sweep (`-m`) one after another.

    Raises:
        FtdistError: the run cannot be started.
    """
    if answer_hydra(words, command="train"):
        return 0
    if is_sweep(words):
        sweep = read_sweep(words)
        log_user_files(run.overrides for run in sweep.runs)
        return _train_sweep(sweep)
    log_user_files([words])
    trained = train_run(words, supervise=supervise, log=log)
    return report_training(trained.finished, run=trained.run)


def _train_sweep(sweep: Sweep) -> int:
    """Train the runs of a sweep one after another; one that fails does not end it.

    Returns:
        The first exit code that is not 0.
    """
    code, ends, root = 0, {}, Path()
    for number, each in enumerate(sweep.runs, 1):
        log(f"Sweep {sweep.name}: run {number} of {len(sweep.runs)}, {each.name}.")
        try:
            trained = train_run(
                each.overrides,
                supervise=supervise,
                log=log,
                on_made=partial(record_trial, sweep=sweep.name, number=number, swept=each.swept),
            )
        except FtdistError as error:
            log(str(error))
            ends[each.name], code = FAILED, code or error.exit_code
            continue
        root, outcome = trained.run.root.parent, trained.finished.outcome
        ends[each.name] = outcome
        ended = report_training(trained.finished, run=trained.run)
        code = code or ended
        if outcome == "stopped":
            break
    trials = mark_best(trials_of(sweep.name, root=root), states=ends)
    print_sweep(sweep.name, trials, states=ends)
    return code
