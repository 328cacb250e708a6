"""Config sections of evaluation, early stopping and merging."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from ftdist.config.schema.types import (
    STRICT,
    Fraction,
    FractionBelowOne,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class EvalConfig:
    """Evaluation during training, and of base and tuned model afterwards. Values: conf/eval/."""

    loss_every_steps: NonNegativeInt
    """Steps between evaluations of the held-out loss; 0: only at the end of training."""

    probes_every_steps: NonNegativeInt
    """Steps between evaluations with probes, general questions and general texts; 0: none.

    The checkpoint with the most key facts (`eval/fact_recall_greedy`) within
    `merge.max_loss_increase` is kept and exported.
    """

    max_questions: PositiveInt
    """Maximum probes, general questions and general texts (of each) per evaluation in training."""

    num_generations: NonNegativeInt
    """Questions answered by generation at each evaluation in training, for people to read."""

    max_new_tokens_in_training: PositiveInt
    """Maximum tokens of an answer generated during training."""

    probes: str | None
    """File of probes (questions with known answers): JSONL, a table, or a file of a Hub dataset
    (hf://datasets/org/name/probes.jsonl); null: `probes.jsonl` in or next to the
    library.
    """

    extra_probes: str | None
    """A further file of probes of your own, in addition to those of `probes` or the library."""

    general_questions: str | None
    """JSONL file of general multiple-choice questions; null: the bundled set; none: no questions.
    """

    perplexity_texts: str | None
    """File of general texts for the loss: .txt with blank lines between texts, or .jsonl with
    "text"; null: the bundled texts; none: no texts.
    """

    num_general_generations: NonNegativeInt
    """General questions answered by generation too, to find library facts that leak into them."""

    num_instructions: NonNegativeInt
    """Bundled instructions, such as "in exactly two sentences", whose answers are checked by rules;
    an even sample of 245; 0: none."""

    max_passage_questions: NonNegativeInt
    """Questions about the library that are also asked with its passages in the prompt, evenly
    spread over the probes, to compare fine-tuning with retrieval; 0: none.
    """

    retrieved_passages: PositiveInt
    """Passages of the library that BM25 retrieves for such a question."""

    lm_eval_tasks: list[str]
    """lm-eval task files (*.yaml) with local data, or folders of them, for both models."""

    max_new_tokens: PositiveInt
    """Maximum tokens of one generated answer."""

    batch_size: PositiveInt
    """Questions per batch."""

    dtype: Literal["auto", "bfloat16", "float32"]
    """Dtype in which both models answer; auto: bfloat16 on GPUs, and on CPUs that are fast with it
    if the tuned model was trained in it; else float32.
    """

    num_replicas: PositiveInt | None
    """Replicas of the model that answer in parallel; null: one per GPU, one on CPUs.

    A model too large for one GPU is spread over all of them.
    """

    num_threads: NonNegativeInt
    """CPU threads per replica; 0: its share of the cores."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class EarlyStoppingConfig:
    """When training ends before its last step. Values: conf/early_stopping/."""

    patience: NonNegativeInt
    """Evaluations with probes without improvement after which training ends; 0: never."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class MergeConfig:
    """Weight interpolation between base and tuned model. Values: conf/merge/.

    Each alpha is evaluated with each `trim_largest` and each `trim_smallest`.
    """

    alphas: Annotated[list[Fraction], Field(min_length=1)]
    """Interpolation coefficients to evaluate, from 0 (the base) to 1 (the tuned model)."""

    trim_largest: Annotated[list[FractionBelowOne], Field(min_length=1)]
    """Shares of each tensor's update (tuned - base) to leave out, the largest by magnitude; 0: all
    of it is merged.
    """

    trim_smallest: Annotated[list[FractionBelowOne], Field(min_length=1)]
    """Shares of each tensor's update to leave out, the smallest by magnitude, as TIES does: 0.8
    keeps the largest fifth.
    """

    layers: list[str]
    """Factors of alpha for some parameters, as PATTERN=FACTOR: shell-style patterns as those of
    `optim.freeze_params`, factors from 0 to 1; the last one that matches a parameter counts.
    """

    onto: str | None
    """Folder or Hub name of another model of the same family and size to which the update is added;
    it is also what scores are compared with. null: the base.
    """

    max_loss_increase: NonNegativeFloat
    """Maximum increase of the general loss over the base model's, nats per token.

    A checkpoint or merge with a larger increase does not count as retaining general knowledge.
    """
