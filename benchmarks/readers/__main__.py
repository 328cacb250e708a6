"""Compare document readers: which facts of documents their text still holds, and how fast.

    python -m benchmarks.readers                       all readers; writes docs/readers.md
    python -m benchmarks.readers --readers ftdist      measures one again, keeps other scores
    python -m benchmarks.readers --failures ftdist     what it missed, and what it read instead

It installs each reader into its own environment and fetches the real documents, both into
`~/.cache/ftdist-readers` (or FTDIST_READERS_CACHE).
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from benchmarks.readers.assertions import ReadText
from benchmarks.readers.candidates import (
    CACHE,
    CANDIDATES,
    CHECKOUT,
    FORMATS,
    Candidate,
    InstallError,
    install,
    installed_mb,
)
from benchmarks.readers.cases import Case, real_cases, small_cases
from benchmarks.readers.processes import Answer, ReaderProcess
from benchmarks.readers.report import Score, tables, write_tables

RESULTS = CACHE / "scores.json"
MAX_REPEATED_S = 10.0
"""A document that takes a reader longer is read once."""

PAGE = CHECKOUT / "docs" / "readers.md"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.readers")
    names = [candidate.name for candidate in CANDIDATES]
    parser.add_argument("--readers", nargs="+", choices=names, default=names)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--small", action="store_true", help="without the real documents")
    parser.add_argument("--rounds", type=int, default=3, help="how often each document is read")
    parser.add_argument("--failures", choices=names, help="list what this reader missed")
    parser.add_argument("--print-only", action="store_true", help="leave docs/readers.md alone")
    options = parser.parse_args(arguments)
    cases = small_cases() + ([] if options.small else real_cases())
    cases = [case for case in cases if case.format in options.formats]
    chosen = [options.failures] if options.failures else options.readers
    candidates = [candidate for candidate in CANDIDATES if candidate.name in chosen]
    scores = measure(cases, candidates, rounds=1 if options.failures else options.rounds)
    if options.failures:
        print("\n".join(failures(cases, scores)))
        return
    partial = options.small or options.formats != list(FORMATS)
    merged = scores if partial else _merge(scores, cases)
    lines = tables(merged, cases)
    print("\n".join(lines))
    if not (options.print_only or partial):
        write_tables(PAGE, [_where(), "", *lines])


def measure(cases: Sequence[Case], candidates: Sequence[Candidate], *, rounds: int) -> list[Score]:
    """Scores of each candidate for each document, the candidates in turns."""
    processes, scores = {}, []
    for candidate in candidates:
        try:
            processes[candidate] = ReaderProcess(candidate, python=install(candidate))
        except InstallError as error:
            print(f"{candidate.name} is left out: {error}", flush=True)
    try:
        for case in cases:
            able = [one for one in processes if case.format in one.formats]
            answers: dict[str, list[Answer]] = {one.name: [] for one in able}
            for turn in range(rounds):
                for one in able[:: -1 if turn % 2 else 1]:
                    if turn == 0 or _is_worth_repeating(answers[one.name][0]):
                        answers[one.name].append(processes[one].read(case.path))
            print(f"{case.format} {case.name}", file=sys.stderr, flush=True)
            scores += [_score(case, one, answers[one.name]) for one in able]
    finally:
        for process in processes.values():
            process.close()
    return scores


def failures(cases: Sequence[Case], scores: Sequence[Score]) -> list[str]:
    """Format, document, assertion and what was read, a line each."""
    formats = {(case.format, case.name): case for case in cases}
    lines = []
    for score in scores:
        case = formats[score.format, score.case]
        text = ReadText(score.text)
        for assertion in (one for one in case.assertions if str(one) in score.failed):
            read = score.error or text.around(assertion)
            lines.append(f"{case.format}, {case.path.name}, {assertion}, read: {read}")
    return lines


def _is_worth_repeating(answer: Answer) -> bool:
    return not answer.error and answer.seconds < MAX_REPEATED_S


def _score(case: Case, candidate: Candidate, answers: Sequence[Answer]) -> Score:
    return Score.of_text(
        case,
        reader=candidate.name,
        seconds=min(answer.seconds for answer in answers),
        error=answers[0].error,
        installed_mb=round(installed_mb(candidate), 1),
        text=answers[0].text,
    )


def _merge(scores: Sequence[Score], cases: Sequence[Case]) -> list[Score]:
    """New scores, and for readers that were not measured now, those of what they read before.

    If some were not, times stay those of the run before, so that they are of one run.
    """
    measured = {score.reader for score in scores}
    is_whole = measured == {candidate.name for candidate in CANDIDATES}
    named = {(case.format, case.name): case for case in cases}
    earlier: list[dict[str, Any]] = []
    if RESULTS.is_file():
        earlier = json.loads(RESULTS.read_text(encoding="utf-8"))
    merged = {(score.reader, score.format, score.case): score for score in scores}
    for row in earlier:
        key = row["reader"], row.pop("format"), row.pop("case")
        case = named.get(key[1:])
        if key in merged and not is_whole:
            merged[key] = replace(merged[key], seconds=row["seconds"] or merged[key].seconds)
        elif case is not None and key[0] not in measured:
            merged[key] = Score.of_text(case, **row)
    part = RESULTS.with_suffix(".part")
    part.write_text(json.dumps([score.to_json() for score in merged.values()]), encoding="utf-8")
    part.replace(RESULTS)
    return list(merged.values())


def _where() -> str:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    cores = len(os.sched_getaffinity(0))
    return f"Python {platform.python_version()}, {cores} cores, {now}."


if __name__ == "__main__":
    main()
