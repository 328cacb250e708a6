"""Words that decide what a text states: near duplicates agree in all of them, in order.

"Tighten to 12 Nm" and "Tighten to 25 Nm" share almost all of their words, as do "you may" and "you
may not". A text that repeats an earlier one except for such a word is a fact of its own.
"""

import re
from hashlib import blake2b

from ftdist.library.chat_text import conversation_key
from ftdist.library.schema import Conversation, Row
from ftdist.text.matching import words

_NUMBERS = """
    zero one two three four five six seven eight nine ten eleven twelve twenty thirty hundred
    thousand million half third quarter double twice once dozen first second fourth fifth
    null ein eins eine einen zwei drei vier fünf sechs sieben acht neun zehn elf zwölf hundert
    tausend halb erste zweite dritte
    un une deux trois quatre cinq sept huit neuf dix cent mille demi premier deuxième
    uno una dos tres cuatro cinco seis siete ocho nueve diez cien mil medio primero segundo
    due tre quattro cinque sei sette otto nove dieci cento mezzo primo secondo
    um uma dois três quatro oito dez meio primeiro
    een twee drie vijf zes zeven negen tien honderd
    en ett två fyra fem sex sju åtta nio tio hundra
"""
_NEGATIONS = """
    no not never none nor neither nobody nothing nowhere cannot without except only unless yes
    nein nicht kein keine keinen keinem keiner keines nie niemals ohne nur weder ja doch außer
    non ne pas jamais aucun aucune sans ni oui seulement sauf rien
    nunca jamás sin ningún ninguna ninguno sí nada solo sólo excepto
    mai senza nessun nessuno nessuna sì solo tranne
    não nem sem nenhum nenhuma sim apenas exceto
    niet geen nooit zonder nee alleen behalve
    inte ej aldrig utan ingen inga inget nej bara ikke aldri aldrig uten uden nei kun
    nie bez tak tylko ne nikdy žádný
"""
_OPPOSITES = """
    on off up down left right above below before after open opened opens close closed closes
    enable enabled disable disabled start stop always sometimes minimum maximum min max least most
    more less all any some increase decrease hot cold
    an aus links rechts oben unten vor nach auf zu immer
"""
_NUMBER_WORDS = frozenset(_NUMBERS.split())
_CRITICAL = _NUMBER_WORDS.union(_NEGATIONS.split(), _OPPOSITES.split())
_UNSPACED_NEGATION = re.compile("[不没沒無无非未勿否]|ない|ません|なし")

_CHUNK = re.compile(r"[^\s()\[\]{}\"\u201c\u201d\u201e\u00ab\u00bb,;!?|]+")
_EDGES = ".:*_`'\u2018\u2019\u2026"
_SENTENCE_END = re.compile(r"[.!?:]['\")\]\u201d]*\s*\Z")
_SYMBOL = re.compile(r"[<>\u2264\u2265=+\u00b1\u00d7\u00f7%\u2030\u00b0\u20ac$\u00a3\u00a5-]+")
_NEGATED = re.compile(r"n['\u2019]t\Z|\A(?:non|un(?!til|it|der|less|i[oq]))[a-z-]{3,}\Z")


def critical_words(text: str) -> list[str]:
    """Numbers, names, units, negations, yes and no, and opposites in a text, in order.

    A name is a word with a digit, in capitals, or capitalised within a sentence; a unit is the word
    or symbol after a number.
    """
    chosen: list[str] = []
    for line in text.split("\n"):
        after_number, end = False, 0
        for match in _CHUNK.finditer(line):
            word = match[0].strip(_EDGES)
            is_first = end == 0 or bool(_SENTENCE_END.search(line, end - 1, match.start()))
            if after_number or _is_critical(word, is_first=is_first):
                chosen.append(word.casefold())
            chosen += _UNSPACED_NEGATION.findall(word)
            after_number = word[-1:].isdigit() or word.casefold() in _NUMBER_WORDS
            end = match.end()
    return chosen


def _is_critical(word: str, *, is_first: bool) -> bool:
    folded = word.casefold()
    return (
        folded in _CRITICAL
        or any(map(str.isdigit, word))
        or (len(word) > 1 and word.isupper())
        or (word[:1].isupper() and not is_first and word != "I")
        or _SYMBOL.fullmatch(word) is not None
        or _NEGATED.search(folded) is not None
    )


def critical_hash(text: str) -> int:
    """A hash of the critical words of a text."""
    return _hash(critical_words(text))


def critical_row_hash(row: Row, *, text: str) -> int:
    """A hash that near-duplicate rows share: of critical words and, of conversations, of questions.

    One answer to two questions is two samples: the questions must agree in every word, and so must
    calls, tools, and which answers are learned.

    Args:
        row: whose whole text is `text`.
        text: for deduplication.
    """
    if not isinstance(row, Conversation):
        return critical_hash(text)
    questions = [m["content"] for m in row.messages if m["role"] != "assistant"]
    answers = [m["content"] for m in row.messages if m["role"] == "assistant"]
    calls = [
        f"{call['function']['name']} {call['function']['arguments']}"
        for message in row.messages
        for call in message.get("tool_calls", ())
    ]
    return _hash(
        [*words("\n".join(questions)), "", *critical_words("\n".join(answers)), *calls,
         conversation_key(row)]
    )  # fmt: skip


def _hash(parts: list[str]) -> int:
    return int.from_bytes(blake2b("\0".join(parts).encode(), digest_size=8).digest())
