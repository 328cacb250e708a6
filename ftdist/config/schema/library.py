"""Config sections of the data: the library and its extra sources."""

from typing import Literal

from pydantic.dataclasses import dataclass

from ftdist.config.schema.types import STRICT, Fraction, FractionBelowOne, PositiveFloat


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SourceConfig:
    """One source in addition to the library, such as replay of general conversations."""

    path: str
    """File, folder or glob of conversations or plain text, or Hub dataset."""

    weight: PositiveFloat
    """Tokens of this source per token of the library (0.25: a quarter as many)."""

    subset: str | None = None
    """As `library.subset`."""

    split: str | None = None
    """As `library.split`."""

    revision: str | None = None
    """As `library.revision`."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class LibraryConfig:
    """The training data. Values: conf/library/."""

    path: str
    """Curated library; file, folder or glob of conversations and text; or Hub dataset.

    Conversations: JSONL, JSON, CSV, Parquet, Arrow, `save_to_disk`; OpenAI messages, ShareGPT,
    Alpaca. Text: .txt, .md. Hub dataset: hf://datasets/org/name[@revision][/path] or org/name.
    """

    subset: str | None
    """Subset of a dataset (`datasets` calls it config name); null: its default."""

    split: str | None
    """Split of a dataset; null: train, or the only one."""

    revision: str | None
    """Commit, tag or branch of a Hub dataset; null: the newest, recorded as its commit."""

    extra_sources: dict[str, SourceConfig]
    """Further sources by name, mixed in by weight, such as replay."""

    kl_to_base: list[str]
    """Sources whose loss is KL(base || model) instead of cross-entropy.

    Names of `extra_sources` or of sources in a curated library, such as replay and
    out_of_scope. The base model is then sharded over the ranks too.
    """

    kl_to_base_weight: PositiveFloat
    """Factor on the loss of each token of these sources; 1: that of every other token.

    The step still divides by the number of its loss tokens, so 2 makes such a token count twice.
    """

    max_retention_epochs: PositiveFloat | None
    """Most epochs of a run over the replay and out-of-scope samples of a curated library.

    Their fractions of the stream shrink to this; null: they stay as curated.
    """

    context_distillation: Fraction
    """Weight w of the teacher in the loss of answers that come with a context; 0: no teacher.

    The teacher is the base model with that passage in its prompt, which the trained model does not
    see. Their tokens' loss is (1 - w) cross-entropy + w KL(teacher || model).
    """

    held_out_fraction: FractionBelowOne
    """Fraction of the library's rows kept out of training, for the held-out loss."""

    overlong: Literal["error", "drop", "truncate"]
    """Treatment of conversations longer than `batch.sequence_length`; documents are split."""

    on_invalid_row: Literal["error", "skip"]
    """Treatment of rows that cannot be read or have no answer; skipped rows are counted."""

    columns: dict[str, str]
    """Columns or JSON keys of the rows, for files with their own names.

    For question, answer, text, system, messages, role, content, thread, sender, time.
    """

    drop_columns: list[str]
    """Columns or JSON keys to ignore, such as images; dots lead into objects."""

    preferences: Literal["refuse", "chosen"]
    """Treatment of preference data: refuse, or learn the chosen answers.

    Pairs of a chosen and a rejected answer, and answers labelled good or bad.
    """

    system_prompt: str | None
    """System message for conversations without one; null: the chat template's default."""

    reasoning: Literal["auto", "keep", "drop"]
    """Treatment of the thoughts of answers.

    auto: as the chat template has them; an answer that it robs of its thought, as many do in
    earlier turns, is context and not learned. keep: such a conversation is an invalid row. drop:
    thoughts are taken out of all answers.
    """

    cache_dir: str
    """Folder of tokenised and packed libraries, shared by all runs."""
