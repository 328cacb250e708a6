"""The profiler of training steps writes a trace of the steps that were asked for."""

import gzip
import json
from pathlib import Path

import torch

from ftdist.train.profiler import StepProfiler


def run(profiler: StepProfiler, *, steps: range) -> None:
    for step in steps:
        with profiler.record(step):
            torch.mm(torch.ones(4, 4), torch.ones(4, 4))


def test_trace_holds_the_steps_of_the_range_and_their_operators(tmp_path: Path) -> None:
    notes: list[str] = []
    trace = tmp_path / "attempts" / "1" / "profile.json.gz"
    profiler = StepProfiler([2, 3], trace, device=torch.device("cpu"), note=notes.append)
    run(profiler, steps=range(1, 6))
    names = [e.get("name") for e in json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"]]
    assert [name for name in names if str(name).startswith("step ")] == ["step 2", "step 3"]
    assert names.count("aten::mm") == 2
    assert notes == [f"Steps 2 to 3 were profiled: {trace}"]


def test_nothing_is_recorded_without_steps(tmp_path: Path) -> None:
    trace = tmp_path / "profile.json.gz"
    profiler = StepProfiler(None, trace, device=torch.device("cpu"), note=print)
    run(profiler, steps=range(3))
    assert not trace.exists()


def test_trace_that_cannot_be_written_ends_no_run(tmp_path: Path) -> None:
    notes: list[str] = []
    (tmp_path / "file").write_text("")
    trace = tmp_path / "file" / "profile.json.gz"
    profiler = StepProfiler([1, 1], trace, device=torch.device("cpu"), note=notes.append)
    run(profiler, steps=range(1, 3))
    assert len(notes) == 1
    assert "could not be written" in notes[0]
