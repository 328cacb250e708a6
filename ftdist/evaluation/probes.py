"""Read probes: questions with known answers, one JSON object per line.

    {"question": ..., "answer": ..., "keys": [...], "kind": "fact", "choices": [...]}

fact           asks about the library. Right if the answer contains every key.
general        asks general knowledge. With `choices`, right if the right choice is the most
               likely; otherwise if the answer contains every key.
out_of_scope   asks about something that the library does not cover. Right if the answer
               contains no library content; its `keys` name further content that is a leak.
unanswerable   asks what the library does not say about a thing that it covers. Right if the
               answer invents nothing; its `keys` name further values that would be invented.

Without `keys`, the whole `answer` without its citation is the key of a fact or general probe.
`choices` lists the right answer and the wrong ones in any order. The optional `document` and
`section` locate the answer in the library; scores are then also reported by section. The optional
`evidence` is the text of the library that holds the answer, and `form` says how the question
differs from training; fact probes of the forms `reverse` and `two_facts` have scores of their own.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from ftdist.errors import DataError
from ftdist.evaluation.probe_fields import (
    optional_field,
    reject_lone_surrogates,
    text_field,
    texts_field,
)
from ftdist.evaluation.row_lines import row_lines
from ftdist.text.matching import contains_all, contains_words, strip_citation, words

Kind = Literal["fact", "general", "out_of_scope", "unanswerable", "general_open", "instruction"]
"""Two do not occur in files. `general_open`: a bundled general question answered without its
choices, to detect library content in the answer. `instruction`: a bundled instruction."""

FILE_KINDS = ("fact", "general", "out_of_scope", "unanswerable")
NO_ANSWER_KINDS = ("out_of_scope", "unanswerable")
"""Kinds without a right answer in the library: `answer` and `keys` may be left out."""

SEPARATE_FORMS = ("reverse", "two_facts")
"""Forms of fact probes that count in scores of their own, not in `fact_accuracy`."""

PROBES_NAME = "probes.jsonl"
FIELDS = (
    "question", "answer", "keys", "kind", "choices", "document", "section", "evidence", "form",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One question with its known answer.

    Attributes:
        keys: texts in a right answer; of an out-of-scope probe, texts that are a leak.
        choices: answers to rank; empty: the model generates its answer.
        right_choice: index of the right one in `choices`; -1 without choices.
        document: source of the answer; empty: unknown.
        section: headings above it; empty: unknown.
        evidence: text of the library that holds the answer; empty: unknown.
        form: how the question differs from training (`Form`); empty: unknown.
        checks: of an instruction, the rules that its answer must pass (`instruction_set.checks`).
    """

    question: str
    answer: str
    keys: tuple[str, ...]
    kind: Kind
    choices: tuple[str, ...] = ()
    right_choice: int = -1
    document: str = ""
    section: str = ""
    evidence: str = ""
    form: str = ""
    checks: tuple[Mapping[str, Any], ...] = ()

    @property
    def is_plain_fact(self) -> bool:
        """Whether it counts in `fact_accuracy`: a fact, asked neither in reverse nor as two."""
        return self.kind == "fact" and self.form not in SEPARATE_FORMS


ProbeKey = Literal["eval.probes", "eval.extra_probes", "eval.general_questions"]
"""A config key that names a file of questions."""

_DESCRIPTIONS = {
    "eval.probes": ("probes", "a JSONL file of questions with known answers"),
    "eval.extra_probes": ("probes", "a JSONL file of questions with known answers, or to null"),
    "eval.general_questions": (
        "general questions",
        "a JSONL file of questions with choices, to null for the bundled ones, or to none",
    ),
}
"""For each config key, the name of its rows and its valid values."""


def find_probes(setting: str | None, *, library: Path) -> Path:
    """The configured probe file, or `probes.jsonl` in the library or next to it.

    Args:
        setting: `eval.probes`.
        library: `library.path`, a folder or a file.

    Raises:
        DataError: there is none.
    """
    remedy = f"set eval.probes to {_DESCRIPTIONS['eval.probes'][1]}."
    if setting is not None:
        if Path(setting).is_dir():
            raise DataError(f"{setting} is a folder, not a probe file.", remedy=remedy)
        if Path(setting).is_file():
            return Path(setting)
        raise DataError(f"There is no probe file {setting!r}.", remedy=remedy)
    for folder in (library, library.parent):
        if (folder / PROBES_NAME).is_file():
            return folder / PROBES_NAME
    raise DataError(
        f"There is no {PROBES_NAME} in or next to the library {library}.",
        remedy='write one with an object a line, such as {"question": "...", "answer": "...", '
        f'"keys": ["..."], "kind": "fact"}} (kinds: {", ".join(FILE_KINDS)}), or {remedy}',
    )


def read_probes(path: Path, *, key: ProbeKey = "eval.probes") -> tuple[Probe, ...]:
    """Read the probes or general questions of a file, in order: JSONL, or a table as Parquet.

    Args:
        path: of the file.
        key: config key that names the file, for messages.

    Raises:
        DataError: the file is missing or has no probes, or a row is invalid (named by its line).
    """
    what, setting = _DESCRIPTIONS[key]
    try:
        lines = row_lines(path)
    except OSError as error:
        raise DataError(
            f"The {what} cannot be read from {path}: {error.strerror}.",
            remedy=f"set {key} to {setting}.",
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text: byte {error.start} cannot be read.",
            remedy="save the file as UTF-8.",
        ) from error
    probes = [_read(line, where=where) for where, line in lines]
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
    reject_lone_surrogates(row, where=where)
    _check_names(row, where=where)
    kind: Kind | None = row.get("kind")
    if kind is None or kind not in FILE_KINDS:
        raise DataError(
            f"{where} has the kind {kind!r}." if "kind" in row else f"{where} has no kind.",
            remedy=f'set "kind" to one of {", ".join(FILE_KINDS)}.',
        )
    question = text_field(row, "question", where=where)
    may_be_empty = kind in NO_ANSWER_KINDS
    answer = (optional_field if may_be_empty else text_field)(row, "answer", where=where)
    keys = texts_field(row, "keys", where=where)
    if not keys and not may_be_empty:
        keys = (strip_citation(answer),)
    absent = [key for key in keys if kind == "fact" and not contains_words(answer, key)]
    if absent:
        raise DataError(
            f"{where}: its answer does not hold its own key {absent[0]!r}, so the right answer "
            "would count as wrong.",
            remedy='copy the keys from "answer", word for word.',
        )
    choices = texts_field(row, "choices", where=where)
    right = _right_choice(choices, answer=answer, keys=keys, where=where) if choices else -1
    return Probe(
        question=question,
        answer=answer,
        keys=keys,
        kind=kind,
        choices=choices,
        right_choice=right,
        document=optional_field(row, "document", where=where),
        section=optional_field(row, "section", where=where),
        evidence=optional_field(row, "evidence", where=where),
        form=optional_field(row, "form", where=where),
    )


def _check_names(row: dict[str, Any], *, where: str) -> None:
    # Unknown fields (an id, a source) are allowed; misspelt ones are not.
    for field in sorted(set(row) - set(FIELDS)):
        meant = get_close_matches(field, FIELDS, n=1, cutoff=0.8)
        if meant:
            raise DataError(
                f"{where} has the field {field!r}, which is not known.",
                remedy=f'write "{meant[0]}".',
            )


def _right_choice(
    choices: tuple[str, ...], *, answer: str, keys: tuple[str, ...], where: str
) -> int:
    """Index of the choice that equals the answer, else of the only one that matches it."""
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
        remedy='write the right choice into "choices" exactly as in "answer".',
    )


def _check_out_of_scope(probes: Sequence[Probe], *, path: Path) -> None:
    if any(probe.is_plain_fact for probe in probes):
        return
    if any(probe.kind == "out_of_scope" and not probe.keys for probe in probes):
        raise DataError(
            f"{path} has out-of-scope probes, but neither fact probes nor keys that say "
            "what a leak would hold.",
            remedy="add fact probes, or give each out-of-scope probe its keys.",
        )
