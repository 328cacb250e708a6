"""ftdist reads the small documents of the benchmark as a person does."""

import pytest

from benchmarks.readers.assertions import ReadText
from benchmarks.readers.cases import Case, small_cases
from benchmarks.readers.render import read

CASES = small_cases()


@pytest.mark.parametrize("case", CASES, ids=[f"{case.format}-{case.name}" for case in CASES])
def test_all_assertions_hold(case: Case) -> None:
    text = ReadText(read(case.path))
    failed = [f"{one} ({text.around(one)})" for one in case.assertions if not text.holds(one)]
    assert failed == []
