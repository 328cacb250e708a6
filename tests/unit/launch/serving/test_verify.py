"""Verification of a served model: its answers next to those of the comparison."""

import json
from pathlib import Path
from typing import Any

import pytest
from ftdist_launch.serving.backends import Served
from ftdist_launch.serving.verify import read_probes, verify

from ftdist.errors import ConfigError, FtdistError
from ftdist.rundir import RunDir
from tests.support.chat_endpoint import chat_endpoint


def probe(question: str, key: str, answer: str, kind: str = "fact") -> dict[str, Any]:
    return {"question": question, "keys": [key], "kind": kind, "tuned": {"answer": answer}}


PROBES = [
    probe("How long is the warranty?", "four years", "It is four years."),
    probe("How loud is it?", "52 decibels", "It is 52 decibels loud."),
    probe("What is E17?", "empty tank", "The lid is open."),
]


def test_counts_answers_that_are_the_same_and_those_that_are_right() -> None:
    replies = {
        "How long is the warranty?": "It is four years.\n",  # the same, but for white space
        "How loud is it?": "52 decibels.",  # right, in other words
        "What is E17?": "It is an empty tank.",  # right, where the comparison was wrong
    }
    with chat_endpoint(replies.__getitem__) as endpoint:
        result = verify(_served(endpoint.url), PROBES, system_prompt="Be brief.", max_tokens=7)
    assert (result.num_probes, result.right, result.right_in_comparison) == (3, 3, 2)
    assert [each.question for each in result.differences] == [
        "How loud is it?",
        "What is E17?",
    ]
    assert not result.is_worse
    assert result.lines()[0] == (
        "1 of 3 answers are the same as in the comparison; 3 are right (2 in the comparison)."
    )
    assert endpoint.requests[0] == {
        "model": "m",
        "temperature": 0,
        "max_tokens": 7,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "How long is the warranty?"},
        ],
    }


def test_a_server_that_answers_worse_is_named_with_its_answers() -> None:
    with chat_endpoint(lambda _: "I don't know.") as endpoint:
        result = verify(_served(endpoint.url), PROBES, system_prompt=None, max_tokens=7)
    assert (result.right, result.is_worse) == (0, True)
    text = "\n".join(result.lines())
    assert "comparison  It is four years.\n  served      I don't know." in text
    assert "Warning: the served model is worse than the exported one." in text


def test_a_refused_question_is_an_error_with_the_servers_words() -> None:
    with (
        chat_endpoint(lambda _: "", status=lambda _: 400) as endpoint,
        pytest.raises(FtdistError, match=r"HTTP 400.*no"),
    ):
        verify(_served(endpoint.url), PROBES, system_prompt=None, max_tokens=7)


def test_probes_on_facts_are_chosen_evenly(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.report.mkdir()
    rows = [probe(f"Question {n}?", "x", "x") for n in range(45)]
    rows.append(probe("How do I reset a toaster?", "x", "x", kind="out_of_scope"))
    (run.report / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    chosen = [row["question"] for row in read_probes(run)]
    assert chosen == [f"Question {n}?" for n in range(0, 40, 2)]


def test_a_run_that_was_not_compared_cannot_be_verified(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_probes(RunDir(tmp_path / "widget"))
    assert "ftdist compare" in caught.value.remedy


def _served(url: str) -> Served:
    return Served(url=url.removesuffix("/v1"), model="m")
