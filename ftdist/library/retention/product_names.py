"""Guess the names of a library's products from its questions."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from ftdist.library.retention.fictional_products import ABBREVIATIONS

_TOKEN = re.compile(r"[^\W_][\w./+-]*[\w+]|[^\W_]|[^\w\s]")
_NUMBER = re.compile(r"^\d[\d.,/-]*[A-Za-z]{0,2}$")
_CODE = re.compile(r"^(?=.*[A-Z])(?=.*\d)[\w-]+$|^[A-Za-z]+-\d[\w-]*$")
_CAPITALS = re.compile(r"^[A-Z]{2,}\w*$")
_CAPITALISED = re.compile(r"^[A-Z][a-z]\w*$")
_NUMBERED = """
error code page version chapter section step table figure part number no rule article"""
_BEFORE_NUMBER = frozenset(_NUMBERED.split())
"""A code after one of these is no product's name: error E17, page 12."""

_COMMON = """
what which who whom whose when where why how do does did is are was were am can could may
might must shall should will would have has had if in on at for from with without to of the
a an i my we our you your it its they there this that these those he she tell please
explain give describe list name help hello hi thanks after before during while since
because not no yes and or but so then also any some every each all both need want let use
are january february march april june july august september october november december
monday tuesday wednesday thursday friday saturday sunday english german french spanish
european american christmas easter"""
_NO_NAMES = frozenset(_COMMON.split())
_MIN_QUESTIONS = 2
"""A name occurs in so many questions."""

_MAX_NAMES = 200


def find_products(wordings: Sequence[Sequence[str]], *, min_share: float = 0.01) -> list[str]:
    """Likely product names, the most frequent first.

    A name is a run of capitalised words, codes and numbers, such as Tarnwell Orrin 40, A-45 or NUT,
    that is in several questions; a common abbreviation is none, nor a word that the questions write
    in lower case too ("Dog" of a price list). Users set `retention.product_names` for names of
    another form.

    Args:
        wordings: for each question of the library, its wordings, which count as one.
        min_share: of all questions that a name is at least in.
    """
    inside = {name for texts in wordings for text in texts for name in _names(text, first=False)}
    counts = Counter(
        name
        for texts in wordings
        for name in {
            name
            for text in texts
            for name in (*_names(text, first=False), *_first_names(text, known=inside))
        }
    )
    least = max(_MIN_QUESTIONS, min_share * len(wordings))
    common = _common_words(wordings)
    frequent = [
        name
        for name, count in counts.items()
        if count >= least and name.casefold().removesuffix("s") not in common
    ]
    return sorted(frequent, key=lambda name: (-counts[name], name))[:_MAX_NAMES]


def _common_words(wordings: Sequence[Sequence[str]]) -> set[str]:
    """Words in lower case in questions that begin with a capital, as no keyword query does."""
    texts = (text for texts in wordings for text in texts if text[:1].isupper())
    return {
        token.removesuffix("s")
        for text in texts
        for token in _TOKEN.findall(text)
        if token.islower()
    }


def _first_names(text: str, *, known: set[str]) -> Iterator[str]:
    """Names at the beginning of a sentence, if they are known elsewhere."""
    for name in _names(text, first=True):
        if name in known or _is_code(name.split()[0]):
            yield name


def _names(text: str, *, first: bool) -> Iterator[str]:
    """The names in a text, at the beginnings of sentences or elsewhere."""
    run: list[str] = []
    starts, run_starts, before = True, False, ""
    for token in [*_TOKEN.findall(text), "."]:
        if _belongs(token, run, before=before):
            run_starts = starts if not run else run_starts
            run.append(token)
        else:
            if run and run_starts == first:
                yield from _named(run)
            run = []
        starts = token in ".?!:;\u2013\u2014"
        before = token


def _belongs(token: str, run: Sequence[str], *, before: str) -> bool:
    if token.casefold() in _NO_NAMES or before.casefold() in _BEFORE_NUMBER:
        return False
    if _NUMBER.match(token):
        return bool(run)
    return bool(_is_code(token) or _CAPITALS.match(token) or _CAPITALISED.match(token))


def _is_code(token: str) -> bool:
    return bool(_CODE.match(token))


def _named(run: Sequence[str]) -> Iterable[str]:
    """The run, unless it is only an abbreviation."""
    return [] if all(token in ABBREVIATIONS for token in run) else [" ".join(run)]
