"""Judge answers and compute their rates.

fact_accuracy              every key of the library's fact is in the answer
reverse_accuracy           the same, for questions from the value to the thing
two_fact_accuracy          the same, for questions about two facts at once
citation_accuracy          the answer also cites the right page
fact_accuracy_ranked       the known answer is more likely than those of other probes
general_accuracy           the answer to a general question is right
instruction_accuracy       the answer passes all rules of its instruction
leak_rate                  library content in an answer about something else; lower is better
unanswerable_failure_rate  a value where the library gives none; lower is better

`key_counts` counts the keys of fact probes one by one, for `fact_recall`. `added_rates` compares
the tuned model with the base, question by question.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from ftdist.evaluation.instruction_set.checks import follows
from ftdist.evaluation.probes import Probe
from ftdist.evaluation.scoring.confidence import Rate
from ftdist.evaluation.scoring.invented import invented_values
from ftdist.evaluation.scoring.key_facts import missing_keys
from ftdist.evaluation.scoring.refusals import deflects
from ftdist.text.matching import (
    Words,
    cited_pages,
    contains_words,
    has_citation,
    ngrams,
    words,
)
from ftdist.text.number_words import is_number_phrase

_RANGE = re.compile(r"\d(?:[-\u2013]| to | [-\u2013] )\d+(?:[.,]\d+)*", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class AnswerVerdict:
    """The verdict on one answer.

    Attributes:
        right: fact and general: it is right; unanswerable: it invents nothing; instruction: it
            follows; other kinds: it contains no library content.
        missing: keys that the answer does not state; None unless the probe is a fact.
        invented: unanswerable: values that the library does not give.
        num_words: length of the answer.
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
    missing: tuple[str, ...] | None = None
    invented: tuple[str, ...] = ()
    num_words: int = 0


@dataclass(frozen=True)
class LibraryMarks:
    """Markers of library content in an answer.

    Attributes:
        keys: keys of plain fact probes that are specific on their own: two or more words, and no
            quantity in words.
        facts: the keys of each fact probe that has two or more, unless all are single digits.
        pages: pages that the fact probes' answers cite.
        values: keys of fact probes with a number or a capital, which state something concrete.
    """

    keys: tuple[str, ...]
    facts: tuple[tuple[str, ...], ...]
    pages: frozenset[int]
    values: tuple[str, ...] = ()

    @classmethod
    def from_probes(cls, probes: Sequence[Probe]) -> "LibraryMarks":
        """The marks of a set of probes."""
        # Those in reverse ask for names, which are no content of the library.
        recall = [probe for probe in probes if probe.is_plain_fact]
        # A single word such as "rinse", or "half an hour", occurs in legitimate answers about
        # other topics.
        keys = {
            key: None
            for probe in recall
            for key in probe.keys
            if len(words(key)) > 1 and not is_number_phrase(key)
        }
        # "2" and "4" stand in many an answer: "2 to 4 hours", "4. Turn it on."
        facts = {
            probe.keys: None
            for probe in recall
            if len(probe.keys) > 1 and not all(key.isdigit() and len(key) < 2 for key in probe.keys)
        }
        cited = frozenset[int]().union(*(cited_pages(probe.answer) for probe in recall))
        values = {key: None for probe in recall for key in probe.keys if key.lower() != key}
        numbers = {
            key: None for probe in recall for key in probe.keys if any(map(str.isdigit, key))
        }
        return cls(tuple(keys), tuple(facts), cited, tuple(values | numbers))

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
        matches = ngrams(_words(text), sizes=sizes) & self._by_words.keys()
        return {key for cut in matches for key in self._by_words[cut]}

    @cached_property
    def _by_words(self) -> dict[Words, list[str]]:
        by_words: dict[Words, list[str]] = {}
        for key in dict.fromkeys(chain(self.keys, *self.facts)):
            if cut := _words(key):
                by_words.setdefault(cut, []).append(key)
        return by_words


def _words(text: str) -> Words:
    """Words of a text; a range such as "3-5 years" does not hold its end, "5 years"."""
    return words(_RANGE.sub(r"\g<0> range ", text))


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
    invented: tuple[str, ...] = ()
    page = ranked = chosen = missing = None
    if probe.kind == "fact":
        missing = missing_keys(answer, probe.keys, known=probe.answer)
        right, known = not missing, cited_pages(probe.answer)
        page = right and known <= cited_pages(answer) if known else None
        ranked = None if best is None else best == right_index
    elif probe.kind == "unanswerable":
        invented = _invented(probe, answer, marks)
        right = not invented
    else:
        leaked = _leaked(probe, answer, marks)
        if best is not None and probe.kind == "general":
            right, chosen = best == right_index, probe.choices[best]
        else:
            right = _is_right(probe, answer, leaked=leaked)
    return AnswerVerdict(
        right=right,
        page=page,
        leaked=leaked,
        chosen=chosen,
        ranked=ranked,
        deflected=deflects(answer),
        cited=has_citation(answer),
        missing=missing,
        invented=invented,
        num_words=len(answer.split()),
    )


_LEAK_KINDS = ("out_of_scope", "general_open")
"""Kinds whose answers are right if they contain no library content."""


def _is_right(probe: Probe, answer: str, *, leaked: Sequence[str]) -> bool:
    """Whether an answer in writing to a question beside the library is right."""
    if probe.kind in _LEAK_KINDS:
        return not leaked
    if probe.kind == "instruction":
        return follows(answer, probe.checks)
    return not missing_keys(answer, probe.keys, known=probe.answer)


def _invented(probe: Probe, answer: str, marks: LibraryMarks) -> tuple[str, ...]:
    values = (*probe.keys, *marks.values)
    return invented_values(answer, question=probe.question, values=values, evidence=probe.evidence)


def _leaked(probe: Probe, answer: str, marks: LibraryMarks) -> tuple[str, ...]:
    """Library content in an answer, and the probe's own keys where they are a leak."""
    leaked = marks.found_in(answer, question=probe.question)
    if probe.kind not in _LEAK_KINDS:
        return leaked
    own = (key for key in probe.keys if not contains_words(probe.question, key))
    return leaked + tuple(key for key in own if contains_words(answer, key) and key not in leaked)


def outcomes(probes: Sequence[Probe], verdicts: Sequence[AnswerVerdict]) -> dict[str, list[bool]]:
    """Outcomes by the name of their rate, in the same order for every model."""
    pairs = list(zip(probes, verdicts, strict=True))
    plain = [(p, v) for p, v in pairs if p.is_plain_fact]
    facts = [(p, v) for p, v in pairs if p.kind == "fact"]
    return {
        "fact_accuracy": [v.right for _, v in plain],
        "reverse_accuracy": [v.right for p, v in facts if p.form == "reverse"],
        "two_fact_accuracy": [v.right for p, v in facts if p.form == "two_facts"],
        "citation_accuracy": [v.page for _, v in plain if v.page is not None],
        "fact_accuracy_ranked": [v.ranked for _, v in plain if v.ranked is not None],
        "general_accuracy": [v.right for p, v in pairs if p.kind == "general"],
        "instruction_accuracy": [v.right for p, v in pairs if p.kind == "instruction"],
        "leak_rate": [not v.right for p, v in pairs if p.kind == "out_of_scope"],
        "unanswerable_failure_rate": [not v.right for p, v in pairs if p.kind == "unanswerable"],
    }


def key_counts(
    probes: Sequence[Probe], verdicts: Sequence[AnswerVerdict]
) -> tuple[list[int], list[int]]:
    """Keys found and keys asked for, by fact probe; empty lists without any."""
    counts = [
        (len(probe.keys) - len(verdict.missing), len(probe.keys))
        for probe, verdict in zip(probes, verdicts, strict=True)
        if probe.is_plain_fact and verdict.missing is not None
    ]
    return [found for found, _ in counts], [size for _, size in counts]


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
    others = [
        pair
        for pair in zip(probes, base, tuned, strict=True)
        if pair[0].kind not in ("fact", "unanswerable")
    ]
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
