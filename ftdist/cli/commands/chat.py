"""`ftdist chat`: talk with a run's models, or ask them one question."""

import json
from collections.abc import Sequence

from ftdist_launch.run_config import read_config
from ftdist_launch.setup.preflight import raise_together
from ftdist_launch.setup.stage_preflight import base_missing, export_missing, merged_missing
from ftdist_launch.subprocesses import run_interactive

from ftdist.cli.common import RunParser, log
from ftdist.config.keys import comparison_keys
from ftdist.config.saved_config import override_config
from ftdist.data.messages import is_text
from ftdist.errors import ConfigError, FtdistError

DESCRIPTION = """\
Talk with the exported model of a run; the conversation is its context. /reset clears the
conversation, /help lists the commands, Ctrl-C stops an answer, Ctrl-D or /quit ends. With -p the
model answers one question and the command ends. Runs on this machine, also for cluster runs."""


def main(arguments: Sequence[str]) -> int:
    """Talk with the models of a run on this terminal.

    Raises:
        FtdistError: there is no such run, no such model, or the prompt is not text.
    """
    parsed = _parser().parse_run(arguments)
    run, flags = parsed.run, parsed.flags
    _check_prompt(flags.prompt, is_required=flags.both)
    tuned = "merged" if flags.merged else "tuned"
    names = ["base"] if flags.base else ["base", tuned] if flags.both else [tuned]
    config = override_config(
        read_config(run), parsed.overrides, allowed=(*comparison_keys(), "cluster.")
    )
    problems = [] if names == ["base"] else list(export_missing(run, verb="chat"))
    if "base" in names:
        remedy = f"restore it; `ftdist chat {run.cli_name}` needs only the tuned model."
        problems += base_missing(run, config, remedy=remedy)
    raise_together(problems)
    if "merged" in names:
        raise_together(list(merged_missing(run)))
    if config.cluster.executor == "slurm":
        log(f"Run {run.name} is a cluster run, but `ftdist chat` runs here; no job is submitted.")
    settings = {
        "prompt": flags.prompt,
        "models": names,
        "max_answer_tokens": config.eval.max_new_tokens,
        "threads": config.eval.num_threads,
        "device": config.cluster.device,
    }
    code = run_interactive("ftdist.inference.interactive", [str(run.root), json.dumps(settings)])
    if code == 1:  # Python's exit code for an uncaught exception
        raise FtdistError(
            "`ftdist chat` crashed.",
            remedy="see the output above; if it does not help, report a bug in ftdist.",
        )
    return code


def _parser() -> RunParser:
    parser = RunParser("chat", description=DESCRIPTION)
    parser.add_argument("-p", "--prompt", metavar="TEXT", help="answer this and end")
    models = parser.add_mutually_exclusive_group()
    models.add_argument("--base", action="store_true", help="the base model in place of the tuned")
    models.add_argument("--both", action="store_true", help="with -p: the base and the tuned model")
    parser.add_argument(
        "--merged", action="store_true", help="the model of `ftdist merge` in place of the tuned"
    )
    return parser


def _check_prompt(prompt: str | None, *, is_required: bool) -> None:
    if (prompt is None and is_required) or (prompt is not None and not prompt.strip()):
        raise ConfigError(
            "`ftdist chat` got no prompt.", remedy='write `ftdist chat R -p "How do I ...?"`.'
        )
    if prompt is not None and not is_text(prompt):
        raise ConfigError(
            "The prompt is not UTF-8 text.", remedy="check this terminal's encoding with `locale`."
        )
