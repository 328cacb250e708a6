"""Known answers that are easily mistaken for each other.

What a probe's answer is ranked against, and which probes differ from others in a detail alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nsmallest

from ftdist.evaluation.probes import Probe
from ftdist.text.matching import strip_citation, words

MAX_RIVALS = 3
NEAR = 0.5
"""Two answers are confusable if more than this part of the longer one's words are shared."""


@dataclass(frozen=True)
class Ranking:
    """Answers to a probe, one of them right, whose likelihoods are compared.

    Attributes:
        choices: the answers, without citations.
        right: place of the right one.
    """

    choices: tuple[str, ...]
    right: int


def rankings(probes: Sequence[Probe], *, of: Sequence[Probe] | None = None) -> list[Ranking | None]:
    """What each probe's answer is ranked against; None where there is nothing.

    A probe's own choices; of a fact probe without, its known answer and those of other fact
    probes that are nearest to it by their words: the confusable ones, which are the hard ones.

    Args:
        probes: whose known answers there are.
        of: those of them that are ranked; None: all.
    """
    answers = _answers(probes)
    sets = {said: frozenset(said) for said in answers}
    rivals: dict[Said, list[Said]] = {}
    found: list[Ranking | None] = []
    for probe in probes if of is None else of:
        said = _said(probe)
        if probe.kind == "fact" and not probe.choices and said not in rivals:
            rivals[said] = _nearest(said, sets)
        if probe.choices:
            found.append(Ranking(probe.choices, probe.right_choice))
        elif probe.kind == "fact" and (others := rivals[said]):
            own = answers[said]
            found.append(Ranking((own, *(answers[other] for other in others)), 0))
        else:
            found.append(None)
    return found


def can_rank(probes: Sequence[Probe]) -> bool:
    """Whether any fact probe has something that its answer is ranked against."""
    recall = [probe for probe in probes if probe.kind == "fact"]
    return len({_said(probe) for probe in recall}) > 1 or any(probe.choices for probe in recall)


def confusable_groups(probes: Sequence[Probe]) -> list[list[int]]:
    """Groups of fact probes whose known answers differ in a detail: places in `probes`.

    Answers are in one group if a chain of near ones joins them; probes of the same answer alone
    are no group.
    """
    answers = list(_answers(probes))
    sets = [frozenset(said) for said in answers]
    group_of = list(range(len(answers)))
    for second in range(len(answers)):
        for first in range(second):
            if group_of[first] != group_of[second] and _shared(sets[first], sets[second]):
                old, new = group_of[second], group_of[first]
                group_of = [new if group == old else group for group in group_of]
    by_answer = dict(zip(answers, group_of, strict=True))
    groups: dict[int, list[int]] = {}
    for place, probe in enumerate(probes):
        if probe.kind == "fact" and group_of.count(by_answer[_said(probe)]) > 1:
            groups.setdefault(by_answer[_said(probe)], []).append(place)
    return list(groups.values())


Said = tuple[str, ...]


def _said(probe: Probe) -> Said:
    return words(strip_citation(probe.answer))


def _answers(probes: Sequence[Probe]) -> dict[Said, str]:
    """The different known answers of the fact probes, without citations."""
    return {
        _said(probe): strip_citation(probe.answer)
        for probe in reversed(probes)
        if probe.kind == "fact"
    }


def _nearest(said: Said, sets: dict[Said, frozenset[str]]) -> list[Said]:
    """The answers that share most words with one; of equally near ones, the first by its words."""
    own = sets[said]

    def distance(other: Said) -> tuple[float, Said]:
        shared = len(own & sets[other])
        return -shared / (len(own) + len(sets[other]) - shared), other

    return nsmallest(MAX_RIVALS, (other for other in sets if sets[other] != own), key=distance)


def _shared(one: frozenset[str], other: frozenset[str]) -> bool:
    return one != other and len(one & other) > NEAR * max(len(one), len(other))
