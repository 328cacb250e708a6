# ruff: noqa: RUF001 - letters of all scripts are the content
"""Letters, frequent words and encodings of languages, to recognise the encoding of a text."""

from dataclasses import dataclass

CYRILLIC = "абвгдежзийклмнопрстуфхцчшщьюя"
GREEK = "αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώϊϋ"


@dataclass(frozen=True)
class Language:
    """Letters other than a to z, in lower case, and frequent words."""

    letters: frozenset[str]
    words: frozenset[str]


def _language(letters: str, words: str) -> Language:
    return Language(frozenset(letters), frozenset(words.split()))


def _between(first: str, last: str) -> str:
    return "".join(map(chr, range(ord(first), ord(last) + 1)))


_WEST = (
    _language("éèêëïîöñçàáâäô", "the and of to in is for it with not"),
    _language("äöüß", "der die das und ist nicht mit den von für ein eine sich wenn"),
    _language("àâæçéèêëîïôœùûüÿ", "le la les de des et un une est que pour dans du en sur"),
    _language("áéíñóúü", "el la los las de que y en un una es por con para se"),
    _language("áâãàçéêíóôõúü", "o a os as de que e do da em um uma é não para com se"),
    _language("àèéìíîòóùú", "il la le di che e un una per con non è del si"),
    _language("áèéêëíïóöúü", "de het een en van is dat niet op te met voor"),
    _language("åäöéàü", "och att det som en är på av för med inte den till"),
    _language("æøåéòóôêü", "og i det at en er på som af til med ikke den"),
    _language("äöåšž", "ja on ei se että kun tai ovat oli joka"),
    _language("áðéíóúýþæö", "og að er í á sem það ekki við til"),
    _language("äõöüšž", "ja on ei see et kui oma ning või ta"),
    _language("àçéèíïóòúü", "el la els les de i que per amb un una és no"),
)
_CENTRAL = (
    _language("ąćęłńóśźż", "i w na z do nie się że jest to a od po"),
    _language("áčďéěíňóřšťúůýž", "a se na je v že to s z do i ve pro"),
    _language("áäčďéíĺľňóôŕšťúýž", "a sa na je v že to s z do i vo pre"),
    _language("áéíóöőúüű", "a az és hogy nem is egy ha meg ez van"),
    _language("ăâîşţșț", "și şi de în la a cu nu pe o un din este"),
    _language("čćđšž", "i je na se u za da ne su od s in v ki z"),
    _language("ëç", "dhe të në e i një për me nuk është"),
)
_TURKISH = (_language("çğıöşüâîûi̇", "ve bir bu için ile da de ne var o"),)
_BALTIC = (
    _language("ąčęėįšųūž", "ir yra į kad su iš o ne tai po"),
    _language("āčēģīķļņšūž", "un ir uz ar no ka par nav ja kas"),
    _language("äõöüšž", "ja on ei see et kui oma ning või ta"),
)
_CYRILLIC = (
    _language(CYRILLIC + "ёъыэ", "и в не на что с по это как для"),
    _language(CYRILLIC + "ґєії", "і в не на що з до це як для"),
    _language(CYRILLIC + "ъ", "и в не на че с за да се от"),
    _language("абвгдђежзијклљмнњопрстћуфхцчџш", "и у не на да се је за од са"),
    _language(CYRILLIC + "ёыэіў", "і у не на што з да гэта як для"),
)
_GREEK = (_language(GREEK, "και το η ο να του της με για δεν"),)
_HEBREW = (_language(_between("א", "ת"), "של את על לא עם או זה"),)
_ARABIC = (_language(_between("ء", "ي") + "پچژگکی", "في من على أن إلى لا هو"),)
_THAI = (_language(_between("ก", "ฺ") + _between("เ", "๛"), "และ ที่ ใน"),)

_VOWELS = "аеёиоуыэюяєіїѐѝ" + "αεηιουωάέήίόύώϊϋ"
VOWELS = frozenset(_VOWELS)
"""Vowels of scripts whose encodings decode each other's bytes to letters."""

MIN_VOWELS = 0.35
"""Fraction of vowels among the letters of a Cyrillic or Greek text."""

FINAL = frozenset("ςךםןףץ")
"""Letters that only end words."""

FREQUENCY = {"cp1252": 0.06, "cp1250": 0.04, "cp1251": 0.04, "cp1253": 0.04, "cp1254": 0.04,
             "cp1255": 0.04, "cp1256": 0.04, "cp1257": 0.04, "cp932": 0.04, "cp949": 0.04,
             "gb18030": 0.04, "cp950": 0.04, "iso8859-15": 0.02, "iso8859-2": 0.02,
             "koi8-u": 0.02, "iso8859-7": 0.02, "euc-jp": 0.02}  # fmt: skip
"""What short texts add to the score of an encoding because files are often in it; others: 0."""

LANGUAGES: dict[str, tuple[Language, ...]] = {
    "cp1252": _WEST,
    "iso8859-15": _WEST,
    "cp1250": _CENTRAL,
    "iso8859-2": _CENTRAL,
    "cp1254": _TURKISH,
    "cp1257": _BALTIC,
    "mac-roman": _WEST,
    "cp850": _WEST,
    "cp852": _CENTRAL,
    "cp1251": _CYRILLIC,
    "koi8-u": _CYRILLIC,
    "cp866": _CYRILLIC,
    "iso8859-5": _CYRILLIC,
    "mac-cyrillic": _CYRILLIC,
    "cp1253": _GREEK,
    "iso8859-7": _GREEK,
    "cp1255": _HEBREW,
    "cp1256": _ARABIC,
}
"""Languages of single-byte encodings; of equally plausible ones the first is taken."""

THAI = {"cp874": _THAI}
"""Comes last: nearly every byte is a letter, so that Chinese is plausible as well."""

_SYMBOLS = ((0xA1, 0xA3),)

COMMON_LEADS: dict[str, tuple[tuple[int, int], ...]] = {
    "cp932": (*_SYMBOLS, (0xA4, 0xA5), (0xB0, 0xCF)),
    "cp949": (*_SYMBOLS, (0xB0, 0xC8)),
    "gb18030": (*_SYMBOLS, (0xB0, 0xD7)),
    "cp950": (*_SYMBOLS, (0xA4, 0xC6)),
    "euc-jp": (*_SYMBOLS, (0xA4, 0xA5), (0xB0, 0xCF)),
}
"""First bytes of frequent characters in double-byte encodings: their standards put symbols, kana
and the frequent characters (level 1) into rows of their own. For cp932 they are those of euc-jp.
"""
