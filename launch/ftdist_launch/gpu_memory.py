"""A GPU that ran out of memory: the plan beside the use, and the smallest change that fits."""

import re
from collections.abc import Mapping
from pathlib import Path

from ftdist.config.saved_config import load_config
from ftdist.plan.fit import change_that_fits, terms_text
from ftdist.plan.model_info import read_model_info
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir

UNKNOWN_USE = 0.8
"""Where the memory in use is not known: a change must bring the plan's sum to this part of it."""

_WANTED = re.compile(r"Tried to allocate ([\d.]+) ([KMG])iB")
_GIB_OF = {"K": 2.0**-20, "M": 2.0**-10, "G": 1.0}


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch's allocator refused memory; by name, since torch is not loaded here."""
    return any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__)


def describe_memory(run: RunDir, *, message: str, used: Mapping[str, float] | None) -> str:
    """The memory in use, what was wanted, and the terms of the plan; a clause for a message.

    Args:
        run: whose rank ran out of memory.
        message: of torch.
        used: GiB, as `ftdist.dist.device.gpu_memory`; None: unknown.
    """
    parts = []
    if used is not None:
        in_use = used["total"] - used["free"]
        parts.append(
            f"{in_use:.2f} of {used['total']:.2f} GiB were in use, {used['reserved']:.2f} of them "
            f"by this rank's torch, {used['allocated']:.2f} in tensors (at most "
            f"{used['peak_allocated']:.2f})"
        )
    wanted = wanted_gib(message)
    if wanted is not None:
        parts.append(f"{wanted:.2f} GiB more were wanted")
    plan = _read_plan(run)
    if plan is not None:
        parts.append(f"the plan expected {plan.device_gib:.2f} GiB ({terms_text(plan)})")
    return "; ".join(parts)


def memory_remedy(run: RunDir, *, message: str, used: Mapping[str, float] | None) -> str | None:
    """The smallest change that fits, as a remedy; None: the run's plan cannot be read.

    The plan is scaled by what torch really needed; what else is on the GPU stays there.
    """
    plan = _read_plan(run)
    if plan is None:
        return None
    try:
        config = load_config(run.config)
        change = change_that_fits(
            config,
            plan,
            gib_for_plan(plan, wanted=wanted_gib(message) or 0.0, used=used) + plan.outside_gib,
            model=read_model_info(Path(config.model.path)),
        )
    except Exception:  # noqa: BLE001 - a report must not fail for its advice
        return None
    return (
        f"{change.rstrip('.')}; then `ftdist resume {run.cli_name} KEY=VALUE`. The run is not "
        "repeated unchanged."
    )


def gib_for_plan(plan: Plan, *, wanted: float, used: Mapping[str, float] | None) -> float:
    """How much a plan may expect so that what torch really needs fits, GiB.

    Args:
        plan: of the run that failed.
        wanted: what torch tried to allocate in addition, GiB.
        used: memory of the GPU at the failure, GiB; None: unknown.
    """
    if used is None:
        return UNKNOWN_USE * plan.device_gib
    beside_torch = used["total"] - used["free"] - used["reserved"]
    needed = max(used["reserved"], used["peak_reserved"]) + wanted
    return (used["total"] - beside_torch) / max(1.0, needed / plan.device_gib)


def wanted_gib(message: str) -> float | None:
    """What torch tried to allocate, GiB; None: the message does not say."""
    match = _WANTED.search(message)
    return None if match is None else float(match[1]) * _GIB_OF[match[2]]


def _read_plan(run: RunDir) -> Plan | None:
    try:
        return Plan.from_json(run.plan.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, KeyError):
        return None
