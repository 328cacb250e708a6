"""Records training steps with torch's profiler, for Perfetto or chrome://tracing."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile


class StepProfiler:
    """Records the steps from the first to the last of a range into one trace.

    Operators, kernels and copies are recorded, which makes these steps slower than others.

    Args:
        steps: the first and the last one, counted from 1; None records nothing.
        trace: the file to write, `.json.gz`.
        device: of this rank.
        note: prints a line for people.
    """

    def __init__(
        self,
        steps: Sequence[int] | None,
        trace: Path,
        *,
        device: torch.device,
        note: Callable[[str], None],
    ) -> None:
        self._first, self._last = (0, -1) if steps is None else (steps[0], steps[-1])
        self._trace = trace
        self._device = device
        self._note = note
        self._profile: profile | None = None

    @contextmanager
    def record(self, step: int) -> Iterator[None]:
        """Record the body if `step` is one of the steps; write the trace after the last one."""
        if not self._first <= step <= self._last:
            yield
            return
        if self._profile is None:
            self._profile = profile(activities=self._activities())
            self._profile.start()
        with torch.profiler.record_function(f"step {step}"):
            yield
        if step == self._last:
            self._profile.stop()
            self._write(self._profile)
            self._profile = None

    def _activities(self) -> list[ProfilerActivity]:
        on_gpu = [ProfilerActivity.CUDA] if self._device.type == "cuda" else []
        return [ProfilerActivity.CPU, *on_gpu]

    def _write(self, recorded: profile) -> None:
        try:
            self._trace.parent.mkdir(parents=True, exist_ok=True)
            recorded.export_chrome_trace(str(self._trace))
        except (OSError, RuntimeError) as error:
            self._note(f"The trace {self._trace} could not be written: {error}")
            return
        self._note(f"Steps {self._first} to {self._last} were profiled: {self._trace}")
