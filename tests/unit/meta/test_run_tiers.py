"""The runner of tiers: what it counts, and what it calls a failure."""

from pathlib import Path

import pytest

from tests.run_tiers import Outcome, main, read_counts, read_failures, run_tier, table
from tests.support import tiers
from tests.support.tiers import Tier


@pytest.fixture
def folder_with_a_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tiers, "TESTS", tmp_path)
    folder = tmp_path / "some"
    folder.mkdir()
    (folder / "test_one.py").touch()
    return folder


@pytest.mark.usefixtures("folder_with_a_test")
@pytest.mark.parametrize(
    ("in_ci", "may_skip_in_ci", "is_failure"),
    [(False, False, False), (True, False, True), (True, True, False)],
)
def test_an_unavailable_tier_explains_why_and_fails_in_ci_unless_optional(
    in_ci: bool, may_skip_in_ci: bool, is_failure: bool
) -> None:
    tier = Tier(name="some", may_skip_in_ci=may_skip_in_ci, why_not_here=lambda: "no moon")
    assert run_tier(tier, pytest_args=[], in_ci=in_ci) == Outcome(
        tier="some", note="skipped: no moon", is_failure=is_failure
    )


def test_a_tier_without_tests_is_not_called_skipped(folder_with_a_test: Path) -> None:
    (folder_with_a_test / "test_one.py").unlink()
    tier = Tier(name="some", why_not_here=lambda: "no moon")
    assert run_tier(tier, pytest_args=[], in_ci=True) == Outcome(tier="some", note="none yet")


def test_a_tier_names_its_failed_tests(
    folder_with_a_test: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder_with_a_test / "test_one.py").write_text("def test_a() -> None:\n    assert 1 == 2\n")
    tier = Tier(name="some", pytest_args=("-q", "-c/dev/null"), why_not_here=lambda: None)
    outcome = run_tier(tier, pytest_args=["-p", "no:cacheprovider"], in_ci=False)
    assert (outcome.failed, outcome.is_failure) == (1, True)
    assert len(outcome.failures) == 1
    assert outcome.failures[0].endswith("::test_a: assert 1 == 2")


def test_counts_are_read_from_the_report(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite tests="10" failures="2" errors="1" skipped="3"/></testsuites>'
    )
    assert read_counts(report) == (4, 3, 3)
    assert read_counts(tmp_path / "none.xml") == (0, 0, 0)


def test_failed_tests_are_named_with_the_first_line_of_why(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite><testcase classname="tests.dist.test_sync" name="test_a"/>'
        '<testcase classname="tests.dist.test_sync" name="test_b">'
        '<failure message="assert 1 == 2&#10;more">trace</failure></testcase>'
        '<testcase classname="tests.dist.test_sync" name="test_c"><error message="no port"/>'
        "</testcase></testsuite></testsuites>"
    )
    failures = read_failures(report)
    assert failures == (
        "tests.dist.test_sync::test_b: assert 1 == 2",
        "tests.dist.test_sync::test_c: no port",
    )
    assert read_failures(tmp_path / "none.xml") == ()
    outcome = Outcome(tier="dist", failed=2, duration_s=60, failures=failures, is_failure=True)
    assert table([outcome]).splitlines()[-3:] == [
        "FAILED: tests.dist.test_sync::test_b: assert 1 == 2",
        "FAILED: tests.dist.test_sync::test_c: no port",
        "FAILED: tier dist",
    ]


def test_the_last_lines_count_over_all_tiers_and_name_the_failed_ones() -> None:
    lines = table(
        [
            Outcome(tier="unit", passed=20, skipped=1, duration_s=7.0),
            Outcome(tier="dist", passed=3, failed=2, duration_s=60.0, is_failure=True),
            Outcome(tier="gpu", note="skipped: no CUDA device is visible"),
        ]
    ).splitlines()
    assert lines[1:] == [
        "unit          20       0        1      7 s",
        "dist           3       2        0     60 s",
        "gpu        skipped: no CUDA device is visible",
        "23 passed, 2 failed, 1 skipped in 67 s",
        "FAILED: tier dist",
    ]


def test_an_unknown_tier_lists_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["moon"]) == 2
    assert capsys.readouterr().out == (
        "There is no tier moon.\nTo fix: name one of: unit, dist, cluster, gpu.\n"
    )
