"""Run directories as the launcher makes them, and their attempts, with tiny models."""

import hashlib
import json
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from ftdist.checkpoint.manifest import read_manifest
from ftdist.config.compose import compose
from ftdist.config.saved_config import dump_config, load_config
from ftdist.config.schema import RunConfig
from ftdist.dist.world import World
from ftdist.errors import FtdistError
from ftdist.observe.metrics import read_metrics
from ftdist.plan.model_info import read_model_info
from ftdist.plan.plan import Plan
from ftdist.plan.planner import make_plan
from ftdist.prepare.main import prepare
from ftdist.rundir import RunDir
from tests.support.fixed_engine import fixed_engine
from tests.support.ranks import RunRanks

STEPS = 8


def write_library(folder: Path) -> Path:
    """Conversations of numbers and words, unequal in length."""
    draw = np.random.default_rng(0)
    folder.mkdir()
    rows = []
    for number in range(60):
        words = " ".join(str(value) for value in draw.integers(0, 99, size=draw.integers(2, 14)))
        rows.append(
            {
                "messages": [
                    {"role": "user", "content": f"Count {number}."},
                    {"role": "assistant", "content": f"It is {words}."},
                ]
            }
        )
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def write_tokenizer(folder: Path) -> None:
    """A byte-level tokenizer, so that any text becomes ids below the tiny models' vocabulary."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    specials = ["<pad>", "<|im_start|>", "<|im_end|>"]
    vocabulary = {token: number for number, token in enumerate([*specials, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<|im_end|>",
        additional_special_tokens=["<|im_start|>"],
    )
    fast.save_pretrained(folder)


def make_run(
    root: Path,
    ingredients: Path,
    *overrides: str,
    world_size: int,
    dtype: str = "float32",
    steps: int = STEPS,
    device: str = "cpu",
    peak_lr: float = 3e-3,
) -> RunDir:
    """A run directory as the launcher makes it, ready for its first attempt."""
    config = compose(
        [
            f"model.path={ingredients / 'model'}",
            f"model.dtype={dtype}",
            f"library.path={ingredients / 'library'}",
            f"library.cache_dir={ingredients / 'cache'}",
            "library.held_out_fraction=0.1",
            f"run.root={root.parent}",
            f"run.name={root.name}",
            f"train.steps={steps}",
            "eval.loss_every_steps=3",
            "batch.sequence_length=128",
            "batch.tokens=768",  # 6 sequences: 3 ranks x 2 micro-steps
            f"optim.peak_lr={peak_lr}",
            "optim.warmup_ratio=0.25",
            "engine.param_persistence_threshold=100",
            f"cluster.device={device}",
            f"cluster.tasks_per_node={world_size}",
            "checkpoint.every_steps=0",
            "tracking=off",
            "tracking.curves_every_s=0",
            *fixed_engine(*overrides),
        ]
    )
    run = RunDir(root)
    run.create(private=True)
    run.config.write_text(dump_config(config))
    write_plan(run, config)
    return run


def write_plan(run: RunDir, config: RunConfig) -> Plan:
    plan = make_plan(
        config, model=read_model_info(Path(config.model.path)), library=prepare(config)
    )
    run.plan.write_text(plan.to_json())
    return plan


def replan(run: RunDir, *, world_size: int) -> None:
    """What `ftdist resume` does when the number of ranks changes."""
    config = load_config(run.config)
    config = replace(
        config,
        cluster=replace(config.cluster, tasks_per_node=world_size),
        batch=replace(config.batch, allow_uneven=True),
    )
    run.config.write_text(dump_config(config))
    write_plan(run, config)


def attempt(world: World, run_dir: Path, number: int, interrupt_rank: int, after_row: int) -> int:
    """One attempt; `interrupt_rank` gets a stop signal once step `after_row` has been recorded."""
    from ftdist.train.main import main

    run = RunDir(run_dir)
    if world.rank == interrupt_rank:
        threading.Thread(target=_interrupt, args=(run, after_row), daemon=True).start()
    try:
        return main(run_dir, world, attempt=number)
    except FtdistError as error:
        return error.exit_code


def _interrupt(run: RunDir, after_row: int) -> None:
    while not any(row["step"] >= after_row for row in read_metrics(run.metrics)):
        time.sleep(0.005)
    os.kill(os.getpid(), signal.SIGUSR2)


def run_attempt(
    run_ranks: RunRanks,
    run: RunDir,
    number: int,
    *,
    world_size: int,
    interrupt_rank: int = -1,
    after_row: int = 0,
) -> list[int]:
    """All ranks of one attempt; they meet through the attempt's own file."""
    run.attempt(number).mkdir(parents=True)
    return run_ranks(
        world_size, attempt, run.root, number, interrupt_rank, after_row, group=False, timeout_s=240
    )


def stop_and_resume(
    run_ranks: RunRanks, run: RunDir, *, world_size: int, interrupt_rank: int, after_row: int = 3
) -> int:
    """Two attempts: the first one is asked to stop on the way. Step at which it did."""
    stopped = run_attempt(
        run_ranks, run, 1, world_size=world_size, interrupt_rank=interrupt_rank, after_row=after_row
    )
    assert stopped == [75] * world_size
    (halt,) = [event for event in run.read_events() if event["event"] == "training_stopped"]
    assert after_row <= halt["step"] < STEPS
    assert run_attempt(run_ranks, run, 2, world_size=world_size) == [0] * world_size
    return int(halt["step"])


def curve(run: RunDir) -> list[tuple[float, float, float, float | None]]:
    """What must be equal of every step."""
    return [
        (
            row["train/loss"],
            row["optim/grad_norm"],
            row["optim/learning_rate"],
            row.get("eval/held_out_loss"),
        )
        for row in read_metrics(run.metrics)
    ]


def state_hash(run: RunDir, *, step: int) -> dict[str, str]:
    """Hash of every file of a checkpoint but the manifest."""
    folder = run.checkpoints / f"step-{step:08d}"
    return {
        record.name: hashlib.sha256((folder / record.name).read_bytes()).hexdigest()
        for record in read_manifest(folder).files
    }
