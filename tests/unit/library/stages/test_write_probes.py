"""Probes of a library: those of training are left out, and facts of things give further ones."""

import json
from dataclasses import replace
from pathlib import Path

from pyarrow import parquet

from ftdist.config.schema.curate import SplitConfig
from ftdist.data.messages import Message
from ftdist.io.jsonl import read_json_lines
from ftdist.library.retention.out_of_scope import OutOfScopeQuestion
from ftdist.library.retention.replay import RetentionSet
from ftdist.library.schema import ProbeRow, Sample
from ftdist.library.stages.write_probes import write_probes
from ftdist.library.store.dataset import PROBES_FILE, PROBES_TABLE
from ftdist.library.store.samples import write_samples
from ftdist.library.synthesis.probe_facts import FACTS_FILE, KnownFact

SPLIT = SplitConfig(
    held_out_conversations=0.0, held_out_documents=0.0, max_held_out=1, decontamination_ngram=8,
    num_probes=40, num_out_of_scope_probes=0,
)  # fmt: skip
NO_RETENTION = RetentionSet(
    counterfactual=(),
    replay=(), out_of_scope=(), candidates=(), products=(), is_named=False
)  # fmt: skip
REVERSE = "The price is 129 euros. Which pump is it?"


def fact(thing: str, attribute: str, value: str) -> KnownFact:
    return KnownFact(
        thing=thing, name=thing, the_thing=f"the {thing}", kind="pump",
        attribute=attribute, value=value,
        evidence=f"{thing} | {attribute} | {value}", document="a.md", section="",
        is_product=attribute == "weight",
    )  # fmt: skip


def test_facts_of_things_give_questions_that_training_does_not_contain(tmp_path: Path) -> None:
    folder, shard = tmp_path / "library", tmp_path / "shard"
    (folder / "data").mkdir(parents=True)
    shard.mkdir()
    asked = "The price is 149 euros. Which pump is it?"
    messages = (
        Message(role="user", content=asked),
        Message(role="assistant", content="The K-88. Its noise level is low."),
    )
    sample = Sample(messages=messages, location="a.md", made_by="reverse", doc_id="a.md")
    write_samples(folder / "data" / "a-train.parquet", [sample])
    probe = ProbeRow(question="How heavy is the FP-300?", answer="4.2 kg", keys=("4.2 kg",))
    (shard / PROBES_FILE).write_text(probe.to_json())
    facts = [
        fact("FP-300", "price", "129 euros"),
        fact("FP-300", "weight", "4.2 kg"),  # a pair that training has
        fact("K-88", "price", "149 euros"),
        fact("K-88", "flow", "60 litres"),
        fact("T-7", "flow", "80 litres"),
    ]
    lines = "".join(json.dumps(each.values()) + "\n" for each in facts)
    (shard / FACTS_FILE).write_text(lines)

    counts = write_probes(folder, [shard], retention=NO_RETENTION, split=SPLIT)

    rows = {row["question"]: row for row in read_json_lines(folder / PROBES_FILE)}
    assert rows[REVERSE]["keys"] == ["FP-300"]
    assert asked not in rows  # trained
    assert "What is the flow of the FP-300?" in rows
    assert not any("noise level" in question for question in rows)  # a text mentions it
    assert counts.forms == {"": 1, "reverse": 4, "two_facts": 1}
    assert counts.fact == 6
    assert counts.unanswerable == len(rows) - 6
    table = parquet.read_table(folder / PROBES_TABLE)
    assert set(table["form"].to_pylist()) == {"", "reverse", "two_facts"}


def test_probes_without_their_keys_are_dropped_and_names_are_no_leak(tmp_path: Path) -> None:
    folder, shard = tmp_path / "library", tmp_path / "shard"
    (folder / "data").mkdir(parents=True)
    shard.mkdir()
    rows = [
        ProbeRow(
            question="Which one weighs 4 kg?", answer="The T-7.", keys=("T-7",), form="reverse"
        ),
        ProbeRow(question="How heavy is it?", answer="Four stone.", keys=("4 kg",)),
    ]
    (shard / PROBES_FILE).write_text("".join(row.to_json() for row in rows))
    (shard / FACTS_FILE).write_text("")
    question = OutOfScopeQuestion(question="How do I descale a Brevo kettle?", words=("Brevo",))
    retention = replace(NO_RETENTION, candidates=(question,), products=("T-7",))
    split = replace(SPLIT, num_out_of_scope_probes=5)

    counts = write_probes(folder, [shard], retention=retention, split=split)

    written = list(read_json_lines(folder / PROBES_FILE))
    assert [row["question"] for row in written] == [rows[0].question, question.question]
    assert written[1]["keys"] == ["T-7"]  # names of products alone are a leak
    assert (counts.fact, counts.out_of_scope) == (1, 1)
