"""Numbers for people: GiB, durations, counts."""

GIB = 2**30


def format_duration(seconds: float) -> str:
    """A duration such as 45s, 3m20s, 5h07m, 2d03h."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def format_bytes(size: int) -> str:
    """Such as 512 B, 1.5 KiB, 12.0 GiB."""
    value = float(size)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{size} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def format_gib(gib: float) -> str:
    """A size such as 12.34 GiB, or below 0.1 GiB 45 MiB, 0.3 MiB."""
    mib = gib * 1024
    if gib >= 0.1:
        return f"{gib:.2f} GiB"
    return f"{mib:.0f} MiB" if mib >= 10 or mib == 0 else f"{mib:.2g} MiB"


def format_count(count: int, noun: str) -> str:
    """A count with its noun: 1 step, 1,200 steps."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
