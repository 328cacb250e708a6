"""Which attributes the texts of a library mention beside which of its things."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, product

from ftdist.library.chat_text import message_texts
from ftdist.library.schema import Sample
from ftdist.text.matching import Words, words


@dataclass(frozen=True)
class Mentions:
    """Terms that samples mention; singular and plural are the same."""

    anywhere: set[str] = field(default_factory=set)
    beside: set[tuple[str, str]] = field(default_factory=set)
    """Terms with each name that stands in the same text; with the document's if none does."""

    of_nothing: set[str] = field(default_factory=set)
    """Terms in texts that hold none of the names: they may be about all things."""

    def holds(self, term: str, name: str) -> bool:
        """Whether a text holds the term beside the name; "": whether any text holds it."""
        return (term, name) in self.beside if name else term in self.anywhere


def find_mentions(
    samples: Iterable[Sample], *, terms: Iterable[str], names: Iterable[str]
) -> Mentions:
    """Look for terms beside names.

    Answers that say that the library does not tell are no texts of the library: what they mention
    counts beside the thing alone.

    Args:
        samples: of the library; each is one text.
        terms: attributes, and words that tell of one.
        names: of things.
    """
    by_term, by_name = _by_first_word(terms), _by_first_word(names)
    found = Mentions()
    for sample in samples:
        text = _word_stems(_text(sample))
        if held := _names_in(text, by_term):
            named = _names_in(text, by_name)
            found.beside.update(product(held, named or (sample.doc_id,)))
            if sample.made_by != "unanswerable":
                found.anywhere.update(held)
                found.of_nothing.update(() if named else held)
    return found


def _text(sample: Sample) -> str:
    messages = chain.from_iterable(map(message_texts, sample.messages))
    return "\n".join([sample.text, *messages])


_Names = Mapping[str, Sequence[tuple[Words, str]]]
"""By the first word of each, its words and the name."""


def _by_first_word(names: Iterable[str]) -> _Names:
    by_first: dict[str, list[tuple[Words, str]]] = {}
    for name in dict.fromkeys(names):
        if stems := _word_stems(name):
            by_first.setdefault(stems[0], []).append((stems, name))
    return by_first


def _names_in(text: Words, names: _Names) -> set[str]:
    """The names whose words follow each other in a text."""
    return {
        name
        for at, word in enumerate(text)
        for stems, name in names.get(word, ())
        if text[at : at + len(stems)] == stems
    }


def _word_stems(text: str) -> Words:
    return tuple(word.rstrip("s") or word for word in words(text))
