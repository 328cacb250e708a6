"""A plain DeepSpeed ZeRO-3 loop on one device: `MODEL ROWS LENGTH DEVICE THREADS`.

bfloat16 on a GPU; rows joined and cut into blocks, the model's own loss and attention.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch

STEPS, WARM_UP_STEPS, MICRO_STEPS = 8, 2, 2


def main() -> int:
    """Train for some steps; the last line printed is what was measured, as JSON."""
    model_path, rows, length, device, threads = sys.argv[1:6]
    torch.set_num_threads(int(threads))
    here = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29577", "DS_ACCELERATOR": device}
    os.environ |= {**here, "RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"}
    import deepspeed
    import deepspeed.ops
    from transformers import AutoModelForCausalLM, AutoTokenizer

    on_gpu = device == "cuda"
    if not on_gpu:
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed(dist_backend="nccl" if on_gpu else "gloo", auto_mpi_discovery=False)
    dtype = torch.bfloat16 if on_gpu else torch.float32
    model = AutoModelForCausalLM.from_pretrained(model_path, dtype=dtype)
    engine, *_ = deepspeed.initialize(
        model=model,
        optimizer=torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True),
        config={
            "train_micro_batch_size_per_gpu": 1,
            "gradient_accumulation_steps": MICRO_STEPS,
            "bf16": {"enabled": on_gpu},
            "zero_optimization": {"stage": 3},
            "zero_allow_untested_optimizer": True,
            "zero_force_ds_cpu_optimizer": False,
            "steps_per_print": 2**31 - 1,
        },
    )
    engine.train()
    blocks = _blocks(AutoTokenizer.from_pretrained(model_path), Path(rows), int(length))
    times = []
    for step in range(STEPS):
        began = time.perf_counter()
        for micro_step in range(MICRO_STEPS):
            block = blocks[(step * MICRO_STEPS + micro_step) % len(blocks)].to(engine.device)
            loss = engine(input_ids=block, labels=block, use_cache=False).loss
            engine.backward(loss)
            engine.step()
        float(loss)
        times.append(time.perf_counter() - began)
    step_s = sorted(times[WARM_UP_STEPS:])[(STEPS - WARM_UP_STEPS) // 2]
    peak = torch.cuda.max_memory_allocated() / 2**30 if on_gpu else float("nan")
    rate = MICRO_STEPS * int(length) / step_s
    print(json.dumps({"tokens_per_s": rate, "step_s": step_s, "peak_gib": peak}))
    return 0


def _blocks(tokenizer: Any, rows: Path, length: int) -> list[torch.Tensor]:
    ids: list[int] = []
    for line in rows.read_text(encoding="utf-8").splitlines():
        texts = [message["content"] for message in json.loads(line)["messages"]]
        ids += tokenizer(" ".join(texts))["input_ids"]
    return [
        torch.tensor([ids[start : start + length]])
        for start in range(0, len(ids) - length + 1, length)
    ]


if __name__ == "__main__":
    sys.exit(main())
