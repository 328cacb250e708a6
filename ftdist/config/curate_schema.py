"""Every key of `ftdist curate`: its type, range, unit and meaning.

As in `schema.py` nothing here has a default: a value lives once, in `conf/curate.yaml` or a group.
"""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from ftdist.config.schema import STRICT, ClusterConfig, Fraction, PositiveInt

LIBRARY_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""Safe as a folder."""

WhenFound = Literal["keep", "mask", "refuse"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CuratedLibrary:
    """The library to make, and what from."""

    name: Annotated[str, Field(pattern=LIBRARY_NAME_PATTERN)]
    """Name of the library: its folder is `root/name`."""

    root: str
    """Folder that holds curated libraries."""

    sources: list[str]
    """Files, folders and globs to read; `name=path` calls a source by a name of its own."""

    weights: dict[str, Annotated[float, Field(gt=0)]]
    """How often each token of a source is seen in a pass over the library, by the source's name;
    1 where none is given.
    """

    columns: dict[str, str]
    """Which keys or columns of a row hold what, where they have names of their own.

    What they hold: question, answer, text, system, messages, role, content, thread, sender, time.
    """

    assistant: list[str]
    """Senders of threads whose messages are the answers, such as agent or support."""

    seed: Annotated[int, Field(ge=0, lt=2**31)]
    """Seed of everything that is chosen: what is held out, which wordings are asked."""

    private: bool
    """Whether only the user may read the library (mode 0700)."""

    on_bad_row: Literal["error", "skip"]
    """What to do with a file or row that cannot be read; skipped ones are counted and named."""

    bad_row_limit: Fraction
    """Share of bad rows among all of a source above which skipping ends in an error."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CleanSection:
    """What is taken out of what was read."""

    repeated: bool
    """Whether text repeated on many pages goes: headers, footers, navigation."""

    duplicates: bool
    """Whether exact and near duplicates go; the first one met stays."""

    sections: bool
    """Whether sections of documents, of 50 words or more, go that say what an earlier one says.

    Exact duplicates, and those of a likeness of 0.9 (or `similarity`, if it is more) that hold the
    same numbers.
    """

    similarity: Annotated[float, Field(gt=0.3, le=1)]
    """Likeness (Jaccard, of word 5-grams) from which two texts are near duplicates."""

    secrets: WhenFound
    """Keys, tokens and passwords: kept, masked, or a reason to stop."""

    personal: WhenFound
    """E-mail addresses, telephone, card and account numbers: kept, masked, or a reason to stop."""

    keep: list[str]
    """Words that are not masked, such as support@example.org; an @domain keeps all of a domain."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SplitSection:
    """What is kept out of training, to measure on."""

    held_out_conversations: Annotated[float, Field(ge=0, lt=1)]
    """Share of each source's conversations kept out of training."""

    held_out_documents: Annotated[float, Field(ge=0, lt=1)]
    """Share of each source's documents kept out: what stands only there is not learned."""

    held_out_most: PositiveInt
    """Most conversations or documents kept out of one source."""

    overlap_words: Annotated[int, Field(ge=3)]
    """Words in a row that held-out text may not share with training text; else it is trained."""

    probes: Annotated[int, Field(ge=0)]
    """Most questions written to probes.jsonl, in forms that training does not see."""

    contrast_probes: Annotated[int, Field(ge=0)]
    """Most questions about other products in probes.jsonl; training holds none of their names."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TeachSection:
    """What documents become."""

    passages: bool
    """Whether documents are learned as text, a passage a section, under title and section."""

    passage_words: Annotated[int, Field(ge=20)]
    """Words of a passage, about; longer sections are cut between blocks."""

    questions: bool
    """Whether what already is a question and an answer becomes one: FAQs, headings, tables."""

    wordings: PositiveInt
    """Wordings of each question, its own among them, made by rules."""

    cite: bool
    """Whether an answer from a document ends with its source, such as (Manual, page 12)."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class WriteSection:
    """A language model that writes further questions and wordings, each checked by its text."""

    by: Literal["rules", "base", "endpoint"]
    """Who writes: rules alone, the base model, or a model at an OpenAI-compatible endpoint."""

    questions: Annotated[int, Field(ge=0)]
    """Questions asked of it about each passage; one is taken only with a quotation that holds."""

    wordings: Annotated[int, Field(ge=0)]
    """Wordings asked of it for each question, beside those by rules."""

    url: str
    """Address of the endpoint, up to and with /v1."""

    model: str | None
    """Name of the model there."""

    key_variable: str
    """Environment variable that holds the endpoint's key; where unset, none is sent."""

    at_once: PositiveInt
    """Requests under way at once."""

    answer_tokens: PositiveInt
    """Most tokens of a reply."""

    timeout_s: PositiveInt
    """Seconds after which a request is tried again."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class KeepSection:
    """What is mixed in so that the model keeps what it knows and stays in its lane.

    Values live in conf/keep/.
    """

    sources: list[str]
    """Files, folders and globs of general chat and text: replay."""

    share: Annotated[float, Field(ge=0, lt=1)]
    """Share of replay in all tokens of a pass."""

    base_answers: Annotated[int, Field(ge=0)]
    """General prompts that the base model answers, as replay; made once, and cached."""

    base_texts: Annotated[int, Field(ge=0)]
    """Plain texts that the base model writes after common first words, as replay; cached."""

    contrast_share: Annotated[float, Field(ge=0, lt=1)]
    """Share of out-of-scope samples in all tokens: questions about other products, with the base's
    answers."""

    contrast_answers: Annotated[int, Field(ge=0)]
    """Questions about other products that the base model answers, as out-of-scope samples."""

    products: list[str]
    """Names of the library's products as its questions write them; empty: found from its text."""

    answer_tokens: PositiveInt
    """Most tokens of an answer of the base model that is not one of the long ones."""

    long_answers: Annotated[float, Field(ge=0, le=1)]
    """Share of its answers that may be long: how an answer goes on and ends is learned of them."""

    long_answer_tokens: PositiveInt
    """Most tokens of a long answer; best no fewer than the library's own answers have."""

    text_tokens: PositiveInt
    """Most tokens of a text that the base model writes, its first words apart."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CurateModel:
    """The base model, where tokens are counted or it is to answer."""

    path: str | None
    """Its folder; null: lengths are told in words, and the base model writes nothing."""

    sequence_tokens: Annotated[int, Field(ge=8)]
    """Tokens of one packed sequence, for what the card says of packing."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class WorkSection:
    """How the work is done; none of it changes what comes out."""

    processes: Annotated[int, Field(ge=0)]
    """Processes that read and clean; 0: one a core."""

    cache: str
    """Folder of what was read and made before, shared by all libraries."""

    shard_mib: PositiveInt
    """Size of the pieces in which long files are read, MiB."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CurateConfig:
    """One library, whole. Composed by Hydra from `conf/curate.yaml`."""

    library: CuratedLibrary
    clean: CleanSection
    split: SplitSection
    teach: TeachSection
    write: WriteSection
    keep: KeepSection
    model: CurateModel
    work: WorkSection
    cluster: ClusterConfig
