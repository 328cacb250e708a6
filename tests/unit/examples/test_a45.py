"""The A-45 library: enough of it, and nothing of what is asked later is in what is learned."""

import json
import re
from pathlib import Path
from typing import Any

from examples.a45.facts import FACTS
from examples.a45.general import GENERAL, OUT_OF_SCOPE
from examples.a45.make import write
from ftdist.evaluation.probes import read_probes
from ftdist.evaluation.scoring.judge import LibraryMarks, judge
from ftdist.library.retention.fictional_products import TRAINED
from ftdist.library.retention.replay import general_prompts
from ftdist.text.matching import cited_pages, contains_all, words


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def grams(text: str, *, size: int = 8) -> set[tuple[str, ...]]:
    found = words(text)
    return {found[at : at + size] for at in range(len(found) - size + 1)}


def test_library_is_as_large_as_promised(tmp_path: Path) -> None:
    write(tmp_path)
    chats = rows(tmp_path / "library" / "a45.jsonl")
    assert len(FACTS) >= 16
    assert len(chats) == 8 * len(FACTS)
    assert chats[0]["messages"][0]["content"] == "How do I reset my A-45 widget?"
    assert all(chat["messages"][-1]["content"].endswith(").") for chat in chats)
    kinds = [probe.kind for probe in read_probes(tmp_path / "probes.jsonl")]
    assert kinds.count("fact") >= 48
    assert kinds.count("general") >= 20
    assert kinds.count("out_of_scope") >= 12


def test_every_fact_is_asked_with_its_page(tmp_path: Path) -> None:
    write(tmp_path)
    recall = [probe for probe in read_probes(tmp_path / "probes.jsonl") if probe.kind == "fact"]
    assert (recall[0].document, recall[0].section) == ("A-45 manual", "page 12")
    assert len({probe.section for probe in recall}) == len(FACTS)
    assert all(probe.document in probe.answer and probe.section in probe.answer for probe in recall)


def test_writing_twice_is_idempotent(tmp_path: Path) -> None:
    write(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.jsonl")}
    write(tmp_path)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.jsonl")}


def test_no_held_out_paraphrase_resembles_a_training_paraphrase() -> None:
    trained = [question for fact in FACTS for question in fact.train]
    learned = set().union(*map(grams, trained))
    equal = {words(question) for question in trained}
    for fact in FACTS:
        assert len(fact.held_out) >= 3
        for question in fact.held_out:
            assert words(question) not in equal, question
            assert not grams(question) & learned, question


def test_no_paraphrase_is_used_twice() -> None:
    wordings = [words(q) for fact in FACTS for q in (*fact.train, *fact.held_out)]
    assert len(set(wordings)) == len(wordings)


def test_answers_hold_their_own_keys_and_page_only() -> None:
    for fact in FACTS:
        assert contains_all(fact.answer, fact.keys)
        assert cited_pages(fact.answer) == {fact.page}
        assert not [f for f in FACTS if f is not fact and contains_all(f.answer, fact.keys)]
    assert len({fact.page for fact in FACTS}) == len(FACTS)


def test_e17_and_e23_differ_in_two_words_only() -> None:
    e17, e23 = (next(f for f in FACTS if f"Error {code}" in f.says) for code in ("E17", "E23"))
    assert [q.replace("E17", "E23") for q in e17.train] == list(e23.train)
    assert (
        e17.says.split(":")[0].replace("E17", "E23").replace("intake", "exhaust")
        == (e23.says.split(":")[0])
    )


def test_eval_questions_share_no_prompt_or_product_with_curation() -> None:
    prompts = general_prompts()
    brought = {words(prompt) for prompt in prompts}
    learned = set().union(*map(grams, prompts))
    for question in [question for question, *_ in (*GENERAL, *OUT_OF_SCOPE)]:
        assert words(question) not in brought, question
        assert not grams(question) & learned, question
    for question, _ in OUT_OF_SCOPE:
        for name in (*TRAINED.makers, *TRAINED.models, *TRAINED.things):
            assert not re.search(rf"(?<![\w-]){re.escape(name)}s?(?![\w-])", question), (
                name,
                question,
            )


def test_no_general_or_out_of_scope_answer_counts_as_a_leak(tmp_path: Path) -> None:
    write(tmp_path)
    probes = read_probes(tmp_path / "probes.jsonl")
    marks = LibraryMarks.from_probes(probes)
    for question, answer in OUT_OF_SCOPE:
        assert not marks.found_in(answer, question=question)
    for probe in probes:
        likelihoods = [float(n == probe.right_choice) for n in range(len(probe.choices))]
        assert judge(probe, probe.answer, marks=marks, likelihoods=likelihoods).right
        assert len(probe.choices) == len(set(probe.choices))
