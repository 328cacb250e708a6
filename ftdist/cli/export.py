"""`ftdist export`: the tuned model as a Hugging Face folder."""

import sys
from collections.abc import Sequence

from ftdist.cli.arguments import named_run, say, wants_help
from ftdist.errors import ConfigError

HELP = """Usage: ftdist export R [checkpoint.export_dtype=bfloat16] [checkpoint.export_shard_gib=4]

Writes the newest whole checkpoint of run R as a Hugging Face model folder, R/export: safetensors,
tokenizer, chat template, model card. It is reloaded and compared before it is called done.
"""


def main(words: Sequence[str]) -> int:
    """Export a run's tuned model.

    Raises:
        FtdistError: there is no such run, or nothing to export.
    """
    if wants_help(words, HELP):
        return 0
    run, overrides = named_run(words, verb="export")

    from ftdist.cli.outcome import tell_failure
    from ftdist.cli.progress import view_maker
    from ftdist.config.compose import dump_config, load_config
    from ftdist.rundir import write_whole
    from launch.preflight import export_problems, raise_together
    from launch.resume import changed
    from launch.supervise import Supervisor

    before = load_config(run.config)
    allowed = ("checkpoint.export_dtype", "checkpoint.export_shard_gib", "cluster.")
    config = changed(before, overrides, allowed=allowed)
    raise_together(list(export_problems(run)))
    supervisor = Supervisor.of(run, config, view_of=view_maker(run, steps=None), say=say)
    with supervisor.sole():
        if config != before:
            write_whole(run.config, dump_config(config))
        finished = supervisor.once("export")
    if finished.exit_code:
        tell_failure(finished, run=run)
        return finished.exit_code
    if not (run.export / "config.json").is_file():
        raise ConfigError(
            f"The export of run {run.name} ended well, but {run.export} is not there.",
            remedy=f"read the logs in {run.jobs / 'export'}.",
        )
    sys.stdout.write(f"The tuned model of run {run.name} is in {run.export}.\n")
    return 0
