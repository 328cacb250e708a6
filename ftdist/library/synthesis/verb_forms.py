"""Forms of English verbs and nouns, for questions that are put in other words.

Only verbs of a list are taken for verbs where a sentence has to be split before one, because a
word such as "display" is as often a noun.
"""

import re
from dataclasses import dataclass

_VERBS = """
boil oil descale grease soak brush discharge sterilise disinfect
accept access activate add adjust affect allow answer appear apply approve ask assign attach avoid
backup become begin belong bend bind bleed blink block boot break bring build burn buy calculate
calibrate call cancel capture carry cause change charge check choose clean clear click close
collect come compile complete configure confirm connect contact contain continue control convert
copy correct cost count cover create cut deal decide decrease define delete deliver depend deploy
describe detach determine differ disable disconnect display do download drain draw drive drop
dry edit eject empty enable end enter erase exclude execute exist expand expire export extend fail
fall fasten fill find finish fit fix flash float flush fold follow format freeze get give go grow
handle hang happen hear heat help hide hold identify ignore import improve include increase indicate
influence inform initialise initialize insert inspect install keep know label last launch lead leak
leave let lie lift limit link listen load locate lock log look lose lower lubricate maintain make
manage mark match matter mean measure migrate mix modify monitor mount move name need notice obtain
occur offer open operate order own pack pair park pass paste pay perform pick place plan plug
prepare press prevent print process produce protect provide publish pull pump purchase push put
raise reach react read reboot receive recharge recognise recognize record recover recycle reduce
refer refill register reinstall release reload remain ring remove rename render renew repair repeat
replace report request require reset resize respond rest restart restore restrict retrieve return
reuse rinse rise rotate run save scan schedule search secure see select sell send serve set share
sharpen ship show shut sign skip sleep slide smell solve sound speak specify speed spin split spray
start stay stop store submit subscribe supply support suspend swap switch sync synchronise
synchronize take tell terminate test tighten track transfer transport treat trigger trip trust try
turn uninstall unlock unpack unplug update upgrade upload use vacuum verify wait want warn wash
watch wear weigh wipe wire withdraw work wrap write"""
VERBS = frozenset(_VERBS.split())
_MORE_ACTIONS = """
accelerate bake blend brake brew chop climb cook cool crush dehumidify drill dive fly froth grind
harden ignite iron knead mow saw sew shred sink slice steam stir thaw toast warm weave whisk
stand"""
ACTIONS = VERBS | frozenset(_MORE_ACTIONS.split())

_PARTICIPLES_OF = """
become/become begin/begun bend/bent bind/bound bleed/bled break/broken bring/brought
build/built burn/burned buy/bought choose/chosen come/come cost/cost cut/cut deal/dealt
do/done draw/drawn drive/driven fall/fallen find/found freeze/frozen get/got give/given
go/gone grow/grown hang/hung have/had hear/heard hide/hidden hold/held keep/kept know/known
lead/led leave/left let/let lie/lain lose/lost make/made mean/meant pay/paid put/put read/read
rise/risen run/run see/seen sell/sold send/sent set/set reset/reset show/shown shut/shut
sleep/slept speak/spoken spin/spun split/split take/taken tell/told think/thought
understand/understood wear/worn withdraw/withdrawn write/written"""
_IRREGULAR_PARTICIPLES = dict(pair.split("/") for pair in _PARTICIPLES_OF.split())
_PARTICIPLES = frozenset(_IRREGULAR_PARTICIPLES.values()) | {"been"}
_DOUBLED_VERBS = """
admit begin commit control cut drag drop fit forget get let log permit plug program put
refer reset rub run set shut sit skip slip snap spin split stop submit swap trip uninstal
unplug unwrap wrap zip step map tip trim scan plan pop ship strip tap top wet dig rip"""
_DOUBLED = frozenset(_DOUBLED_VERBS.split())
_THIRD = {"be": "is", "have": "has", "do": "does", "go": "goes", "am": "is", "are": "is"}
_ADVERB_WORDS = """
also always best even ever first just never not now often still then"""
_ADVERBS = frozenset(_ADVERB_WORDS.split())


@dataclass(frozen=True)
class VerbPhrase:
    """A verb in its base form and what follows it: "reset the A-45 to factory settings"."""

    verb: str
    particle: str
    """Such as "up" in "set up the pump"; "" mostly."""

    rest: str

    @classmethod
    def parse(cls, text: str) -> "VerbPhrase | None":
        """The phrase of a text that begins with a verb of the list; None: it does not."""
        verb, _, rest = text.strip().partition(" ")
        if verb.lower() not in VERBS:
            return None
        first, _, after = rest.partition(" ")
        if first.lower() in _PARTICLES and after and not re.match(r"(?:to|of|from)\b", after):
            return cls(verb.lower(), first, after)
        return cls(verb.lower(), "", rest)

    @property
    def gerund(self) -> str:
        """Such as "setting up the pump"."""
        return _joined(gerund(self.verb), self.particle, self.rest)

    @property
    def passive(self) -> tuple[str, str, str] | None:
        """Object, "is" or "are", and the rest with the participle; None: there is no clear object.

        "reset the pump to zero" gives ("the pump", "is", "reset to zero").
        """
        match = _OBJECT.match(self.rest)
        if not match or self.verb in _NO_PASSIVE:
            return None
        noun, tail = match["object"], match["tail"] or ""
        words = noun.split()
        if len(words) > 6 or re.search(r"\b(?:and|or|how|what|that|which|who|it|to)\b", noun):
            return None
        be = "are" if is_plural(noun) else "is"
        return noun, be, _joined(participle(self.verb), self.particle, tail)


_PARTICLES = frozenset(["up", "on", "off", "out", "in", "down", "back", "away"])
_PREPOSITIONS = (
    "about|across|after|against|along|around|as|at|away|because|before|below|between|beyond|by"
    "|during|even|for|from|if|in|inside|into|near|of|off|on|onto|outside|over|per|since|so|than"
    "|through|to|under|until|unless|up|upon|using|via|when|while|with|within|without|out|down|back"
    "|again|where|every|once|twice|manually|remotely|automatically|safely|correctly"
)
_OBJECT = re.compile(
    rf"^(?P<object>(?:the|my|your|our|an?|this|its)\s(?:(?!(?:{_PREPOSITIONS})\b)[\w.'/-]+\s?)+?)"
    rf"(?P<tail>\s(?:{_PREPOSITIONS})\b.*)?$",
    re.IGNORECASE,
)
_INTRANSITIVE = """
become belong cost come deal depend differ get go happen have know last lie look make need let
help stop remain rest see stay tell try wait want weigh work"""
_NO_PASSIVE = frozenset(_INTRANSITIVE.split())


def gerund(verb: str) -> str:
    """The form in -ing: "reset" gives "resetting"."""
    if verb.endswith("ie"):
        return f"{verb[:-2]}ying"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")) and verb != "be":
        return f"{verb[:-1]}ing"
    return f"{_doubled(verb)}ing"


def participle(verb: str) -> str:
    """The past participle: "write" gives "written"."""
    if verb in _IRREGULAR_PARTICIPLES:
        return _IRREGULAR_PARTICIPLES[verb]
    if verb.endswith("e"):
        return f"{verb}d"
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return f"{verb[:-1]}ied"
    return f"{_doubled(verb)}ed"


def is_participle(word: str) -> bool:
    """Whether a word after "has" is a past participle rather than an object."""
    return word in _PARTICIPLES or bool(re.search(r"(?:[a-z]{2}ed|[a-z]en)$", word))


def third_person(verb: str) -> str:
    """The form after "it": "try" gives "tries"."""
    if verb in _THIRD:
        return _THIRD[verb]
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return f"{verb[:-1]}ies"
    return f"{verb}es" if verb.endswith(("s", "x", "z", "ch", "sh", "o")) else f"{verb}s"


def verb_of(form: str) -> str:
    """The verb of a form in -ing: "grinding" gives "grind"; "" if it is in no list."""
    stem = form.removesuffix("ing")
    candidates = (stem, f"{stem}e", stem[:-1])
    return next((each for each in candidates if each in ACTIONS and gerund(each) == form), "")


def base_form(verb: str) -> str:
    """The verb of a third-person form: "tries" gives "try"; "" if it is in no list."""
    lower = verb.lower()
    if lower in ("has", "does", "goes", "is"):
        return {"has": "have", "does": "do", "goes": "go", "is": "be"}[lower]
    endings = ((lower[:-3] + "y", "ies"), (lower[:-2], "es"), (lower[:-1], "s"))
    return next((base for base, end in endings if lower.endswith(end) and base in VERBS), "")


def is_plural(noun: str) -> bool:
    """Whether a noun phrase is plural, by the last word before its first preposition."""
    head = re.split(rf"\s(?:{_PREPOSITIONS})\b", noun, maxsplit=1)[0]
    last = re.sub(r"[^\w-]", "", head.split()[-1]) if head.split() else ""
    is_name = last[1:] != last[1:].lower() or any(char.isdigit() for char in last)
    singular = ("ss", "us", "is", "news", "gas", "lens", "os", "always")
    return (
        last.endswith("s") and not last.lower().endswith(singular) and not is_name
    ) or last.lower() in ("people", "children", "men", "women", "data centres")


def split_subject(text: str, *, is_singular: bool | None) -> tuple[str, str] | None:
    """Subject and predicate of what follows "does" or "do"; None: the border is not clear.

    "the pump stop at noon" gives ("the pump", "stop at noon"). Nothing is split where two words
    may be the verb.

    Args:
        text: after the auxiliary.
        is_singular: whether the auxiliary is "does"; None: it has one form, such as "can".
    """
    words = text.split()
    if words and words[0].lower() in ("i", "you", "we", "they", "it"):
        rest = words[1:]
        return (words[0], " ".join(rest)) if rest else None
    for at in range(1, min(len(words), 8)):
        word, before = words[at].lower().strip(",.;:"), words[at - 1].lower()
        if word in _BORDERS or word in _ADVERBS:
            return None
        if word in ACTIONS or word in ("have", "be"):
            after = words[at + 1].lower() if at + 1 < len(words) else ""
            if before in _DETERMINERS:
                continue
            if after in VERBS and after not in _AMBIGUOUS:
                return None
            if is_singular is not None and is_plural(" ".join(words[:at])) == is_singular:
                return None
            return " ".join(words[:at]), " ".join(words[at:])
    return None


_BORDERS = frozenset(["that", "which", "who", "and", "or", "if", "when", "to"])
_AMBIGUOUS = frozenset(["power", "access", "help", "support"])
_DETERMINER_WORDS = """
the a an my your our this that these those its no any each every"""
_DETERMINERS = frozenset(_DETERMINER_WORDS.split())


def conjugated(predicate: str, *, is_third: bool) -> str:
    """A predicate after its subject: "stop at noon" becomes "stops at noon" after "the pump"."""
    verb, _, rest = predicate.partition(" ")
    return _joined(third_person(verb) if is_third else verb, rest)


def _doubled(verb: str) -> str:
    return verb + verb[-1] if verb in _DOUBLED else verb


def _joined(*parts: str) -> str:
    return " ".join(part.strip() for part in parts if part.strip())
