"""Run the tiers one after another, and count what each of them showed.

    python -m tests.run_tiers [TIER ...] [-- PYTEST_ARG ...]

A tier that cannot run here says why. Where CI=true is set that is a failure, the gpu tier alone
excepted: a promise that CI never looks at is not kept for long.
"""

import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.tiers import TESTS, TIERS, Tier

_MAX_NAMED, _MAX_REASON = 20, 160
"""Failed tests of a tier that the end names, and characters of why; all are above."""

NO_TESTS_COLLECTED = 5
"""pytest's exit code where a filter such as -k left nothing to run."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one tier showed."""

    tier: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    duration_s: float = 0.0
    note: str = ""
    failures: tuple[str, ...] = ()
    """Of each test that failed, its name and the first line of why."""

    is_failure: bool = False


def main(arguments: Sequence[str]) -> int:
    """Run the tiers that are named, or all; the exit code is 0 if nothing failed."""
    split = arguments.index("--") if "--" in arguments else len(arguments)
    names, pytest_args = arguments[:split], arguments[split + 1 :]
    unknown = set(names) - {tier.name for tier in TIERS}
    if unknown:
        known = ", ".join(tier.name for tier in TIERS)
        print(f"There is no tier {', '.join(sorted(unknown))}.\nTo fix: name one of: {known}.")
        return 2
    in_ci = os.environ.get("CI", "").lower() in ("1", "true", "yes")
    outcomes = [
        run_tier(tier, pytest_args=pytest_args, in_ci=in_ci)
        for tier in TIERS
        if not names or tier.name in names
    ]
    print("\n" + table(outcomes), flush=True)
    return int(any(outcome.is_failure for outcome in outcomes))


def run_tier(tier: Tier, *, pytest_args: Sequence[str], in_ci: bool) -> Outcome:
    """Run one tier in a pytest of its own."""
    if not tier.has_tests:
        return Outcome(tier=tier.name, note="none yet")
    skip_fails = in_ci and not tier.may_skip_in_ci
    reason = tier.why_not_here()
    if reason is not None:
        return Outcome(tier=tier.name, note=f"skipped: {reason}", is_failure=skip_fails)
    print(f"\n== {tier.name}", flush=True)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", str(tier.folder), *tier.pytest_args]
        done = subprocess.run(
            [*command, f"--junitxml={report}", *pytest_args], cwd=TESTS.parent, check=False
        )
        passed, failed, skipped = read_counts(report)
        failures = read_failures(report)
    duration_s = time.monotonic() - start
    nothing_left = done.returncode == NO_TESTS_COLLECTED and bool(pytest_args)
    crashed = done.returncode != 0 and not failed and not nothing_left
    all_skipped = skipped > 0 and not passed and not failed
    return Outcome(
        tier=tier.name,
        passed=passed,
        failed=failed + crashed,
        skipped=skipped,
        duration_s=duration_s,
        note=f"pytest ended with code {done.returncode}" if crashed else "",
        failures=failures,
        is_failure=bool(failed) or crashed or (all_skipped and skip_fails),
    )


def read_counts(report: Path) -> tuple[int, int, int]:
    """Tests that passed, failed and were skipped, from a JUnit file; zeros if there is none."""
    if not report.exists():
        return 0, 0, 0
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    total, failures, errors, skipped = (
        sum(int(suite.get(name, "0")) for suite in suites)
        for name in ("tests", "failures", "errors", "skipped")
    )
    failed = failures + errors
    return max(total - failed - skipped, 0), failed, skipped


def read_failures(report: Path) -> tuple[str, ...]:
    """The tests of a JUnit file that failed, each with the first line of why."""
    cases = ElementTree.parse(report).getroot().iter("testcase") if report.exists() else ()
    found = []
    for case in cases:
        for failure in (*case.findall("failure"), *case.findall("error")):
            why = (failure.get("message") or "").partition("\n")[0][:_MAX_REASON]
            found.append(f"{case.get('classname')}::{case.get('name')}: {why}")
    return tuple(found)


def table(outcomes: Sequence[Outcome]) -> str:
    """A line a tier, and a last line over all of them."""
    lines = [f"{'tier':<9}{'passed':>7}{'failed':>8}{'skipped':>9}{'time':>9}"]
    for outcome in outcomes:
        counts = f"{outcome.passed:>7}{outcome.failed:>8}{outcome.skipped:>9}"
        ran = bool(outcome.duration_s)
        figures = f"{counts}{outcome.duration_s:>7.0f} s" if ran else ""
        lines.append(f"{outcome.tier:<9}{figures}  {outcome.note}".rstrip())
    passed, failed, skipped = (
        sum(getattr(outcome, name) for outcome in outcomes)
        for name in ("passed", "failed", "skipped")
    )
    duration_s = sum(outcome.duration_s for outcome in outcomes)
    lines.append(f"{passed} passed, {failed} failed, {skipped} skipped in {duration_s:.0f} s")
    lines += [
        f"FAILED: {failure}" for outcome in outcomes for failure in outcome.failures[:_MAX_NAMED]
    ]
    lines += [
        f"FAILED: tier {outcome.tier} {outcome.note}".rstrip()
        for outcome in outcomes
        if outcome.is_failure
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
