"""A cache on disk of the base model's answers, by model and prompt."""

import re
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ftdist.errors import DataError
from ftdist.io.jsonl import append_json_line, read_json_lines
from ftdist.io.progress import LogFn, Ticker, no_log
from ftdist.io.units import format_duration

AnswerFn = Callable[[Sequence[str]], Iterable[str | DataError]]
"""From prompts to answers in their order, each once it is generated.

A refused prompt gives an error, which is not raised.
"""

PROMPTS_PER_BATCH = 32
"""Prompts that are asked together."""

_LOG_EVERY_S = 5.0
_MIN_RUNS = 8
_MIN_DISTINCT = 0.5
_SENTENCE_END = re.compile(r"[.!?][\"')\]\u201d\u2019]*(?=\s|$)")


def answer_with_cache(
    prompts: Sequence[str], *, ask: AnswerFn, cache: Path, log: LogFn = no_log
) -> list[tuple[str, str]]:
    """Prompts with their answers, in the order of the prompts, without the unanswered ones.

    Args:
        prompts: each is answered once; a refused prompt is tried again in the next call.
        ask: returns the base model's answers.
        cache: JSON lines of prompts and answers; a torn last line is answered again.
        log: receives the number of new answers and the remaining time.
    """
    cache.parent.mkdir(parents=True, exist_ok=True)
    known = {
        row["prompt"]: row["answer"]
        for row in read_json_lines(cache)
        if isinstance(row.get("prompt"), str) and isinstance(row.get("answer"), str)
    }
    _end_torn_line(cache)
    new = [prompt for prompt in dict.fromkeys(prompts) if prompt not in known]
    if new:
        cached = len(set(prompts)) - len(new)
        log(f"0/{len(new)}{f', {cached} more from the cache' if cached else ''}")
    status = _Status(total=len(new))
    last_logged = time.monotonic()
    with Ticker(log, status.line) as log_line:
        for first in range(0, len(new), PROMPTS_PER_BATCH):
            batch = new[first : first + PROMPTS_PER_BATCH]
            for prompt, answer in zip(batch, ask(batch), strict=True):
                if isinstance(answer, str):
                    known[prompt] = answer
                    append_json_line(cache, {"prompt": prompt, "answer": answer})
                status.add()
                now = time.monotonic()
                if now - last_logged > _LOG_EVERY_S or status.done == len(new):
                    last_logged = now
                    log_line(status.line())
            status.end_batch()
    return [(prompt, known[prompt]) for prompt in prompts if known.get(prompt, "").strip()]


class _Status:
    """How many prompts are answered, and how long the others will take.

    The answers of a batch come at once, so that only whole batches tell how long one takes.
    """

    def __init__(self, *, total: int) -> None:
        self._total = total
        self._began = self._measured = time.monotonic()
        self.done = self._in_batches = 0

    def add(self) -> None:
        """Count an answer."""
        self.done += 1

    def end_batch(self) -> None:
        """All answers of a batch are counted."""
        self._in_batches, self._measured = self.done, time.monotonic()

    def line(self) -> str:
        """Such as "32/200, 4 min left"; without the time left before the first batch has ended."""
        now, start = time.monotonic(), f"{self.done}/{self._total}"
        if self.done == self._total:
            return f"{start}, 0s left"
        if not self._in_batches:
            return f"{start}, {format_duration(now - self._began)} so far"
        each = (self._measured - self._began) / self._in_batches
        left = each * (self._total - self._in_batches) - (now - self._measured)
        return f"{start}, {format_duration(max(0.0, left))} left"


def is_repetitive(text: str) -> bool:
    """Whether a text repeats most of its four-word sequences."""
    words = text.split()
    runs = [tuple(words[start : start + 4]) for start in range(len(words) - 3)]
    return len(runs) >= _MIN_RUNS and len(set(runs)) < _MIN_DISTINCT * len(runs)


def whole_sentences(text: str) -> str:
    """A text up to its last whole sentence, if that is more than half of the text."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    return text[: ends[-1]] if ends and ends[-1] > len(text) / 2 else text


def _end_torn_line(path: Path) -> None:
    """End a line that an interruption cut off, so that the next row starts a new one."""
    if path.exists() and not path.read_bytes().endswith(b"\n"):
        with path.open("ab") as file:
            file.write(b"\n")
