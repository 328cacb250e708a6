"""From a command line to ranks that run, and to what is done once they have ended.

    start.py      compose, preflight, prepare the library, plan, make the run directory
    preflight.py  everything that can be known to be wrong before anything is started
    submit.py     one job of several ranks through submitit
    job.py        what a rank runs: the bridge to `ftdist.train.main`, and to export and compare
    local.py      watch the ranks of this machine; end them together
    failure.py    which rank failed first
    after.py      done, once more, or give up: a pure decision
    supervise.py  attempt after attempt, under the run's lock

Nothing here loads torch: the crossings are inside the functions of `job.py`, which ranks call.
"""
