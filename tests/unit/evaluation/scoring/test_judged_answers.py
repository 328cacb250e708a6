"""The judge on a page of 100 answers whose verdicts were given by hand."""

import json
from pathlib import Path

from ftdist.evaluation.probes import Probe
from ftdist.evaluation.scoring.judge import LibraryMarks, judge

PAGE = Path(__file__).with_name("judged_answers.jsonl")


ROWS = [json.loads(line) for line in PAGE.read_text(encoding="utf-8").splitlines()]


def judged_wrongly() -> list[tuple[str, str]]:
    probes = [
        Probe(
            question=row["question"], answer=row["known"], keys=tuple(row["keys"]), kind=row["kind"]
        )
        for row in ROWS
    ]
    marks = LibraryMarks.from_probes(probes)
    return [
        (probe.question, each["answer"])
        for probe, row in zip(probes, ROWS, strict=True)
        for each in row["answers"]
        if judge(probe, each["answer"], marks=marks).right is not each["right"]
    ]


def test_the_judge_errs_on_one_of_100_answers() -> None:
    assert sum(len(row["answers"]) for row in ROWS) == 100
    assert judged_wrongly() == [
        # No key, in other words: a judge by rules cannot know that.
        (
            "Is wear of the impeller covered by the warranty?",
            "No. The warranty does not include wear.",
        )
    ]
