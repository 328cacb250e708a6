"""Judge answers and compute their rates.

fact_accuracy           every key of the library's fact is in the answer
citation_accuracy       the answer also cites the right page
fact_accuracy_ranked    the known answer is more likely than those of other probes
general_accuracy        the answer to a general question is right
leak_rate               library content in an answer about something else; lower is better

`added_rates` compares the tuned model with the base, question by question.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from ftdist.evaluation.probes import Probe
from ftdist.evaluation.scoring.confidence import Rate
from ftdist.evaluation.scoring.refusals import deflects
from ftdist.text.matching import (
    Words,
    cited_pages,
    contains_all,
    contains_words,
    has_citation,
    ngrams,
    words,
)
from ftdist.text.number_words import is_number_phrase


@dataclass(frozen=True, kw_only=True)
class AnswerVerdict:
    """The verdict on one answer.

    Attributes:
        right: fact and general: it is right; other kinds: it contains no library
            content.
        page: whether it also cites the right page; None if the known answer cites none.
        leaked: library content in an answer that should contain none.
        chosen: the most likely choice; None without choices.
        ranked: fact: whether the known answer is more likely than its distractors; None without
            distractors.
        deflected: the answer declines to answer.
        cited: the answer cites a source in the style of the library.
    """

    right: bool
    page: bool | None = None
    leaked: tuple[str, ...] = ()
    chosen: str | None = None
    ranked: bool | None = None
    deflected: bool = False
    cited: bool = False


@dataclass(frozen=True)
class LibraryMarks:
    """Markers of library content in an answer.

    Attributes:
        keys: keys of fact probes that are specific on their own: two or more words, and no
            quantity in words.
        facts: the keys of each fact probe that has two or more.
        pages: pages that the fact probes' answers cite.
    """

    keys: tuple[str, ...]
    facts: tuple[tuple[str, ...], ...]
    pages: frozenset[int]

    @classmethod
    def from_probes(cls, probes: Sequence[Probe]) -> "LibraryMarks":
        """The marks of a set of probes."""
        recall = [probe for probe in probes if probe.kind == "fact"]
        # A single word such as "rinse", or "half an hour", occurs in legitimate answers about
        # other topics.
        keys = {
            key: None
            for probe in recall
            for key in probe.keys
            if len(words(key)) > 1 and not is_number_phrase(key)
        }
        facts = {probe.keys: None for probe in recall if len(probe.keys) > 1}
        cited = frozenset[int]().union(*(cited_pages(probe.answer) for probe in recall))
        return cls(tuple(keys), tuple(facts), cited)

    def found_in(self, answer: str, *, question: str) -> tuple[str, ...]:
        """Markers in the answer that do not already occur in the question."""
        in_answer, in_question = self._keys_in(answer), self._keys_in(question)
        leaked = [key for key in self.keys if key in in_answer and key not in in_question]
        for fact in self.facts:
            is_there = in_answer.issuperset(fact) and not in_question.issuperset(fact)
            if is_there and not set(fact) & set(leaked):
                leaked.append(" + ".join(fact))
        cited = sorted((cited_pages(answer) - cited_pages(question)) & self.pages)
        return (*leaked, *(f"page {page}" for page in cited))

    def _keys_in(self, text: str) -> set[str]:
        """The keys in a text, by one look-up of its n-grams."""
        sizes = {len(cut) for cut in self._by_words}
        matches = ngrams(words(text), sizes=sizes) & self._by_words.keys()
        return {key for cut in matches for key in self._by_words[cut]}

    @cached_property
    def _by_words(self) -> dict[Words, list[str]]:
        by_words: dict[Words, list[str]] = {}
        for key in dict.fromkeys(chain(self.keys, *self.facts)):
            if cut := words(key):
                by_words.setdefault(cut, []).append(key)
        return by_words


def judge(
    probe: Probe,
    answer: str,
    *,
    marks: LibraryMarks,
    likelihoods: Sequence[float] = (),
    right_choice: int | None = None,
) -> AnswerVerdict:
    """The verdict on one answer.

    Args:
        probe: the question and what is known of it.
        answer: what the model wrote.
        marks: markers from all probes of the file.
        likelihoods: for each choice, its length-normalised log-likelihood; the highest is chosen.
        right_choice: index of the right one; None: the probe's own.
    """
    right_index = probe.right_choice if right_choice is None else right_choice
    best = max(range(len(likelihoods)), key=lambda n: likelihoods[n]) if likelihoods else None
    leaked: tuple[str, ...] = ()
    page = ranked = chosen = None
    if probe.kind == "fact":
        right, known = contains_all(answer, probe.keys), cited_pages(probe.answer)
        page = right and known <= cited_pages(answer) if known else None
        ranked = None if best is None else best == right_index
    else:
        leaked = marks.found_in(answer, question=probe.question)
        if probe.kind in ("out_of_scope", "general_open"):
            own = (key for key in probe.keys if not contains_words(probe.question, key))
            leaked += tuple(key for key in own if contains_words(answer, key) and key not in leaked)
            right = not leaked
        elif best is not None:
            right, chosen = best == right_index, probe.choices[best]
        else:
            right = contains_all(answer, probe.keys)
    return AnswerVerdict(
        right=right,
        page=page,
        leaked=leaked,
        chosen=chosen,
        ranked=ranked,
        deflected=deflects(answer),
        cited=has_citation(answer),
    )


def outcomes(probes: Sequence[Probe], verdicts: Sequence[AnswerVerdict]) -> dict[str, list[bool]]:
    """Outcomes by the name of their rate, in the same order for every model."""
    pairs = list(zip(probes, verdicts, strict=True))
    return {
        "fact_accuracy": [v.right for p, v in pairs if p.kind == "fact"],
        "citation_accuracy": [v.page for _, v in pairs if v.page is not None],
        "fact_accuracy_ranked": [v.ranked for _, v in pairs if v.ranked is not None],
        "general_accuracy": [v.right for p, v in pairs if p.kind == "general"],
        "leak_rate": [not v.right for p, v in pairs if p.kind == "out_of_scope"],
    }


def added_rates(
    probes: Sequence[Probe], base: Sequence[AnswerVerdict], tuned: Sequence[AnswerVerdict]
) -> dict[str, Rate]:
    """Rates of failures that the base does not have, and that training therefore caused.

    new_leak_rate: of the out-of-scope questions that the base answered without library content,
        those where the tuned model's answer contains some.
    over_refusal_rate: of the out-of-scope questions that the base answered, those that the tuned
        model refuses.
    out_of_scope_failure_rate: of the out-of-scope questions that the base answered without library
        content, those with some, or refused by the tuned model alone. Refusing
        instead of leaking is no improvement.
    general_leak_rate: of the general questions that the base answered without library content,
        those with some.
    spurious_citation_rate: of all questions about something else that the base answered without a
        citation, those where the tuned model cites.
    """
    others = [pair for pair in zip(probes, base, tuned, strict=True) if pair[0].kind != "fact"]
    out_of_scope = [(b, t) for p, b, t in others if p.kind == "out_of_scope"]
    general = [(b, t) for p, b, t in others if p.kind in ("general", "general_open")]
    return _rates(
        {
            "new_leak_rate": [not t.right for b, t in out_of_scope if b.right],
            "over_refusal_rate": [t.deflected for b, t in out_of_scope if not b.deflected],
            "out_of_scope_failure_rate": [
                not t.right or _declines(b, t) for b, t in out_of_scope if b.right
            ],
            "general_leak_rate": [bool(t.leaked) for b, t in general if not b.leaked],
            "spurious_citation_rate": [t.cited for _, b, t in others if not b.cited],
        }
    )


def _declines(base: AnswerVerdict, tuned: AnswerVerdict) -> bool:
    return tuned.deflected and not base.deflected


def _rates(by_name: dict[str, list[bool]]) -> dict[str, Rate]:
    rates = {name: Rate.from_outcomes(hits) for name, hits in by_name.items()}
    return {name: rate for name, rate in rates.items() if rate is not None}
