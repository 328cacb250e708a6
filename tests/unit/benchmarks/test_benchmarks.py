"""The benchmark's arithmetic, and that every configuration is given the same."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.__main__ import peer_settings
from benchmarks.bare import make_blocks
from benchmarks.measure import (
    MemorySampler,
    Outcome,
    Sample,
    Step,
    StepLog,
    anonymous_memory_gib,
    cpu_s,
    peaks,
    process_times,
    ratio_by_round,
    read_steps,
)
from benchmarks.ours import overrides
from benchmarks.peers import REQUIREMENTS, clean_environment
from benchmarks.report import BARE, OURS, TRL_PACKED, data_verdicts, document, verdicts
from benchmarks.settings import PeerSettings, answer_mask
from benchmarks.tokenise import measure
from ftdist.config.compose import compose
from ftdist.plan.dataset_info import PackedDatasetInfo, PackedSourceInfo
from ftdist.plan.model_info import ModelInfo
from ftdist.plan.planner import make_plan
from ftdist.zero.ds_config import build_ds_config
from tests.support.runs.tiny_runs import write_tokenizer

CHECKOUT = Path(__file__).resolve().parents[3]

MODEL = ModelInfo(
    parameters=1_000_000,
    largest_parameter=200_000,
    hidden_size=64,
    layers=2,
    vocab_size=3_125,
    max_position=None,
    model_type="llama",
    tied=True,
)
LIBRARY = PackedDatasetInfo(
    path="/cache/k",
    key="k",
    sources=(
        PackedSourceInfo(
            name="library",
            weight=1.0,
            samples=80,
            sequences=32,
            tokens=10_000,
            loss_tokens=5_000,
            held_out_samples=0,
            held_out_sequences=0,
        ),
    ),
)


def step(number: int, *, time: float, tokens: int = 100, loss_tokens: int = 40) -> Step:
    return Step(step=number, time=time, tokens=tokens, loss_tokens=loss_tokens, loss=1.0)


def outcome(*times: float, peaks_gib: tuple[float, ...] = (1.0, 2.0)) -> Outcome:
    return Outcome(
        name="one",
        launched=0.0,
        ranks_started=4.0,
        steps=tuple(step(number, time=time) for number, time in enumerate(times, start=1)),
        peaks_gib=peaks_gib,
        cpu_step_s=1.0,
        load_before=0.0,
    )


def test_speed_leaves_out_the_first_two_steps() -> None:
    # Steps 3 and 4 took 6 s together and held 200 tokens, 80 of them with a loss.
    run = outcome(10.0, 90.0, 92.0, 96.0)
    assert run.tokens_per_s == pytest.approx(200 / 6)
    assert run.loss_tokens_per_s == pytest.approx(80 / 6)
    assert run.step_s == pytest.approx(3.0)


def test_first_step_counts_from_the_ranks_start_and_from_the_command() -> None:
    run = outcome(10.0, 11.0, 12.0)
    assert (run.first_step_s, run.command_to_first_step_s) == (6.0, 10.0)


def test_peak_is_that_of_the_worst_rank() -> None:
    assert outcome(1.0, 2.0, 3.0, peaks_gib=(3.5, 3.0)).peak_gib == 3.5


def test_ratios_compare_runs_of_the_same_round() -> None:
    ours = [outcome(1.0, 2.0, 3.0), outcome(1.0, 2.0, 4.0)]
    theirs = [outcome(1.0, 2.0, 4.0), outcome(1.0, 2.0, 3.0)]
    assert ratio_by_round(ours, theirs, value=lambda run: run.tokens_per_s) == (2.0, 0.5)


def test_memory_after_the_last_step_is_not_counted() -> None:
    samples = [
        Sample(time=time, process=process, gib=gib, cpu_s=0.0)
        for time, process, gib in ((1, 7, 2.0), (1, 8, 1.0), (2, 7, 1.5), (3, 8, 1.2), (4, 7, 9.0))
    ]
    assert peaks(samples, until=3.5) == (2.0, 1.2)


def test_cpu_time_between_two_times_is_summed_over_ranks() -> None:
    samples = [
        Sample(time=time, process=process, gib=1.0, cpu_s=used)
        for time, process, used in (
            *((0, 7, 1.0), (1, 7, 2.0), (2, 7, 4.0), (3, 7, 9.0)),
            *((1, 8, 10.0), (2, 8, 11.5)),
        )
    ]
    assert cpu_s(samples, 1, 2) == 2.0 + 1.5


def test_steps_of_two_ranks_are_summed(tmp_path: Path) -> None:
    for rank, tokens in enumerate((500, 412)):
        StepLog(tmp_path, rank=rank).add(step(1, time=5.0 + rank, tokens=tokens))
    assert read_steps(tmp_path, ranks=2) == (step(1, time=5.0, tokens=912, loss_tokens=80),)


def test_a_rank_with_fewer_steps_is_reported(tmp_path: Path) -> None:
    StepLog(tmp_path, rank=0).add(step(1, time=5.0))
    with pytest.raises(ValueError, match=r"\[1, 0\] steps"):
        read_steps(tmp_path, ranks=2)


def test_the_sampler_sees_brief_memory_peaks_of_other_processes() -> None:
    held = "import time; time.sleep(.3); x = bytearray(300 << 20); time.sleep(.3); del x"
    with subprocess.Popen([sys.executable, "-c", held]) as child:
        before = time.time()
        with MemorySampler(lambda: [child.pid]) as sampler:
            child.wait(timeout=30)
    (peak,) = sampler.peaks_gib(until=time.time())
    assert 0.29 < peak < 0.45
    assert abs(sampler.started[child.pid] - before) < 2


def test_a_with_that_does_nothing_is_sampled_once() -> None:
    with MemorySampler(lambda: [os.getpid()]) as sampler:
        pass
    (peak,) = sampler.peaks_gib(until=time.time())
    assert peak > 0.005


def test_memory_and_cpu_time_of_this_process_are_positive() -> None:
    assert (anonymous_memory_gib(os.getpid()) or 0) > 0.005
    times = process_times(os.getpid())
    assert times.started < time.time()
    assert times.cpu_s > 0


def test_goals_are_reported_as_met_or_missed() -> None:
    fast, slow = [outcome(1.0, 2.0, 3.0)], [outcome(1.0, 2.0, 3.1, peaks_gib=(1.5, 1.5))]
    met, missed, start, memory = verdicts({OURS: fast, BARE: slow, TRL_PACKED: slow})
    assert met.startswith("Met: at least 1.1 times the tokens/s of bare DeepSpeed. Measured: 1.1")
    assert missed.startswith("NOT met: at least 1.35 times the tokens/s of TRL packed.")
    assert start == (
        "NOT met: start to first step in at most 0.8 of the time of TRL packed. "
        "Measured: 1.00 of its time."
    )
    assert memory == (
        "NOT met: less memory than bare DeepSpeed, TRL packed. "
        "Measured: 2.00 GiB against 1.50 (bare DeepSpeed), 1.50 (TRL packed)."
    )


TOKENISED = {
    "ratios": [0.7, 0.9, 0.75],
    "ratio": 0.75,
    "ratio_to_fast": 0.625,
    "tokens": 12_000,
    "cores": 2,
    "filled": 0.9987,
    "order_us_per_sequence": 7.25,
}


def test_data_goals_are_reported_as_met_or_missed() -> None:
    assert data_verdicts(TOKENISED) == [
        "NOT met: rows to packed tokens at 0.8 of the speed of tokenizers alone. Measured: 0.75 "
        "(0.70, 0.90, 0.75), 0.62 of its speed without offsets, 12,000 tokens, 2 cores.",
        "Met: sequences at least 99% full. Measured: 99.87%.",
        "Met: order and mixing in at most 10 microseconds a sequence. Measured: 7.2.",
    ]


def test_peers_tokenize_rows_to_the_same_tokens(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text((json.dumps({"messages": CHAT}) + "\n") * 3)
    write_tokenizer(tmp_path / "model")
    found = measure(tmp_path / "model", rows, times=2)
    assert found["conversations"] == 6
    assert len(found["ratios"]) == len(found["ftdist_s"]) == len(found["tokenizers_s"]) == 3
    assert found["filled"] == round(found["tokens"] / 2048, 4)  # in one sequence, all of them


def test_page_shows_every_run() -> None:
    runs = {OURS: [outcome(1.0, 2.0, 3.0), outcome(1.0, 2.0, 4.0)]}
    page = document(runs, facts={"cores": "2"}, settings=["as told"], tokenised=TOKENISED)
    assert "| 1 | ftdist | 100.0 |" in page
    assert "| 2 | ftdist | 50.0 |" in page
    assert "| ftdist | 75.0 |" in page
    assert "| cores | 2 |" in page


def test_peers_are_given_the_zero_sizes_and_the_optimizer_of_ftdist() -> None:
    config = compose(overrides(model=Path("m"), library=Path("l"), steps=6, folder=Path("f")))
    peers = peer_settings(config, rows=Path("l/rows.jsonl"))
    plan = make_plan(config, model=MODEL, library=LIBRARY, device="cpu")
    ours = build_ds_config(config, plan, device="cpu", dtype="float32")
    theirs = peers.deepspeed()
    # How gradients travel over gloo is ftdist's own choice; the sizes are the same.
    assert ours["zero_optimization"].pop("reduce_scatter") is False
    assert theirs["zero_optimization"] == ours["zero_optimization"]
    assert theirs["gradient_clipping"] == ours["gradient_clipping"]
    assert (peers.steps, peers.ranks, peers.sequence_length) == (6, 2, 512)
    assert peers.learning_rate == config.optim.peak_lr


def test_settings_round_trip(tmp_path: Path) -> None:
    settings = peer_settings_of(tmp_path)
    settings.write(tmp_path / "settings.json")
    assert PeerSettings.read(tmp_path / "settings.json") == settings


class Characters:
    """A tokenizer of one token a character, with a chat template of two marks."""

    def apply_chat_template(
        self, messages: list[dict[str, str]], *, tokenize: bool, add_generation_prompt: bool
    ) -> str:
        assert not tokenize
        text = "".join(f"{message['role'][0]}{message['content']}|" for message in messages)
        return text + "a" * add_generation_prompt

    def __call__(self, text: str, *, add_special_tokens: bool) -> dict[str, list[int]]:
        assert not add_special_tokens  # the template has written them
        return {"input_ids": [ord(character) for character in text]}


CHAT = [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Ho"}]


def test_answer_tokens_are_the_conversation_minus_the_prompt() -> None:
    ids, answered = answer_mask(Characters(), CHAT)
    assert "".join(map(chr, ids)) == "uHi?|aHo|"
    assert answered == [False] * 6 + [True] * 3


def test_blocks_are_full_and_keep_labels_with_their_tokens(tmp_path: Path) -> None:
    # Two rows of 9 characters give two blocks of 8; the last 2 are left over.
    first, second = make_blocks(peer_settings_of(tmp_path), Characters())
    assert "".join(map(chr, first[0][0].tolist())) == "uHi?|aHo"
    assert "".join(map(chr, second[0][0].tolist())) == "|uHi?|aH"
    assert first[1].tolist() == [[-100] * 6 + [ord("H"), ord("o")]]
    assert second[1].tolist() == [[ord("|"), *[-100] * 6, ord("H")]]


def test_trl_runs_with_the_versions_that_ftdist_was_tested_with() -> None:
    tested = set((CHECKOUT / "constraints.txt").read_text().splitlines())
    pins = [line for line in REQUIREMENTS.read_text().splitlines() if not line.startswith("#")]
    shared = [pin for pin in pins if not pin.startswith(("trl==", "datasets=="))]
    assert len(shared) >= 4
    assert set(shared) <= tested


def test_no_benchmark_inherits_allocator_or_thread_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert not {"MALLOC_ARENA_MAX", "OMP_NUM_THREADS"} & clean_environment().keys()


def peer_settings_of(folder: Path) -> PeerSettings:
    """Settings for two rows of one short chat."""
    rows = folder / "rows.jsonl"
    rows.write_text((json.dumps({"messages": CHAT}) + "\n") * 2)
    return PeerSettings(
        model="m",
        rows=str(rows),
        log=str(folder),
        steps=3,
        ranks=2,
        sequence_length=8,
        seed=1,
        learning_rate=1e-3,
        betas=(0.9, 0.95),
        eps=1e-8,
        weight_decay=0.0,
        max_grad_norm=1.0,
        zero={},
        packed=True,
    )
