"""Every case of the fault matrix has a test, and every marker names a case."""

from pathlib import Path

from tests.support.tiers import TESTS
from tools import fault_matrix
from tools.fault_matrix import marked_by_case, read_cases

CASES = {id: case for group in read_cases().values() for id, case in group.items()}
MARKED = marked_by_case(TESTS)

SOURCE = """
import pytest

pytestmark = pytest.mark.fault("C1")


@pytest.mark.slow
@pytest.mark.fault("L4", "L5")
@pytest.mark.parametrize("how", [pytest.param(1, marks=pytest.mark.fault("M2")), 2])
def test_one(how): ...


def test_two(): ...


def helper(): ...
"""


def test_every_case_has_a_test_or_a_reason_why_it_does_not_apply() -> None:
    missing = [id for id, case in CASES.items() if not case.does_not_apply and id not in MARKED]
    assert missing == []
    assert [id for id, case in CASES.items() if case.does_not_apply and id in MARKED] == []


def test_every_marker_names_a_case() -> None:
    assert sorted(set(MARKED) - set(CASES)) == []


def test_the_page_is_up_to_date() -> None:
    assert fault_matrix.PAGE.read_text(encoding="utf-8") == fault_matrix.page(), "run `make docs`"


def test_markers_of_modules_tests_and_parameters_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "dist"
    folder.mkdir()
    (folder / "test_some.py").write_text(SOURCE)
    found = marked_by_case(tmp_path)
    assert {case: [test.name for test in tests] for case, tests in found.items()} == {
        "C1": ["test_one", "test_two"],
        "L4": ["test_one"],
        "L5": ["test_one"],
        "M2": ["test_one"],
    }
    assert [test.is_slow for test in found["C1"]] == [True, False]
    assert {test.tier for test in found["C1"]} == {"dist"}
