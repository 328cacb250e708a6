"""What is measured while a model learns: the same as afterwards, and it decides what is kept."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from ftdist.checkpoint.export import export
from ftdist.checkpoint.store import CheckpointStore
from ftdist.config.saved_config import load_config
from ftdist.data.prompt_builder import PromptBuilder
from ftdist.evaluation.eval_set import read_eval_set
from ftdist.evaluation.scoring.distractors import rankings
from ftdist.inference.hf_model import HFModel
from ftdist.io.jsonl import read_json_lines
from ftdist.rundir import RunDir
from tests.support.ranks import RunRanks
from tests.support.runs.tiny_runs import (
    STEPS,
    curve,
    make_run,
    run_attempt,
    state_hash,
    stop_and_resume,
)

CLOSE = 1e-4
"""Relative; a sum over shards is added up in another order."""


@pytest.fixture
def asked(tmp_path: Path) -> tuple[str, ...]:
    """Overrides that name what is asked: five known answers, three general questions, two texts."""
    probes: list[dict[str, Any]] = [
        {"question": f"How much is {n}?", "answer": f"It is {n} and {n * n}.",
         "keys": ["It", "is", f"{n * n}"], "kind": "fact"}
        for n in range(5)
    ]  # fmt: skip
    probes.append(
        {"question": "Who?", "answer": "Nobody.", "keys": ["It is"], "kind": "out_of_scope"}
    )
    # Too long to be answered in a row of training: it is left out.
    probes.append({"question": "Why? " * 40, "answer": "So.", "kind": "general"})
    general = [
        {"question": f"Is {n} odd?", "answer": "Yes.", "choices": ["Yes.", "No.", "Perhaps so."],
         "kind": "general"}
        for n in (1, 3, 5)
    ]  # fmt: skip
    for name, rows in (("probes", probes), ("general", general)):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"{name}.jsonl").write_text(lines)
    (tmp_path / "texts.txt").write_text("A short text.\n\nAnother text, which is longer.\n")
    return (
        f"eval.probes={tmp_path / 'probes.jsonl'}",
        f"eval.general_questions={tmp_path / 'general.jsonl'}",
        f"eval.perplexity_texts={tmp_path / 'texts.txt'}",
        "eval.max_new_tokens=6",
        "eval.max_new_tokens_in_training=6",
        "eval.num_generations=4",
    )


def records(run: RunDir) -> dict[int, dict[str, Any]]:
    """What was measured, by step; every step once."""
    rows = list(read_json_lines(run.evals))
    assert len({row["step"] for row in rows}) == len(rows)
    return {row["step"]: row for row in rows}


def recalled(hf_model: HFModel, question: str, answer: str, keys: Sequence[str]) -> list[bool]:
    """Whether each byte of a key is the likeliest after all before it; a token is a byte."""
    builder = PromptBuilder(hf_model.tokenizer, system_prompt=None)
    prompt, (ids,) = builder.scored(question, [answer])
    with torch.inference_mode():
        logits = hf_model.model(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1]
    hits = (logits.argmax(dim=-1) == torch.tensor(ids)).tolist()
    return [all(hits[at : at + len(key)]) for key in keys for at in [answer.index(key)]]


@pytest.mark.parametrize(("world_size", "sequence_parallel"), [(1, 1), (3, 1), (2, 2)])
def test_scores_and_generations_of_shards_equal_those_of_the_exported_model(
    run_ranks: RunRanks,
    tmp_path: Path,
    ingredients: Path,
    asked: tuple[str, ...],
    world_size: int,
    sequence_parallel: int,
) -> None:
    run = make_run(
        tmp_path / "run", ingredients, *asked, "eval.probes_every_steps=4",
        f"batch.sequence_parallel_size={sequence_parallel}", world_size=world_size, steps=4,
    )  # fmt: skip
    assert run_attempt(run_ranks, run, 1, world_size=world_size) == [0] * world_size
    export(run.root)
    config = load_config(run.config)
    inputs = read_eval_set(config.eval, library=Path(config.library.path))
    recall = [
        (probe.question, ranking.choices)
        for probe, ranking in zip(inputs.probes, rankings(inputs.probes), strict=True)
        if ranking is not None
    ]
    assert len(recall) == 5
    template = (run.export / "chat_template.jinja").read_text()
    found = records(run)
    assert sorted(found) == [0, 4]
    for step, model in ((0, Path(config.model.path)), (4, run.export)):
        hf_model = HFModel(model, device="cpu", chat_template=template)
        ranked = hf_model.choice_loglikelihoods(*zip(*recall, strict=True), batch=2)
        row = found[step]
        # The known answer of a recall probe is the first that it is ranked against.
        assert row["known"] == pytest.approx([own for own, *_ in ranked], rel=CLOSE)
        assert row["ranked"] == [own == max(own, *others) for own, *others in ranked]
        assert row["recalled"] == [
            hit
            for probe in inputs.probes
            if probe.kind == "fact"
            for hit in recalled(hf_model, probe.question, probe.answer, probe.keys)
        ]
        general = hf_model.choice_loglikelihoods(
            [item.question for item in inputs.general],
            [item.choices for item in inputs.general],
            batch=2,
        )
        assert row["general"] == [weights[0] == max(weights) for weights in general]
        for (nats, tokens), (own_nats, own_tokens) in zip(
            hf_model.text_losses(inputs.texts, batch=1), row["losses"], strict=True
        ):
            assert tokens == own_tokens
            assert nats == pytest.approx(own_nats, rel=CLOSE)
        questions = [written["question"] for written in row["generations"]]
        assert {written["kind"] for written in row["generations"]} == {"fact", "out_of_scope"}
        assert len(questions) == 3
        assert [written["answer"] for written in row["generations"]] == hf_model.answer(
            questions, max_tokens=6, batch=1
        )


def test_a_resumed_run_evaluates_like_an_uninterrupted_one(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path, asked: tuple[str, ...]
) -> None:
    keys = (*asked, "eval.probes_every_steps=2", "merge.max_loss_increase=100")
    whole = make_run(tmp_path / "whole", ingredients, *keys, world_size=2)
    assert run_attempt(run_ranks, whole, 1, world_size=2) == [0, 0]
    parts = make_run(tmp_path / "parts", ingredients, *keys, world_size=2)
    # What was due when it was stopped was left out, and is measured before it goes on.
    halt = stop_and_resume(run_ranks, parts, world_size=2, interrupt_rank=1)

    ours, theirs = records(parts), records(whole)
    assert sorted(ours) == sorted(theirs) == [0, 2, 4, 6, 8]
    assert [ours[step]["attempt"] for step in sorted(ours)] == [
        1 if step < halt else 2 for step in sorted(ours)
    ]
    for step, row in theirs.items():
        assert ours[step] | {"attempt": 0} == row | {"attempt": 0}
    assert curve(parts) == curve(whole)
    assert state_hash(parts, step=STEPS) == state_hash(whole, step=STEPS)
    assert best_step(parts) == best_step(whole)


def test_evaluation_does_not_change_training(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path, asked: tuple[str, ...]
) -> None:
    hashes = []
    for name, every in (("without", 0), ("with", 3)):
        keys = (*asked, f"eval.probes_every_steps={every}")
        run = make_run(tmp_path / name, ingredients, *keys, world_size=2)
        assert run_attempt(run_ranks, run, 1, world_size=2) == [0, 0]
        hashes.append(state_hash(run, step=STEPS))
    assert hashes[0] == hashes[1]


def test_early_stopping_retains_and_exports_the_best_checkpoint(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path, asked: tuple[str, ...]
) -> None:
    # So low a rate changes no parameter: no later measurement is better than the first.
    run = make_run(
        tmp_path / "run", ingredients, *asked, "eval.probes_every_steps=2",
        "early_stopping.patience=2", "optim.weight_decay=0", "checkpoint.keep_latest=1",
        peak_lr=1e-30, world_size=2,
    )  # fmt: skip
    assert run_attempt(run_ranks, run, 1, world_size=2) == [0, 0]
    assert sorted(records(run)) == [0, 2, 4, 6]
    (end,) = [event for event in run.read_events() if event["event"] == "training_complete"]
    assert end["step"] == 6
    store = CheckpointStore(run.checkpoints, keep=1)
    assert [info.step for info in store.committed()] == [6, 2]
    assert best_step(run) == 2
    exported = export(run.root)
    assert (exported.step, exported.unchecked) == (2, None)
    text = run.config.read_text()
    run.config.write_text(text.replace("checkpoint: best", "checkpoint: newest"))
    assert export(run.root).step == 6

    # Asked to go on, it ends where it ended.
    assert run_attempt(run_ranks, run, 2, world_size=2) == [0, 0]
    assert sorted(records(run)) == [0, 2, 4, 6]
    ends = [event["step"] for event in run.read_events() if event["event"] == "training_complete"]
    assert ends == [6, 6]
    assert best_step(run) == 2
    # As if it had been killed between the checkpoint and its name.
    (run.checkpoints / "best.json").unlink()
    run.config.write_text(text.replace("patience: 2", "patience: 0"))
    assert run_attempt(run_ranks, run, 3, world_size=2) == [0, 0]
    assert best_step(run) == 6


def best_step(run: RunDir) -> int | None:
    best = CheckpointStore(run.checkpoints, keep=1).best()
    return None if best is None else best.step
