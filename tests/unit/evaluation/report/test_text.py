"""Sentences of a comparison: nothing steers a terminal, parts and cost are given."""

from typing import Any

from ftdist.evaluation.report.text import (
    contamination_texts,
    cost_text,
    document_rows,
    eval_config_text,
    leaked_text,
)
from ftdist.evaluation.scoring.confidence import Rate
from ftdist.text.terminal import plain
from tests.support.runs import fake_reports as fake


def scores() -> dict[str, Any]:
    rate = Rate(5, 10)
    recall = {"base": Rate(0, 10), "tuned": rate}
    row = {name: each.fields() for name, each in recall.items()}
    return {
        "documents": [{"document": "guide.pdf", "section": "Clocks", "n": 10, **row}],
        "cost": {
            "steps": 65, "tokens": 1_500_000, "rank_hours": 0.55, "device": "cpu",
            "from_scratch_tokens": 3_000_000_000, "share_of_scratch": 0.0005,
            "scratch_rank_hours": 1100.0,
        },
    }  # fmt: skip


def test_terminal_control_characters_are_removed_and_all_scripts_preserved() -> None:
    assert plain("a\x1b[31mb\x07\r\x7f\x9b\x00\ud800\u202ec\n\td") == "a[31mbc\n\td"
    kept = "5\u202fkm, 5\u00a0m, \u0645\u06cc\u200c\u062e, \u4e2d\u3000\u6587, \U0001f600"
    assert plain(kept) == kept
    steered = "\x1b]0;pwned\x07"
    made = scores()
    made["documents"][0]["section"] = steered
    made |= {
        "eval_config": fake.eval_config(lm_eval_tasks=[steered]), "probes": steered,
        "contamination": {"texts": {"contaminated": 1, "n": 1, "first": steered}},
    }  # fmt: skip
    text = str([
        document_rows(made, limit=5)[0][0], eval_config_text(made), *contamination_texts(made),
        leaked_text({"leaked": [steered]}),
    ])  # fmt: skip
    assert text.count("]0;pwned") == 5
    assert not {"\\x1b", "\\x07"} & {text[n : n + 4] for n in range(len(text))}


def test_documents_and_cost_are_shown() -> None:
    assert document_rows(scores(), limit=5) == [
        ("guide.pdf > Clocks", "0.00 (0/10, 0.00 to 0.28)", "0.50 (5/10, 0.24 to 0.76)")
    ]
    assert cost_text(scores()) == (
        "65 steps, 1,500,000 tokens, 0.55 rank-hours on cpu (without curation (with the base's "
        "answers), export and comparison). Training a model of this size from scratch: 3e+09 "
        "tokens (20 per parameter), 2,000 times as many, or 1,100 rank-hours at this run's speed."
    )
