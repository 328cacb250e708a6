"""Questions about commands: "Descale it with citric acid", "Never trim in the rain"."""

import re
from dataclasses import dataclass, replace

from ftdist.library.synthesis.clause_questions import ABOUT, DURATION, NUMBERS, OFTEN
from ftdist.library.synthesis.naming import marked, marked_part
from ftdist.library.synthesis.question_draft import QuestionDraft
from ftdist.library.synthesis.sentence_parts import mine
from ftdist.library.synthesis.things import Thing
from ftdist.library.synthesis.verb_forms import VERBS, VerbPhrase, gerund

_MORE_VERBS = """
stand put keep trim dry assemble lay peel fry simmer blend stir bake cook chop slice cut add pour
warm cool book wear hand freeze tie tighten loosen bring serve store hang point aim shake squeeze
scrub polish rub line seal prick knead season drain dust air feed water charge mix twist rest sand
dispose iron tumble shift thread talk speak bleach expose touch leave lean step climb overload
overfill immerse submerge"""
COMMAND_VERBS = VERBS | frozenset(_MORE_VERBS.split())
_AFTER_VERB = re.compile(
    r"^(?:the|an?|your|it|them|all|both|each|every|any|only|no|at|in|on|off|out|up|down|before|after"
    r"|with|to|from|into|away|over|through|for|by|under|\{|[A-Z]|\d)"
)
_ALSO_NOUN = re.compile(
    r"^(?:line|book|point|water|air|iron|stand|store|step|seal|feed|dust|season|mix|bake|cover"
    r"|file|process|test|support|type|port|option|version|release|record|display|press|set) \d",
    re.IGNORECASE,
)
_ACTS_ON = re.compile(
    r"(?!\w*(?:ing|ed|ly|s) |(?:after|before|in|on|at|with|for|from|to|until|if|when|while|once"
    r"|both|all|only|then|or|and|but|so|as|by|than|that|like|under|over|into|during|through|without"
    r"|even|not|near|behind|between|because|since|though|although|unless|where|about|against|per"
    r"|what|who|why|how|am|are|was|were|will|can|may|must|should|would|could|might|otherwise|however|therefore"
    r"|instead|did|do|be|been|has|have|had|of|off|out|up"
    r"|down|around|above|below|inside|outside|beneath|beside|just|never|always|also|whoever) )"
    r"[A-Za-z][a-z]+ (?:off |out |up |down |in |on )?(?:the|an?|your|one|them|all|both|each) \w",
    re.IGNORECASE,
)
_FINITE = re.compile(
    r"\b(?:is|are|was|were|can|must|may|will|should|has|have|does|do|needs?|vary|varies)\b"
)
_TOOL_VERBS_WORDS = """
clean wipe wash descale rinse oil grease lubricate fill charge dry polish seal cover cut tighten
loosen remove disinfect refill fasten secure serve scrub feed open connect"""
_TOOL_VERBS = frozenset(_TOOL_VERBS_WORDS.split())
_PLACING_WORDS = """
put place stand store keep hang lay set mount install position park fix attach leave dispose
enter insert pour plug connect find save"""
_PLACING = frozenset(_PLACING_WORDS.split())
_LASTING_WORDS = """
keep leave hold wait store stir simmer press boil cook bake soak"""
_LASTING = frozenset(_LASTING_WORDS.split())
_PLACE = re.compile(
    r"\b(?:in|on|under|behind|below|above|inside|beside|near|next to|at|into|onto|between|against)"
    r" (?!(?:first|second|general|order|case|time|addition)\b)\S.*$"
)
_SENDING = frozenset(["send", "bring", "return", "hand", "take", "deliver"])
_TO = re.compile(r"\bto (?:the|our|your|an?|one) \S.*$")
_TOOL = re.compile(r"\b(?:with|using) (?!care\b)\S.*$")
_WHEN = re.compile(
    r"\b(?:(?:(?:right|shortly|immediately) )?"
    r"(?:after|before|once|as soon as|until|when|while|if) \S.*"
    rf"|(?:within|in) {ABOUT}{NUMBERS} (?:\w+ )?(?:hours|days|weeks|months|years)\b.*"
    r"|from the \w+ day on|at night)$"
)
_FAR = re.compile(
    rf"\b(?P<v>(?:at least |no closer than |about |up to )?(?:{NUMBERS}) ?(?:cm|mm|m|km|metres?|"
    r"meters?|inch(?:es)?|feet|foot))(?: away)? (?P<from>from \S.*)$"
)


@dataclass(frozen=True, kw_only=True)
class Command:
    """What a sentence tells to do: its verb, what follows, and whether it is forbidden."""

    verb: str
    rest: str
    is_forbidden: bool = False

    @property
    def action(self) -> str:
        """Verb and rest as one asks them of oneself."""
        return mine(f"{self.verb} {self.rest}".strip())


def is_command(text: str, *, is_step: bool) -> bool:
    """Whether a text begins with what to do: a verb of ours, or any word that acts on something.

    Args:
        text: one clause.
        is_step: whether it is a numbered step, in which any verb of ours is a command.
    """
    verb, _, rest = text.partition(" ")
    if rest.startswith("not "):
        return False
    if verb.lower().rstrip(",") in COMMAND_VERBS and verb.lower() != "last":
        return not _ALSO_NOUN.match(text) and (is_step or bool(_AFTER_VERB.match(rest)))
    return bool(_ACTS_ON.match(text))


def command_of(text: str) -> Command | None:
    """The command that a sentence without its full stop is; None if it is none."""
    bare = re.sub(r"^(?:Please|Always|Simply|Then|Just) (?=\w)", "", text)
    forbids = re.match(r"^(?:Never|Do not|Don['\u2019]t|Do never|Please do not) ", bare)
    bare = bare[forbids.end() :] if forbids else bare
    verb, _, rest = bare.partition(" ")
    if verb.lower() not in COMMAND_VERBS or not rest or re.search(r"[;:?\"]", rest):
        return None
    if not forbids and (not verb[0].isupper() or _ALSO_NOUN.match(bare)):
        return None
    main = re.split(r",| (?:if|when|while|until|before|after|because|so that|or|that) ", rest)[0]
    is_clear = bool(_AFTER_VERB.match(rest)) or (
        not _FINITE.search(main)
        and re.match(
            r"^[a-z-]+(?: [a-z-]+s)? (?:in|on|at|for|with|to|as|until|under|away|from|into|onto"
            r"|near|before|after|by) ",
            rest,
        )
    )
    if not is_clear or (_FINITE.search(main) and not forbids):
        return None
    return Command(verb=verb.lower(), rest=rest, is_forbidden=bool(forbids))


def ask_command(command: Command, thing: Thing | None, *, is_short: bool) -> list[QuestionDraft]:
    """The questions of a command, at most two; empty if no rule is sure of one."""
    clear = _without_remark(command)
    if clear is None:
        return []
    found = [_forbidden(clear)] if command.is_forbidden else _positive(clear, is_short=is_short)
    return [_named(draft, thing) for draft in found if draft]


def _without_remark(command: Command) -> Command | None:
    """A command without what follows a comma; None if it is two."""
    is_list = re.search(r"\ban? \w+, \w+ \w+$", command.rest)  # "on a dry, level surface"
    first, comma, after = (command.rest, "", "") if is_list else command.rest.partition(",")
    if comma and not re.match(r" (?:never|not|but|or|and|so|as|because|which|then)\b", after):
        return None
    first = re.sub(r" (?:because|since|so that|as (?:it|they|this)) .*$", "", first)
    if re.search(r"\b(?:and|then|or) (?:the |it\b)?(\w+)\b", first):
        joined = re.findall(r"\b(?:and|then|or) (\w+)\b", first)
        if any(word in COMMAND_VERBS for word in joined):
            return None
    return replace(command, rest=first.strip())


def _forbidden(command: Command) -> QuestionDraft:
    action = command.action
    doing = VerbPhrase.parse(action)
    phrase = doing.gerund if doing else f"{gerund(command.verb)} {mine(command.rest)}"
    return QuestionDraft(
        opening="", aux="may", subject="I", predicate=action, finite=f"may {action}",
        others=(
            f"Can I {action}", f"Is it okay to {action}", f"Am I allowed to {action}",
            f"Is {phrase} allowed", f"Is it a problem to {action}",
        ),
    )  # fmt: skip


def _positive(command: Command, *, is_short: bool) -> list[QuestionDraft]:
    rest = command.rest
    found: list[QuestionDraft] = []
    far = _FAR.search(rest)
    if far and command.verb in _PLACING | _SENDING:
        left = f"{command.verb} {rest[: far.start()]}".strip()
        found.append(_should(f"How far {mine(far['from'])}", left, far["v"]))
    elif often := OFTEN.search(rest):
        found.append(_should("How often", _left(command, often[0]), often[0]))
    elif long := DURATION.search(rest):
        found.append(_should("How long", _left(command, long[0]), long[0]))
    when = _WHEN.search(rest)
    tool = _TOOL.search(rest)
    place = (_TO if command.verb in _SENDING else _PLACE).search(rest)
    if when and not found and when[0].startswith("until ") and command.verb in _LASTING:
        found.append(_should("How long", _left(command, when[0]), when[0]))
    elif when and not found and not re.match(r"(?:until|if|while)", when[0]):
        found.append(_should("When", _left(command, when[0]), when[0]))
    elif tool and not when and not found:
        found.append(_with_tool(command, tool[0]))
    elif place and not when and not found and _has_place(command, place[0]):
        found.append(_should("Where", _left(command, place[0]), place[0]))
    if is_short and not found:
        action = command.action
        found.append(
            QuestionDraft(
                opening="", aux="should", subject="I", predicate=action, finite=f"should {action}",
                others=(
                    f"Do I have to {action}", f"Do I need to {action}",
                    f"Is it necessary to {action}", f"Am I supposed to {action}",
                ),
            )
        )  # fmt: skip
    return found


def _has_place(command: Command, place: str) -> bool:
    return command.verb in _PLACING | _SENDING and _left(command, place) != command.verb


def _left(command: Command, part: str) -> str:
    left = command.rest.replace(part, " ", 1)
    return mine(" ".join(f"{command.verb} {left}".split()))


def _with_tool(command: Command, tool: str) -> QuestionDraft:
    left = _left(command, tool)
    value = tool.partition(" ")[2]
    is_person = re.search(r"\b(?:person|people|friend|adult|care|caution|press)\b", value)
    if command.verb in _TOOL_VERBS and not is_person and left != command.verb:
        return QuestionDraft(
            opening="What", aux="should", subject="I", predicate=f"{left} with",
            finite=f"should {left} with", value=value,
            others=(
                f"What do I use to {left}", f"What is the right thing to {left} with",
                f"What do I need to {left}",
            ),
        )  # fmt: skip
    return _should("How", left, tool)


def _should(opening: str, action: str, value: str) -> QuestionDraft:
    lower = opening.lower()
    others = {
        "how long": (f"For how long must I {action}", f"How long do I have to {action}"),
        "how often": (f"How frequently do I have to {action}", f"How often must I {action}"),
        "when": (f"When do I have to {action}", f"What is the right time to {action}"),
        "where": (f"Where do I {action}", f"What is the right place to {action}"),
        "how": (f"How do I {action}", f"What is the right way to {action}"),
    }.get(lower, (f"{opening} do I have to {action}", f"{opening} must I {action}"))
    return QuestionDraft(
        opening=opening, aux="should", subject="I", predicate=action, finite=f"should {action}",
        others=others, value=value,
    )  # fmt: skip


def _named(draft: QuestionDraft, thing: Thing | None) -> QuestionDraft:
    """A question with marks where the thing or a part of it stands."""
    if thing is None:
        return draft

    def put(text: str) -> str:
        named = marked(text, thing)
        return named if "{" in named else marked_part(named, thing)

    return replace(
        draft, opening=draft.opening, predicate=put(draft.predicate), finite=put(draft.finite),
        others=tuple(map(put, draft.others)),
    )  # fmt: skip
