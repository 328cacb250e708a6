"""Chats with tools through a whole curation: what is in the library is what was in the file."""

import json
from pathlib import Path
from typing import Any

from ftdist.config.compose import compose_curation
from ftdist.library.pipeline import curate
from ftdist.library.stages.publish import Published
from ftdist.library.store.dataset import open_curated
from ftdist.library.store.samples import read_samples

TOOL = {"type": "function", "function": {"name": "get_torque", "parameters": {"type": "object"}}}
CALL = {
    "type": "function",
    "function": {"name": "get_torque", "arguments": '{"bolt": "M8"}'},
    "id": "call_1",
}
CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is the torque of M8?"},
    {"role": "assistant", "content": "", "reasoning_content": "Look it up.", "tool_calls": [CALL]},
    {"role": "tool", "content": "25 Nm", "tool_call_id": "call_1", "name": "get_torque"},
    {"role": "assistant", "content": "It is 25 Nm."},
    {"role": "user", "content": "And of M6?"},
    {"role": "assistant", "content": "It is 90 Nm.", "weight": 0},
]


def curated(tmp_path: Path, rows: list[Any], *keys: str) -> Published:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = compose_curation(
        [
            "library.name=x",
            f"library.root={tmp_path}/libraries",
            f"library.sources=[{tmp_path}/a.jsonl]",
            f"work.cache_dir={tmp_path}/cache",
            "work.num_proc=1",
            *keys,
        ]
    )
    return curate(config, model=None, log=lambda _: None)


def test_instructions_and_results_that_conversations_share_hold_out_what_differs(
    tmp_path: Path,
) -> None:
    shared = "word " * 20
    rows = [
        {"messages": [{"role": "system", "content": shared},
                      {"role": "user", "content": f"What is part {n}?"},
                      {"role": "assistant", "content": "", "tool_calls": [CALL]},
                      {"role": "tool", "content": shared},
                      {"role": "assistant", "content": f"A valve of size {n}."}],
         "tools": [TOOL]}
        for n in range(40)
    ]  # fmt: skip
    made = curated(tmp_path, rows, "split.held_out_conversations=0.3", "clean.dedup=false")
    split = json.loads((made.folder / "manifest.json").read_text())["split"]
    assert split["moved_back"] == 0
    assert split["held_out"] > 4


def test_tools_calls_thoughts_and_weights_arrive_in_the_library(tmp_path: Path) -> None:
    single = [{"role": "user", "content": "Is it steel?"}, {"role": "assistant", "content": "Yes."}]
    rows = [
        {"messages": CHAT, "tools": [TOOL]},
        {"messages": single, "tools": [TOOL]},
        {"prompt": "Is it red?", "chosen": "It is blue.", "rejected": "Yes."},
    ]
    keys = ["library.preferences=chosen", "synthesis.paraphrases=2"]
    published = curated(tmp_path, rows, *keys)
    [source] = open_curated(published.folder).sources
    first, second, *others = read_samples(source.train)
    assert list(first.messages) == CHAT
    assert json.loads(first.tools) == [TOOL]
    # A question with tools is neither reworded nor a probe; one without is.
    assert list(second.messages) == single
    assert {sample.messages[1]["content"] for sample in others} == {"It is blue."}
    assert len(others) == 2
    assert (
        "Calls: 1, conversations with thoughts: 1, conversations with tools: 2, unlearned "
        "answers: 1."
    ) in " ".join(published.card.split())
    assert "chosen answer of a preference pair taken: 1" in published.card
