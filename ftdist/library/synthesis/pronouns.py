"""What "it" stands for in documents that are about one thing."""

import re

from ftdist.library.synthesis.clauses import parse
from ftdist.library.synthesis.sections import Section
from ftdist.library.synthesis.things import Thing
from ftdist.library.synthesis.topics import Topic
from ftdist.library.synthesis.verb_forms import is_plural

_FORBID = r"(?:(?:Please|Always|Never|Only|Do not|Don['\u2019]t) )?"
_INTRODUCES = re.compile(
    r"\b(?:has|have|comes with|includes?|contains?|uses?|with|needs?|requires?|holds?|from|by)"
    r" (?:an?|one|the) [a-z]"
)
_AMOUNT = re.compile(r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|twelve|half|daily)\b")
_ANOTHER_NOUN = re.compile(
    r"\b(?:the|its|their|your|our|each|every) [a-z]"
    r"|\ban? (?!(?:hour|day|night|week|month|year|person|piece)\b)[a-z]"
    r"|\b(?!(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|[A-Z]+\b)[A-Z][a-z]"
)
_NO_NOUN = (
    "and|then|in|on|over|under|open|flat|straight|aside|together|home|away|back|out|off|first|down"
    "|up|well|again|twice"
)
_COMMAND_WITH_OBJECT = re.compile(
    r"^[A-Z][a-z]+(?: (?:off|out|up|on|down|in))? (?:the|your|an?) "
    rf"(?P<noun>[a-z-]+(?: (?!(?:{_NO_NOUN})\b)[a-z-]+)?)(?=,? (?:and|then) |, [a-z]+ it\b)"
)
_OTHER_NOUN = re.compile(r"\b(?:the|an?|your|its|their|this|that|if|when|until|before|after)\b")
_GENERAL_HEADING = re.compile(
    r"^(?:care|cleaning|use|using\b.*|usage|operation|operating|safety|storage|storing|maintenance"
    r"|overview|description|about\b.*|introduction|warranty|guarantee|tips|notes?|good to know"
    r"|technical data|features|set-?up|setting up|assembly|assembling|transport|disposal"
    r"|before (?:first )?use|first use|getting started|installation|installing|charging|service"
    r"|general|in use|care and \w+|cleaning and \w+|use and \w+|limits|precautions|warnings?"
    r"|handling|repairs?|troubleshooting|everyday use|daily use)$",
    re.IGNORECASE,
)


def is_about_all(section: Section, thing: Thing) -> bool:
    """Whether a section is about all of the thing, as "Care" is and "The battery" is not."""
    heading = section.heading.casefold()
    names = (each.casefold() for each in thing.bare_names)
    return not heading or bool(_GENERAL_HEADING.match(heading)) or any(n in heading for n in names)


def resolved(sentence: str, *, is_about: bool, topic: Topic) -> str:
    """A sentence whose "it" stands for the thing, with its name; itself if it is not sure.

    Args:
        sentence: as it stands.
        is_about: whether what is before it speaks of the thing only.
        topic: of the document.
    """
    if not is_about:
        return sentence
    thing = topic.thing
    name = thing.names[0]
    first, them = ("They", "them") if thing.is_plural else ("It", "it")
    their = "Their" if thing.is_plural else "Its"
    upper = name[:1].upper() + name[1:]
    kind = thing.kind.rpartition(" ")[2]
    if kind and (this := re.match(rf"This {re.escape(kind)}\b", sentence)):
        return f"{upper}{sentence[this.end() :]}"
    if led := re.match(
        rf"^(If|When|Once|While|Before|After|As soon as) {first.lower()} ", sentence
    ):
        return f"{led[1]} {name} {sentence[led.end() :]}"
    if sentence.startswith(f"{first} ") and not _is_impersonal(sentence):
        return f"{upper}{sentence[len(first) :]}"
    if sentence.startswith(f"{their} "):
        owned = sentence[len(their) :]
        return f"{upper}'s{owned}" if not name.endswith("s") else sentence
    words = "(?:it|them)" if topic.is_set else them
    object_of = re.match(
        rf"^({_FORBID}[A-Za-z]+(?: (?:on|off|up|down|out"
        rf"|at|in|under|with|behind|near))?) {words}\b(?!['\u2019])",
        sentence,
    )
    if object_of and not re.match(r"^\w+ (?:is|are|was|of)\b", object_of[0]):
        return f"{object_of[1]} {name}{sentence[object_of.end() :]}"
    acted_on = re.match(
        rf"^(An? [a-z]+(?: (?!it\b)[a-z]+){{0,4}} [a-z]+s) {words}\b(?=[ .,])", sentence
    )
    if acted_on:
        return f"{acted_on[1]} {name}{sentence[acted_on.end() :]}"
    both = re.match(rf"^((?:Both|Two) [a-z]+ (?:must|should|can) [a-z]+) {words}\b", sentence)
    return f"{both[1]} {name}{sentence[both.end() :]}" if both else sentence


def with_subject_before(sentence: str, before: str) -> str:
    """A sentence whose first "it" stands for the subject of the one before it, with that subject.

    Itself if that sentence has another noun than its subject and what is measured.
    """
    pronoun = re.match(r"(?:It|Its|They|Their) (?=[a-z])", sentence)
    clause = parse(before.rstrip(".!")) if pronoun and not _is_impersonal(sentence) else None
    if pronoun is None or clause is None:
        return sentence
    word, subject = pronoun[0].strip(), clause.subject
    is_named = re.search(r"\d|\w [A-Z]", subject)
    is_definition = is_named and re.fullmatch(r"an? [a-z]+(?: [a-z]+)?", clause.rest)
    is_amount = _AMOUNT.search(clause.rest) and not _ANOTHER_NOUN.search(clause.rest)
    if clause.is_plural != (word in ("They", "Their")) or not (is_definition or is_amount):
        return sentence
    if word in ("It", "They"):
        return f"{subject} {sentence[pronoun.end() :]}"
    return sentence if subject.endswith("s") else f"{subject}'s {sentence[pronoun.end() :]}"


def with_object_before(sentence: str) -> str:
    """A command whose "it" stands for the object before it, with that object.

    "Unscrew the tip and leave it overnight" gives "Unscrew the tip and leave the tip overnight".
    """
    match = _COMMAND_WITH_OBJECT.match(sentence)
    if match is None:
        return sentence
    rest = sentence[match.end() :]
    other = _OTHER_NOUN.search(rest)
    end = other.start() if other else len(rest)
    meant = re.sub(r"(?<=[a-z] )it\b(?!['\u2019])", f"the {match['noun']}", rest[:end])
    return f"{match[0]}{meant}{rest[end:]}"


def means_all(sentence: str, before: str) -> bool:
    """Whether a command such as "Store it in a dry place" means the thing and no part of it.

    Args:
        sentence: as it stands.
        before: the sentence before it; one with a subject of its own may be meant.
    """
    is_whole = re.match(
        rf"^{_FORBID}(?:store|charge|recharge|unplug|descale|assemble"
        r"|register|transport|(?:turn|switch) (?=it (?:on|off)))\s?(?:it|them)\b",
        sentence,
        re.IGNORECASE,
    )
    command = (
        r"^(?:It|Its|They|Their|Never|Always|Do not|Don['\u2019]t|[A-Z][a-z]+ (?:it|them|the))\b"
    )
    return bool(is_whole and re.match(command, before))


def _is_impersonal(sentence: str) -> bool:
    """Whether "it" stands for nothing, as in "It is important to ..."."""
    return bool(
        re.match(
            r"^It (?:is|was|may be|can be|takes|seems|appears|helps|pays)(?: \S+){0,4}? (?:to|that)"
            r" (?!\d|pitch\b|set up\b|use\b|charge\b|assemble\b|build\b)",
            sentence,
        )
        or re.match(r"^It (?:rains|snows|follows|depends|is (?:time|up to))\b", sentence)
    )


def keeps_topic(statement: str, thing: Thing) -> bool:
    """Whether a sentence speaks of the thing so that "it" in the next one means it too."""
    kind = thing.kind.rpartition(" ")[2]
    names = (*thing.names, *((f"the {kind}",) if kind else ()))
    name = "|".join(re.escape(each) for each in names)
    is_subject = re.match(rf"^(?:{name})(?!['\u2019])\b", statement, re.IGNORECASE)
    if is_subject:
        is_definition = re.match(rf"^(?:{name}) (?:is|are) an?\b", statement, re.IGNORECASE)
        return bool(is_definition) or not _INTRODUCES.search(statement)
    is_last = re.search(rf" (?:{name})\.?$", statement, re.IGNORECASE)
    if is_last and not re.search(r"\b(?:an?|the|your|its) [a-z]", statement[: is_last.start()]):
        return True
    is_command = re.match(
        rf"^{_FORBID}\w+(?: \w+)? (?:{name})\b",
        statement,
        re.IGNORECASE,
    )
    is_part = re.match(rf"^(?:{name})['\u2019]s (\w+)", statement, re.IGNORECASE)
    if is_part:
        return is_plural(is_part[1]) != thing.is_plural
    rest = statement[is_command.end() :] if is_command else ""
    return bool(is_command) and not re.search(r"\b(?:an?|the) [a-z]", rest)
