"""SECURITY.md: behind every promise stands a test that exists."""

import re

import pytest

from tests.support.tiers import TESTS

ROOT = TESTS.parent
PROMISE = re.compile(r"^- (.*(?:\n  .*)*)", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def promises(text: str) -> dict[str, list[tuple[str, str]]]:
    """The tests of each promise: file and function."""
    found = (TEST.sub("", each).strip() for each in PROMISE.findall(text))
    tests = (TEST.findall(each) for each in PROMISE.findall(text))
    return {" ".join(words.split()): named for words, named in zip(found, tests, strict=True)}


SECURITY = promises((ROOT / "SECURITY.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("promise", SECURITY)
def test_every_promise_names_tests_that_exist(promise: str) -> None:
    tests = SECURITY[promise]
    assert tests
    for file, name in tests:
        source = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"^(?:async )?def {name}\(", source, re.MULTILINE), f"{file}::{name}"


def test_a_promise_without_a_test_is_found() -> None:
    text = "- Nothing runs.\n  `tests/unit/a.py::test_a`\n- Nothing\n  leaks.\n"
    assert promises(text) == {
        "Nothing runs.": [("tests/unit/a.py", "test_a")],
        "Nothing leaks.": [],
    }
