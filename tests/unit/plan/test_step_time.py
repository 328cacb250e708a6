"""The time of a step on GPUs: worked by hand for one GPU, and beside published figures."""

from dataclasses import replace

import pytest

from ftdist.plan.gpus import Gpu
from ftdist.plan.hardware import find_hardware
from ftdist.plan.step_time import step_time
from tools.performance_page import CASES, computed

GPU = Gpu(name="G", memory_gib=80, tflops=1000, memory_gb_per_s=2500, nvlink_gb_per_s=900)


def test_terms_of_a_step_by_hand() -> None:
    config, plan, model = computed(
        "8 B (as Llama-3.1-8B)",
        nodes=1,
        length=4096,
        micro=1,
        attention="varlen",
        checkpointing="none",
    )[1:]
    links = find_hardware(config.cluster, device="cuda")
    found = step_time(config, plan=plan, model=model, gpu=GPU, links=links)
    # 8.03e9 less two embeddings of 128,256 x 4,096 = 6.979e9; over 0.5 of 1000 TFLOP/s
    assert found.products_s == pytest.approx(6 * 6.979e9 * 4096 / 500e12, rel=1e-3)
    assert found.attention_s == pytest.approx(7 * 32 * 4096 * 4096 * 4096 / 280e12)
    assert found.elementwise_s == pytest.approx(480 * 32 * 4096 * 4096 / 2e12)
    assert found.head_s == pytest.approx(6 * 128_256 * 4096 * 4096 / 500e12)
    assert found.optimizer_s == pytest.approx(60 * 8.03e9 / 8 / 2e12)
    assert found.reference_s == 0
    full = replace(config, model=replace(config.model, activation_checkpointing="full"))
    again = step_time(full, plan=plan, model=model, gpu=GPU, links=links)
    assert again.products_s == pytest.approx(found.products_s * 8 / 6)
    assert again.attention_s == pytest.approx(found.attention_s * 9 / 7)
    masked = replace(config, model=replace(config.model, attention="sdpa"))
    slow = step_time(masked, plan=plan, model=model, gpu=GPU, links=links)
    assert slow.attention_s == pytest.approx(found.attention_s * 280 / 150)


def test_llama_8b_on_8_h100_is_near_the_published_rate() -> None:
    _, name, nodes, length, micro, attention, checkpointing = CASES[2]
    time, _, plan, _ = computed(
        name,
        nodes=nodes,
        length=length,
        micro=micro,
        attention=attention,
        checkpointing=checkpointing,
    )
    assert plan.sequence_length / time.total_s == pytest.approx(5762, rel=0.1)
