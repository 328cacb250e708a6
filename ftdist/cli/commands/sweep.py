"""`ftdist sweep`: search for the best values of some keys with Optuna."""

import argparse
from collections.abc import Sequence

from ftdist_launch.sweeps.scores import HELD_OUT, find_score, score_names

from ftdist.api.search import search_space
from ftdist.api.search_state import SearchSettings
from ftdist.cli.common import CommandParser, log, print_result
from ftdist.cli.progress import supervise
from ftdist.cli.sweep_table import print_sweep
from ftdist.config.search_space import SearchSpace, read_search_space
from ftdist.errors import INTERRUPTED, FtdistError

DESCRIPTION = """\
Search for the best values of some keys. Each trial is a run, named after its values; Optuna chooses
the next ones from the scores so far. Takes the keys of `ftdist train`, some with several values:

  optim.peak_lr='interval(1e-5,1e-3)'             any number between
  optim.peak_lr='tag(log,interval(1e-5,1e-3))'    the same, searched by factors
  batch.tokens=1024,2048    train.epochs='range(1,5)'    optim=cosine,wsd

Here trials run one after another; with cluster=slurm as jobs, --parallel at a time. Run the same
command again to continue a search that was stopped, or with more --trials."""


def main(arguments: Sequence[str]) -> int:
    """Search, and print the trials with the best.

    Returns:
        0; 130 if the search was stopped; 70 if no trial has a score.

    Raises:
        FtdistError: a key is wrong, or the search cannot start.
    """
    flags = _parser().parse_intermixed_args(arguments)
    settings = SearchSettings(
        trials=flags.trials,
        score=find_score(flags.score),
        parallel=flags.parallel,
        seed=flags.seed,
    )
    space = read_search_space(flags.keys)
    _announce(space, settings)
    result = search_space(space, settings, supervise=supervise, log=log)
    print_sweep(space.name, result.trials, states=result.states)
    if result.is_stopped:
        running = " Trials in the queue go on." if space.executor == "slurm" else ""
        print_result(f"The sweep was stopped.{running} Run the same command to continue it.")
        return INTERRUPTED
    return 0 if any(trial.is_best for trial in result.trials) else FtdistError.exit_code


def _announce(space: SearchSpace, settings: SearchSettings) -> None:
    log(f"Sweep {space.name}: {settings.trials} trials by {settings.score.name}.")
    for each in space.dimensions:
        log(f"  {each.name}: {each.text}")
        interval = each.interval
        if interval and not interval.log and 0 < interval.low * 50 <= interval.high:
            span = f"interval({interval.low:g},{interval.high:g})"
            log(f"    Note: most of it is near {interval.high:g}; to search by factors, write")
            log(f"    '{each.name}=tag(log,{span})'.")
    if space.size < settings.trials:
        log(f"  There are only {space.size:.0f} combinations.")


def _parser() -> CommandParser:
    parser = CommandParser("sweep", description=DESCRIPTION)
    parser.add_argument("keys", nargs="*", metavar="key=value", help="keys of `ftdist train`")
    parser.add_argument("-m", "--multirun", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--trials", type=_positive, default=20, metavar="N", help="default: 20")
    parser.add_argument(
        "--score",
        default=HELD_OUT.name,
        metavar="NAME",
        help=f"default: {HELD_OUT.name}; or {', '.join(score_names()[1:])}. eval/NAME needs "
        "eval.probes_every_steps; for the others each trial is exported and compared",
    )
    parser.add_argument(
        "--parallel", type=_positive, default=1, metavar="N", help="trials in the queue at once"
    )
    parser.add_argument(
        "--seed", type=_positive, default=1, metavar="N", help="of the sampler, default: 1"
    )
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 10**6:
        raise argparse.ArgumentTypeError("expected a number above 0, for example 20")
    return int(text)
