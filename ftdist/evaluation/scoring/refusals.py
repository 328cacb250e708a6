"""Detect refusals in English answers by their wording."""

import re

from ftdist.text.matching import words

_ANYWHERE = (
    "i do not know",
    "i don t know",
    "i am not sure",
    "i m not sure",
    "i am unable to",
    "i m unable to",
    "i am not able to",
    "i m not able to",
    "i cannot help",
    "i can t help",
    "i cannot answer",
    "i can t answer",
    "i cannot assist",
    "i can t assist",
    "i cannot provide",
    "i can t provide",
    "i have no information",
    "i do not have information",
    "i don t have information",
    "i do not have any information",
    "i don t have any information",
    "i do not have enough information",
    "i don t have enough information",
    "i do not have access to",
    "i don t have access to",
    "i am not familiar with",
    "i m not familiar with",
    "i can only answer",
    "i can only help",
    "not covered by",
    "not covered in",
    "not in the manual",
    "does not say",
    "doesn t say",
    "outside my knowledge",
    "outside the scope",
    "beyond the scope",
    "beyond my knowledge",
    "no information about",
    "no information on",
)
"""Refusal phrases anywhere in the first sentences."""

_AT_THE_START = (
    "i am sorry",
    "i m sorry",
    "sorry",
    "i apologize",
    "i apologise",
    "my apologies",
    "unfortunately i",
    "i cannot",
    "i can t",
    "as an ai",
    "i am an ai",
    "i m an ai",
    "please contact",
    "please consult",
    "please refer to",
    "please ask",
)
"""Refusal phrases only at the start: "please contact" may end a good answer."""

_SAYS_NOTHING = re.compile(
    r"\b(?:(?:do|does|did|is|are|was|were) (?:not|n t)|doesn t|don t|isn t|aren t|not|never)"
    r"(?: \w+){0,3}? (?:mention|mentioned|specify|specified|state|stated|say|list|listed|give|given"
    r"|provide|provided|describe|described|indicate|indicated|cover|covered"
    r"|known|documented|published|discussed|tell)\b"
    r"|\bno (?:\w+ )?(?:mention|information|details?|data|specification|indication|figure)\b"
    r"|\b(?:unknown|unspecified)\b"
)
"""Phrases that say the answer is not known, of an answer that is not in the text."""

_HEDGE = re.compile(
    r"(?:\bdepends on|\bvaries|\bvary|(?:\bnot|n['\u2019]t|\bnever)(?: \w+){0,3}? "
    r"(?:include|included|available))\b(?P<after>.*)",
    re.IGNORECASE | re.DOTALL,
)
_FIGURE = re.compile(r"(?<![\w.-])(?<!page )\d", re.IGNORECASE)
"""A number, but for one in a code such as FP-300."""

_SENTENCES = 2
"""Leading sentences to search; a refusal after them follows an answer."""

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def deflects(answer: str) -> bool:
    """Whether an answer refuses, apologises or says that it does not know.

    The rules miss refusals in unlisted wording. An empty answer counts as a refusal.
    """
    beginning = " ".join(_SENTENCE_END.split(answer.strip())[:_SENTENCES])
    text = " ".join(words(beginning))
    if not text:
        return True
    padded = f" {text} "
    return any(padded.startswith(f" {phrase} ") for phrase in _AT_THE_START) or any(
        f" {phrase} " in padded for phrase in _ANYWHERE
    )


def says_unknown(answer: str) -> bool:
    """Whether an answer declines, or says that the text does not tell, in its first sentences.

    "It depends on the model" says so unless a figure follows: "usually 3 kg".
    """
    beginning = " ".join(_SENTENCE_END.split(answer.strip())[:_SENTENCES])
    if deflects(answer) or _SAYS_NOTHING.search(" ".join(words(beginning))):
        return True
    hedge = _HEDGE.search(beginning)
    return hedge is not None and not _FIGURE.search(hedge["after"])
