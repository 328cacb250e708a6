"""What changed from base to tuned, rate by rate, and whether that is more than noise."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ftdist.evaluation.metric_docs import MEANINGS, Meaning, meaning_of
from ftdist.evaluation.report.text import unclear_text
from ftdist.text.terminal import plain

Verdict = Literal["better", "worse", "noise", "none"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One row of the table of scores.

    Attributes:
        base, tuned: the value, and how many of how many with the 95 % interval
            below, as a person reads them.
        difference: tuned less base, and its 95 % interval where answers were paired.
        verdict: "noise" unless the difference is clear; "none" where the base has no such rate.
        said: the verdict in words; empty for "none".
    """

    name: str
    meaning: Meaning
    base: tuple[str, str]
    tuned: tuple[str, str]
    difference: tuple[str, str]
    verdict: Verdict
    said: str

    @property
    def place(self) -> str:
        """Where its row stands on the page."""
        return "score-" + re.sub("[^a-z0-9]+", "-", self.name.lower())


def changes(scores: Mapping[str, Any]) -> list[Change]:
    """Every rate of the tuned model and the general loss, in the order of `MEANINGS`."""
    order = {name: place for place, name in enumerate(MEANINGS)}
    names = sorted(scores["tuned"], key=lambda name: order.get(name, len(order)))
    pairs = scores.get("paired", {})
    found = [
        _of_rate(
            name,
            base=scores["intervals"]["base"].get(name),
            tuned=scores["intervals"]["tuned"][name],
            paired=pairs.get(name),
        )
        for name in names
    ]
    if near := scores.get("confusable_accuracy"):
        found.append(
            _of_rate(
                "confusable_accuracy",
                base=near["base"],
                tuned=near["tuned"],
                paired=near.get("paired"),
            )
        )
    if loss := scores.get("general_nll"):
        found.append(_of_loss(loss))
    return found


def losses(found: Sequence[Change]) -> list[tuple[str, str]]:
    """What is clearly lost: where each score's row stands on the page, and a sentence."""
    return [
        (
            change.place,
            f"{_subject(change.name)} got clearly worse: {change.difference[0]}"
            f"{' nats a token' if change.name == 'general_nll' else ''}.",
        )
        for change in found
        if change.verdict == "worse"
    ]


_SUBJECTS = {
    "general_nll": "General language",
    "general_accuracy": "General knowledge",
    "general_mc_accuracy": "General knowledge (by the likeliest choice)",
    "leak_rate": "Leaking into other answers",
}


def _subject(name: str) -> str:
    shown = plain(name).replace("_", " ")
    return _SUBJECTS.get(name, shown[:1].upper() + shown[1:])


def _of_rate(
    name: str,
    *,
    base: Mapping[str, Any] | None,
    tuned: Mapping[str, Any],
    paired: Mapping[str, Any] | None,
) -> Change:
    meaning = meaning_of(name)
    if base is None:  # counted from what the base does, so that the base itself has none
        return Change(
            name=name, meaning=meaning, base=("-", ""), tuned=_rate(tuned), difference=("", ""),
            verdict="none", said="",
        )  # fmt: skip
    if paired:
        difference, clear = paired["difference"], paired["clear"]
        low, high = 100 * paired["low_95"], 100 * paired["high_95"]
        detail = f"{low:+.1f} to {high:+.1f}\nn = {paired['n']}"
    else:
        # Without pairs only intervals that lie apart are sure to be more than chance.
        difference = tuned["hits"] / tuned["n"] - base["hits"] / base["n"]
        clear = tuned["low_95"] > base["high_95"] or tuned["high_95"] < base["low_95"]
        detail = ""
    verdict = _verdict(difference, clear=clear, lower_is_better=meaning.lower_is_better)
    return Change(
        name=name,
        meaning=meaning,
        base=_rate(base),
        tuned=_rate(tuned),
        difference=(f"{100 * difference:+.1f} points", detail),
        verdict=verdict,
        said=_said(verdict, paired or {}),
    )


def _of_loss(loss: Mapping[str, Any]) -> Change:
    low, high, difference = loss["low_95"], loss["high_95"], loss["difference"]
    verdict = _verdict(difference, clear=loss["clear"], lower_is_better=True)
    words = f"loss on {loss['passages']:,} passages of general text, in nats a token"
    return Change(
        name="general_nll",
        meaning=Meaning("retention", words, lower_is_better=True),
        base=(f"{loss['base']:.3f}", ""),
        tuned=(f"{loss['tuned']:.3f}", ""),
        difference=(f"{difference:+.3f}", f"{low:+.3f} to {high:+.3f}\nn = {loss['passages']}"),
        verdict=verdict,
        said=_said(verdict, loss),
    )


def _verdict(difference: float, *, clear: bool, lower_is_better: bool) -> Verdict:
    if not clear or difference == 0:
        return "noise"
    return "better" if (difference > 0) != lower_is_better else "worse"


def _said(verdict: Verdict, found: Mapping[str, Any]) -> str:
    return unclear_text(found) if verdict == "noise" else verdict


def _rate(interval: Mapping[str, Any]) -> tuple[str, str]:
    hits, asked = interval["hits"], interval["n"]
    low, high = 100 * interval["low_95"], 100 * interval["high_95"]
    return f"{100 * hits / asked:.0f} %", f"{hits} of {asked}\n{low:.0f} to {high:.0f} %"
