"""Check everything that `ftdist expert` will do, before any of it starts."""

import dataclasses
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ftdist.config.expert import ExpertConfig
from ftdist.config.schema import RunConfig
from ftdist.config.schema.curate import CurateConfig
from ftdist.errors import ConfigError, FtdistError
from ftdist.evaluation.eval_set import read_eval_set
from ftdist.io.progress import LogFn
from ftdist.rundir import RunDir
from ftdist_launch.expert.kl_sources import kl_problems, with_kl_of_library
from ftdist_launch.expert.stages import STAGES, StageName
from ftdist_launch.setup.preflight import (
    Machine,
    context_problems,
    data_problems,
    errors_of,
    machine_notes,
    machine_problems,
    model_problems,
    raise_together,
    run_dir,
    run_problems,
)
from ftdist_launch.setup.resolve_data import resolve_curation
from ftdist_launch.setup.run_setup import resolve_paths
from ftdist_launch.slurm.client import Queue
from ftdist_launch.slurm.preflight import cluster_problems, with_resources
from ftdist_launch.slurm.sbatch import script
from ftdist_launch.slurm.submit import job_request
from ftdist_launch.subprocesses import call_child

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class ExpertRequest:
    """A checked command: what it asks for, with absolute paths."""

    config: RunConfig
    curation: CurateConfig | None
    """None: the library exists."""

    inputs: str
    """Fingerprint of what the library is made of; empty without a curation."""

    words: tuple[str, ...]
    """The command line."""

    model: str
    """The base model as typed: a folder, or a name of the Hub."""

    @property
    def run(self) -> RunDir:
        """The run directory, which may not exist yet."""
        return run_dir(self.config)

    @property
    def on_cluster(self) -> bool:
        """Whether the stages are SLURM jobs."""
        return self.config.cluster.executor == "slurm"

    @property
    def skipped(self) -> tuple[StageName, ...]:
        """Stages that are not needed."""
        return () if self.curation is not None else ("curate",)


def check_expert(
    expert: ExpertConfig, *, words: Sequence[str], queue: Queue, log: LogFn
) -> ExpertRequest:
    """Check all stages; download the model and datasets of the Hub unless they are cached.

    Args:
        expert: as composed.
        words: the command line.
        queue: of the cluster, if it is one.
        log: for messages to the user.

    Raises:
        FtdistError: all problems of all stages.
    """
    problems: list[FtdistError] = []
    resolved = _attempt(lambda: resolve_as_before(expert.run, log=log), problems)
    config = with_kl_of_library(resolved or expert.run, expert=expert)
    curation, inputs = expert.curation, ""
    if curation is not None:
        curation = _attempt(lambda: resolve_curation(expert.curation, log=log), problems)  # type: ignore[arg-type]
    if curation is not None:
        curation = replace(curation, model=replace(curation.model, path=config.model.path))
        found, inputs = _inspect(curation)
        problems += found
    if resolved is not None:
        problems += model_problems(Path(config.model.path))
    problems += context_problems(config)
    problems += _data_problems(config, curates=expert.curation is not None)
    problems += _place_problems(config, queue=queue)
    if not run_dir(config).expert.is_file():
        problems += run_problems(run_dir(config))
    raise_together(problems)
    if config.cluster.executor == "slurm":
        config = with_resources(config, queue.partitions())
        curation = curation and replace(curation, cluster=config.cluster)
    else:
        for note in machine_notes(config, machine=Machine.here()):
            log(note)
    request = ExpertRequest(
        config=config,
        curation=curation,
        inputs=inputs,
        words=tuple(words),
        model=expert.run.model.path,
    )
    if request.on_cluster:
        for stage in STAGES:
            if stage not in request.skipped:
                queue.check_script(script(job_request(stage, config, runs=(request.run,))))
    return request


def resolve_as_before(config: RunConfig, *, log: LogFn) -> RunConfig:
    """As `resolve_paths`; a model of the Hub stays at the commit that an existing run began with.

    Raises:
        FtdistError: of `resolve_paths`.
    """
    revision, before = config.model.revision, dict[str, Any]()
    with suppress(OSError, ValueError):
        before = json.loads(run_dir(config).expert.read_text(encoding="utf-8"))
    if (
        before.get("model") == config.model.path
        and before["config"]["model"]["revision"] == revision
    ):
        snapshot = Path(before["config"]["model"]["path"])
        if snapshot.parent.name == "snapshots":  # the Hub's cache names the folder by the commit
            config = replace(config, model=replace(config.model, revision=snapshot.name))
    resolved = resolve_paths(config, log=log)
    return replace(resolved, model=replace(resolved.model, revision=revision))


def _attempt(compute: Callable[[], T], problems: list[FtdistError]) -> T | None:
    try:
        return compute()
    except FtdistError as error:
        problems.append(error)
        return None


def _inspect(curation: CurateConfig) -> tuple[list[FtdistError], str]:
    """The problems of a curation, and the fingerprint of its inputs."""
    with tempfile.TemporaryDirectory(prefix="ftdist-") as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(dataclasses.asdict(curation)), encoding="utf-8")
        answer: dict[str, Any] = call_child("ftdist.library.main", ["inspect", str(path)])
    problems = [ConfigError(each["problem"], remedy=each["remedy"]) for each in answer["problems"]]
    return list(problems), str(answer["inputs"])


def _data_problems(config: RunConfig, *, curates: bool) -> Iterator[FtdistError]:
    """What is wrong with the library, unless it is to be made, and with the questions."""
    if not curates:
        yield from data_problems(config)
        yield from kl_problems(config)
    if not curates or config.eval.probes is not None:
        yield from errors_of(lambda: read_eval_set(config.eval, library=Path(config.library.path)))


def _place_problems(config: RunConfig, *, queue: Queue) -> Iterator[FtdistError]:
    if config.cluster.executor == "slurm":
        yield from cluster_problems(config, queue, new=not run_dir(config).expert.is_file())
    else:
        yield from machine_problems(config, machine=Machine.here())
