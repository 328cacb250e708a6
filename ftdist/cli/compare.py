"""`ftdist compare`: the base and the tuned model, asked the same questions."""

from collections.abc import Sequence

from ftdist.cli.arguments import named_run, say, wants_help

HELP = """Usage: ftdist compare R [compare.probes=FILE.jsonl] [compare.KEY=VALUE ...]

Asks the base model and the exported model of run R the same questions with known answers, and
writes R/report: answers.jsonl and scores.json. Probes: rows of question, answer, keys, kind.
"""


def main(words: Sequence[str]) -> int:
    """Compare the base with the tuned model of a run.

    Raises:
        FtdistError: there is no such run, no exported model or no questions.
    """
    if wants_help(words, HELP):
        return 0
    run, overrides = named_run(words, verb="compare")

    import dataclasses
    from pathlib import Path

    from rich.console import Console

    from ftdist.cli.outcome import tell_failure
    from ftdist.cli.progress import view_maker
    from ftdist.config.compose import load_config
    from launch.preflight import compare_problems, raise_together
    from launch.resume import changed
    from launch.supervise import Supervisor, write_compare_request

    config = changed(load_config(run.config), overrides, allowed=("compare.", "cluster."))
    if config.compare.probes is not None:
        probes = str(Path(config.compare.probes).expanduser().resolve())
        config = dataclasses.replace(
            config, compare=dataclasses.replace(config.compare, probes=probes)
        )
    raise_together(list(compare_problems(run, config)))
    supervisor = Supervisor.of(run, config, view_of=view_maker(run, steps=None), say=say)
    with supervisor.sole():
        write_compare_request(run, dataclasses.asdict(config.compare))
        finished = supervisor.once("compare")
    if finished.exit_code:
        tell_failure(finished, run=run)
        return finished.exit_code

    from ftdist.expert.show import print_comparison

    print_comparison(run.report, Console())
    return 0
