"""Fields that SLURM's sinfo prints: time limits, GPUs and features of nodes."""

import re


def minutes(limit: str) -> int | None:
    """A time limit as SLURM writes it (`1-02:00:00`, `30:00`), in minutes; None: no limit."""
    if limit.strip().lower() in ("infinite", "unlimited", "n/a", "partition_limit"):
        return None
    days, dash, clock = limit.strip().rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    if dash or len(parts) == 3:  # days-hours[:minutes[:seconds]], hours:minutes:seconds
        hours, minute = [*parts, 0][:2]
    else:  # minutes[:seconds]
        hours, minute = 0, parts[0]
    return (int(days or 0) * 24 + hours) * 60 + minute


def count_gpus(gres: str) -> int:
    """GPUs of a node, from such as `gpu:a100:4(S:0-1),gpu:1g.5gb:7,nvme:1`; no number means one."""
    count = 0
    for item in re.sub(r"\([^)]*\)", "", gres).split(","):
        name, *words = item.split(":")
        if name == "gpu":
            count += int(words[-1]) if words and words[-1].isdecimal() else 1
    return count


def has_features(features: str, constraint: str | None) -> bool:
    """Whether a node meets a constraint of words with & or |; True for any other constraint."""
    if constraint is None or not re.fullmatch(r"[\w.:-]+([&|][\w.:-]+)*", constraint):
        return True
    present = set(features.split(","))
    return any(present.issuperset(words.split("&")) for words in constraint.split("|"))
