"""One rank of a plain DeepSpeed loop: `python -m benchmarks.bare SETTINGS.json`.

ZeRO-3 as its documentation and transformers' have it: the model loaded by `from_pretrained` under
`HfDeepSpeedConfig`, rows joined and cut into blocks of one length, the model's own loss,
`engine.backward`, `engine.step`.
"""

import os
import sys
import time
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.measure import Step, StepLog
from benchmarks.settings import PeerSettings, answer_mask


def main() -> int:
    """Train for the steps that the settings name, and write each one down."""
    settings = PeerSettings.read(Path(sys.argv[1]))
    import deepspeed
    import deepspeed.ops
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.integrations import HfDeepSpeedConfig

    # Without this DeepSpeed would compile an extension for shared memory, and needs a compiler.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed(dist_backend="gloo", auto_mpi_discovery=False)
    torch.manual_seed(settings.seed)
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])

    config = settings.deepspeed()
    # Must live as long as the model is loaded: transformers keeps a weak reference to it.
    zero_init = HfDeepSpeedConfig(config)
    model = AutoModelForCausalLM.from_pretrained(settings.model, dtype=torch.float32)
    del zero_init
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=settings.learning_rate,
        betas=settings.betas,
        eps=settings.eps,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=config)
    engine.train()

    tokenizer = AutoTokenizer.from_pretrained(settings.model)
    blocks = make_blocks(settings, tokenizer)
    log = StepLog(Path(settings.log), rank=rank)
    for step in range(settings.steps):
        input_ids, labels = blocks[(step * size + rank) % len(blocks)]
        loss = engine(input_ids=input_ids, labels=labels, use_cache=False).loss
        engine.backward(loss)
        engine.step()
        log.add(
            Step(
                step=step + 1,
                time=time.time(),
                tokens=input_ids.numel(),
                loss_tokens=int((labels[:, 1:] != -100).sum()),
                loss=float(loss),
            )
        )
    torch.distributed.destroy_process_group()
    return 0


def make_blocks(settings: PeerSettings, tokenizer: object) -> list[tuple[Tensor, Tensor]]:
    """All rows one after another, cut into full blocks; labels are the answers' tokens."""
    ids: list[int] = []
    labels: list[int] = []
    for messages in settings.conversations():
        row, answered = answer_mask(tokenizer, messages)
        ids += row
        labels += [token if learn else -100 for token, learn in zip(row, answered, strict=True)]
    length = settings.sequence_length
    return [
        (torch.tensor([ids[at : at + length]]), torch.tensor([labels[at : at + length]]))
        for at in range(0, len(ids) - length + 1, length)
    ]


if __name__ == "__main__":
    sys.exit(main())
