"""Read the evaluation set: probes, general questions and texts. Loads no torch."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

from ftdist.config.schema import EvalConfig
from ftdist.errors import DataError
from ftdist.evaluation.general_set import general_items, general_passages
from ftdist.evaluation.instruction_set import instruction_items
from ftdist.evaluation.lm_eval_tasks import find_tasks
from ftdist.evaluation.probe_fields import reject_lone_surrogates
from ftdist.evaluation.probes import Probe, find_probes, read_probes
from ftdist.evaluation.row_lines import has_rows, row_lines
from ftdist.io.compression import DAMAGED, open_data
from ftdist.io.sampling import evenly_spaced
from ftdist.library.sources.cached import cached_file

NONE = "none"
"""Value of `eval.perplexity_texts` or `eval.general_questions` for no items."""


@dataclass(frozen=True, kw_only=True)
class EvalSet:
    """The items on which models are evaluated.

    Attributes:
        probes: questions to answer; last the general questions to generate, and instructions.
        general: multiple-choice questions of general knowledge, ranked by likelihood.
        texts: passages of general text whose loss is measured.
        tasks: lm-eval task files.
        source: the probe file.
    """

    probes: tuple[Probe, ...]
    general: tuple[Probe, ...]
    texts: tuple[str, ...]
    source: Path
    tasks: tuple[Path, ...] = ()


def read_eval_set(settings: EvalConfig, *, library: Path) -> EvalSet:
    """Read the evaluation set that the settings name.

    Args:
        settings: evaluation settings.
        library: `library.path`, the default location of the probes.

    Raises:
        DataError: a file is missing or invalid.
        ConfigError: there are lm-eval tasks, but lm-eval is not installed.
    """
    probes = settings.probes and str(cached_file(settings.probes, key="eval.probes"))
    source = find_probes(probes, library=library)
    extra: Sequence[Probe] = ()
    if settings.extra_probes is not None:
        key: Final = "eval.extra_probes"
        extra = read_probes(cached_file(settings.extra_probes, key=key), key=key)
    general = _general(settings.general_questions)
    return EvalSet(
        probes=(
            *read_probes(source),
            *extra,
            *_written(general, settings.num_general_generations),
            *evenly_spaced(instruction_items(), settings.num_instructions),
        ),
        general=general,
        texts=_texts(settings.perplexity_texts),
        source=source,
        tasks=find_tasks(settings.lm_eval_tasks),
    )


def _written(general: Sequence[Probe], max_items: int) -> list[Probe]:
    """Evenly spaced general questions to answer in writing."""
    return [
        Probe(
            question=item.question,
            answer=item.choices[item.right_choice],
            keys=(),
            kind="general_open",
        )
        for item in evenly_spaced(general, max_items)
    ]


def _general(setting: str | None) -> tuple[Probe, ...]:
    if setting == NONE:
        return ()
    if setting is None:
        return general_items()
    key: Final = "eval.general_questions"
    items = read_probes(cached_file(setting, key=key), key=key)
    for number, item in enumerate(items, 1):
        if item.kind != "general" or not item.choices:
            raise DataError(
                f"{setting}: question {number} is of the kind {item.kind!r} with "
                f"{len(item.choices)} choices.",
                remedy='give every general question the kind "general" and at least 2 choices.',
            )
    return items


def _texts(setting: str | None) -> tuple[str, ...]:
    if setting == NONE:
        return ()
    if setting is None:
        return general_passages()
    remedy = (
        "set eval.perplexity_texts to a .txt file with blank lines between passages, to a "
        '.jsonl file or a table with rows of {"text": "..."}, or to none.'
    )
    path = cached_file(setting, key="eval.perplexity_texts")
    try:
        lines = row_lines(path) if has_rows(path) else []
        content = "" if has_rows(path) else _text(path)
    except DAMAGED as error:
        raise DataError(f"{path} is a damaged compressed file.", remedy="copy it again.") from error
    except OSError as error:
        raise DataError(
            f"Texts cannot be read from {path}: {error.strerror}.", remedy=remedy
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text.", remedy="save the file as UTF-8.") from error
    passages = [_text_of(line, where=where, remedy=remedy) for where, line in lines]
    if not has_rows(path):
        stripped = "\n".join(line.strip() for line in content.split("\n"))
        passages = [passage.strip() for passage in stripped.split("\n\n") if passage.strip()]
    if not passages:
        raise DataError(f"{path} holds no text.", remedy=remedy)
    return tuple(passages)


def _text(path: Path) -> str:
    with io.TextIOWrapper(cast(BinaryIO, open_data(path)), encoding="utf-8-sig") as file:
        return file.read()


def _text_of(line: str, *, where: str, remedy: str) -> str:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is not JSON.", remedy=remedy) from error
    text = row.get("text") if isinstance(row, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise DataError(f'{where} has no "text".', remedy=remedy)
    reject_lone_surrogates(row, where=where)
    return text.strip()
