"""Names of other trainers (and former names of ours) for config keys, to answer with the key."""

import json
from importlib import resources

ALIASES: dict[str, str] = json.loads(
    (resources.files("ftdist.config") / "aliases.json").read_text(encoding="utf-8")
)
"""Whole names, or last parts of dotted ones, to the key that has the same effect or the nearest."""

_TOKENS = "write batch.tokens=..., which counts tokens of one step, all ranks together."
_HELD_OUT = "set library.held_out_fraction to a share of the rows, such as 0.05."
_STEPS = "set {} to a number of steps; `ftdist plan` shows how many there are."
_DTYPE = "write model.dtype=bfloat16 or model.dtype=float32; ftdist does not train in float16."
_DEEPSPEED = (
    "write engine=zero3 or engine=zero3_offload; single settings are engine.deepspeed.KEY=VALUE, "
    "and no file is read."
)
_TRACKING = "write tracking=auto, tracking=online, tracking=offline or tracking=off."

ALIASES_THAT_DIFFER: dict[str, str] = {
    "gradient_accumulation_steps": "set batch.tokens and batch.micro_batch_size: how often "
    "gradients are accumulated follows from them.",
    "gradient_accumulation": "set batch.tokens and batch.micro_batch_size: how often gradients are "
    "accumulated follows from them.",
    "batch_size": _TOKENS,
    "train_batch_size": _TOKENS,
    "global_batch_size": _TOKENS,
    "size": _TOKENS,
    "learning_rate_multiplier": "set optim.peak_lr to the rate itself, such as 1e-5.",
    "warmup_steps": "set optim.warmup_ratio to these steps divided by all steps of `ftdist plan`.",
    "validation_file": _HELD_OUT,
    "val_set_size": _HELD_OUT,
    "val_size": _HELD_OUT,
    "n_evals": _STEPS.format("eval.loss_every_steps"),
    "n_checkpoints": _STEPS.format("checkpoint.every_steps"),
    **dict.fromkeys(("bf16", "fp16", "half"), _DTYPE),
    **dict.fromkeys(("betas", "adam_betas"), "write optim.beta1=... and optim.beta2=..."),
    **dict.fromkeys(("deepspeed", "deepspeed_config", "ds_config"), _DEEPSPEED),
    "flash_attention": "write model.attention=flash_attention_2, or leave it out.",
    "flash_attn": "write model.attention=flash_attention_2, or leave it out.",
    "datasets": "write library.path=..., one file, folder or dataset of the Hub.",
    "mode": _TRACKING,
    "wandb_mode": _TRACKING,
    "report_to": _TRACKING,
    "dir": "write run.root=..., in which the run gets a directory run.name.",
    "output_dir": "write run.root=..., the folder in which the run gets a directory run.name.",
}
"""Last parts of names whose value cannot simply be carried over; the remedy in full."""

OPTIONS_WITHOUT: dict[str, dict[str, str]] = {
    "tracking": dict.fromkeys(
        ("tensorboard", "mlflow", "comet", "clearml", "neptune", "swanlab", "trackio", "aim"),
        "a run's own files and W&B are the only records",
    ),
    "engine": dict.fromkeys(
        ("fsdp", "fsdp2", "ddp", "zero1", "zero2", "megatron"),
        "parameters, gradients and optimizer state are sharded with ZeRO-3",
    ),
}
"""Options that users of other trainers expect in a group, and why there are none."""
