"""Find confusable known answers.

They serve as distractors in ranked accuracy and define the groups of confusable probes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nsmallest

from ftdist.evaluation.probes import Probe
from ftdist.text.matching import Words, strip_citation, words

MAX_DISTRACTORS = 3
MIN_SHARED_WORDS = 0.5
"""Two answers are confusable if they share more than this fraction of the longer one's words."""


@dataclass(frozen=True)
class Ranking:
    """The candidate answers to a probe, ranked by likelihood.

    Attributes:
        choices: the answers, without citations.
        right: index of the right one.
    """

    choices: tuple[str, ...]
    right: int


def rankings(probes: Sequence[Probe], *, of: Sequence[Probe] | None = None) -> list[Ranking | None]:
    """The candidate answers of each probe; None if it has no distractors.

    These are the probe's own choices, or for a plain fact probe without choices its known answer
    and the most similar known answers of other such probes, which are the hardest distractors.

    Args:
        probes: all probes, whose known answers may serve as distractors.
        of: the probes to rank; None: all.
    """
    answers = _answers(probes)
    sets = {answer_words: frozenset(answer_words) for answer_words in answers}
    distractors: dict[Words, list[Words]] = {}
    results: list[Ranking | None] = []
    for probe in probes if of is None else of:
        answer_words = _answer_words(probe)
        if probe.is_plain_fact and not probe.choices and answer_words not in distractors:
            distractors[answer_words] = _nearest(answer_words, sets)
        if probe.choices:
            results.append(Ranking(probe.choices, probe.right_choice))
        elif probe.is_plain_fact and (others := distractors[answer_words]):
            own = answers[answer_words]
            results.append(Ranking((own, *(answers[other] for other in others)), 0))
        else:
            results.append(None)
    return results


def can_rank(probes: Sequence[Probe]) -> bool:
    """Whether any fact probe has distractors."""
    recall = [probe for probe in probes if probe.is_plain_fact]
    return len({_answer_words(probe) for probe in recall}) > 1 or any(
        probe.choices for probe in recall
    )


def confusable_groups(probes: Sequence[Probe]) -> list[list[int]]:
    """Groups of fact probes with confusable known answers, as indices into `probes`.

    A chain of confusable answers forms one group; probes that share a single answer do not.
    """
    answers = list(_answers(probes))
    sets = [frozenset(answer_words) for answer_words in answers]
    group_of = list(range(len(answers)))
    for second in range(len(answers)):
        for first in range(second):
            if group_of[first] != group_of[second] and _shared(sets[first], sets[second]):
                old, new = group_of[second], group_of[first]
                group_of = [new if group == old else group for group in group_of]
    by_answer = dict(zip(answers, group_of, strict=True))
    groups: dict[int, list[int]] = {}
    for index, probe in enumerate(probes):
        if probe.is_plain_fact and group_of.count(by_answer[_answer_words(probe)]) > 1:
            groups.setdefault(by_answer[_answer_words(probe)], []).append(index)
    return list(groups.values())


def _answer_words(probe: Probe) -> Words:
    return words(strip_citation(probe.answer))


def _answers(probes: Sequence[Probe]) -> dict[Words, str]:
    """The distinct known answers of the fact probes, without citations."""
    return {
        _answer_words(probe): strip_citation(probe.answer)
        for probe in reversed(probes)
        if probe.is_plain_fact
    }


def _nearest(answer_words: Words, sets: dict[Words, frozenset[str]]) -> list[Words]:
    """The answers that share the most words with one; ties in the order of their words."""
    own = sets[answer_words]

    def distance(other: Words) -> tuple[float, Words]:
        shared = len(own & sets[other])
        return -shared / (len(own) + len(sets[other]) - shared), other

    return nsmallest(MAX_DISTRACTORS, (other for other in sets if sets[other] != own), key=distance)


def _shared(one: frozenset[str], other: frozenset[str]) -> bool:
    return one != other and len(one & other) > MIN_SHARED_WORDS * max(len(one), len(other))
