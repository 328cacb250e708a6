"""What `ftdist ask` and `ftdist chat` have in common: a child that holds the models, here."""

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ftdist.cli.common import log, named_run
from ftdist.errors import ConfigError, FtdistError

if TYPE_CHECKING:
    from ftdist.rundir import RunDir

MERGED = "--merged"
"""The flag that asks for the run's merged model."""

KEY = re.compile(r"[a-z_]+(\.[a-z_]+)+=.*|cluster=.*")
"""A word that sets a key; anything else with "=" in it may be part of a question."""


def split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is said, and the words that set keys or are flags."""
    keys = [word for word in words if KEY.fullmatch(word) or re.fullmatch(r"--?[a-z-]+", word)]
    return [word for word in words if word not in keys], keys


def talk(words: Sequence[str], *, verb: str, question: str | None) -> int:
    """Run the conversation on this terminal.

    Args:
        words: the run's name, and keys.
        verb: for what is said.
        question: for both models; None: a conversation with the tuned one.

    Raises:
        FtdistError: there is no such run, or it has no exported model.
    """
    merged = MERGED in words
    run, overrides = named_run([word for word in words if word != MERGED], verb=verb)

    from ftdist_launch.preflight import base_missing, export_missing, raise_together
    from ftdist_launch.resume import changed, read_config
    from ftdist_launch.subprocesses import run_interactive

    config = changed(read_config(run), overrides, allowed=("eval.", "cluster."))
    problems = list(export_missing(run, verb=verb))
    if question is not None:
        alone = f"`ftdist chat {run.cli_name}` asks the tuned model alone"
        problems += base_missing(run, config, remedy=f"put it back; {alone}.")
    raise_together(problems)
    if merged:
        _check_merged_model(run, verb=verb)
    if config.cluster.executor == "slurm":
        log(
            f"Run {run.name} is of a cluster, but `ftdist {verb}` answers here, on this machine, "
            "and puts nothing into the queue."
        )
    settings = {
        "question": question,
        "max_answer_tokens": config.eval.max_new_tokens,
        "threads": config.eval.num_threads,
        "device": config.cluster.device,
        "merged": merged,
    }
    code = run_interactive("ftdist.inference.interactive", [str(run.root), json.dumps(settings)])
    if code == 1:  # Python's own: an error that is none of ours
        raise FtdistError(
            f"`ftdist {verb}` ended without an answer.",
            remedy="read what it wrote above; if it is no help, this is a mistake of ftdist's own.",
        )
    return code


def _check_merged_model(run: "RunDir", *, verb: str) -> None:
    """Refuse a run without a merged model, or with one of another export."""
    from ftdist.evaluation.report.merge_sweep import is_of_export

    if not (run.merged_model / "config.json").is_file():
        raise ConfigError(
            f"Run {run.name} has no merged model to {verb}.",
            remedy=f"make one (`ftdist merge {run.cli_name}`), or leave out {MERGED}.",
        )
    if not is_of_export(run):
        raise ConfigError(
            f"The merged model of run {run.name} does not belong to the model in {run.export}: it "
            "was made from another export.",
            remedy=f"make a new one (`ftdist merge {run.cli_name}`), or leave out {MERGED}.",
        )
