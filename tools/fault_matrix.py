"""Write the fault matrix into docs/reliability.md: each case with the tests that bring it about.

python -m tools.fault_matrix

The cases are in `tools/fault_matrix.toml`; the tests are found by their marker
`@pytest.mark.fault("ID")`, without importing them. Storms are in `benchmarks/storm/results/`.
"""

import ast
import json
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.storm.results import markdown

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reliability.md"
CASES = Path(__file__).with_suffix(".toml")
TESTS = ROOT / "tests"
STORMS = ROOT / "benchmarks" / "storm" / "results"
TIERS = ("cluster", "gpu", "dist", "unit")
"""The nearest to a real cluster first."""

NOT_YET = "**not yet**"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A row of the matrix."""

    id: str
    case: str
    how: str
    holds: str
    seen: str | None = None
    does_not_apply: str | None = None


@dataclass(frozen=True, kw_only=True, order=True)
class FaultTest:
    """A test that carries the marker of a case."""

    file: str
    """Below tests/."""

    name: str
    is_slow: bool

    @property
    def tier(self) -> str:
        """The folder that it is in."""
        return self.file.partition("/")[0]


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


def page() -> str:
    """The text of the page, with its generated parts renewed."""
    text = PAGE.read_text(encoding="utf-8")
    text = _between(text, "matrix", _matrix(read_cases(), marked_by_case(TESTS)))
    return _between(text, "storm", _storms(STORMS))


def read_cases(path: Path = CASES) -> dict[str, dict[str, Case]]:
    """The cases by id, in groups by title."""
    groups = tomllib.loads(path.read_text(encoding="utf-8"))["group"]
    return {
        group["title"]: {id: Case(id=id, **fields) for id, fields in group["cases"].items()}
        for group in groups
    }


def marked_by_case(folder: Path) -> dict[str, list[FaultTest]]:
    """All tests below a folder that carry the marker, by the ids of their cases."""
    found: dict[str, set[FaultTest]] = defaultdict(set)
    for path in sorted(folder.rglob("test_*.py")):
        file = path.relative_to(folder).as_posix()
        for name, marks in marked_tests(path.read_text(encoding="utf-8")):
            test = FaultTest(file=file, name=name, is_slow="slow" in marks)
            for case in marks.get("fault", ()):
                found[case].add(test)
    return {case: sorted(tests, key=_nearest_first) for case, tests in found.items()}


def marked_tests(source: str) -> Iterator[tuple[str, Mapping[str, list[str]]]]:
    """Each test function of a module with its markers and the strings that they are given.

    Markers of the module (`pytestmark`) and of parameters (`pytest.param(..., marks=...)`) count.
    """
    tree = ast.parse(source)
    module: list[ast.expr] = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and any(isinstance(name, ast.Name) and name.id == "pytestmark" for name in node.targets)
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            marks = _marks([*module, *node.decorator_list])
            if marks:
                yield node.name, marks


def _marks(expressions: Iterable[ast.expr]) -> dict[str, list[str]]:
    marks: dict[str, list[str]] = {}
    for node in (child for expression in expressions for child in ast.walk(expression)):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pytest.mark":
            marks.setdefault(node.attr, [])
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("pytest.mark."):
            given = marks.setdefault(ast.unparse(node.func).rpartition(".")[2], [])
            given += [str(word.value) for word in node.args if isinstance(word, ast.Constant)]
    return marks


def _nearest_first(test: FaultTest) -> tuple[int, FaultTest]:
    return TIERS.index(test.tier) if test.tier in TIERS else len(TIERS), test


def _matrix(
    groups: Mapping[str, Mapping[str, Case]], tests: Mapping[str, list[FaultTest]]
) -> list[str]:
    cases = [case for group in groups.values() for case in group.values()]
    nearest = [tests[case.id][0].tier for case in cases if tests.get(case.id)]
    counts = [f"{nearest.count(tier)} in `{tier}`" for tier in TIERS if tier in nearest]
    absent = [case.id for case in cases if case.does_not_apply]
    lines = [
        f"{len(cases)} cases; {len(nearest)} have tests ({', '.join(counts)}, each counted in the "
        f"tier nearest to a real cluster), {len(absent)} do not apply ({', '.join(absent)}).",
    ]
    for title, group in groups.items():
        lines += ["", f"### {title}", "", "| case | how | holds | tests |", "| --- " * 4 + "|"]
        lines += [_row(case, tests.get(case.id, [])) for case in group.values()]
    return lines


def _row(case: Case, tests: list[FaultTest]) -> str:
    if case.does_not_apply:
        return f"| **{case.id}** {case.case} | - | - | does not apply: {case.does_not_apply} |"
    by_file: dict[str, list[str]] = defaultdict(list)
    for test in tests:
        by_file[test.file].append(f"`{test.name}`" + (" (slow)" if test.is_slow else ""))
    named = [f"{file}: {', '.join(names)}" for file, names in by_file.items()]
    holds = case.holds + (f". Seen: {case.seen}" if case.seen else "")
    cells = (f"**{case.id}** {case.case}", case.how, holds, "<br>".join(named) or NOT_YET)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _storms(folder: Path) -> list[str]:
    paths = sorted(folder.glob("seed-*.json"))
    if not paths:
        return ["No storm has run to its end yet."]
    return [
        line
        for path in paths
        for line in markdown(json.loads(path.read_text(encoding="utf-8"))).splitlines()
    ]


def _between(text: str, name: str, lines: Iterable[str]) -> str:
    """Replace what stands between the two comments of a name."""
    begin, end = f"<!-- {name}:begin: made by `make docs` -->", f"<!-- {name}:end -->"
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"docs/reliability.md lacks {begin} or {end}")
    body = "\n".join(lines).strip()
    return f"{before}{begin}\n\n{body}\n\n{end}{after}"


if __name__ == "__main__":
    sys.exit(main())
