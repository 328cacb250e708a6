"""Names of other trainers (and former names of ours) for config keys, to answer with the key."""

import json
from importlib import resources

ALIASES: dict[str, str] = json.loads(
    (resources.files("ftdist.config") / "aliases.json").read_text(encoding="utf-8")
)
"""Whole names, or last parts of dotted ones, to the key that has the same effect or the nearest."""

_TOKENS = "write batch.tokens=..., which counts tokens of one step, all ranks together."
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
    "mode": _TRACKING,
    "wandb_mode": _TRACKING,
    "report_to": _TRACKING,
    "dir": "write run.root=..., in which the run gets a directory run.name.",
    "output_dir": "write run.root=..., the folder in which the run gets a directory run.name.",
}
"""Last parts of names whose value cannot simply be carried over; the remedy in full."""
