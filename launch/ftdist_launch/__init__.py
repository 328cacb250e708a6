"""Launch ranks on this machine or on a SLURM cluster, restart them, and report how they are doing.

    run_setup.py       resolve paths, prepare the library, plan, make the run directory
    preflight.py       every check that can be made before anything starts
    attempts.py        record the start and end of an attempt
    restart_policy.py  done, restart or give up: a pure decision
    entrypoints.py     what a rank runs: train, prepare, export, compare, merge, curate
    local/             start ranks on this machine, monitor them, restart them
    slurm/             build and submit batch scripts, hooks around ranks, the state of jobs
    logs/              timestamps in the logs of ranks, and their merged view
    status.py          the status of a run, from its records and SLURM's queue

Nothing here imports torch: heavy imports are inside the functions of `entrypoints.py`.
"""
