"""Every key of `ftdist curate`: its type, range, unit and meaning.

No key has a default here: each value is defined once, in `conf/curate.yaml` or a group.
"""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from ftdist.config.schema.cluster import ClusterConfig
from ftdist.config.schema.data_source import Source
from ftdist.config.schema.types import (
    NAME_PATTERN,
    STRICT,
    Fraction,
    FractionBelowOne,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Seed,
    SequenceLength,
)

SensitivePolicy = Literal["allow", "mask", "error"]
PiiPolicy = Literal["allow", "mask", "mask_conversations", "error"]
"""Treatment of text that a filter finds, such as secrets."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CurateLibraryConfig:
    """The library to make, and its sources."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    """Name of the library; its folder is `root/name`."""

    root: str
    """Folder of curated libraries."""

    sources: list[Source]
    """Files, folders, globs and Hub datasets to read; `name=path` names a source.

    An entry may be a mapping of path, name, subset, split, revision and columns."""

    weights: dict[str, PositiveFloat]
    """How often training sees each token of a source per pass, by the source's name; else 1."""

    columns: dict[str, str]
    """Columns or JSON keys of the rows, for files with their own names.

    For question, answer, text, system, messages, role, content, thread, sender, time."""

    drop_columns: list[str]
    """Columns or JSON keys to ignore, such as images; dots lead into objects."""

    preferences: Literal["refuse", "chosen"]
    """Chosen and rejected answers, or good and bad ones: refuse them, or learn the chosen."""

    assistant_senders: list[str]
    """Senders in threads whose messages are answers, besides those such as agent or support whose
    name says so; if not empty, all others with unknown names ask."""

    encoding: str | None
    """Encoding of text files that are not UTF-8, such as cp1252; null: guessed, with a note."""

    seed: Seed
    """Seed of all random choices, such as which rows are held out."""

    private: bool
    """Whether only the user may read the library (mode 0700)."""

    license: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]*$")] | None
    """Licence of the library for its dataset card, by the Hub's identifier, such as cc-by-4.0;
    null: unknown."""

    on_invalid_row: Literal["error", "skip"]
    """Treatment of files or rows that cannot be read; skipped ones are counted and named."""

    max_invalid_fraction: Fraction
    """Maximum fraction of invalid rows per source; with more, skipping ends in an error."""

    reasoning: Literal["auto", "keep", "drop"]
    """What training will do with thoughts (`library.reasoning`): tokens are counted accordingly."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CleanConfig:
    """Filters of what was read."""

    remove_boilerplate: bool
    """Whether to remove text repeated on many pages: headers, footers, navigation."""

    dedup: bool
    """Whether to remove exact and near duplicates; the first one is kept."""

    dedup_sections: bool
    """Whether to remove sections of at least 50 words that repeat an earlier section.

    Alike by 0.9 (or `dedup_threshold`, if higher), with the same numbers, names and negations."""

    dedup_threshold: Annotated[float, Field(gt=0.3, le=1)]
    """Jaccard similarity of word 5-grams from which two texts are near duplicates."""

    secrets: SensitivePolicy
    """Treatment of keys, tokens and passwords: allow, mask, or error."""

    pii: PiiPolicy
    """E-mail addresses, phone, card and account numbers; mask_conversations: not in documents."""

    allowlist: list[str]
    """Texts never masked, such as support@example.org; @example.org allows the whole domain."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SplitConfig:
    """Held-out data and probes."""

    held_out_conversations: FractionBelowOne
    """Fraction of each source's conversations kept out of training."""

    held_out_documents: FractionBelowOne
    """Fraction of each source's documents kept out; facts that only they state are not learned."""

    max_held_out: PositiveInt
    """Maximum held-out conversations or documents per source."""

    decontamination_ngram: Annotated[int, Field(ge=3)]
    """Length in words of an n-gram that held-out and training text must not share; held-out text
    that shares one is moved to training. System messages and results of tools are not compared."""

    num_probes: NonNegativeInt
    """Maximum probes about the library in probes.jsonl, worded unlike the training questions."""

    num_out_of_scope_probes: NonNegativeInt
    """Maximum probes about other products in probes.jsonl; training never names those products."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SynthesisConfig:
    """Training samples made from documents."""

    passages: bool
    """Whether to train on documents as text: one passage per section, under title and heading."""

    passage_words: Annotated[int, Field(ge=20)]
    """Approximate words per passage; longer sections are split between blocks."""

    extract_questions: bool
    """Whether to turn FAQs, question headings and tables into questions with answers."""

    cloze_questions: bool
    """Whether to ask for parts of single sentences, and by keywords; needs `extract_questions`."""

    unanswerable_questions: bool
    """Whether to add questions that the documents do not answer, and say so; needs `passages`."""

    paraphrases: PositiveInt
    """Wordings per question, its own included, made by rules."""

    quote_words: NonNegativeInt
    """Approximate words of the paragraph or steps that an answer quotes; 0: its sentence alone."""

    cite_sources: bool
    """Whether an answer from a document begins with its source, such as (Manual, page 12)."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class GeneratorConfig:
    """A language model that words further questions about the facts that rules find."""

    backend: Literal["rules", "base", "endpoint"]
    """Who writes: rules only, the base model, or a model behind an OpenAI-compatible endpoint."""

    questions_per_fact: PositiveInt
    """Questions to request per fact, in addition to those by rules; their answer is the text's."""

    base_url: str
    """Base URL of the endpoint, including /v1."""

    model: str | None
    """The endpoint's name of the model."""

    api_key_env: str | None
    """Environment variable with the endpoint's API key, such as OPENAI_API_KEY; null, or if it is
    unset: no key is sent."""

    max_concurrency: PositiveInt
    """Maximum concurrent requests."""

    max_tokens: PositiveInt
    """Maximum tokens per reply."""

    timeout_s: PositiveInt
    """Seconds after which a request is retried."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RetentionConfig:
    """Samples that retain the base model's knowledge and scope. Values: conf/retention/."""

    replay_sources: list[Source]
    """Sources of general chat and text for replay, as in `library.sources`."""

    replay_fraction: FractionBelowOne
    """Fraction of replay in all tokens per pass."""

    num_replay_answers: NonNegativeInt
    """General prompts for the base model to answer as replay; cached."""

    num_replay_texts: NonNegativeInt
    """Texts for the base model to continue from common first words as replay; cached."""

    out_of_scope_fraction: FractionBelowOne
    """Fraction of out-of-scope samples in all tokens: questions about other products, with the
    base model's answers."""

    num_out_of_scope_answers: NonNegativeInt
    """Questions about other products for the base model to answer."""

    num_counterfactuals: NonNegativeInt
    """Questions about other products with the library's own answers, as a part of the out-of-scope
    samples. For `library.kl_to_base` alone: training leaves them out without it."""

    product_names: list[str]
    """Names of the library's products, as its questions write them; []: guessed from its text."""

    max_answer_tokens: PositiveInt
    """Maximum tokens of a short answer of the base model."""

    long_answer_fraction: Fraction
    """Fraction of the base model's answers that may be long, to teach how long answers continue
    and end; for replay at most that of the library's own answers."""

    max_long_answer_tokens: PositiveInt
    """Maximum tokens of a long answer. Long ones are as long as the library's own, and at least
    three times as long as short ones."""

    max_text_tokens: PositiveInt
    """Maximum tokens of a text by the base model, without its given first words."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CurateModelConfig:
    """The base model, for token counts and generated samples."""

    path: str | None
    """Folder of the base model; null: lengths are counted in words, and the base model generates
    nothing."""

    sequence_length: SequenceLength
    """Tokens per packed sequence, for the packing numbers on the dataset card."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class WorkConfig:
    """How curation runs; none of these keys changes its result."""

    num_proc: NonNegativeInt
    """Processes that read and clean; 0: one per core."""

    cache_dir: str
    """Folder of intermediate results, shared by all libraries."""

    shard_mib: PositiveInt
    """Size of the pieces in which long files are read, MiB."""

    reader_memory_gib: PositiveFloat
    """Memory that a process may take to read and clean a file, or a piece of a long one, GiB; a
    file that asks for more is invalid."""

    reader_cpu_s: PositiveFloat
    """Processor seconds that this may take; a file that asks for more is invalid."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CurateConfig:
    """The whole config of a curation. Composed by Hydra from `conf/curate.yaml`."""

    library: CurateLibraryConfig
    clean: CleanConfig
    split: SplitConfig
    synthesis: SynthesisConfig
    generator: GeneratorConfig
    retention: RetentionConfig
    model: CurateModelConfig
    work: WorkConfig
    cluster: ClusterConfig
