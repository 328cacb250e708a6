"""One rank of TRL's SFTTrainer, in its environment: `python -m benchmarks.trl_peer SETTINGS.json`.

Rows are given as prompt and completion, for which TRL counts the loss of the completion alone; the
model's chat template has no marks of an assistant's turn, which `assistant_only_loss` would need.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import Step, StepLog
from benchmarks.settings import PeerSettings, answer_mask


def main() -> int:
    """Train for the steps that the settings name, and write each one down."""
    settings = PeerSettings.read(Path(sys.argv[1]))
    import deepspeed.ops
    from accelerate import PartialState
    from datasets import Dataset
    from transformers import AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    # Without this DeepSpeed would compile an extension for shared memory, and needs a compiler.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    # Left to itself, accelerate knows no DeepSpeed on several CPU processes, and counts one.
    os.environ["ACCELERATE_USE_DEEPSPEED"] = "true"
    PartialState(backend="gloo")
    tokenizer = AutoTokenizer.from_pretrained(settings.model)
    rows = settings.conversations()
    log = StepLog(Path(settings.log), rank=int(os.environ["RANK"]))

    counts: dict[str, Any] = {}

    class Counted(SFTTrainer):  # type: ignore[misc]
        """SFTTrainer that counts what it trains on."""

        def training_step(self, model: Any, inputs: dict[str, Any], *rest: Any, **more: Any) -> Any:
            mask, labels = inputs.get("attention_mask"), inputs["labels"]
            counts["tokens"] = int(inputs["input_ids"].numel() if mask is None else mask.sum())
            counts["loss_tokens"] = int((labels[:, 1:] != -100).sum())
            loss = super().training_step(model, inputs, *rest, **more)
            counts["loss"] = float(loss)
            return loss

    class Clock(TrainerCallback):  # type: ignore[misc]
        """Writes each step down once its update is done."""

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:  # noqa: ARG002
            log.add(Step(step=state.global_step, time=time.time(), **counts))
            return control

    trainer = Counted(
        model=settings.model,
        args=SFTConfig(**trainer_arguments(settings, tokenizer, rows)),
        train_dataset=Dataset.from_list(
            [{"prompt": row[:-1], "completion": row[-1:]} for row in rows]
        ),
        processing_class=tokenizer,
        callbacks=[Clock()],
    )
    assert trainer.accelerator.num_processes == settings.ranks, trainer.accelerator.state
    trainer.train()
    return 0


def trainer_arguments(
    settings: PeerSettings, tokenizer: Any, rows: list[list[dict[str, str]]]
) -> dict[str, Any]:
    """What SFTConfig is given; everything else is left at TRL's defaults."""
    mean_tokens = sum(len(answer_mask(tokenizer, row)[0]) for row in rows) / len(rows)
    # Unpacked, as many conversations as have the tokens of one packed row.
    batch = 1 if settings.packed else max(1, round(settings.sequence_length / mean_tokens))
    config = settings.deepspeed()
    config["train_micro_batch_size_per_gpu"] = batch
    config["train_batch_size"] = batch * settings.ranks
    return {
        "output_dir": str(Path(settings.log) / "trainer"),
        "deepspeed": config,
        "accelerator_config": {"use_configured_state": True},
        "model_init_kwargs": {"dtype": "float32"},
        "bf16": False,
        "gradient_checkpointing": False,
        "max_length": settings.sequence_length,
        "packing": settings.packed,
        "packing_strategy": "bfd",
        "per_device_train_batch_size": batch,
        "gradient_accumulation_steps": 1,
        "max_steps": settings.steps,
        "optim": "adamw_torch_fused",
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": "constant",
        "adam_beta1": settings.betas[0],
        "adam_beta2": settings.betas[1],
        "adam_epsilon": settings.eps,
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "seed": settings.seed,
        "save_strategy": "no",
        "logging_steps": settings.steps,
        "report_to": "none",
        "disable_tqdm": True,
    }


if __name__ == "__main__":
    sys.exit(main())
