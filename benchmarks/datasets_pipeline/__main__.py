"""What `datasets` keeps of what ftdist's own pool of workers keeps: each property tried on both.

    python -m benchmarks.datasets_pipeline --model FOLDER [--rows 8000] [--read-mib 64 400]
        [--only workers again killed worker deadly lines memory speed] [--out FILE.json]

Rows of JSONL become token ids, by `load_dataset`, `map` and `filter`, and by `prepare`. Times are
given as ratios of runs that alternate; the rest does not depend on what else the machine does.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from benchmarks.datasets_pipeline.rows import (
    BAD_LINE,
    DEADLY,
    OTHER_TYPE,
    conversation,
    write_rows,
)
from benchmarks.datasets_pipeline.watch import Watched, Way, watch

_WAYS: tuple[Way, ...] = ("datasets", "ftdist")
_READERS: tuple[Way, ...] = ("datasets-read", "ftdist-read")
_PROCESSES = 2
_ROUNDS = 3
_LIMIT_S = 300.0
_BYTES_PER_ROW = 720
_BAD_ROW = 123_456
_CHARACTERS = 400
"""Of a message that are shown."""


class Experiments:
    """Each method tries one property, and returns a line for each way.

    Args:
        model: folder with a tokenizer.
        folder: for everything that is written.
        rows: how many rows are tokenised.
        sizes: of the files that are only read, MiB.
    """

    def __init__(self, model: Path, folder: Path, *, rows: int, sizes: list[int]) -> None:
        self._model, self._folder, self._rows, self._sizes = model, folder, rows, sizes

    def workers(self) -> Iterator[dict[str, Any]]:
        """The same rows with 1, 2 and 3 workers: whether ids and files are the same."""
        rows = write_rows(self._folder / "rows.jsonl", rows=self._rows)
        for way in _WAYS:
            runs = []
            for processes in (1, 2, 3):
                with self._fresh() as folder:
                    runs.append(self._watch(way, rows, folder, processes=processes).result)
            yield {
                "way": way,
                "same ids": _same(runs, "ids"),
                "same files": _same(runs, "files"),
                "files": [sorted(run["files"]) for run in runs] if way == "datasets" else "",
                "rows": [run["rows"] for run in runs],
            }

    def again(self) -> Iterator[dict[str, Any]]:
        """A second run on the same cache, by another process and with another number of workers."""
        rows = write_rows(self._folder / "rows.jsonl", rows=self._rows)
        ways: tuple[Way, ...] = ("datasets-hashed", *_WAYS)
        for way in ways:
            with self._fresh() as folder:
                first = self._watch(way, rows, folder)
                if way == "ftdist":  # the benchmark has taken the packed folder out of the cache
                    cached = next((folder / "out").parent.glob("out"))
                    key = json.loads((cached / "card.json").read_text())["facts"]["key"]
                    cached.rename(folder / "cache" / key)
                same = self._watch(way, rows, folder)
            yield {
                "way": way,
                "encoded in the first run": first.encoded,
                "in the second": same.encoded,
                "hash of the function": [run.result.get("function") for run in (first, same)],
            }

    def killed(self) -> Iterator[dict[str, Any]]:
        """The run is killed half-way, whole or its parent alone, and started again."""
        yield from self._kill("all")
        yield from self._kill("parent")

    def worker(self) -> Iterator[dict[str, Any]]:
        """One worker is killed half-way, as the kernel does where memory ends."""
        yield from self._kill("worker")

    def deadly(self) -> Iterator[dict[str, Any]]:
        """A row whose tokenisation ends the process."""
        at = self._rows * 3 // 4
        line = conversation(DEADLY, "none")
        rows = write_rows(self._folder / "rows.jsonl", rows=self._rows, at=at, line=line)
        for way in _WAYS:
            with self._fresh() as folder:
                yield self._line(way, self._watch(way, rows, folder), row=at)

    def lines(self) -> Iterator[dict[str, Any]]:
        """One line of many that is no JSON, and one whose messages are no list."""
        for kind, line in (("no JSON", BAD_LINE), ("another type", OTHER_TYPE)):
            rows = write_rows(
                self._folder / "rows.jsonl", rows=_BAD_ROW * 5 // 4, at=_BAD_ROW, line=line
            )
            for way in _READERS:
                with self._fresh() as folder:
                    seen = self._watch(way, rows, folder)
                    yield {"line": kind} | self._line(way, seen, row=_BAD_ROW)

    def memory(self) -> Iterator[dict[str, Any]]:
        """Memory and disk of reading large files, whole and with one bad line near their end."""
        for mib in self._sizes:
            number = (mib << 20) // _BYTES_PER_ROW
            for kind, line in (("good", None), ("one line is no JSON", BAD_LINE)):
                at = number * 9 // 10
                rows = write_rows(self._folder / "rows.jsonl", rows=number, at=at, line=line)
                for way in _READERS:
                    with self._fresh() as folder:
                        seen = self._watch(way, rows, folder)
                        yield {"mib": rows.stat().st_size >> 20, "rows": kind} | self._line(
                            way, seen, row=at
                        )

    def speed(self) -> Iterator[dict[str, Any]]:
        """Seconds of each way, turn about, and the ratio of each round."""
        rows = write_rows(self._folder / "rows.jsonl", rows=self._rows)
        seconds: dict[Way, list[float]] = {way: [] for way in _WAYS}
        for turn in range(_ROUNDS):
            for way in _WAYS[:: -1 if turn % 2 else 1]:
                with self._fresh() as folder:
                    seconds[way].append(self._watch(way, rows, folder).seconds)
        ratios = [
            theirs / ours for theirs, ours in zip(*(seconds[way] for way in _WAYS), strict=True)
        ]
        yield {"seconds": seconds, "datasets / ftdist": statistics.median(ratios)}

    def _kill(self, what: Literal["all", "parent", "worker"]) -> Iterator[dict[str, Any]]:
        rows = write_rows(self._folder / "rows.jsonl", rows=self._rows)
        for way in _WAYS:
            with self._fresh() as folder:
                half = {"kill": what, "kill_at": self._rows // 2}
                first = self._watch(way, rows, folder, **half)
                second = self._watch(way, rows, folder)
                yield (
                    {"killed": what}
                    | self._line(way, first)
                    | {
                        "rows encoded at the kill": first.at_kill,
                        "by the end of all processes": first.encoded,
                        "rows encoded by the second run": second.encoded,
                        "second run": second.ended,
                    }
                )

    def _watch(self, way: Way, rows: Path, folder: Path, **options: Any) -> Watched:
        options = {"processes": _PROCESSES, "limit_s": _LIMIT_S} | options
        return watch(way, model=self._model, rows=rows, folder=folder, **options)

    @staticmethod
    def _line(way: Way, seen: Watched, *, row: int | None = None) -> dict[str, Any]:
        message = " ".join([seen.last_line, *seen.result.get("first_skipped", [])])
        return {
            "way": way,
            "ended": seen.ended,
            "seconds": round(seen.seconds),
            "message": message[:_CHARACTERS],
            "row named": row is not None and f"{row}" in message.replace(",", ""),
            "rows kept": seen.result.get("rows"),
            "workers left": seen.left,
            "parent GiB": round(seen.parent_gib, 2),
            "largest worker GiB": round(seen.worker_gib, 2),
            "disk MiB": seen.disk_mib,
        }

    @contextmanager
    def _fresh(self) -> Iterator[Path]:
        folder = self._folder / "run"
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Try the properties, print each line as it is measured, and write all."""
    names = ["workers", "again", "killed", "worker", "deadly", "lines", "memory", "speed"]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="folder with a tokenizer")
    parser.add_argument("--rows", type=int, default=8000, help="rows to tokenise")
    parser.add_argument("--read-mib", type=int, nargs="*", default=[64], help="files to read")
    parser.add_argument("--only", nargs="*", choices=names, default=names)
    parser.add_argument("--out", type=Path, help="JSON file")
    args = parser.parse_args()
    results: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        experiments = Experiments(args.model, Path(folder), rows=args.rows, sizes=args.read_mib)
        for name in args.only:
            experiment: Callable[[], Iterator[dict[str, Any]]] = getattr(experiments, name)
            results[name] = []
            for line in experiment():
                results[name].append(line)
                sys.stdout.write(json.dumps({name: line}) + "\n")
                sys.stdout.flush()
    if args.out:
        args.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def _same(runs: list[dict[str, Any]], key: str) -> bool:
    return all(run.get(key) == runs[0].get(key) for run in runs)


if __name__ == "__main__":
    main()
