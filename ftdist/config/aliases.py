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
    "bf16": "write model.dtype=bfloat16 or model.dtype=float32.",
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
