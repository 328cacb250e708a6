"""Check ftdist on one GPU: `python -m benchmarks.gpu [--out FOLDER] [--seconds N] [--rehearse]`.

Each phase runs in a process of its own with a deadline; one that fails does not stop the next.
Results are written as they come. A rehearsal takes the same way on the CPU, with a tiny model.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.gpu.phases import PHASES
from benchmarks.gpu.report import STATUS_PAGE, status_row, table, with_row
from benchmarks.peers import CHECKOUT


def main(arguments: Sequence[str]) -> int:
    """Run the phases; 0 if all ended well."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--out", type=Path, help="folder for results.jsonl and the table")
    parser.add_argument("--seconds", type=float, default=540, help="of all phases together")
    parser.add_argument("--rehearse", action="store_true", help="on the CPU, with a tiny model")
    parser.add_argument("phases", nargs="*", help=f"some of: {', '.join(PHASES)}")
    options = parser.parse_args(arguments)
    if unknown := set(options.phases) - set(PHASES):
        parser.error(f"no phase {', '.join(sorted(unknown))}; there are {', '.join(PHASES)}")
    device = "cpu" if options.rehearse else "cuda"
    if device == "cuda" and not _sees_gpu():
        print(
            "No GPU is visible to torch.\nTo fix: run it on a GPU node, or rehearse on the CPU: "
            "`make gpu-check ARGS=--rehearse`.",
            file=sys.stderr,
        )
        return 2
    out = options.out or CHECKOUT / "build" / "gpu-check"
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ftdist-gpu-") as folder:
        problems = _run_phases(
            options.phases or list(PHASES), Path(folder), device=device, seconds=options.seconds
        )
        results = _results(Path(folder))
        (out / "results.jsonl").write_text("".join(json.dumps(r) + "\n" for r in results))
    text = table(results, problems)
    (out / "table.md").write_text(text, encoding="utf-8")
    print(text)
    if device == "cuda":
        row = status_row(results, problems, date=f"{datetime.now(UTC):%Y-%m-%d}")
        page = with_row(STATUS_PAGE.read_text(encoding="utf-8"), row)
        STATUS_PAGE.write_text(page, encoding="utf-8")
        (out / STATUS_PAGE.name).write_text(page, encoding="utf-8")
    return 1 if problems else 0


def _sees_gpu() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def _run_phases(names: Sequence[str], work: Path, *, device: str, seconds: float) -> dict[str, str]:
    """Run phases one after another; the problem of each that failed."""
    end = time.monotonic() + seconds
    problems: dict[str, str] = {}
    for name in names:
        limit = min(PHASES[name].seconds * (3 if device == "cpu" else 1), end - time.monotonic())
        if limit < 5:
            problems[name] = "no time was left"
            continue
        print(f"== {name}: {PHASES[name].what}", flush=True)
        began = time.monotonic()
        command = [sys.executable, "-m", "benchmarks.gpu.phases", name, str(work), device]
        try:
            done = subprocess.run(
                command, cwd=CHECKOUT, timeout=limit, capture_output=True, text=True, check=False
            )
        except subprocess.TimeoutExpired:
            problems[name] = f"did not end in {limit:.0f} s"
        else:
            if done.returncode:
                problems[name] = done.stderr[-1500:] or f"exit code {done.returncode}"
        print(f"   {time.monotonic() - began:.0f} s{', failed' * (name in problems)}", flush=True)
    return problems


def _results(work: Path) -> list[dict[str, Any]]:
    path = work / "results.jsonl"
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
