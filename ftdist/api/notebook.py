"""The functions of `import ftdist`: what the commands do, for notebooks and scripts."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from ftdist_launch.run_records import find_runs
from ftdist_launch.setup.run_setup import plan_run
from ftdist_launch.slurm import submit as slurm
from ftdist_launch.slurm.client import Queue
from ftdist_launch.status import read_all
from ftdist_launch.sweeps.scores import HELD_OUT, find_score

from ftdist.api.curation import Curated, curate_library
from ftdist.api.overrides import as_overrides
from ftdist.api.progress import Output
from ftdist.api.run import Overrides, Run, raise_unless_done
from ftdist.api.search import search_space
from ftdist.api.search_state import SearchSettings
from ftdist.api.tables import status_table, trials_table
from ftdist.api.training import train_run
from ftdist.config import compose as composition
from ftdist.config.schema import RunConfig
from ftdist.config.search_space import read_search_space
from ftdist.errors import ConfigError
from ftdist.plan.plan import Plan
from ftdist.rundir import RUNS_ROOT

if TYPE_CHECKING:
    from pandas import DataFrame


def compose(*overrides: Overrides) -> RunConfig:
    """The config of a run, as `ftdist train --cfg job` prints it.

    Args:
        *overrides: "key=value", or a dict of values.

    Raises:
        ConfigError: all that is wrong with them.
    """
    return composition.compose(as_overrides(*overrides))


def curate(*overrides: Overrides, quiet: bool = False) -> Curated:
    """Make a library from documents and conversations, as `ftdist curate`.

    Args:
        *overrides: `library.name`, `library.sources` and other keys of `ftdist curate --help`.
        quiet: show no progress.

    Returns:
        Its folder and a summary; with cluster=slurm the job that makes it.

    Raises:
        FtdistError: a key is wrong, or a source cannot be used.
    """
    return curate_library(as_overrides(*overrides), log=Output(quiet=quiet).log)


def plan(*overrides: Overrides, quiet: bool = False) -> Plan:
    """Steps, tokens, memory and disk of a run that is not started, as `ftdist plan`.

    Args:
        *overrides: keys of `ftdist train --help`.
        quiet: show no messages.

    Raises:
        FtdistError: the run could not be started.
    """
    config = composition.compose(as_overrides(*overrides), name="plan")
    return plan_run(config, new=False, log=Output(quiet=quiet).log, elsewhere=True)[1]


def train(*overrides: Overrides, quiet: bool = False) -> Run:
    """Train a run on this machine, with restarts, as `ftdist train`.

    Args:
        *overrides: keys of `ftdist train --help`.
        quiet: show no progress.

    Returns:
        The run, which is done.

    Raises:
        FtdistError: it cannot start, or it failed.
        KeyboardInterrupt: it was stopped; `Run(...).resume()` continues it.
    """
    _require_main_thread("train")
    out = Output(quiet=quiet)
    trained = train_run(as_overrides(*overrides), supervise=out.supervise, log=out.log)
    raise_unless_done(trained.finished, run=trained.run)
    return Run(trained.run.root)


def submit(*overrides: Overrides, quiet: bool = False) -> Run:
    """Submit a run to SLURM, as `ftdist submit`.

    Args:
        *overrides: `cluster=slurm` and keys of `ftdist train --help`.
        quiet: show no messages.

    Returns:
        The run, which is in the queue; `wait()` waits for it.

    Raises:
        FtdistError: a check failed, or SLURM rejected a job.
    """
    words, queue, out = as_overrides(*overrides), Queue(), Output(quiet=quiet)
    config = slurm.check(composition.compose(words), queue=queue, log=out.log)
    ((run, _, job),) = slurm.submit([config], overrides=[words], queue=queue)
    out.log(f"Run {run.name}: job {job}, in {run.root}.")
    return Run(run.root)


def sweep(
    *overrides: Overrides,
    trials: int = 20,
    score: str = HELD_OUT.name,
    parallel: int = 1,
    seed: int = 1,
    quiet: bool = False,
) -> "DataFrame":
    """Search for the best values of some keys with Optuna, as `ftdist sweep`.

    Args:
        *overrides: keys of `ftdist train --help`; swept ones as strings, such as
            "optim.peak_lr=interval(1e-5,1e-3)".
        trials: how many runs in all; earlier ones of the same search count.
        score: what is searched for.
        parallel: trials in a cluster's queue at once.
        seed: of the sampler.
        quiet: show no progress.

    Returns:
        A row per trial: its run, its values, its score, whether it is the best.

    Raises:
        FtdistError: the search cannot start.
        KeyboardInterrupt: it was stopped; the same call continues it.
    """
    _require_main_thread("sweep")
    out, found = Output(quiet=quiet), find_score(score)
    result = search_space(
        read_search_space(as_overrides(*overrides)),
        SearchSettings(trials=trials, score=found, parallel=parallel, seed=seed),
        supervise=out.supervise,
        log=out.log,
    )
    if result.is_stopped:
        raise KeyboardInterrupt("The sweep was stopped; the same call continues it.")
    return trials_table(result.trials)


def runs(root: str | Path = RUNS_ROOT) -> "DataFrame":
    """The state of every run in a folder, newest first, as `ftdist status`."""
    statuses = read_all(find_runs(Path(root)), queue=Queue())
    return status_table(sorted(statuses, key=lambda status: -status.created))


def _require_main_thread(name: str) -> None:
    """Training takes over Ctrl-C, which Python allows in the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        raise ConfigError(
            f"ftdist.{name}() must be called in the main thread of its process.",
            remedy="call it from a cell or a script, not from a thread or a callback.",
        )
