"""Questions of whole sentences: of what they deny, limit, prescribe, or charge for."""

import re
from collections.abc import Callable

from ftdist.library.synthesis.clauses import STATEMENT_VERBS
from ftdist.library.synthesis.command_questions import is_command
from ftdist.library.synthesis.customer_voice import as_customer
from ftdist.library.synthesis.question_clauses import without_contractions
from ftdist.library.synthesis.sentence_parts import in_sentence
from ftdist.library.synthesis.status_questions import status_questions
from ftdist.library.synthesis.verb_forms import gerund, is_plural, participle, third_person

_MONEY = (
    r"(?:[$\u20ac\u00a3] ?\d[\d.,]*|\d[\d.,]* ?(?:[$\u20ac\u00a3]"
    r"|(?:euros?|pounds?|dollars?|francs?|EUR|USD|GBP|CHF|cents|pence)\b))"
)
_SIZES = {
    "bigger": "big", "deeper": "deep", "heavier": "heavy", "higher": "high", "hotter": "hot",
    "larger": "large", "longer": "long", "older": "old", "taller": "tall", "thicker": "thick",
    "warmer": "warm", "wider": "wide",
}  # fmt: skip
_DENIAL = re.compile(
    r"^(?P<subject>[^,;:]+?) (?P<aux>do|does|did|is|are|was|were|can|may|must|will|should)"
    r" (?:not|never) (?P<rest>[^,;:]+)$"
)
_DENIED_LIST = re.compile(
    r"^(?P<items>(?:[\w-]+(?: [\w-]+){0,2}, )+[\w-]+(?: [\w-]+){0,2} (?:and|or)"
    r" [\w-]+(?: [\w-]+){0,2}) (?P<aux>is|are|can|may|must|will) (?:not|never) (?P<rest>[^,;:]+)$"
)
_NEVER = re.compile(r"^(?P<subject>We|You|They) never (?P<rest>[^,;:]+)$")
_EXCEPTION = re.compile(
    r",? (?:but|unless|except|apart from|other than|because|so that|so|as|since|if|when|until) .*$"
)
_MAX_SUBJECT_WORDS = 8
_NO_SUBJECT = re.compile(
    r"^(?:This|That|These|Those|It|They|He|She|There|If|When|Once|While|As|Although|But|And)\b"
    r"|\b(?:but|and|or|which|who|that|if|when)\b"
)
_LIMIT = re.compile(
    r"^(?P<subject>(?:The|An?|Your|Our|Each) [^,;:]+?|[A-Z][a-z]+s) (?:must|may|can|should) not"
    rf" be (?P<size>{'|'.join(_SIZES)}) than [^,;:]*\d[^;:]*$"
)
_ONLY_USE = re.compile(
    r"(?:^|[,;:] (?:but |and )?)(?i:only use|use only) (?:(?P<the>the|an?) (?:[\w-]+ )*?)?"
    r"(?P<noun>[\w-]+)(?P<rest> (?:for|with|to|in|on|when|if) [^,;:]+)?$"
)
_CHARGE = re.compile(
    rf"^[^,;:]+? (?:can|may) (?:also )?(?P<do>(?:borrow|hire|rent|buy|order|book|add|extend|upgrade"
    rf"|replace|change|park|store|leave|bring|reserve)\b[^,;:]*?) for (?:about |only )?{_MONEY}"
    r"(?P<per> (?:an?|per) \w+)?"
)
_AGAINST = re.compile(
    r"^(?:(?:We|The manufacturer) (?:strongly )?(?:advises?|recommends?) (?:you )?against|Avoid"
    r"|(?:We|The manufacturer) (?:do|does) not recommend) (?P<verb>[a-z]+ing)\b(?P<rest>[^,;:]*)$"
)
_NOTICE = re.compile(
    r"\b(?:[Gg]ives?|needs?|requires?) (?:us )?(?:at least )?\S+ (?:working )?"
    r"(?:hour|day|week|month)s?['\u2019]?(?: of)? notice(?P<rest> (?:for|before|of|to) [^,;:]+)?$"
)
_CASE = re.compile(
    r"^(?P<case>(?!\w+ (?:that|this)\b)(?:Outside|During|Before|After|In case of"
    r"|In the event of|At night|On arrival)\b[^,;:]*), (?P<then>[^;:]+)$"
)
_MEANWHILE = re.compile(
    r"^(?P<command>[A-Z][^,;:]+?) (?P<case>(?:before|after) (?!that\b|this\b|noon\b|midnight\b)"
    r"(?:you|the|your|each|every|use|[a-z]+ing)\b[^,;:\d]*)$"
)
_BY_PERSON = re.compile(
    r"^(?P<subject>[^,;:]+?) (?P<aux>is|are|(?:must|can|may|will|should|has to|have to) be)"
    r" (?P<done>[a-z]+) by (?:the|an?|our|your) (?:[a-z]+ ){0,2}"
    r"(?:director|manager|doctor|nurse|vet|electrician|installer|technician|engineer|dealer"
    r"|specialist|supervisor|owner|landlord|tenant|office|department|board|committee|team|staff|head|teacher|parents?|guardian|adult|plumber"
    r"|professional|workshop|supplier|carrier|company|council)\b"
)
_PAYMENT = re.compile(
    r"^(?:We (?:only )?(?:accept|take)|You can pay (?:by|in|with)"
    r"|Payment is (?:possible )?(?:by|in))\b"
    r".*\b(?:cash|cards?|PayPal|bank transfers?|cheques?|direct debit)\b"
)
_AGE = re.compile(
    r"^(?P<who>You|[A-Z][a-z]+(?:s|ren)|Anyone [a-z]+ing [a-z ]+)"
    r" (?:must|have to|has to|need to|should) be (?:at least |over |aged )?\d{1,2}"
    r"(?: years (?:old|of age)| or over| and show\b.*|$)"
)
_BY_DOING = re.compile(
    r"^(?P<subject>(?:The|An?|Your) [^,;:]+?) (?P<aux>is|are|can be) (?P<done>[a-z]+)"
    r"(?P<particle> (?:on|off|up|down|out|in))? by (?P<how>[a-z]+ing) "
)
_PURPOSE = re.compile(
    r"^(?P<command>[A-Z][a-z]+ (?:the|an?|your|this|both|any) [^,;:]+?)(?: in order)? to"
    r" (?P<do>[a-z]+ [^,;:]+)$"
)
_BOX = re.compile(
    r"^In the (?:box|package|carton) (?:you will find|you find|there (?:is|are)|are|is)\b"
    r"|^The (?:box|package|carton) (?:contains|holds|includes)\b"
)
_LINE = re.compile(
    r"^(?P<noun>Bus|Tram|Train|Line|Route|Room|Platform|Gate|Terminal|Entrance|Exit)"
    r" [A-Z]?\d+[a-z]? (?P<does>stops|runs|goes|leaves|leads|takes|serves|is|has) (?P<rest>[^,;:]+)"
)
_PERSON_DOES = re.compile(
    r"^(?:(?:Dr|Mr|Mrs|Ms|Prof)\.? )?[A-Z][a-z]+ [A-Z][a-z]+ (?P<does>treats|specialises"
    r"|specializes|runs|leads|teaches|manages|handles|trains|advises|heads|owns"
    r"|(?:looks after|is responsible for|is in charge of|takes care of|deals with))"
    r" ?(?P<rest>[^,;:]*?)(?: and [a-z]+s .*)?$"
)


def whole_sentence_questions(text: str) -> list[str]:
    """Questions that customers ask of a sentence without its full stop, with their marks."""
    text = without_contractions(text)
    found: list[str] = []
    for rule in _RULES:
        found += (
            as_customer(" ".join(f"{each[0].upper()}{each[1:]}?".split())) for each in rule(text)
        )
    return list(dict.fromkeys(found))


def _of_denial(text: str) -> list[str]:
    """Whether what a sentence denies is so: "Do you treat horses" of "We do not treat horses"."""
    bare = _EXCEPTION.sub("", text)
    if listed := _DENIED_LIST.match(bare):
        items = re.split(", | and | or ", listed["items"])
        return [
            f"{_be(listed['aux'], item)} {in_sentence(item)} {listed['rest']}" for item in items
        ]
    if _AGAINST.match(bare) or _LIMIT.match(bare):
        return []
    if never := _NEVER.match(bare):
        return [f"do {never['subject'].lower()} ever {never['rest']}"]
    match = _DENIAL.match(bare)
    subject = match["subject"] if match else ""
    if not match or _NO_SUBJECT.search(subject) or len(subject.split()) > _MAX_SUBJECT_WORDS:
        return []
    if subject == "We" and match["aux"] in ("can", "may", "must", "should"):
        return []  # whether we let others do so, or cannot do it for them
    aux = "may" if match["aux"] == "must" else match["aux"]
    return [f"{aux} {in_sentence(subject)} {match['rest']}"]


def _of_limit(text: str) -> list[str]:
    match = _LIMIT.match(text)
    return [f"how {_SIZES[match['size']]} may {in_sentence(match['subject'])} be"] if match else []


def _of_only_use(text: str) -> list[str]:
    match = _ONLY_USE.search(text)
    if not match:
        return []
    rest = match["rest"] or ""
    if match["the"]:
        return [f"which {match['noun']} should I use{rest}"]
    return [f"what should I use{rest}"] if rest else []


def _of_charge(text: str) -> list[str]:
    match = _CHARGE.match(text)
    return [f"how much does it cost to {match['do']}{match['per'] or ''}"] if match else []


def _of_advice_against(text: str) -> list[str]:
    match = _AGAINST.match(text)
    verb = _base(match["verb"], gerund) if match else ""
    return [f"should I {verb}{match['rest']}"] if match and verb else []


def _of_notice(text: str) -> list[str]:
    match = _NOTICE.search(text)
    return [f"how much notice we need{match['rest'] or ''}"] if match else []


def _of_case(text: str) -> list[str]:
    """What to do in a case, or before or after something."""
    match = _CASE.match(text)
    if match and is_command(match["then"], is_step=True):
        return [f"what should I do {in_sentence(match['case'])}"]
    match = _MEANWHILE.match(text)
    if match and is_command(match["command"], is_step=True):
        return [f"what should I do {match['case']}"]
    return []


def _of_person(text: str) -> list[str]:
    """Who does what is done by somebody: "Who must approve flights"."""
    match = _BY_PERSON.match(text)
    verb = _base(match["done"], participle) if match else ""
    if not match or not verb or _NO_SUBJECT.search(match["subject"]):
        return []
    subject = in_sentence(match["subject"])
    modal = match["aux"].removesuffix("be").strip()
    modal = "has to" if modal == "have to" else modal
    does = third_person(verb) if modal in ("is", "are") else f"{modal} {verb}"
    return [f"who {does} {subject}"]


def _of_payment(text: str) -> list[str]:
    if not _PAYMENT.match(text):
        return []
    return ["how can I pay", "which payment methods we accept"]


def _of_age(text: str) -> list[str]:
    match = _AGE.match(text)
    return [f"how old must {in_sentence(match['who'])} be"] if match else []


def _of_doing(text: str) -> list[str]:
    """How something is done, which a sentence says with "by" and another verb."""
    match = _BY_DOING.match(text)
    verb = _base(match["done"], participle) if match else ""
    if not match or not verb:
        return []
    particle = match["particle"] or ""
    return [f"how do I {verb}{particle} {in_sentence(match['subject'])}"]


def _of_purpose(text: str) -> list[str]:
    """How to reach what a command is for: "Scan the code to join the Wi-Fi"."""
    match = _PURPOSE.match(text)
    is_verb = match is not None and match["do"].split()[0] in STATEMENT_VERBS | {"join"}
    if not match or not is_verb or not is_command(match["command"], is_step=True):
        return []
    return [f"how do I {match['do']}"]


def _of_name(text: str) -> list[str]:
    """What or who does it, where a sentence names it: "Which bus stops at the gate"."""
    if _BOX.match(text):
        return ["what is in the box"]
    if match := _LINE.match(text):
        return [f"which {match['noun'].lower()} {match['does']} {match['rest']}"]
    match = _PERSON_DOES.match(text)
    return [f"who {match['does']} {match['rest']}"] if match else []


def _base(form: str, inflected: Callable[[str], str]) -> str:
    """The verb of which this is a form; "" if it is in no list."""
    return next((verb for verb in sorted(STATEMENT_VERBS) if inflected(verb) == form), "")


def _be(aux: str, subject: str) -> str:
    """An auxiliary of several subjects as that of one of them."""
    if aux in ("is", "are"):
        return "are" if is_plural(subject) else "is"
    return "may" if aux == "must" else aux


_RULES: tuple[Callable[[str], list[str]], ...] = (
    _of_limit,
    _of_denial,
    _of_only_use,
    _of_charge,
    _of_advice_against,
    _of_notice,
    _of_case,
    _of_person,
    _of_payment,
    _of_age,
    _of_doing,
    _of_purpose,
    _of_name,
    status_questions,
)
