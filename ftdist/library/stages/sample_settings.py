"""What decides which samples and probes the rows of a library give."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SampleSettings:
    """What decides which samples a row gives."""

    passages: bool
    passage_words: int
    questions: bool
    cloze: bool
    """Whether sentences give cloze questions and queries; only where `questions`."""

    paraphrases: int
    quote_words: int
    """How many words an answer quotes around its sentence; 0: the sentence alone."""

    cite: bool
    probes: int
    """Most probes of one document."""

    one_conversation_in: int
    """Of conversations, one in this many gives a probe; 0: none does."""

    names: str
    """Names of makers and products, which are no keys."""

    shared_values: tuple[str, ...]
    """Digests of values that several things of the library have: none leads to its thing."""

    ngram: int
    """Words in a row that a probe may not share with training."""

    seed: int
