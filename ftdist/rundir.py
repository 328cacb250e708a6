"""The run directory: the only place that knows the names in it.

runs/R/  config.yaml plan.json overrides.txt   what was asked, what was computed, what was typed
         identity.json model/                  what it began with; the base's config and tokenizer
         expert.json curation.json             what `ftdist expert` was asked, and how it curates
         code/ code.sha256                     the code that a cluster's jobs run
         jobs/                                 submitit's files and the logs of every rank
         attempts/N/                           of one start: its ranks and measurements, a file per
                                               node each; failures, stacks of ranks that hung
         events.jsonl metrics.jsonl            the records of truth
         evals.jsonl                           evaluations during training, one per line
         checkpoints/step-00001200/            committed; a `.partial` is not one
         wandb/ export/ gguf/ report/ lock
         stop                                  made by a person: training saves, ends, and does not
                                               start again until `ftdist resume`
"""

import errno
import secrets
import shlex
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ftdist.errors import ConfigError
from ftdist.io.event_log import append_event, record_event
from ftdist.io.jsonl import read_json_lines
from ftdist.io.ownership import require_own

RUNS_ROOT = Path("runs")
"""Where runs are unless `run.root` says otherwise."""

MAX_NAMED = 8
"""How many runs an error message names."""


@dataclass(frozen=True)
class RunDir:
    """Names inside one run directory. Making one touches no disk."""

    root: Path

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.root.name

    @property
    def cli_name(self) -> str:
        """What a command typed here calls the run: its name, or its path where runs are elsewhere.

        Quoted for a shell where it has to be.
        """
        root = self.root.resolve()
        here = root.parent == RUNS_ROOT.resolve()
        return shlex.quote(self.name if here else str(root))

    @property
    def config(self) -> Path:
        """The composed config, frozen when the run was made."""
        return self.root / "config.yaml"

    @property
    def plan(self) -> Path:
        """The plan: computed from the config and the packed library."""
        return self.root / "plan.json"

    @property
    def identity(self) -> Path:
        """What the run began with: digests of model, tokenizer and library, and deciding keys."""
        return self.root / "identity.json"

    @property
    def model(self) -> Path:
        """The run's copy of the base model's config, tokenizer and chat template."""
        return self.root / "model"

    @property
    def overrides(self) -> Path:
        """The overrides as typed, one per line."""
        return self.root / "overrides.txt"

    @property
    def expert(self) -> Path:
        """What `ftdist expert` was asked; only its runs have it."""
        return self.root / "expert.json"

    @property
    def curation(self) -> Path:
        """The config of the curation that makes the library of the run."""
        return self.root / "curation.json"

    @property
    def code(self) -> Path:
        """The code that a cluster's jobs run."""
        return self.root / "code"

    @property
    def jobs(self) -> Path:
        """Submitit's files, and the log of every rank."""
        return self.root / "jobs"

    @property
    def attempts(self) -> Path:
        """One folder for each start of the run."""
        return self.root / "attempts"

    @property
    def events(self) -> Path:
        """Events: one JSON object per line."""
        return self.root / "events.jsonl"

    @property
    def metrics(self) -> Path:
        """Metrics: one JSON object per step."""
        return self.root / "metrics.jsonl"

    @property
    def evals(self) -> Path:
        """Evaluations during training: one JSON object per evaluation."""
        return self.root / "evals.jsonl"

    @property
    def checkpoints(self) -> Path:
        """Committed checkpoints."""
        return self.root / "checkpoints"

    @property
    def wandb(self) -> Path:
        """Weights & Biases' own files."""
        return self.root / "wandb"

    @property
    def export(self) -> Path:
        """The Hugging Face model folder."""
        return self.root / "export"

    @property
    def gguf(self) -> Path:
        """The exported model as GGUF files, for llama.cpp and Ollama."""
        return self.root / "gguf"

    @property
    def report(self) -> Path:
        """Answers and scores of base and tuned model."""
        return self.root / "report"

    @property
    def merge(self) -> Path:
        """Models between base and tuned, measured."""
        return self.root / "merge"

    @property
    def merge_candidates(self) -> Path:
        """Every merged model's scores: one JSON object a measurement."""
        return self.merge / "measured.jsonl"

    @property
    def merged_model(self) -> Path:
        """The chosen merged model: a Hugging Face model folder, with `points.json` (why)."""
        return self.merge / "model"

    @property
    def lock(self) -> Path:
        """Held by the one attempt that writes to the run."""
        return self.root / "lock"

    @property
    def stop(self) -> Path:
        """A file that a person makes to stop training; none starts until it is removed."""
        return self.root / "stop"

    def request(self, stage: str) -> Path:
        """What `ftdist compare` or `ftdist merge` was asked: `CompareConfig` as JSON."""
        return (self.merge if stage == "merge" else self.report) / f"{stage}.json"

    def attempt(self, number: int) -> Path:
        """Folder of one start of the run; attempts count from 1."""
        return self.attempts / str(number)

    def newest_attempt(self) -> int:
        """Number of the newest attempt, 0 before the first."""
        if not self.attempts.is_dir():
            return 0
        return max((int(p.name) for p in self.attempts.iterdir() if p.name.isdigit()), default=0)

    def exists(self) -> bool:
        """Whether a run was made here."""
        return self.config.is_file()

    def create(self, *, private: bool) -> None:
        """Create the folders of a new run. Of several concurrent calls, one succeeds.

        Raises:
            ConfigError: it exists already, or its folder is not empty.
        """
        self.root.parent.mkdir(parents=True, exist_ok=True)
        made = self.root.with_name(f".{self.name}.{secrets.token_hex(4)}")
        made.mkdir()
        # A folder passes its group on to what is made in it: quotas often count by group.
        made.chmod(made.stat().st_mode & stat.S_ISGID | (0o700 if private else 0o755))
        for folder in (self.jobs, self.attempts, self.checkpoints, self.wandb):
            (made / folder.name).mkdir()
        try:
            made.rename(self.root)  # it may be an empty folder
        except OSError as error:
            shutil.rmtree(made)
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise
            raise ConfigError(
                f"Run {self.name} already exists in {self.root}.",
                remedy="set another run.name.",
            ) from None

    def require_own(self) -> None:
        """Refuse a run that another user may change, before anything in it decides what runs.

        Its config names programs and hosts, its jobs are pickles, its code is executed.

        Raises:
            ConfigError: who may change it.
        """
        what = "The run directory"
        require_own(self.root, what=what)
        if not self.root.is_dir() or not self.root.stat().st_mode & 0o077:
            return  # nobody else gets into it
        for path in (self.config, self.code, self.jobs, *self.jobs.glob("*/")):
            require_own(path, what=what)

    def append_event(self, kind: str, /, **fields: Any) -> None:
        """Add one line to `events.jsonl`; safe while other processes add theirs."""
        append_event(self.events, kind, **fields)

    def record_event(self, kind: str, /, **fields: Any) -> bool:
        """As `append_event`, but without an error on a full disk; returns whether it was written.

        Otherwise a later call of this process writes it.
        """
        return record_event(self.events, kind, **fields)

    def was_cancelled(self, stage: str = "train", *, deadline_s: float | None = None) -> bool:
        """Whether a stage was cancelled since it was requested, or training has a stop file."""
        if stage == "train" and self.stop.exists():
            return True
        cancelled = False
        for event in self.read_events(deadline_s=deadline_s):
            match event.get("event"):
                case "cancel_requested":
                    cancelled = True
                case "job_submitted" if event.get("stage") == stage:
                    cancelled = False
                case "stage_started" if event.get("stage") == stage and "job" not in event:
                    cancelled = False
                case "run_requested" if stage in ("train", "prepare"):
                    cancelled = False
        return cancelled

    def read_events(self, *, deadline_s: float | None = None) -> Iterator[dict[str, Any]]:
        """The events, oldest first; a truncated last line is skipped. As `read_json_lines`."""
        yield from read_json_lines(self.events, deadline_s=deadline_s)


def find_run(name: str, *, runs_root: Path, only_reads: bool = False) -> RunDir:
    """The run called `name` under `runs_root`, or at the path `name`.

    Args:
        name: of the run, or its path.
        runs_root: where runs are.
        only_reads: whether the caller shows its records alone: then it may be another user's.

    Raises:
        ConfigError: there is none, or another user may change it.
    """
    for root in (runs_root / name, Path(name)):
        if RunDir(root).exists():
            run = RunDir(root.resolve())
            if not only_reads:
                run.require_own()
            return run
    known = sorted(p.parent.name for p in runs_root.glob("*/config.yaml"))
    problem = f"There is no run {name!r} under {runs_root}."
    if not known:
        raise ConfigError(
            problem,
            remedy="run this in the folder where it was started, add run.root=DIR, or write the "
            "path of its directory; `ftdist train` starts a new one.",
        )
    near = get_close_matches(name, known, n=MAX_NAMED, cutoff=0.0)
    more = "" if len(known) <= MAX_NAMED else f" or another of {len(known)} (`ftdist status`)"
    raise ConfigError(
        problem,
        remedy=f"name one of: {', '.join(sorted(near))}{more}; for another folder, add "
        "run.root=DIR or write the path of the run's directory.",
    )
