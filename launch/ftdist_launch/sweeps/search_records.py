"""What a search has recorded: its space, its trials, and those that never became a run.

All of it is in the folder of the runs, so a search that was stopped continues from there.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ftdist.config.search_space import SearchSpace
from ftdist.errors import ConfigError
from ftdist.io.jsonl import append_json_line, read_json_lines, write_whole
from ftdist.rundir import RunDir
from ftdist_launch.lock import read_holder, run_lock
from ftdist_launch.sweeps.records import Trial, trials_of
from ftdist_launch.sweeps.scores import SweepScore


@dataclass(frozen=True, kw_only=True)
class SearchRecords:
    """The recorded state of one search."""

    space: SearchSpace
    score: SweepScore
    seed: int

    @property
    def folder(self) -> Path:
        """Where the search keeps what is not part of a run."""
        return Path(self.space.root) / ".sweeps" / self.space.name / "search"

    @property
    def failed(self) -> Path:
        """Trials that failed before they had a run directory: one JSON object per line."""
        return self.folder / "failed.jsonl"

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Be the only process that drives this search.

        Raises:
            ConfigError: another one does, or the name belongs to another sweep.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        holder = read_holder(RunDir(self.folder))
        if holder is not None:
            raise ConfigError(
                f"Sweep {self.space.name} is driven by {holder}.",
                remedy="wait for it, or stop it there; trials go on without it.",
            )
        with run_lock(RunDir(self.folder)):
            self._claim()
            yield

    def trials(self) -> list[Trial]:
        """All trials by number, failed ones without a run directory included."""
        made = trials_of(self.space.name, root=Path(self.space.root))
        lost = [
            Trial(
                run=RunDir(Path(self.space.root).resolve() / row["name"]),
                sweep=self.space.name,
                number=row["trial"],
                swept=row["swept"],
                score=self.score,
                value=None,
                failure=row["cause"],
            )
            for row in read_json_lines(self.failed)
        ]
        return sorted([*made, *lost], key=lambda trial: trial.number)

    def record_failure(
        self, *, number: int, name: str, swept: Mapping[str, str], cause: str
    ) -> None:
        """Record a trial that failed before it had a run directory."""
        row = {"trial": number, "name": name, "swept": dict(swept), "cause": cause}
        append_json_line(self.failed, row)

    def _claim(self) -> None:
        """Write what is searched, or check that it is the same as before."""
        path, own = self.folder / "search.json", self._definition()
        if path.exists():
            changed = _changes(json.loads(path.read_text(encoding="utf-8")), own)
            if changed:
                raise ConfigError(
                    f"Sweep {self.space.name} exists with other {' and '.join(changed)}.",
                    remedy="continue it with the same arguments (--trials may grow), or set "
                    "another run.name.",
                )
        elif trials_of(self.space.name, root=Path(self.space.root)):
            raise ConfigError(
                f"Sweep {self.space.name} exists, and was not made by `ftdist sweep`.",
                remedy="set another run.name.",
            )
        write_whole(path, json.dumps(own, indent=2) + "\n")

    def _definition(self) -> dict[str, Any]:
        return {
            "keys": list(self.space.fixed),
            "space": [asdict(each) for each in self.space.dimensions],
            "score": self.score.name,
            "seed": self.seed,
        }


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Sequence[str]:
    plain = json.loads(json.dumps(now))
    return [name for name in plain if before.get(name) != plain[name]]
