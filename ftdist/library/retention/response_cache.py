"""Answers of the base model, made once: kept on disk by model and prompt."""

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ftdist.errors import DataError
from ftdist.io.jsonl import append_json_line, read_json_lines
from ftdist.io.progress import LogFn, no_log

AnswerFn = Callable[[Sequence[str]], Sequence[str | DataError]]
"""From prompts to answers; an error, not raised, for a prompt that is refused."""

PROMPTS_PER_BATCH = 32
"""Prompts asked together, one batch of the base model; an interruption loses no more than these."""

_SAY_EVERY_S = 5.0
_MIN_RUNS = 8
_MIN_DISTINCT = 0.5
_SENTENCE_END = re.compile(r"[.!?][\"')\]\u201d\u2019]*(?=\s|$)")


def answer_with_cache(
    prompts: Sequence[str], *, ask: AnswerFn, cache: Path, log: LogFn = no_log
) -> list[tuple[str, str]]:
    """Prompts with their answers, in the order of the prompts; those without one are left out.

    Args:
        prompts: each asked once, now or before; one that is refused is asked again next time.
        ask: gives the base model's answers.
        cache: JSON lines of what was answered; a torn last line is asked again.
        log: is told how many are answered of those that were not before, and how long it takes.
    """
    cache.parent.mkdir(parents=True, exist_ok=True)
    known = {
        row["prompt"]: row["answer"]
        for row in read_json_lines(cache)
        if isinstance(row.get("prompt"), str) and isinstance(row.get("answer"), str)
    }
    _end_torn_line(cache)
    new = [prompt for prompt in dict.fromkeys(prompts) if prompt not in known]
    began = told = time.monotonic()
    for first in range(0, len(new), PROMPTS_PER_BATCH):
        asked = new[first : first + PROMPTS_PER_BATCH]
        for prompt, answer in zip(asked, ask(asked), strict=True):
            if isinstance(answer, str):
                known[prompt] = answer
                append_json_line(cache, {"prompt": prompt, "answer": answer})
        done, now = first + len(asked), time.monotonic()
        if now - told > _SAY_EVERY_S or done == len(new):
            told = now
            log(f"{done}/{len(new)}, {(now - began) / done * (len(new) - done):.0f} s left")
    return [(prompt, known[prompt]) for prompt in prompts if known.get(prompt, "").strip()]


def is_repetitive(text: str) -> bool:
    """Whether most of a text's runs of four words are there more than once."""
    words = text.split()
    runs = [tuple(words[at : at + 4]) for at in range(len(words) - 3)]
    return len(runs) >= _MIN_RUNS and len(set(runs)) < _MIN_DISTINCT * len(runs)


def whole_sentences(text: str) -> str:
    """A text up to its last whole sentence, where that is more than half of it."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    return text[: ends[-1]] if ends and ends[-1] > len(text) / 2 else text


def _end_torn_line(path: Path) -> None:
    """Close a line that an interruption cut off, so that the next row has one of its own."""
    if path.exists() and not path.read_bytes().endswith(b"\n"):
        with path.open("ab") as file:
            file.write(b"\n")
