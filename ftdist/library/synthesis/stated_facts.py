"""Facts of listed attributes that sentences tell, such as that the shop is open from 10:00.

Customers ask for them as for those of tables: in the wordings of `attributes.toml`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ftdist.library.schema import Document
from ftdist.library.synthesis.attribute_lexicon import find_attribute, is_attribute
from ftdist.library.synthesis.clauses import Clause, clauses_of
from ftdist.library.synthesis.fact_questions import fact_pair, said_attribute
from ftdist.library.synthesis.facts import Fact
from ftdist.library.synthesis.general_questions import is_plural_attribute
from ftdist.library.synthesis.naming import NO_PART, is_around
from ftdist.library.synthesis.prose import prose_of
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.sections import Section
from ftdist.library.synthesis.sentence_parts import subject_of
from ftdist.library.synthesis.statements import Statement
from ftdist.library.synthesis.things import NO_THING, Thing, named_thing, part
from ftdist.library.synthesis.verb_forms import is_plural

_MAX_WORDS, _MAX_VALUE_WORDS = 40, 20
_ABOUT = "(?:(?:about|around|roughly|only|just|up to|at least|at most|between|from|over|under) )?"
_NUMBER = (
    rf"{_ABOUT}(?:\d[\d.,]*|one|two|three|four|five|six|seven|eight|nine|ten|twelve|half an|an?)"
    r"(?:(?: (?:to|and|or) |\s?[\u2013-]\s?)(?:\d[\d.,]*|[a-z]+))?[ -]?"
)
_CURRENCY = "EUR|USD|GBP|CHF|euros?|dollars?|pounds?|francs?|cents?|pence"
_SIGN = "[$\u20ac\u00a3]"
_MONEY = rf"(?:{_NUMBER}(?:{_SIGN}|(?:{_CURRENCY})\b)|{_ABOUT}(?:{_SIGN}|{_CURRENCY}) ?\d)"
_TIME = (
    rf"{_NUMBER}(?:working |business )?"
    r"(?:seconds?|minutes?|hours?|days?|nights?|weeks?|months?|years?)\b"
)
_REMARK = "(?:,? (?:depending|on average|on foot|by|from|with) .*)?"
_MASS = rf"{_NUMBER}(?:kg|g|t|lbs?|oz|kilograms?|grams?|tonnes?|pounds?|ounces?|stone)\b"
_VOLUME = (
    rf"{_NUMBER}(?:l|ml|cl|litres?|liters?|millilitres?|gallons?|cups?|bottles?|k?Wh|m?Ah|GB|TB)\b"
)
_PEOPLE = r"(?:people|persons?|guests?|passengers?|adults?|children)\b"
_LENGTH = (
    rf"{_NUMBER}(?:mm|cm|m|km|in|ft|inch(?:es)?|feet|foot|(?:centi|milli|kilo)?met(?:re|er)s?)"
)
_CLOCK = r"(?:\d{1,2}[:.]\d\d|\d{1,2} ?(?:[ap]\.?m\b|o'clock)|noon|midnight)"
_DAY = (
    r"(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?|weekdays?|weekends?|daily|every day|all day"
    r"|24 hours|all year|(?:public|bank) holidays?)"
)
_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_DAY_OR_MONTH = rf"(?:{_DAY}|{_MONTH})"
_COLOUR = (
    "(?:black|white|gr[ae]y|red|blue|green|yellow|orange|brown|pink|purple|silver|gold|beige|cream)"
)
_MATERIAL = (
    "(?:steel|aluminium|aluminum|iron|brass|copper|silver|gold|titanium|metal|chrome|wood|oak|beech"
    "|pine|bamboo|cork|plastic|rubber|silicone|glass|porcelain|ceramics?|clay|stone|granite|marble"
    "|concrete|brick|leather|cotton|wool|linen|nylon|polyester|felt|foam|fabric|canvas|paper"
    "|cardboard|carbon)"
)
_PREDICATES = tuple(
    (re.compile(pattern), attribute)
    for pattern, attribute in (
        (rf"costs? (?P<v>{_MONEY}(?!.*\b(?:less|more|extra|than|to [a-z])).*)", "price"),
        (rf"charges? (?P<v>{_MONEY}) for (?P<owner>[a-z].*)", "price"),
        (r"(?:is|are) (?P<v>free of charge)", "price"),
        (rf"takes? place (?P<v>(?:on|every|each|from|in) .*{_DAY_OR_MONTH}.*)", "date"),
        (rf"weighs? (?P<v>{_MASS}.*)", "weight"),
        (rf"(?:can|may) (?:carry|bear|support) (?P<v>{_MASS}.*)", "maximum load"),
        (rf"holds? (?P<v>{_VOLUME}.*)", "capacity"),
        (rf"(?:holds?|seats?|sleeps?|takes?) (?P<v>{_NUMBER}{_PEOPLE}.*)", "number of people"),
        (r"measures? (?P<v>\d[\d.,]*(?: ?\w+)? ?(?:x|\u00d7|by) ?\d.*)", "dimensions"),
        (rf"(?:is|are) (?P<v>{_LENGTH} long)\b.*", "length"),
        (rf"(?:is|are) (?P<v>{_LENGTH} wide)\b.*", "width"),
        (rf"(?:is|are) (?P<v>{_LENGTH} (?:high|tall))\b.*", "height"),
        (rf"(?:is|are) (?P<v>{_LENGTH} deep)\b.*", "depth"),
        (rf"(?:is|are) (?P<v>{_LENGTH} thick)\b.*", "thickness"),
        (rf"(?:is|are) open (?!to\b|for\b)(?P<v>.*(?:{_CLOCK}|{_DAY}).*)", "opening hours"),
        (rf"opens? (?P<v>(?:(?:daily|every day) )?(?:at|from) {_CLOCK}.*)", "opening hours"),
        (rf"(?:is|are) closed (?P<v>(?:on|every|at|over) (?:\w+ )?{_DAY}.*)", "closing days"),
        (rf"takes? (?P<v>{_TIME}) to (?:re)?charge\b.*", "charging time"),
        (rf"takes? (?P<v>{_TIME}) to (?:heat|warm)(?: up)?\b.*", "heating-up time"),
        (rf"takes? (?P<v>{_TIME}){_REMARK}", "duration"),
        (rf"lasts? (?:for )?(?P<v>{_TIME}){_REMARK}", "lasts"),
        (rf"(?:has|have|comes? with) an? (?:warranty|guarantee) of (?P<v>{_TIME})", "warranty"),
        (rf"(?:starts?|begins?) (?P<v>(?:at|from) {_CLOCK}.*)", "start"),
        (rf"(?:ends?|finish(?:es)?) (?P<v>(?:at|by) {_CLOCK}.*)", "end"),
        (rf"(?:is|are) made (?:of|from) (?P<v>(?:[a-z]+ ){{0,2}}{_MATERIAL}\b.*)", "material"),
        (rf"(?:comes?|(?:is|are) (?:available|sold)) in (?P<v>.*\b{_COLOUR}\b.*)", "colour"),
        (
            r"(?:is|are) (?:located|situated)"
            r" (?P<v>(?:in|at|on|near|next|behind|opposite|between) .*)",
            "location",
        ),
    )
)
"""What follows a subject, and the attribute whose value it tells."""

_NAMED = re.compile(
    r"^(?:The )?(?P<name>[\w-]+(?: [\w-]+){0,3}?)"
    r"(?: (?:of|for|at) (?P<owner>(?:(?i:the|an?|your|our) .+|[A-Z\d].*)))?$"
)
_SEVERAL = frozenset(["temperature", "time", "type", "use", "support", "care", "control", "size"])
"""Names of attributes that mean something else in prose."""

_OWNED = re.compile(r"^(?P<owner>.+)['\u2019]s (?P<name>[\w-]+(?: [\w-]+){0,3})$")
_VALUE = re.compile(
    rf"^{_ABOUT}(?:{_SIGN}?\d|(?:two|three|four|five|six|seven|eight|nine|ten) [a-z])"
)
_NAME = re.compile("^[A-Z]")

_SECOND = re.compile(r",? and (?P<aux>is|are|can) (?P<rest>[^,]+)$")
"""The second half of "weighs 2 kg and is 45 cm high"."""

_COMPANY = "Colleagues"
"""Stands for "we" while a sentence is taken apart: a noun in the plural."""

_YOU = Thing(name="you", is_plural=True)
"""Those who wrote the documents, as customers call them."""

_ASKS_YOU = re.compile(r"(?:\b(?:[Aa]re|[Dd]o|[Cc]an|[Ww]ill) you\b|\byou (?:are|have|open)\b)")
_UNFIT = re.compile(
    r"\b(\w+) of (?:the |your )?\1\b|\b(?:buy|ship|lift) (?:the|your|an?)? ?[a-z]"
    r"|\b(?:will|have to carry) (?:the|your) .*\b(?:fit|go|upstairs)\b|\bheadroom\b"
    r"|\bheavy to carry\b|\bduration for\b",
    re.IGNORECASE,
)
"""What reads badly of what may be no product: "the battery of the battery"."""

_NO_NAME = re.compile(
    r"(?:all|my|its|their|this|that|these|those|each|every|no|another|\d+)\b", re.IGNORECASE
)
_OF_PLACES = frozenset(["opening hours", "closing days", "address", "location"])
"""Attributes that people ask a company for as of a place: "When are you open?"."""

_OF_YOURS = (
    "What {are} your {a}?",
    "Could you tell me your {a}?",
    "{a}",
    "I need to know your {a}.",
    "your {a}?",
)


def stated_pairs(statement: Statement, section: Section, document: Document) -> Iterator[QAPair]:
    """What customers ask for in their words, and a sentence tells; it is the answer itself."""
    text = re.sub(r"(?<! [ap]\.m)[.!]+$", "", statement.text.strip())
    is_ours = text.startswith("Our ")
    text = re.sub(r"^We (?=[a-z])", f"{_COMPANY} ", re.sub("^Our ", "The ", text))
    clauses = clauses_of(text) if len(text.split()) <= _MAX_WORDS else []
    if clauses and (second := _SECOND.search(text)):
        clauses.append(replace(clauses[0], aux=second["aux"], verb="", rest=second["rest"]))
    for clause in clauses:
        owner, attribute, value = ("", "", "") if clause.is_negated else _attribute_of(clause)
        thing = None
        if is_ours and clause.subject == clauses[0].subject:
            thing = _yours(owner)
        elif attribute:
            thing = _thing(owner, attribute, statement, document)
        if not attribute or thing is None or len(value.split()) > _MAX_VALUE_WORDS:
            continue
        fact = Fact(
            thing=thing, attribute=attribute, value=value, evidence=statement.block.text,
            made_by="sentence", section=section.name, page=statement.block.page,
        )  # fmt: skip
        pair = fact_pair(fact, is_english=True)
        texts = [pair.question, *pair.wordings]
        texts = _of_yours(fact, texts) if thing is _YOU else texts
        texts = [each for each in texts if not _UNFIT.search(each)]
        if texts:
            yield replace(
                pair, question=texts[0], wordings=tuple(texts[1:]), answer=statement.answer
            )


def _attribute_of(clause: Clause) -> tuple[str, str, str]:
    """Whose attribute a clause tells, which one, and its value; "" if it tells none."""
    for pattern, attribute in _PREDICATES:
        if match := pattern.fullmatch(clause.finite):
            owner = match.groupdict().get("owner", clause.subject)
            return owner, attribute, match["v"]
    for names in (_OWNED, _NAMED) if clause.aux in ("is", "are") else ():
        match = names.match(clause.subject)
        if match is None or not is_attribute(match["name"]) or match["name"].lower() in _SEVERAL:
            continue
        is_address = "address" in match["name"].lower() and _NAME.match(clause.rest)
        if _VALUE.match(clause.rest) or is_address:
            return match["owner"] or "", match["name"].lower(), clause.rest
    return "", "", ""


def _thing(owner: str, attribute: str, statement: Statement, document: Document) -> Thing | None:
    """What a subject names; None if only its context tells."""
    topic = statement.topic
    if not owner:
        if topic is None:
            return NO_THING if statement.text.startswith("The ") else None
        return topic.thing
    if owner == _COMPANY:
        return _YOU
    name = subject_of(owner[:1].upper() + owner[1:])
    first = name.partition(" ")[0]
    if first.istitle() and name[1:].islower() and prose_of(document).cased(first) != first:
        name = f"{name[0].lower()}{name[1:]}"
    bare = re.sub(r"^(?:the|an?) ", "", name)
    if topic and bare in topic.thing.bare_names:
        return topic.thing
    if not bare or _NO_NAME.match(name):
        return None
    if re.search(r"[A-Z\d]", bare.split()[-1]) and " of " not in bare:
        is_sold = find_attribute(attribute).thing
        return named_thing(bare, document=document, is_sold=is_sold)
    is_part = topic is not None and name.startswith("the ") and not is_around(bare)
    if topic is None or not is_part:
        return Thing(name=bare, has_article=bare != name, is_plural=is_plural(bare))
    if bare == topic.thing.kind.rpartition(" ")[2]:
        return topic.thing
    return None if bare.split()[0] in NO_PART else part(bare, whole=topic.thing)


def _yours(owner: str) -> Thing:
    """The company itself, or what "our" stands before."""
    noun = re.sub("^[Tt]he ", "", owner)
    return Thing(name=f"your {noun}", is_plural=is_plural(noun)) if noun else _YOU


def _of_yours(fact: Fact, texts: Sequence[str]) -> list[str]:
    """The questions about those who wrote the document, of those for any thing and its own."""
    name = said_attribute(fact.attribute)
    are = "are" if is_plural_attribute(name) else "is"
    named = [form.format(a=name, are=are) for form in _OF_YOURS]
    is_place = fact.attribute in _OF_PLACES
    return [each for each in texts if is_place and _ASKS_YOU.search(each)] + named
