"""Probes: questions with known answers, one JSON object a line.

    {"question": ..., "answer": ..., "keys": [...], "kind": "fact", "choices": [...]}

fact           asks what the library says. Right if the answer holds every key.
general        asks general knowledge. With `choices`, right if the model finds the right choice
               the likeliest; else if the answer holds every key.
out_of_scope   asks about something that the library does not cover. Right if the answer holds
               nothing of the library; its own `keys` name further content that would be a leak.

Without `keys`, the whole `answer` (its citation apart) is the one key of a fact or general probe.
`choices` holds the right answer and the wrong ones, in any order. `document` and `section`, if
there, name where the library has the answer: scores are then reported for each of them too.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from ftdist.errors import DataError
from ftdist.text.matching import contains_all, contains_words, strip_citation, words

Kind = Literal["fact", "general", "out_of_scope", "general_open"]
"""`general_open` is no kind of a file: a bundled general question, answered without its choices, to
see whether the answer holds something of the library."""

OF_FILES = ("fact", "general", "out_of_scope")

PROBES_NAME = "probes.jsonl"
FIELDS = ("question", "answer", "keys", "kind", "choices", "document", "section")


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One question with its known answer.

    Attributes:
        keys: what a right answer holds; of an out-of-scope probe, what a leak would hold.
        choices: answers to choose from; empty: the model answers freely.
        right_choice: place of the right one in `choices`; -1 without choices.
        document: what the answer comes from; empty: not said.
        section: headings above it; empty: not said.
    """

    question: str
    answer: str
    keys: tuple[str, ...]
    kind: Kind
    choices: tuple[str, ...] = ()
    right_choice: int = -1
    document: str = ""
    section: str = ""


_ASKED_FOR = {
    "eval.probes": ("probes", "a JSONL file of questions with known answers"),
    "eval.general_questions": (
        "general questions",
        "a JSONL file of questions with choices, to null for those that ftdist brings, or to none",
    ),
}
"""What a key names, and what to set it to."""


def find_probes(asked: str | None, *, library: Path) -> Path:
    """The file of probes that is asked for, or the one in or beside the library.

    Args:
        asked: `eval.probes`.
        library: `library.path`, a folder or a file.

    Raises:
        DataError: there is none.
    """
    remedy = f"set eval.probes to {_ASKED_FOR['eval.probes'][1]}."
    if asked is not None:
        if Path(asked).is_dir():
            raise DataError(f"{asked} is a folder, not a file of probes.", remedy=remedy)
        if Path(asked).is_file():
            return Path(asked)
        raise DataError(f"There is no file of probes {asked!r}.", remedy=remedy)
    for folder in (library, library.parent):
        if (folder / PROBES_NAME).is_file():
            return folder / PROBES_NAME
    raise DataError(
        f"There is no {PROBES_NAME} in or beside the library {library}.",
        remedy=f"write one, or {remedy}",
    )


def read_probes(
    path: Path, *, key: Literal["eval.probes", "eval.general_questions"] = "eval.probes"
) -> tuple[Probe, ...]:
    """The probes of a JSONL file, or general questions, in its order.

    Args:
        path: of the file.
        key: of the config, that names it; general questions may be none.

    Raises:
        DataError: no such file, no probe in it, or a row that cannot be used (named by its line).
    """
    what, asked = _ASKED_FOR[key]
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except OSError as error:
        raise DataError(
            f"The {what} cannot be read from {path}: {error.strerror}.",
            remedy=f"set {key} to {asked}.",
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text: byte {error.start} cannot be read.",
            remedy="save the file as UTF-8.",
        ) from error
    probes = [_read(line, where=f"{path}:{n}") for n, line in enumerate(lines, 1) if line.strip()]
    if not probes:
        raise DataError(
            f"{path} holds no {what}.",
            remedy="write at least one question with its answer into it, one JSON object a line.",
        )
    _check_out_of_scope(probes, path=path)
    return tuple(probes)


def _read(line: str, *, where: str) -> Probe:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        raise DataError(
            f"{where} is not JSON: {'nested too deeply' if deep else error}.",
            remedy='write one JSON object a line, such as {"question": "...", "answer": "...", '
            '"keys": ["..."], "kind": "fact"}.',
        ) from error
    if not isinstance(row, dict):
        raise DataError(
            f"{where} holds {type(row).__name__}, not an object.",
            remedy='write an object with "question", "answer", "keys" and "kind".',
        )
    refuse_half_characters(row, where=where)
    _check_names(row, where=where)
    kind: Kind | None = row.get("kind")
    if kind is None or kind not in OF_FILES:
        raise DataError(
            f"{where} has the kind {kind!r}." if "kind" in row else f"{where} has no kind.",
            remedy=f'set "kind" to one of {", ".join(OF_FILES)}.',
        )
    question, answer = (_text(row, field, where=where) for field in ("question", "answer"))
    keys = _texts(row, "keys", where=where)
    if not keys and kind != "out_of_scope":
        keys = (strip_citation(answer),)
    absent = [key for key in keys if kind == "fact" and not contains_words(answer, key)]
    if absent:
        raise DataError(
            f"{where}: its answer does not hold its own key {absent[0]!r}, so the right answer "
            "would count as wrong.",
            remedy='write keys that stand in "answer", word for word.',
        )
    choices = _texts(row, "choices", where=where)
    right = _right_choice(choices, answer=answer, keys=keys, where=where) if choices else -1
    return Probe(
        question=question,
        answer=answer,
        keys=keys,
        kind=kind,
        choices=choices,
        right_choice=right,
        document=_place(row, "document", where=where),
        section=_place(row, "section", where=where),
    )


def refuse_half_characters(row: object, *, where: str) -> None:
    """Refuse a row with a lone surrogate, which no tokenizer reads.

    Raises:
        DataError: it holds one.
    """
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{where} holds half a character (a lone surrogate).",
            remedy="take it out, or write the whole character.",
        ) from error


def _check_names(row: dict[str, Any], *, where: str) -> None:
    # Further fields (an id, a source) are the writer's own; a slip of the pen is not.
    for field in sorted(set(row) - set(FIELDS)):
        meant = get_close_matches(field, FIELDS, n=1, cutoff=0.8)
        if meant:
            raise DataError(
                f"{where} has the field {field!r}, which is not known.",
                remedy=f'write "{meant[0]}".',
            )


def _text(row: dict[str, Any], field: str, *, where: str) -> str:
    value = row.get(field)
    if not isinstance(value, str) or not value.strip():
        raise DataError(
            f"{where} has no {field}."
            if value in (None, "")
            else f"{where}: its {field} is {value!r}, not text.",
            remedy=f'give it a non-empty "{field}".',
        )
    return value.strip()


def _place(row: dict[str, Any], field: str, *, where: str) -> str:
    value = row.get(field)
    if value is not None and not isinstance(value, str):
        raise DataError(
            f"{where}: its {field} is {value!r}, not text.",
            remedy=f'write "{field}" as text, or leave it out.',
        )
    return (value or "").strip()


def _texts(row: dict[str, Any], field: str, *, where: str) -> tuple[str, ...]:
    value = row.get(field)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise DataError(
            f"{where}: its {field} are {json.dumps(value)}, not a list of texts.",
            remedy=f'write "{field}" as a list of texts, such as ["green button", "9 seconds"].',
        )
    blank = [item for item in value if not words(item)]
    if blank:
        raise DataError(
            f"{where}: its {field} hold {blank[0]!r}, in which there is no word or number.",
            remedy=f'take it out of "{field}".',
        )
    return tuple(value)


def _right_choice(
    choices: tuple[str, ...], *, answer: str, keys: tuple[str, ...], where: str
) -> int:
    """Place of the choice that is the answer, else of the only one that the keys or answer name."""
    if len(choices) < 2 or len({words(choice) for choice in choices}) < len(choices):
        raise DataError(
            f"{where} has {len(choices)} choices, or two that are the same.",
            remedy="give it at least two different choices, or none.",
        )
    same = [n for n, choice in enumerate(choices) if words(choice) == words(answer)]
    by_keys = [n for n, choice in enumerate(choices) if contains_all(choice, keys)]
    inside = [n for n, choice in enumerate(choices) if contains_words(answer, choice)]
    for found in (same, by_keys, inside):
        if len(found) == 1:
            return found[0]
    raise DataError(
        f"{where}: none of its {len(choices)} choices is its answer, {answer!r}.",
        remedy='write the right choice into "choices" just as it stands in "answer".',
    )


def _check_out_of_scope(probes: Sequence[Probe], *, path: Path) -> None:
    if any(probe.kind == "fact" for probe in probes):
        return
    if any(probe.kind == "out_of_scope" and not probe.keys for probe in probes):
        raise DataError(
            f"{path} has out-of-scope probes, but neither fact probes nor keys that say "
            "what a leak would hold.",
            remedy="add fact probes, or give each out-of-scope probe its keys.",
        )
