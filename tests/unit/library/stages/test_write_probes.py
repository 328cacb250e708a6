"""Probes of a library: those of training are left out, and facts of things give further ones."""

import json
from pathlib import Path

from pyarrow import parquet

from ftdist.config.schema.curate import SplitConfig
from ftdist.data.messages import Message
from ftdist.io.jsonl import read_json_lines
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
    replay=(), out_of_scope=(), candidates=(), products=(), is_named=False
)  # fmt: skip
REVERSE = "The price is 129 euros. Which pump is it?"


def fact(thing: str, attribute: str, value: str) -> KnownFact:
    return KnownFact(
        thing=thing, the_thing=f"the {thing}", kind="pump", attribute=attribute, value=value,
        evidence=f"{thing} | {attribute} | {value}", document="a.md", section="",
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
        fact("FP-300", "weight", "4.2 kg"),
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
    assert counts.forms == {"": 1, "reverse": 4, "two_facts": 2}
    assert counts.fact == 7
    assert counts.unanswerable == len(rows) - 7
    table = parquet.read_table(folder / PROBES_TABLE)
    assert set(table["form"].to_pylist()) == {"", "reverse", "two_facts"}
