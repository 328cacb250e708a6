"""Verdicts on answers, and rates of them with their uncertainty.

Four rates: `recall` (every key of the library's fact is in the answer), `recall_with_page` (the
right page of the manual too), `retention` (general knowledge), `leak` (the library's content in
an answer about something else; lower is better).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ftdist.expert.intervals import Rate
from ftdist.expert.match import holds, holds_all, pages, words
from ftdist.expert.probes import Probe

@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What one answer is worth.

    Attributes:
        right: recall and retention: it is right; contrast: it holds nothing of the library.
        page: whether the right page is named as well; None where the known answer names none.
        leaked: content of the library in an answer that should hold none.
        chosen: the choice found likeliest; None without choices.
    """

    right: bool
    page: bool | None = None
    leaked: tuple[str, ...] = ()
    chosen: str | None = None


@dataclass(frozen=True)
class LibraryMarks:
    """What gives away that an answer speaks of the library.

    Attributes:
        keys: keys of recall probes that say something by themselves: two words or more.
        facts: all keys of a recall probe that has two or more.
        pages: pages that the recall probes' answers cite.
    """

    keys: tuple[str, ...]
    facts: tuple[tuple[str, ...], ...]
    pages: frozenset[int]

    @classmethod
    def of(cls, probes: Sequence[Probe]) -> "LibraryMarks":
        """The marks of a set of probes."""
        recall = [probe for probe in probes if probe.kind == "recall"]
        # A single word such as "rinse" stands in many an honest answer about something else.
        keys = {key: None for probe in recall for key in probe.keys if len(words(key)) > 1}
        facts = {probe.keys: None for probe in recall if len(probe.keys) > 1}
        cited = frozenset[int]().union(*(pages(probe.answer) for probe in recall))
        return cls(tuple(keys), tuple(facts), cited)

    def found_in(self, answer: str, *, question: str) -> tuple[str, ...]:
        """Marks in an answer that the question did not bring along itself."""
        found = [k for k in self.keys if holds(answer, k) and not holds(question, k)]
        for fact in self.facts:
            if holds_all(answer, fact) and not set(fact) & set(found):
                found.append(" + ".join(fact))
        cited = sorted((pages(answer) - pages(question)) & self.pages)
        return (*found, *(f"page {page}" for page in cited))


def judge(
    probe: Probe, answer: str, *, marks: LibraryMarks, likelihoods: Sequence[float] = ()
) -> Verdict:
    """The verdict on one answer.

    Args:
        probe: the question and what is known of it.
        answer: what the model wrote.
        marks: of all probes of the file.
        likelihoods: for each choice, its length-normalised log-likelihood; the highest is chosen.
    """
    if probe.kind == "recall":
        right, cited = holds_all(answer, probe.keys), pages(probe.answer)
        return Verdict(right=right, page=right and cited <= pages(answer) if cited else None)
    leaked = marks.found_in(answer, question=probe.question)
    if probe.kind == "contrast":
        leaked += tuple(key for key in probe.keys if holds(answer, key) and key not in leaked)
        return Verdict(right=not leaked, leaked=leaked)
    if probe.choices:
        best = max(range(len(probe.choices)), key=lambda place: likelihoods[place])
        chosen = probe.choices[best]
        return Verdict(right=best == probe.right_choice, leaked=leaked, chosen=chosen)
    return Verdict(right=holds_all(answer, probe.keys), leaked=leaked)


def rates(probes: Sequence[Probe], verdicts: Sequence[Verdict]) -> dict[str, Rate]:
    """The rates for which there are probes, by name."""
    pairs = list(zip(probes, verdicts, strict=True))
    outcomes = {
        "recall": [v.right for p, v in pairs if p.kind == "recall"],
        "recall_with_page": [v.page for _, v in pairs if v.page is not None],
        "retention": [v.right for p, v in pairs if p.kind == "retention"],
        "leak": [not v.right for p, v in pairs if p.kind == "contrast"],
    }
    return {name: Rate(sum(hits), len(hits)) for name, hits in outcomes.items() if hits}
