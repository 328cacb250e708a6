"""A text of ours as a customer says it: "you" are "I", and "we" are "you"."""

import re

_YOU = re.compile(
    r"(?P<before>\b[\w'\u2019]+ )?\byou\b(?P<after> (?:the|an?|your|our|to|at|on|in|by|with|for"
    r"|from|of|it|back|up|out|how|\d\S*|two|three|half|one|some|any|all)\b"
    r"|(?= *(?:$|[,;:.?!)]|[\ue000-\uf8ff])))?",
    re.IGNORECASE,
)
_BEFORE_SUBJECT = re.compile(
    r"(?:can|may|must|do|did|will|should|could|would|have|are|if|when|what|that|which|as|where|how"
    r"|once|before|after|until|while|because|unless|and|or|but) $",
    re.IGNORECASE,
)
_BEFORE_OBJECT = re.compile(
    r"(?:to|for|with|by|from|of|at|on|about|between|behind|near|without|against|around"
    r"|(?:let|help|give|send|tell|show|call|ring|lend|sell|offer|bring|charge|make|keep|cost|meet"
    r"|ask|remind|warn|contact|wish|allow|affect|reach|want|need|find|like|save|assist|support"
    r"|serve|spare|earn|refund|pay|inform)s?) $",
    re.IGNORECASE,
)
_SPEAKERS = (
    (r"\byours\b", "mine"),
    (r"\byour\b", "my"),
    (r"\byourself\b", "myself"),
    (r"\bwe\b", "you"),
    (r"\bus\b", "you"),
    (r"\bours\b", "yours"),
    (r"\bour\b", "your"),
)
"""In this order: what "we" becomes is not taken for a "you" of the text."""

_WE_DO = re.compile(
    r"^(?:(?:From|At|In|For|Until|After|On|Within) )?(?:how|what|which)\b(?! should)"
    r"(?![^,?]*\b(?:do|does|did|can|may|must|will) you\b)[^,?]*? "
    r"(?=you (?!can|may|must|will|should|are|have)[a-z]+)",
    re.IGNORECASE,
)
"""What asks, before "you recommend"."""


def as_customer(text: str) -> str:
    """A text of ours as a customer says it: "you" are "I", and "we" are "you"."""
    text = re.sub(r"\byou(?: are|['\u2019]re)\b", "I am", text, flags=re.IGNORECASE)
    text = _YOU.sub(_me, text)
    for pattern, other in _SPEAKERS:
        text = re.sub(pattern, other, text, flags=re.IGNORECASE)
    return _WE_DO.sub(r"\g<0>do ", text, count=1)


def _me(match: re.Match[str]) -> str:
    """The word for "you" as the asker says it: "I" as a subject, else "me"."""
    before, after = match["before"] or "", match["after"]
    is_subject = bool(_BEFORE_SUBJECT.match(before)) or not before
    is_object = not is_subject and (after is not None or bool(_BEFORE_OBJECT.match(before)))
    return f"{before}{'me' if is_object else 'I'}{after or ''}"
