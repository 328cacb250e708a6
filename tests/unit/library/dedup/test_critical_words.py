"""Near duplicates are folded only if they state the same facts."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftdist.config.compose import compose_curation
from ftdist.library.dedup.critical_words import critical_hash, critical_row_hash, critical_words
from ftdist.library.pipeline import curate
from ftdist.library.schema import Conversation, Location, Passage

FILLER = (
    "wait until the fan has stopped, take out the filter, clean the frame with a dry cloth, put in "
    "the new filter with the arrow towards the door, and press the lid until it clicks"
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Tighten it to 12 Nm, at most 3 times.", ["12", "nm", "most", "3", "times"]),
        ("Keep it below 60 \u00b0C", ["below", "60", "\u00b0c"]),
        ("You may not use the K-10.", ["not", "k-10"]),
        ("Don't open it. Unplug it.", ["don't", "open", "unplug"]),
        ("Yes. Press it twice.", ["yes", "twice"]),
        ("Mount the Falke on the LED side.", ["falke", "on", "led"]),
        ("Es darf nicht fünf Bar sein", ["nicht", "f\u00fcnf", "bar"]),
        ("x < 5 and y = -3", ["<", "5", "and", "=", "-3"]),
        ("It costs 5 \u20ac.", ["5", "\u20ac"]),
        ("不可使用", ["不"]),
        ("Press the lid until it clicks.", []),
    ],
)
def test_numbers_units_names_negations_and_opposites_are_critical(
    text: str, words: list[str]
) -> None:
    assert critical_words(text) == words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("torque the screw to 12 Nm", "torque the screw to 25 Nm"),
        ("inflate it to 5 bar", "inflate it to 5 psi"),
        ("the valve of the XR200", "the valve of the XR300"),
        ("you may use it wet", "you may not use it wet"),
        ("use it with care", "never use it with care"),
        ("Yes, use it", "No, use it"),
        ("between -5 and 5", "between 5 and 5"),
        ("press it twice", "press it once"),
        ("F1 is 2 A and F2 is 5 A", "F1 is 5 A and F2 is 2 A"),
        ("turn it to the left", "turn it to the right"),
        ("this is safe", "this is unsafe"),
        ("with the Alpha unit", "with the Beta unit"),
        ("10 squared is 10\u00b2", "10 squared is 102"),
    ],
)
def test_texts_that_differ_in_a_fact_have_different_hashes(one: str, other: str) -> None:
    assert critical_hash(f"{FILLER}; {one}, {FILLER}") != critical_hash(
        f"{FILLER}; {other}, {FILLER}"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("torque the screw to 12 Nm", "Torque the big screw to 12 Nm"),
        ("please press the button", "kindly press the button!"),
        ("the colour is fine", "the color is fine"),
    ],
)
def test_texts_that_differ_in_wording_have_one_hash(one: str, other: str) -> None:
    assert critical_hash(one) == critical_hash(other)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_any_two_numbers_are_two_facts(one: int, other: int) -> None:
    texts = (f"{FILLER} at {number} rpm" for number in (one, other))
    assert (len(set(map(critical_hash, texts))) == 1) == (one == other)


def _conversation(question: str, answer: str) -> Conversation:
    messages = ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    return Conversation(messages, Location("f"))  # type: ignore[arg-type]


def test_questions_are_compared_word_by_word_and_apart_from_answers() -> None:
    def row_hash(question: str) -> int:
        row = _conversation(question, FILLER)
        return critical_row_hash(row, text=f"{question}\n{FILLER}")

    assert row_hash("How do I clean the filter?") == row_hash("how do I clean the filter")
    assert row_hash("How do I clean the filter?") != row_hash("How do I clean the frame?")
    passage = Passage(FILLER, Location("f"))
    assert critical_row_hash(passage, text=FILLER) == critical_hash(FILLER)


def _curate(tmp_path: Path, rows: list[dict[str, str]]) -> dict[str, Any]:
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = compose_curation(
        [
            "library.name=w",
            f"library.root={tmp_path / 'libraries'}",
            f"library.sources=[{tmp_path / 'rows.jsonl'}]",
            f"work.cache_dir={tmp_path / 'cache'}",
            "work.num_proc=1",
        ]
    )
    folder = curate(config, model=None, log=lambda _: None).folder
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return manifest


def test_long_answers_that_differ_in_a_fact_are_all_learned(tmp_path: Path) -> None:
    answer = "With the {}, {}; then {} it and torque the screw to {} Nm. {}"
    variants = [
        ("H-1", "use", "12"),
        ("H-2", "use", "12"),
        ("H-1", "use", "25"),
        ("H-1", "do not use", "12"),
    ]
    rows = [
        {"question": "May I?", "answer": answer.format(name, FILLER, verb, torque, FILLER)}
        for name, verb, torque in variants
    ]
    again = rows[0]["answer"].replace("a dry cloth", "a soft cloth", 1)
    manifest = _curate(tmp_path, [*rows, {"question": "May I?", "answer": again}])
    assert manifest["rules"]["near duplicate"]["count"] == 1
    assert (
        manifest["rules"]["near duplicate"]["examples"][0]["location"] == "rows: rows.jsonl, row 5"
    )
    assert manifest["sources"][0]["duplicates"] == 1
