"""Entry points of ranks: module-level functions of one argument, which submitit pickles by name.

Heavy packages are imported inside the functions, on ranks only.
"""

import os
import sys
from dataclasses import asdict
from pathlib import Path

from ftdist.dist.phases import SharedProgress
from ftdist.rundir import RunDir
from ftdist_launch.local.submit import ATTEMPT, START_S
from ftdist_launch.rank_process import on_slurm, rank_process
from ftdist_launch.slurm.sbatch import CURATION


def train(run_dir: str) -> None:
    """One rank of an attempt of a run."""
    run, attempt = RunDir(Path(run_dir)), int(os.environ[ATTEMPT])
    progress = SharedProgress(start_s=float(os.environ[START_S]))
    with rank_process(run.attempt(attempt), progress) as info:
        from ftdist.dist.handshake import KEY
        from ftdist.dist.rendezvous import Address
        from ftdist.dist.world import World
        from ftdist.train.main import main

        address = None
        if on_slurm():
            address = Address(
                host=os.environ["MASTER_ADDR"],
                port=int(os.environ["MASTER_PORT"]),
                secret=os.environ.pop(KEY),  # no child of this process needs it
            )
        world = World(**asdict(info))
        sys.exit(main(run.root, world, attempt=attempt, rendezvous=address, progress=progress))


def curate(work_dir: str) -> None:
    """Curate a library, as `curation.json` of its working folder says: one process."""
    work = RunDir(Path(work_dir))
    with rank_process(work.attempts / "curate"):
        from ftdist.library.main import curate_config_file

        sys.stdout.write(curate_config_file(work.root / CURATION).card + "\n")


def prepare(run_dir: str) -> None:
    """Tokenise and pack a run's library, and plan the run: one process."""
    run = RunDir(Path(run_dir))
    with rank_process(run.attempts / "prepare"):
        from ftdist.config.saved_config import load_config
        from ftdist.prepare.main import prepare as prepare_library
        from ftdist_launch.setup.preflight import data_problems, raise_together
        from ftdist_launch.setup.run_setup import write_first_plan

        config = load_config(run.config)
        # Of a library that was curated meanwhile, nothing was known at submission.
        raise_together(list(data_problems(config)))
        library = prepare_library(config)
        plan = write_first_plan(run, config, library=library, log=print)
        run.append_event("data_prepared", steps=plan.steps, library=plan.library.path)


def export(run_dir: str) -> None:
    """Export the best committed checkpoint, or the newest, as a model folder: one process."""
    run = RunDir(Path(run_dir))
    with rank_process(run.attempts / "export"):
        from ftdist.checkpoint.changed_models import export_digests
        from ftdist.checkpoint.export import export as export_run
        from ftdist.config.saved_config import load_config
        from ftdist.observe.wandb.stage_upload import upload_artifacts

        exported = export_run(run.root)
        run.record_event(
            "model_exported",
            step=exported.step,
            dtype=exported.dtype,
            unchecked=exported.unchecked,
            files=export_digests(run.export),
        )
        if exported.unchecked is not None:
            sys.stdout.write(f"Warning: {exported.unchecked}\n")
        upload_artifacts(run, load_config(run.config), log=print)


def merge(run_dir: str) -> None:
    """Evaluate models between the base and the tuned one, and keep the best: one process."""
    run = RunDir(Path(run_dir))
    with rank_process(run.attempts / "merge"):
        from ftdist.evaluation.merge_sweep import merge_models

        merge_models(run.root)


def compare(run_dir: str) -> None:
    """Evaluate the base and the tuned model on the same questions: one process."""
    run = RunDir(Path(run_dir))
    with rank_process(run.attempts / "compare"):
        from ftdist.evaluation.compare import compare as compare_run

        compare_run(run.root)
