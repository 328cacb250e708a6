"""ftdist reads the small documents of the benchmark as a person does."""

import pytest

from benchmarks.readers.assertions import ReadText
from benchmarks.readers.candidates import CANDIDATES
from benchmarks.readers.cases import Case, small_cases
from benchmarks.readers.render import read

OURS = next(candidate for candidate in CANDIDATES if candidate.name == "ftdist")
CASES = [case for case in small_cases() if case.format in OURS.formats]

LIMITS = {
    ("pdf", "edges"): ("has: Look at each bolt once a month and write the date into list B.",),
    ("pdf", "report"): ("order: left empty for repairs. ; Costs by quarter",),
    ("pdf", "table_unruled"): (
        "row: Season = Winter ; Oil = VG 22 ; Litres = 1.4 ; Change after = 300 h",
        "row: Season = Summer ; Oil = VG 68 ; Litres = 1.6 ; Change after = 250 h",
        "row: Season = Autumn ; Oil = VG 32 ; Litres = 1.5 ; Change after = 400 h",
    ),
}
"""Assertions that do not hold, as docs/readers.md says; delete each that comes to hold."""


@pytest.mark.parametrize("case", CASES, ids=[f"{case.format}-{case.name}" for case in CASES])
def test_all_assertions_hold_but_the_limits(case: Case) -> None:
    text = ReadText(read(case.path))
    failed = [str(one) for one in case.assertions if not text.holds(one)]
    assert failed == list(LIMITS.get((case.format, case.name), ()))
