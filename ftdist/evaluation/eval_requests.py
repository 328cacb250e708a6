"""What one model is asked in an evaluation, and its answers; both can be split over replicas."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ftdist.evaluation.eval_set import EvalSet
from ftdist.evaluation.lm_eval_tasks import Outcomes
from ftdist.evaluation.scoring.distractors import rankings

Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class EvalRequests:
    """What one model or one replica of it is asked.

    Attributes:
        questions: to answer in writing.
        choices: for each of them the answers that it is ranked by (`rankings`), or none.
        general: general questions with their choices.
        texts: passages of general text.
        tasks: files of lm-eval's tasks.
    """

    questions: Sequence[str]
    choices: Sequence[Sequence[str]]
    general: Sequence[tuple[str, Sequence[str]]]
    texts: Sequence[str]
    tasks: Sequence[Path]

    @classmethod
    def from_inputs(cls, eval_set: EvalSet) -> "EvalRequests":
        """Everything that an evaluation asks."""
        return cls(
            questions=[probe.question for probe in eval_set.probes],
            choices=[ranking.choices if ranking else () for ranking in rankings(eval_set.probes)],
            general=[(item.question, item.choices) for item in eval_set.general],
            texts=eval_set.texts,
            tasks=eval_set.tasks,
        )

    def share(self, number: int, *, of: int) -> "EvalRequests":
        """The share of replica `number`: every `of`-th request, starting with its own."""
        return EvalRequests(
            questions=self.questions[number::of],
            choices=self.choices[number::of],
            general=self.general[number::of],
            texts=self.texts[number::of],
            tasks=self.tasks[number::of],
        )


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What one model answered.

    Attributes:
        texts: an answer for each probe.
        truncated: for each of them, whether it was cut off at `eval.max_new_tokens`.
        likelihoods: for each probe the length-normalised log-likelihood of the answers that it is
            ranked by (`rankings`), in nats per byte; empty without any.
        general: the same for the choices of each general question.
        losses: for each passage of general text the summed loss in nats, and its tokens.
        tasks: by "TASK/METRIC" of lm-eval, whether each document was right.
        took_s: wall time, model loading included.
    """

    texts: list[str]
    truncated: list[bool]
    likelihoods: list[list[float]]
    general: list[list[float]]
    losses: list[tuple[float, int]]
    tasks: Outcomes
    took_s: float

    @classmethod
    def merged(cls, shares: Sequence["Answers"], *, took_s: float) -> "Answers":
        """The answers of all replicas, in the order of the requests (`EvalRequests.share`)."""
        return cls(
            texts=_interleave([share.texts for share in shares]),
            truncated=_interleave([share.truncated for share in shares]),
            likelihoods=_interleave([share.likelihoods for share in shares]),
            general=_interleave([share.general for share in shares]),
            losses=_interleave([share.losses for share in shares]),
            tasks={name: right for share in shares for name, right in share.tasks.items()},
            took_s=took_s,
        )


def _interleave(shares: Sequence[list[Item]]) -> list[Item]:
    """One from each share, then the next one from each."""
    longest = max(len(share) for share in shares)
    return [share[n] for n in range(longest) for share in shares if n < len(share)]
