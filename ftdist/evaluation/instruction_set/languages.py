"""Recognise the language of an answer by frequent words, or by its script."""

import re
import unicodedata

_FREQUENT = {
    "de": "der die das den dem des ein eine einen einem einer und oder aber nicht ist sind war "
    "wird werden hat haben kann mit von für auf im in zu zum zur bei nach aus es er sie ich du "
    "wir ihr mein dein man wenn weil dass als auch nur sehr wie was hier dann",
    "fr": "le la les l un une des du de d et ou mais ne pas est sont était sera a ont peut avec "
    "pour par sur dans en à au aux il elle ils elles je j tu nous vous on ce c cette ces mon ma "
    "votre qui que qu se s son sa ses très plus comme quand si aussi",
    "es": "el la los las un una unos unas de del y o pero no es son era está están ha han puede "
    "con para por en a al se su sus lo le yo tú mi nos que qué como cuando si muy más también "
    "este esta estos ese hay ser",
    "it": "il lo la i gli le un uno una di del della dei delle dell l e ed o ma non è sono era ha "
    "hanno può con per in nel nella a al alla da dal si mi ti ci suo sua che come quando se molto "
    "più anche questo questa c",
    "pt": "o a os as um uma uns umas de do da dos das e ou mas não é são era está estão tem têm "
    "pode com para por em no na nos nas ao à se seu sua eu você me que como quando muito mais "
    "também este esta isso há ser",
    "nl": "de het een en of maar niet is zijn was wordt worden heeft hebben kan met van voor op "
    "in te tot bij naar uit er hij zij ze ik je jij we wij u mijn dat die dit deze als ook "
    "nog heel zeer om aan wat hoe",
    "en": "the a an and or but not is are was were will be has have can with of for on in to at "
    "by from it he she they i you we my your his her that this these which if because as also "
    "very how what there their its",
}
_WORDS = {code: frozenset(words.split()) for code, words in _FREQUENT.items()}

_SCRIPTS = {"ru": "CYRILLIC", "el": "GREEK"}
"""Languages recognised by their letters."""

LANGUAGES = (*_FREQUENT, *_SCRIPTS)
"""ISO 639-1 codes of the languages that are recognised."""

_MIN_SCRIPT_SHARE = 0.7
"""Least share of the letters: an answer may hold a name in Latin letters."""

_LETTERS = re.compile(r"[^\W\d_]+")


def is_in_language(text: str, code: str) -> bool:
    """Whether a text of at least one sentence is in a language.

    Languages in Latin letters: no other language of the table has more of its frequent words in
    the text, and English has fewer. Others: most letters are of the language's script.

    Args:
        text: any text.
        code: one of `LANGUAGES`.
    """
    found = [word.casefold() for word in _LETTERS.findall(text)]
    if code in _SCRIPTS:
        letters = "".join(found)
        script = _SCRIPTS[code]
        inside = sum(unicodedata.name(letter, "").startswith(script) for letter in letters)
        return bool(letters) and inside >= _MIN_SCRIPT_SHARE * len(letters)
    hits = {each: sum(word in known for word in found) for each, known in _WORDS.items()}
    is_english = code != "en" and hits["en"] >= hits[code]
    return hits[code] > 0 and hits[code] == max(hits.values()) and not is_english
