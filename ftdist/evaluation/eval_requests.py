"""What one model is asked in an evaluation, and its answers; both can be split over replicas."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, TypeVar

from ftdist.evaluation.eval_set import EvalSet
from ftdist.evaluation.lm_eval_tasks import Outcomes
from ftdist.evaluation.scoring.distractors import rankings

Item = TypeVar("Item")


class PassagePrompt(NamedTuple):
    """A question to answer from passages."""

    question: str
    passages: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class EvalRequests:
    """What one model or one replica of it is asked.

    Attributes:
        questions: to answer in writing.
        choices: for each of them the answers that it is ranked by (`rankings`), or none.
        general: general questions with their choices.
        texts: passages of general text.
        tasks: files of lm-eval's tasks.
        prompts: questions to answer in writing from passages.
    """

    questions: Sequence[str]
    choices: Sequence[Sequence[str]]
    general: Sequence[tuple[str, Sequence[str]]]
    texts: Sequence[str]
    tasks: Sequence[Path]
    prompts: Sequence[PassagePrompt] = ()

    @classmethod
    def from_inputs(
        cls, eval_set: EvalSet, *, prompts: Sequence[PassagePrompt] = ()
    ) -> "EvalRequests":
        """Everything that an evaluation asks."""
        return cls(
            questions=[probe.question for probe in eval_set.probes],
            choices=[ranking.choices if ranking else () for ranking in rankings(eval_set.probes)],
            general=[(item.question, item.choices) for item in eval_set.general],
            texts=eval_set.texts,
            tasks=eval_set.tasks,
            prompts=prompts,
        )

    @property
    def closed(self) -> "EvalRequests":
        """Everything that is asked without passages."""
        return replace(self, prompts=())

    @property
    def from_passages(self) -> "EvalRequests":
        """What is asked with passages."""
        return EvalRequests(
            questions=(), choices=(), general=(), texts=(), tasks=(), prompts=self.prompts
        )

    def share(self, number: int, *, of: int) -> "EvalRequests":
        """The share of replica `number`: every `of`-th request, starting with its own."""
        return EvalRequests(
            questions=self.questions[number::of],
            choices=self.choices[number::of],
            general=self.general[number::of],
            texts=self.texts[number::of],
            tasks=self.tasks[number::of],
            prompts=self.prompts[number::of],
        )


class PassageAnswer(NamedTuple):
    """What a model answered from passages.

    Attributes:
        text: its answer.
        truncated: whether that was cut off at `eval.max_new_tokens`.
        shortened: whether the passages were, to fit into the model's context.
    """

    text: str
    truncated: bool
    shortened: bool


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
        with_passages: an answer for each question with passages.
        passages_s: wall time of these, part of `took_s`.
    """

    texts: list[str]
    truncated: list[bool]
    likelihoods: list[list[float]]
    general: list[list[float]]
    losses: list[tuple[float, int]]
    tasks: Outcomes
    took_s: float
    with_passages: list[PassageAnswer] = field(default_factory=list)
    passages_s: float = 0.0

    @property
    def closed(self) -> "Answers":
        """Those without passages."""
        took_s = self.took_s - self.passages_s
        return replace(self, with_passages=[], passages_s=0.0, took_s=took_s)

    @property
    def from_passages(self) -> "Answers":
        """Those from passages."""
        return Answers(
            texts=[],
            truncated=[],
            likelihoods=[],
            general=[],
            losses=[],
            tasks={},
            took_s=self.passages_s,
            with_passages=self.with_passages,
            passages_s=self.passages_s,
        )

    def joined(self, from_passages: "Answers") -> "Answers":
        """These and a model's answers from passages."""
        return replace(
            self,
            took_s=self.took_s + from_passages.passages_s,
            with_passages=from_passages.with_passages,
            passages_s=from_passages.passages_s,
        )

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
            with_passages=_interleave([share.with_passages for share in shares]),
            passages_s=max(share.passages_s for share in shares),
        )


def _interleave(shares: Sequence[list[Item]]) -> list[Item]:
    """One from each share, then the next one from each."""
    longest = max(len(share) for share in shares)
    return [share[n] for n in range(longest) for share in shares if n < len(share)]
