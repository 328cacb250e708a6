"""Answers of the base model, made once: kept on disk by model and prompt."""

from collections.abc import Callable, Sequence
from pathlib import Path

from ftdist.rundir import append_json_line, read_json_lines

Ask = Callable[[Sequence[str]], list[str]]
_AT_ONCE = 32


def answered(prompts: Sequence[str], *, ask: Ask, cache: Path) -> list[tuple[str, str]]:
    """Prompts with their answers, in the order of the prompts; those without one are left out.

    Args:
        prompts: each asked once, now or before.
        ask: gives the base model's answers.
        cache: JSON lines of what was answered; a torn last line is asked again.
    """
    cache.parent.mkdir(parents=True, exist_ok=True)
    known = {
        row["prompt"]: row["answer"]
        for row in read_json_lines(cache)
        if isinstance(row.get("prompt"), str) and isinstance(row.get("answer"), str)
    }
    _end_torn_line(cache)
    new = [prompt for prompt in dict.fromkeys(prompts) if prompt not in known]
    for first in range(0, len(new), _AT_ONCE):
        asked = new[first : first + _AT_ONCE]
        for prompt, answer in zip(asked, ask(asked), strict=True):
            known[prompt] = answer
            append_json_line(cache, {"prompt": prompt, "answer": answer})
    return [(prompt, known[prompt]) for prompt in prompts if known[prompt].strip()]


def _end_torn_line(path: Path) -> None:
    """Close a line that an interruption cut off, so that the next row has one of its own."""
    if path.exists() and not path.read_bytes().endswith(b"\n"):
        with path.open("ab") as file:
            file.write(b"\n")
