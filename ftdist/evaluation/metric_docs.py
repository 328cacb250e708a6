"""What every score of a comparison means, once for all who show it. Loads no torch."""

from dataclasses import dataclass
from typing import Literal

Group = Literal["gain", "retention", "specificity"]


@dataclass(frozen=True)
class Meaning:
    """What a score counts.

    Attributes:
        group: what it speaks of.
        words: what is counted.
        lower_is_better: whether less of it is what one wants.
    """

    group: Group
    words: str
    lower_is_better: bool = False

    @property
    def told(self) -> str:
        """The words, with the direction where it is not the usual one."""
        return f"{self.words} (lower is better)" if self.lower_is_better else self.words


MEANINGS = {
    "recall": Meaning("gain", "library facts right, unseen questions"),
    "recall_with_page": Meaning("gain", "the same, with the right page"),
    "recall_ranked": Meaning("gain", "the known answer is likelier than up to 3 near ones"),
    "near_misses": Meaning("gain", "library facts right that differ from others in a detail"),
    "retention": Meaning("retention", "general knowledge right"),
    "general": Meaning("retention", "general questions right, by the likeliest choice"),
    "general_loss": Meaning("retention", "nats a token on general text", True),
    "leak": Meaning("specificity", "library content in answers about other things", True),
    "leak_added": Meaning("specificity", "the same, where the base had none", True),
    "deflection": Meaning("specificity", "other questions declined that the base answered", True),
    "not_clean": Meaning("specificity", "either of the two, where the base had none", True),
    "pollution": Meaning(
        "specificity", "library content in answers to general questions, the base's apart", True
    ),
    "format_leak": Meaning(
        "specificity", "citations in other answers, where the base had none", True
    ),
}
"""By name in scores.json."""

GROUPS: dict[Group, str] = {
    "gain": "what the tuned model has learned of the library",
    "retention": "what it still knows of everything else",
    "specificity": "whether the library stays where it belongs",
}

MIN_PASSAGES = 20
"""Of general text; of fewer, resamples are too alike for a difference to count as clear."""

TASK = Meaning("retention", "documents right in a task of lm-eval")


def meaning_of(name: str) -> Meaning:
    """What a score means; of one that is in no table its name must do."""
    return MEANINGS.get(name) or (TASK if "/" in name else Meaning("gain", ""))
