"""Questions asked in other words, by rules that training never uses."""

import re

_BE = r"(?P<be>is|are|was|were)"
_AUX = r"(?P<aux>do|can|could|should|must|may|will|would)"
_I = r"(?P<who>I|you|we|one)"
_VERB = "last|take|need|cost|hold|weigh|keep|run|stay|work|use"

_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(rf"^{pattern}\?*$", re.IGNORECASE | re.DOTALL), form)
    for pattern, form in (
        (rf"How (?P<how>\w+) {_BE} (?P<x>.+?)", "Do you know how {how} {x} {be}?"),
        (r"How many (?!(?:do|does|can|should|is|are)\b)(?P<x>.+?)", "What number of {x}?"),
        (rf"How (?P<how>\w+) does (?P<x>.+?) (?P<verb>{_VERB})(?P<tail>(?: .+?)?)",
         "Do you know how {how} {x} {verb}s{tail}?"),
        (rf"How (?P<how>\w+) do {_I} (?P<x>.+?)", "Do you know how {how} {who} {x}?"),
        (rf"How (?P<how>\w+) {_AUX} {_I} (?P<x>.+?)", "Do you know how {how} {who} {aux} {x}?"),
        (rf"How (?P<how>\w+) {_AUX} (?P<x>.+?) (?P<verb>be .+?)",
         "Do you know how {how} {x} {aux} {verb}?"),
        (r"What should I know about (?P<x>.+?)", "What is important about {x}?"),
        (r"What should I do about (?P<x>.+?)", "How do I get rid of {x}?"),
        (r"What (?:is|are) the (?P<n>[^,;?]{1,40}?) (?:of|for) (?P<x>.+?)",
         "Which {n} does the manual give for {x}?"),
        (r"What does (?P<x>.+?) mean(?P<tail>(?: (?:on|in) .+?)?)", "Why do I see {x}{tail}?"),
        (r"What does (?P<x>.+?) do(?P<tail>(?: (?:on|in) .+?)?)", "What is {x} good for{tail}?"),
        (r"What happens (?:if|when) (?P<x>.+?)", "Suppose {x}: what happens then?"),
        (rf"Where (?P<aux>do|can|should) {_I} (?P<x>.+?)", "In which place {aux} {who} {x}?"),
        (rf"Where {_BE} (?P<x>.+?)", "In which place {be} {x}?"),
        (r"When (?P<aux>does|do|did|is|are|should|can|must|will) (?P<x>.+?)",
         "At what time {aux} {x}?"),
        (r"Who (?P<x>.+?)", "Which person or company {x}?"),
        (r"Why (?P<x>.+?)", "For what reason {x}?"),
        (r"(?:Can|May|Could) I (?P<x>.+?)", "Is it possible to {x}?"),
        (r"Should I (?P<x>.+?)", "Is it a good idea to {x}?"),
        (r"(?:Must I|Do I have to|Do I need to) (?P<x>.+?)", "Is it necessary to {x}?"),
        (r"Is there (?P<x>.+?)", "I am looking for {x}. Does it exist?"),
        (r"(?:What is|What's) (?P<x>.+?) called", "Which name does {x} have?"),
    )
)  # fmt: skip


def reworded(question: str) -> list[str]:
    """The question in other words; empty if no rule fits."""
    question = " ".join(question.split())
    for pattern, form in _RULES:
        if match := pattern.match(question):
            parts = match.groupdict(default="")
            parts |= {name: parts.get(name, "").lower() for name in ("be", "aux", "how")}
            return [form.format(**parts)]
    return []
