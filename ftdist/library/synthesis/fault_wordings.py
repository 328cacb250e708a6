"""How people ask about error codes and symptoms that a table explains."""

import re

from ftdist.library.synthesis.qa_headings import lower_first
from ftdist.library.synthesis.verb_forms import base_form

_ARTICLE = re.compile(r"^the ")
SIGNAL = re.compile(
    r"^(?:\w+ )?(?:lamp|light|led|indicator|signal|beep|sound|tone|flash(?:es)?|symbol|icon)s?$",
    re.IGNORECASE,
)
"""Headings of columns of signals."""

_SOUND = re.compile(r"beep|sound|tone", re.IGNORECASE)


def code_wordings(kind: str, code: str, *, name: str, is_remedy: bool) -> tuple[str, ...]:
    """Questions about a code, beside "What does error E17 mean on the T-7?".

    Args:
        kind: what it is: "error", "fault", "alarm", "code".
        code: as the thing shows it.
        name: what shows it, with its article; "": unknown.
        is_remedy: whether they ask what to do, and not what it means.
    """
    bare = _ARTICLE.sub("", name)
    shows = f"My {bare} shows {code}." if name else f"I see {kind} {code}."
    on = f" on {name}" if name else ""
    typed = " ".join([*bare.lower().split(), kind, code])
    if kind == "code":
        return () if is_remedy else (
            f"What does {code} stand for{on}?", f"{typed} meaning", f"{code}{on}: what is it?",
        )  # fmt: skip
    if is_remedy:
        return (
            f"{shows} What should I do?",
            f"How do I fix {kind} {code}{on}?",
            f"{typed} remedy",
            f"How do I get rid of {code}{on}?",
            f"{code} has come up{on}. How do I clear it?",
            f"What helps with {kind} {code}{on}?",
            f"What can I do when {name or 'the display'} reports {kind} {code}?",
        )
    return (
        f"{shows} What is wrong?",
        f"Why do I see {kind} {code}{on}?",
        f"{typed} meaning",
        f"What is the cause of {code}{on}?",
        f"{code} has come up{on}. What is the matter?",
        f"What does {name or 'the display'} mean by {code}?",
        f"What has happened when {name or 'the display'} reports {kind} {code}?",
    )


def symptom_wordings(kind: str, symptom: str, *, name: str, is_remedy: bool) -> tuple[str, ...]:
    """Questions about a symptom or signal, beside "What should I do about this problem: no air?".

    Args:
        kind: what the table calls it, such as "problem" or "lamp".
        symptom: its cell, without a full stop.
        name: what has it, with its article; "": unknown.
        is_remedy: whether a column says what to do.
    """
    inner = lower_first(symptom)
    bare, where = _ARTICLE.sub("", name), f" with {name}" if name else ""
    if SIGNAL.match(kind):
        shown = _shown(kind, inner, name)
        typed = f"{bare.lower()} {kind} {inner}"
    else:
        shown = f"I have this {kind}{where}: {inner}."
        typed = f"{bare.lower()} {inner}"
    capital = f"{symptom[:1].upper()}{symptom[1:]}"
    ask = "What should I do?" if is_remedy else "What does it mean?"
    cause = "What is the cause, and what do I do?" if is_remedy else "What is the cause?"
    return (
        f"{shown} {ask}",
        typed.strip(),
        f"{bare or kind.capitalize()}: {inner}. {'What can I do?' if is_remedy else 'Why?'}",
        f"{capital}: what is wrong{where}?",
        f"{shown} {cause}",
        f"{capital}{where}. {'How do I fix it?' if is_remedy else 'What is the matter?'}",
    )


def _shown(kind: str, signal: str, name: str) -> str:
    """A sentence that tells of a signal: "The lamp of the T-7 shows yellow."."""
    of = f" of {name}" if name else ""
    if _SOUND.search(kind):
        return f"I hear {signal}{f' from {name}' if name else ''}."
    is_verb = bool(base_form(signal.split()[0]))
    return f"The {kind}{of} {'' if is_verb else 'shows '}{signal}."
