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
    "fact_accuracy": Meaning("gain", "library facts right, unseen questions"),
    "citation_accuracy": Meaning("gain", "the same, with the right page"),
    "fact_accuracy_ranked": Meaning("gain", "the known answer is likelier than up to 3 near ones"),
    "confusable_accuracy": Meaning(
        "gain", "library facts right that differ from others in a detail"
    ),
    "general_accuracy": Meaning("retention", "general knowledge right"),
    "general_mc_accuracy": Meaning("retention", "general questions right, by the likeliest choice"),
    "general_nll": Meaning("retention", "nats a token on general text", True),
    "leak_rate": Meaning("specificity", "library content in answers about other things", True),
    "new_leak_rate": Meaning("specificity", "the same, where the base had none", True),
    "over_refusal_rate": Meaning(
        "specificity", "other questions declined that the base answered", True
    ),
    "out_of_scope_failure_rate": Meaning(
        "specificity", "either of the two, where the base had none", True
    ),
    "general_leak_rate": Meaning(
        "specificity", "library content in answers to general questions, the base's apart", True
    ),
    "spurious_citation_rate": Meaning(
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
