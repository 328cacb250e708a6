"""Questions of lines that lead a list: "Please bring:", "To book a course:"."""

import re

from ftdist.library.synthesis.command_questions import COMMAND_VERBS
from ftdist.library.synthesis.customer_voice import as_customer
from ftdist.library.synthesis.qa_headings import lower_first
from ftdist.library.synthesis.verb_forms import is_plural

_MAX_WORDS = 16
_FOLLOWING = re.compile(
    r",? (?:as follows|like this|in (?:this|the following) order|(?P<ways>in"
    r" (?:(?:one of )?(?:these|the following)|this|two|three|four|several|different) ways?))$"
)
_NOTHING_MORE = re.compile(
    r"(?:please )?(?:follow|proceed|do|take|complete|carry out|go through)\b.*|(?:just|simply)$"
)
_TO = re.compile(
    r"^(?:In order )?[Tt]o (?P<do>(?P<verb>[a-z]+)\b[^,:]*)(?:, (?P<rest>.+))?$"
)  # fmt: skip
_NEED = re.compile(
    r"^(?:(?P<purpose>(?:For|To) [^,:]+), )?[Yy]ou(?:['\u2019]ll| will)? (?:also )?need"
    r"(?: the following(?: (?P<noun>[a-z]+))?)?(?P<end> (?:to|for) .+)?$"
)
_COMMAND = re.compile(
    r"^(?P<never>Do not |Don['\u2019]t |Never )?(?:also )?(?P<verb>[A-Za-z]+)(?P<rest>(?: .+)?)$"
)
_OBJECT = re.compile(
    r" (?:(?:all )?(?:of )?the following|(?:all of )?these|only these)(?: (?P<noun>[a-z][a-z-]*"
    r"(?: [a-z-]+)?))??(?P<after> (?:in|into|to|on|at|for|from|with|by)\b.*)?$"
)
_NO_OBJECT = re.compile(
    r"(?: (?:us|me|with you|along|in|into|to|on|onto|at|for|from|with|by|through|under|before|after"
    r"|during|if|when|out|off|up)\b.*)?"
)
_CLAUSE = re.compile(
    r"^(?P<who>[Yy]ou|We) (?P<aux>(?:can|may|must|should|cannot|do|will|have to|need to)"
    r"(?: not| also| only)?)? ?(?P<verb>[a-z]+)(?P<rest>(?: .+)?)$"
)
_MAY = re.compile(r"^(?P<who>[A-Z][a-z]+s) (?P<aux>can|may|must|should) (?P<rest>(?:not )?[a-z]+)$")
_MEANS = re.compile(r"^(?P<what>.*?) (?P<by>by|with|via|at|in|from)$")
_MODAL = "can|may|must|should|will"
_CONTAINS = "include|contain|consist of|cover|come with|offer|provide|require|have"
_INCLUDES = re.compile(
    rf"^(?P<who>(?:The|An?|Our|Your|Every|Each|[A-Z])\b(?:(?! (?:{_MODAL})\b)[^,:])*?) "
    rf"(?:(?P<aux>{_MODAL}) (?P<base>{_CONTAINS})|(?P<not>(?:do|does) not )?"
    r"(?P<verb>includes?|contains?|consists? of|covers?|comes? with|offers?|provides?|requires?"
    r"|has|have))"
    r"(?: the following(?: (?P<noun>[a-z][a-z ]*))?)?$"
)
_WHICH = re.compile(
    r"^(?:The following|These) (?P<noun>[a-z][a-z -]*?) "
    r"(?P<verb>(?:is|are|can|may|must|cannot|do|does|should|will|belong|go|apply|need|count)\b.*)$"
)
_ARE = re.compile(r"^The following are (?P<what>.+)$")
_IF = re.compile(
    r"^(?P<lead>(?P<if>If|When|Before|After|During|For|On|At|By|In case of) [^,]+)"
    r"(?:, (?:please )?(?P<do>[^,]+))?$"
)
_DO = re.compile(r"(?:you (?:should|must|need to|have to)(?: do)?|do)(?: the following)?")
_IS = re.compile(r"^(?P<who>(?:The|Our|Your) [^,:]+?) (?P<be>is|are)$")


def lead_in_questions(lead: str) -> list[str]:
    """The questions, without their marks, of a line that leads a list; empty if none is sure.

    Args:
        lead: without its colon, such as "To book a course".
    """
    text = re.sub(r"^(?:Please|Also|Then|Next),? (?=[a-z])", "", lead.strip()).rstrip(",")
    text = f"{text[:1].upper()}{text[1:]}"
    following = _FOLLOWING.search(text)
    is_way = following is not None and following["ways"] is not None
    text = _FOLLOWING.sub("", text)
    if not text or len(text.split()) > _MAX_WORDS or re.search(r"[:;?\"()]", text):
        return []
    if is_way:
        text = f"{text} by"
    for rule in (
        _of_purpose,
        _of_need,
        _of_case,
        _of_following,
        _of_clause,
        _of_contents,
        _of_command,
    ):
        if found := rule(text):
            return [" ".join(as_customer(each).split()) for each in found]
    return []


def _of_purpose(text: str) -> list[str]:
    match = _TO.match(text)
    if match is None or match["verb"] not in COMMAND_VERBS:
        return []
    if match["rest"] and not _NOTHING_MORE.fullmatch(match["rest"]):
        return []
    do = match["do"]
    return [
        f"How do I {do}",
        f"What do I have to do to {do}",
        f"What are the steps to {do}",
        f"How can I {do}",
        f"I want to {do}. What do I do",
    ]


def _of_need(text: str) -> list[str]:
    match = _NEED.match(text)
    if match is None:
        return []
    purpose = match["purpose"] or ""
    end = f"{match['end'] or ''}{' ' if purpose else ''}{purpose[:1].lower()}{purpose[1:]}"
    what = f"Which {match['noun']}" if match["noun"] else "What"
    return [f"{what} do I need{end}", f"{what} must I have{end}"]


def _of_case(text: str) -> list[str]:
    match = _IF.match(text)
    if match is None:
        return []
    lead = lower_first(match["lead"])
    if match["do"] and not _DO.fullmatch(match["do"]):
        do = f"{match['do'][0].upper()}{match['do'][1:]}"
        return [f"{each} {lead}" for each in _of_command(do)]
    if not match["do"] and match["if"] not in ("If", "In case of"):
        return []
    return [f"What should I do {lead}", f"What do I have to do {lead}"]


def _of_following(text: str) -> list[str]:
    if match := _ARE.match(text):
        return [f"What is {match['what']}"]
    if match := _IS.match(text):
        return [f"What {match['be']} {lower_first(match['who'])}"]
    match = _WHICH.match(text)
    return [f"Which {match['noun']} {match['verb']}"] if match else []


def _of_clause(text: str) -> list[str]:
    match = _CLAUSE.match(text)
    if match is None or (match["verb"] not in COMMAND_VERBS and not match["aux"]):
        may = _MAY.match(text)
        return [f"What {may['aux']} {may['who'].lower()} {may['rest']}"] if may else []
    who, rest = match["who"].lower(), match["rest"]
    aux, _, adverb = (match["aux"] or "do").partition(" ")
    never = "not " if adverb == "not" or aux == "cannot" else ""
    aux = "can" if aux == "cannot" else aux
    if aux in ("have", "need"):
        aux, verb = "do", f"{aux} to {match['verb']}"
    else:
        verb = match["verb"]
    if match["verb"] in ("be", "have") or (aux == "will" and never):
        return []
    if means := _MEANS.match(f"{verb}{rest}"):
        how = "Where" if means["by"] in ("at", "in", "from") else "How"
        is_whole = _has_object(means["what"]) or " " not in means["what"]
        return [f"{how} {aux} {who} {means['what']}"] if is_whole and not never else []
    if found := _OBJECT.search(rest):
        noun, rest = found["noun"], f"{rest[: found.start()]}{found['after'] or ''}"
        return [f"{f'Which {noun}' if noun else 'What'} {aux} {who} {never}{verb}{rest}"]
    if not _NO_OBJECT.fullmatch(rest):
        how = f"How {aux} {who} {verb}{rest}"
        return [how] if who == "you" and not never and aux != "must" else []
    return [f"What {aux} {who} {never}{verb}{rest}"]


def _of_contents(text: str) -> list[str]:
    match = _INCLUDES.match(text)
    if match is None or len(match["who"].split()) > 8:
        return []
    who, what = lower_first(match["who"]), f"Which {match['noun']}" if match["noun"] else "What"
    if match["aux"]:
        return [f"{what} {match['aux']} {who} {match['base']}"]
    verb = match["verb"].replace("has", "have")
    verb = re.sub(r"s?(?= of| with|$)", "", verb, count=1)
    does = "do" if is_plural(match["who"]) or match["not"] == "do not " else "does"
    never = "not " if match["not"] else ""
    wordings = [f"{what} {does} {who} {never}{verb}"]
    if verb in ("include", "cover"):
        done = "included in" if verb == "include" else "covered by"
        wordings.append(f"{what} {'are' if match['noun'] else 'is'} {never}{done} {who}")
    return wordings


def _of_command(text: str) -> list[str]:
    match = _COMMAND.match(text)
    if match is None or match["verb"].lower() not in COMMAND_VERBS:
        return []
    verb, rest, noun = match["verb"].lower(), match["rest"], ""
    if verb in ("proceed", "follow", "note", "see", "do", "choose", "use"):
        return []
    if found := _OBJECT.search(rest):
        noun, rest = found["noun"] or "", f"{rest[: found.start()]}{found['after'] or ''}"
    elif not _NO_OBJECT.fullmatch(rest):
        return [] if match["never"] or not _has_object(f"{verb}{rest}") else [
            f"How do I {verb}{rest}", f"How should I {verb}{rest}",
        ]  # fmt: skip
    what = f"Which {noun}" if noun else "What"
    if match["never"]:
        return [f"{what} must I not {verb}{rest}", f"{what} should I never {verb}{rest}"]
    return [
        f"{what} should I {verb}{rest}",
        f"{what} do I have to {verb}{rest}",
        f"{what} do I need to {verb}{rest}",
    ]


def _has_object(text: str) -> bool:
    return bool(
        re.match(r"[a-z]+ (?:up |out |off |in )?(?:the|an?|your|our|all|[a-z]+s) ?\w*", text)
    )
