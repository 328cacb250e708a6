"""The results of the check as a table, and as a row of docs/gpu-status.md."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.peers import CHECKOUT

Result = Mapping[str, Any]
STATUS_PAGE = CHECKOUT / "docs" / "gpu-status.md"
ROWS = "| date | device | versions | what ran | failed |\n| --- | --- | --- | --- | --- |\n"


def table(results: Sequence[Result], problems: Mapping[str, str]) -> str:
    """One line a result, by phase; then what failed."""
    lines = ["| phase | what | measured |", "| --- | --- | --- |"]
    for result in results:
        values = {k: v for k, v in result.items() if k not in ("phase", "what")}
        measured = ", ".join(f"{key} {_text(value)}" for key, value in values.items())
        lines.append(f"| {result['phase']} | {result.get('what', '')} | {measured} |")
    lines += [f"| {name} | **failed** | {_cell(text)} |" for name, text in problems.items()]
    return "\n".join(lines) + "\n"


def status_row(results: Sequence[Result], problems: Mapping[str, str], *, date: str) -> str:
    """The row of this check: date, device, versions, phases that ran, phases that failed."""
    versions = next((r for r in results if r.get("what") == "versions"), {})
    device = next((str(r["what"]) for r in results if "context_gib" in r), "unknown")
    names = ("torch", "transformers", "deepspeed")
    named = ", ".join(f"{name} {versions.get(name, '?')}" for name in names)
    ran = ", ".join(dict.fromkeys(str(r["phase"]) for r in results if r["phase"] not in problems))
    return f"| {date} | {device} | {named} | {ran} | {', '.join(problems) or 'none'} |\n"


def with_row(page: str, row: str) -> str:
    """The page with a row added under the head of its table of checks."""
    if ROWS not in page:
        return page.rstrip() + f"\n\n## Checks\n\n{ROWS}{row}"
    return page.replace(ROWS, ROWS + row)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.4g}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    return _cell(str(value))


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())[-400:]
