"""The check on one GPU: its table, and the row that it adds to the page of GPU checks."""

from typing import Any

from benchmarks.gpu.report import ROWS, status_row, table, with_row
from tools.gpu_bundle import SOURCES, WHEELS, pinned

RESULTS: list[dict[str, Any]] = [
    {"phase": "facts", "what": "versions", "torch": "2.11.0", "transformers": "5.17.0"},
    {"phase": "facts", "what": "NVIDIA H200", "context_gib": 0.5, "total_gib": 139.8},
    {"phase": "speed", "what": "1.7B, varlen", "tokens_per_s": 31234.5, "times": [0.5, 0.25]},
]


def test_table_has_a_line_for_each_result_and_each_failure() -> None:
    assert table(RESULTS, {"save": "a | b\nc"}).splitlines()[2:] == [
        "| facts | versions | torch 2.11.0, transformers 5.17.0 |",
        "| facts | NVIDIA H200 | context_gib 0.5, total_gib 139.8 |",
        "| speed | 1.7B, varlen | tokens_per_s 3.123e+04, times [0.5, 0.25] |",
        "| save | **failed** | a / b c |",
    ]


def test_newest_check_is_the_first_row_of_the_status_page() -> None:
    row = status_row(RESULTS, {"speed": "too slow"}, date="2026-12-01")
    assert row == (
        "| 2026-12-01 | NVIDIA H200 | torch 2.11.0, transformers 5.17.0, deepspeed ? | facts "
        "| speed |\n"
    )
    page = with_row("# What has run on a GPU\n", row)
    newer = row.replace("12-01", "12-02")
    assert with_row(page, newer).endswith(f"## Checks\n\n{ROWS}{newer}{row}")


def test_every_wheel_of_the_bundle_is_a_tested_version() -> None:
    assert all("==" in pinned(name) for name in (*WHEELS, *SOURCES))
