"""The state of a node's GPUs, from nvidia-smi and the kernel's log. Never loads torch."""

import re
import shutil
import subprocess
from collections.abc import Sequence

from ftdist.dist.visible_gpus import smi_arguments
from ftdist.doctor.node_report import GpuState

TIMEOUT_S = 30.0

FIELDS = (
    *("index", "name", "driver_version", "ecc.errors.uncorrected.volatile.total"),
    *("temperature.gpu", "clocks.sm", "clocks.max.sm", "memory.used"),
    *("remapped_rows.failure", "mig.mode.current"),
)

THROTTLE = ("hw_slowdown", "hw_thermal_slowdown", "hw_power_brake_slowdown", "sw_thermal_slowdown")
"""Reasons that point to cooling or power; a power cap under load and idleness do not."""

_XID = re.compile(r"NVRM: Xid \([^)]*\): (\d+)")


def read_gpus() -> tuple[tuple[GpuState, ...], str | None]:
    """The GPUs that this process may use, and why nvidia-smi showed none, if it is installed."""
    if shutil.which("nvidia-smi") is None:
        return (), None
    text, error = _query(FIELDS)
    if error is not None:
        return (), error
    # Newer drivers call the fields "event", older ones "throttle".
    for word in ("clocks_event_reasons", "clocks_throttle_reasons"):
        reasons, error = _query([f"{word}.{name}" for name in THROTTLE])
        if error is None:
            return parse_gpus(text, reasons), None
    return parse_gpus(text, ""), None


def parse_gpus(text: str, reasons: str) -> tuple[GpuState, ...]:
    """GPUs from the lines of nvidia-smi for `FIELDS` and for `THROTTLE`."""
    throttled = [[cell.strip() for cell in line.split(",")] for line in reasons.splitlines()]
    gpus = []
    for row, line in enumerate(filter(str.strip, text.splitlines())):
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) != len(FIELDS):
            continue
        active = throttled[row] if row < len(throttled) else []
        errors, used = _number(cells[3]), _number(cells[7])
        gpus.append(
            GpuState(
                index=int(cells[0]),
                name=cells[1],
                driver=cells[2],
                uncorrected_errors=None if errors is None else int(errors),
                temperature_c=_number(cells[4]),
                sm_clock_mhz=_number(cells[5]),
                max_sm_clock_mhz=_number(cells[6]),
                memory_used_gib=None if used is None else used / 1024,
                remapped_failure=cells[8] not in ("0", "No", "[N/A]", "N/A", "[Not Supported]"),
                mig=cells[9] == "Enabled",
                throttle=tuple(
                    name for name, value in zip(THROTTLE, active, strict=False) if value == "Active"
                ),
            )
        )
    return tuple(gpus)


def read_xids() -> tuple[int, ...]:
    """Numbers of GPU errors in the kernel's log; none if it may not be read."""
    try:
        done = subprocess.run(
            ["dmesg"], capture_output=True, text=True, errors="replace", timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return parse_xids(done.stdout)


def parse_xids(text: str) -> tuple[int, ...]:
    """Numbers of GPU errors in the text of a kernel's log, in ascending order."""
    return tuple(sorted({int(number) for number in _XID.findall(text)}))


def _query(fields: Sequence[str]) -> tuple[str, str | None]:
    words = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
    words += smi_arguments()
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", f"nvidia-smi did not answer: {type(error).__name__}"
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        return "", " ".join(lines[:1])[:200] or f"nvidia-smi failed with code {done.returncode}"
    return done.stdout, None


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None  # [N/A], [Not Supported], [Unknown Error]
