"""Search for the best values: each trial is a run, and the sampler learns from its score."""

from ftdist_launch.slurm.client import Queue
from ftdist_launch.sweeps.sampler import require_optuna
from ftdist_launch.sweeps.search_records import SearchRecords

from ftdist.api.jobs import Supervise
from ftdist.api.search_local import search_local
from ftdist.api.search_on_cluster import search_on_cluster
from ftdist.api.search_state import Search, SearchResult, SearchSettings
from ftdist.config.search_space import SearchSpace
from ftdist.io.progress import LogFn

POLL_S = 15.0
"""How often the queue of a cluster is looked at."""


def search_space(
    space: SearchSpace,
    settings: SearchSettings,
    *,
    supervise: Supervise,
    log: LogFn,
    poll_s: float = POLL_S,
) -> SearchResult:
    """Train trials until there are as many as asked for; a search that was stopped continues.

    Args:
        space: what is searched.
        settings: how.
        supervise: shows the progress of trials on this machine.
        log: for messages to the user.
        poll_s: seconds between looks at a cluster's queue.

    Raises:
        FtdistError: the search cannot start, or SLURM, the Hub or the disk failed for hours; a
            trial that fails later is recorded.
    """
    require_optuna()
    records = SearchRecords(space=space, score=settings.score, seed=settings.seed)
    with records.exclusive():
        queue = Queue() if space.executor == "slurm" else None
        search = Search(
            records=records, settings=settings, supervise=supervise, log=log, queue=queue
        )
        is_stopped = False
        try:
            if queue is None:
                is_stopped = search_local(search)
            else:
                search_on_cluster(search, poll_s=poll_s)
        except KeyboardInterrupt:
            is_stopped = True
        snapshot = search.read()
        return SearchResult(trials=snapshot.trials, states=snapshot.states, is_stopped=is_stopped)
