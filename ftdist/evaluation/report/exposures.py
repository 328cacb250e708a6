"""Show recall by how often training showed a fact: a curve, a table, a sentence. Loads no torch."""

from collections.abc import Mapping
from typing import Any

from ftdist.observe.charts import Chart, chart
from ftdist.observe.score_table import Scores, rate_estimate


def exposure_chart(scores: Scores) -> Chart | None:
    """Share of key facts found over the mean exposures of each bucket; None without any."""
    buckets = scores.get("exposures", {}).get("buckets", [])
    series = {
        model: [(bucket["mean"], bucket[model]["value"]) for bucket in buckets]
        for model in ("base", "tuned")
    }
    return chart("Share of key facts found, by exposures of the fact", series, x_title="exposures")


def exposure_rows(scores: Scores) -> list[tuple[str, str, str, str]]:
    """Exposures, probes, base and tuned, for each bucket; empty without any."""
    return [
        (
            _range(bucket),
            str(bucket["probes"]),
            rate_estimate(bucket["base"]).full,
            rate_estimate(bucket["tuned"]).full,
        )
        for bucket in scores.get("exposures", {}).get("buckets", [])
    ]


def exposure_text(scores: Scores) -> str:
    """One sentence on recall by exposures; "" without any."""
    exposures = scores.get("exposures")
    if not exposures:
        return ""
    parts = [
        f"{bucket['tuned']['value']:.2f} after {_range(bucket)} ({bucket['probes']})"
        for bucket in exposures["buckets"]
    ]
    return (
        f"training showed a fact {exposures['mean']:.0f} times on average; share of key facts "
        f"found (probes): {', '.join(parts)}."
    )


def _range(bucket: Mapping[str, Any]) -> str:
    low, high = bucket["low"], bucket["high"]
    if high is None:
        return f"{low} or more"
    return str(low) if low == high else f"{low} to {high}"
