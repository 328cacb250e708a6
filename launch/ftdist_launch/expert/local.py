"""Run the stages of `ftdist expert` on this machine, one after another."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ftdist.config.saved_config import save_config
from ftdist.errors import FtdistError, RequeueError
from ftdist.io.progress import LogFn
from ftdist.rundir import RunDir
from ftdist_launch.attempt_end import stop_request
from ftdist_launch.attempts import Finished, newest_step, record_request
from ftdist_launch.expert.cluster import forget_plan, forget_requests
from ftdist_launch.expert.request import ExpertRequest
from ftdist_launch.expert.schedule import Schedule, schedule, write_record
from ftdist_launch.expert.stages import StageName
from ftdist_launch.local.supervisor import Supervisor
from ftdist_launch.restart_policy import Outcome
from ftdist_launch.run_config import read_config
from ftdist_launch.setup.preflight import disk_problems, raise_together
from ftdist_launch.setup.resume import replan
from ftdist_launch.setup.run_setup import make_run_dir, plan_run, read_plan, write_plan
from ftdist_launch.stage_records import record_stage_end

SupervisorFactory = Callable[..., Supervisor]
"""Makes a supervisor that shows progress from a run, its config and, for training, its `steps`."""


@dataclass(frozen=True, kw_only=True)
class StageRunner:
    """Runs stages on this machine."""

    run: RunDir
    resumes: bool
    """Whether training has begun before."""

    supervise: SupervisorFactory
    log: LogFn

    def __call__(self, stage: StageName) -> Finished:
        """Run one stage.

        Raises:
            FtdistError: the library cannot be prepared, or training cannot resume.
        """
        match stage:
            case "prepare":
                with self._recorded("prepare"):
                    self._prepare()
                return Finished(
                    outcome="done", exit_code=0, failure=None, step=newest_step(self.run)
                )
            case "train":
                return self._train()
            case "compare":
                forget_requests(self.run)
        return self.supervise(self.run, read_config(self.run)).once(stage)

    def _prepare(self) -> None:
        """Tokenise, pack, plan."""
        config, plan = plan_run(read_config(self.run), new=False, log=self.log)
        raise_together(
            list(
                disk_problems(
                    self.run.root,
                    needed_gib=plan.disk_gib,
                    keep_latest=config.checkpoint.keep_latest,
                )
            )
        )
        config = replace(config, model=replace(config.model, dtype=plan.dtype))
        write_plan(self.run, config=config, plan=plan)
        self.run.append_event("data_prepared", steps=plan.steps, library=plan.library.path)

    def _train(self) -> Finished:
        config = read_config(self.run)
        plan = read_plan(self.run)
        if self.resumes:
            config, plan = replan(self.run, config, log=self.log)
            write_plan(self.run, config=config, plan=plan)
        supervisor = self.supervise(self.run, config, steps=plan.steps)
        return supervisor.train(plan, requested_by="expert")

    @contextmanager
    def _recorded(self, stage: StageName) -> Iterator[None]:
        """Record start and end of a stage that runs in this process."""
        self.run.append_event("stage_started", stage=stage)
        outcome: Outcome = "stopped"
        code, cause, remedy = RequeueError.exit_code, "It was interrupted.", None
        try:
            yield
            outcome, code, cause = "done", 0, ""
        except FtdistError as error:
            outcome, code = "failed", error.exit_code
            cause, remedy = error.problem, error.remedy
            raise
        except SystemExit:
            if (request := stop_request(self.run, stage)) is None:
                raise
            code, cause = 0, request
            raise SystemExit(0) from None
        finally:
            record_stage_end(
                self.run, stage, outcome=outcome, exit_code=code, cause=cause or None, remedy=remedy
            )


def run_here(
    request: ExpertRequest,
    *,
    supervise: SupervisorFactory,
    announce: Callable[[StageName, Schedule], None],
    log: LogFn,
) -> tuple[StageName, Finished] | None:
    """Run the stages that are to do, one after another.

    Args:
        request: what to do.
        supervise: makes the supervisor of a stage.
        announce: called before each stage, with what remains to do.
        log: for messages to the user.

    Returns:
        The stage that did not succeed, and how it ended; None: all are done.

    Raises:
        FtdistError: a stage could not start.
    """
    run = request.run
    if not run.exists():
        make_run_dir(request.config, overrides=request.words)
    with supervise(run, request.config).exclusive():
        plan = schedule(request)  # another `ftdist expert` may have held the lock until now
        forget_plan(run, plan)
        save_config(plan.config, run.config)
        if "train" in plan.todo:
            record_request(run, by="expert")
        write_record(request, plan)
        runner = StageRunner(run=run, resumes=plan.resumes, supervise=supervise, log=log)
        for stage in plan.todo:
            announce(stage, plan)
            finished = runner(stage)
            if finished.outcome != "done":
                return stage, finished
    return None
