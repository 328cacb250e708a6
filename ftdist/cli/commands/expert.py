"""`ftdist expert`: from documents to a tuned model and its report, in one command."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from ftdist_launch.expert.cluster import submit_expert
from ftdist_launch.expert.describe import durations, facts, stage_rows, unknown
from ftdist_launch.expert.local import run_here
from ftdist_launch.expert.request import ExpertRequest, check_expert
from ftdist_launch.expert.schedule import Schedule, recorded_words, schedule
from ftdist_launch.expert.stages import TITLES, StageName, read_stages
from ftdist_launch.setup.resume import replan
from ftdist_launch.setup.run_setup import plan_run
from ftdist_launch.slurm.client import Queue
from ftdist_launch.slurm.run_jobs import queued_jobs
from rich.table import Table
from rich.text import Text

from ftdist.cli.common import log, print_plan, print_result
from ftdist.cli.config_note import log_files
from ftdist.cli.exit_messages import report_failure
from ftdist.cli.progress import supervise
from ftdist.config.expert import compose_expert, expand, expert_files, override_name
from ftdist.config.hydra_flags import hydra_flags
from ftdist.config.search_path import split_config_dir
from ftdist.config.sweep import is_sweep
from ftdist.errors import INTERRUPTED, ConfigError, FtdistError
from ftdist.evaluation.report.terminal import print_comparison
from ftdist.rundir import RUNS_ROOT, RunDir, find_run
from ftdist.text.terminal import text_console

HELP = """\
Usage: ftdist expert sources=[PATH,...] model=PATH|owner/name run.name=R [KEY=VALUE ...]
       ftdist expert R [KEY=VALUE ...]

From documents and chats to a tuned model and a report of what it learned, forgot and leaked:

  curate    make libraries/R of the sources: clean, deduplicate, split, add questions and replay
  prepare   tokenise, pack and plan
  train     train all parameters
  export    write R/export, a Hugging Face model folder
  compare   ask base and tuned model the same questions, and write R/report

The stages run here, one after another, or with cluster=slurm (or a cluster of your own) as jobs,
each after the one before. Run the command again, or `ftdist expert R`, to continue where it
stopped: finished stages whose inputs did not change do not run again; keys that follow replace
those of the run.

  --dry-run   show the stages, and what is known about time, memory and disk; start nothing

sources=, model=, name= and library= stand for library.sources, model.path, run.name, library.path.
With library= in place of sources=, an existing library is used. All keys of `ftdist curate --help`
and `ftdist train --help` work; retention=recommended and experiment=expert are the defaults.
"""


def main(words: Sequence[str]) -> int:
    """Make an expert, or continue with one.

    Returns:
        The exit code.

    Raises:
        FtdistError: all problems of all stages that can be found before the first one starts.
    """
    dry = "--dry-run" in words
    words = [word for word in words if word != "--dry-run"]
    if not words or {"--help", "-h"} & set(words):
        sys.stdout.write(HELP)
        return 0
    _refuse_flags(words)
    words = _with_recorded(words)
    log_files(expert_files(words))
    queue = Queue()
    request = check_expert(compose_expert(words), words=words, queue=queue, log=log)
    plan = schedule(request)
    if dry:
        _print_dry_run(request, plan)
        return 0
    if request.run.exists() and request.on_cluster and _is_queued(request.run, plan, queue=queue):
        return 0
    if not plan.todo:
        return _report(request.run)
    if request.on_cluster:
        return _submit(request, queue=queue)
    return _run(request)


def _refuse_flags(words: Sequence[str]) -> None:
    if is_sweep(words):
        raise ConfigError(
            "`ftdist expert` makes one expert, not a sweep.",
            remedy="leave out -m; `ftdist train -m` sweeps over one library.",
        )
    if hydra_flags(words):
        raise ConfigError(
            "`ftdist expert` has no flags of Hydra.",
            remedy="use them with `ftdist curate` or `ftdist train`, whose keys it takes.",
        )


def _with_recorded(words: Sequence[str]) -> list[str]:
    """The command line; of `ftdist expert R [KEY=VALUE ...]` with the keys that R was made with."""
    rest, _ = split_config_dir(words)
    names = [word for word in rest if "=" not in word and not word.startswith(("-", "~"))]
    keys = {override_name(word): word.partition("=")[2] for word in expand(rest)}
    if len(names) != 1:
        return list(words)
    runs_root = Path(keys.get("run.root", RUNS_ROOT))
    _refuse_documents(names[0], runs_root=runs_root)
    run = find_run(names[0], runs_root=runs_root)
    if not run.expert.is_file():
        raise ConfigError(
            f"Run {run.name} is not a run of `ftdist expert`.",
            remedy=f"continue it with `ftdist resume {run.cli_name}`.",
        )
    place = {"run.name": run.name, "run.root": str(run.root.parent)}
    typed = keys.keys() | place.keys()
    recorded = [w for w in recorded_words(run) if override_name(*expand([w])) not in typed]
    given = [word for word in words if word != names[0]]
    return [*recorded, *given, *(f"{key}={value}" for key, value in place.items())]


def _refuse_documents(name: str, *, runs_root: Path) -> None:
    """Refuse a file or folder where the name of a run belongs."""
    path = Path(name)
    if path.exists() and not any(RunDir(root).exists() for root in (runs_root / name, path)):
        raise ConfigError(
            f"{name} is a {'folder' if path.is_dir() else 'file'}, not a run.",
            remedy=f"write sources={shlex.quote(name)} to learn from it.",
        )


def _print_dry_run(request: ExpertRequest, plan: Schedule) -> None:
    planned = None
    if "curate" not in plan.todo:
        planned = (
            replan(request.run, plan.config, log=log)
            if plan.resumes
            else plan_run(plan.config, new=False, log=log)
        )
    place = "as SLURM jobs" if request.on_cluster else "on this machine"
    table = Table(title=f"Stages of run {request.run.name}, {place}")
    for name in ("stage", "does", "starts", "takes"):
        table.add_column(name)
    for row in stage_rows(request, plan):
        table.add_row(*map(Text, (row.name, row.title, row.start, row.resources)))
    console = text_console()
    console.print(table)
    print_plan(facts(request, planned), title="What is known")
    if planned is None:
        log(unknown(request))
    log("Nothing was started.")


def _is_queued(run: RunDir, plan: Schedule, *, queue: Queue) -> bool:
    """Whether jobs of the run are in the queue: then nothing is submitted.

    Raises:
        ConfigError: the command line asks for something else than they do.
    """
    jobs = queued_jobs(run, queue=queue)
    if not jobs:
        return False
    listed = ", ".join(f"{job} ({stage})" for job, (stage, _) in jobs.items())
    if plan.changed:
        raise ConfigError(
            f"Run {run.name} has jobs in the queue, {listed}, with other values of "
            f"{', '.join(plan.changed)}.",
            remedy=f"cancel them first: `ftdist cancel {run.cli_name}`; or take the changes back.",
        )
    print_result(
        f"Run {run.name} is in the queue: job {listed}. Watch it: `ftdist watch {run.cli_name}`."
    )
    return True


def _submit(request: ExpertRequest, *, queue: Queue) -> int:
    run = request.run
    jobs = submit_expert(request, queue=queue, log=log)
    if not jobs:
        return _report(run)
    before = ""
    for stage, job in jobs.items():
        print_result(f"Job {job}: {stage} ({TITLES[stage]}){before}.")
        before = f", after job {job}"
    name = run.cli_name
    print_result(
        f"Run {run.name} is in {run.root}. Watch it: `ftdist watch {name}`, "
        f"`ftdist logs {name} --stage {next(iter(jobs))} -f`; stop it: `ftdist cancel {name}`."
    )
    return 0


def _run(request: ExpertRequest) -> int:
    run, begun = request.run, list[StageName]()
    console = text_console(stderr=True, highlight=False)

    def announce(stage: StageName, plan: Schedule) -> None:
        begun.append(stage)
        number = f"[{len(begun)}/{len(plan.todo)}]"
        console.print(Text(f"{number} {stage}: {TITLES[stage]}", style="bold"))

    try:
        failed = run_here(request, supervise=supervise, announce=announce, log=log)
    except KeyboardInterrupt:
        if not begun:
            raise
        return _report_stop(run, begun[-1], INTERRUPTED)
    except FtdistError as error:
        if not begun:
            raise
        log(str(error))
        return _report_failure(run, begun[-1], error.exit_code)
    if failed is None:
        return _report(run)
    stage, finished = failed
    if finished.outcome == "stopped":
        return _report_stop(run, stage, finished.exit_code)
    report_failure(finished, run=run)
    return _report_failure(run, stage, finished.exit_code)


def _report_stop(run: RunDir, stage: StageName, exit_code: int) -> int:
    log(f"Stage {stage} of run {run.name} was stopped. Continue: `ftdist expert {run.cli_name}`.")
    return exit_code


def _report_failure(run: RunDir, stage: StageName, exit_code: int) -> int:
    log(
        f"Stage {stage} of run {run.name} failed. Fix this, then continue: "
        f"`ftdist expert {run.cli_name} [KEY=VALUE ...]`."
    )
    return exit_code


def _report(run: RunDir) -> int:
    """Print the scores, and where everything is."""
    print_comparison(run.report, text_console())
    stages = read_stages(run)
    print_result(
        f"Run {run.name} is complete ({durations({s.name: s.seconds for s in stages})}).\n"
        f"Tuned model: {run.export}\n"
        f"Report: {run.report / 'index.html'}\n"
        f'Try it: `ftdist chat {run.cli_name} -p "..." --both`.'
    )
    return 0
