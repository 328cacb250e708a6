"""Names that other trainers have for our keys, so that a habit is answered with the key."""

ALIASES: dict[str, str] = {
    "lr": "optim.peak_lr",
    "learning_rate": "optim.peak_lr",
    "max_lr": "optim.peak_lr",
    "warmup": "optim.warmup_ratio",
    "lr_scheduler_type": "optim.schedule",
    "scheduler": "optim.schedule",
    "max_grad_norm": "optim.clip_norm",
    "grad_clip": "optim.clip_norm",
    "gradient_clipping": "optim.clip_norm",
    "adam_beta1": "optim.beta1",
    "adam_beta2": "optim.beta2",
    "adam_epsilon": "optim.eps",
    "freeze": "optim.frozen",
    "frozen_parameters": "optim.frozen",
    "layerwise_lr_decay": "optim.layer_decay",
    "layer_wise_lr_decay": "optim.layer_decay",
    "batch_size": "batch.tokens",
    "batch.size": "batch.tokens",
    "train_batch_size": "batch.tokens",
    "global_batch_size": "batch.tokens",
    "per_device_train_batch_size": "batch.micro_sequences",
    "micro_batch_size": "batch.micro_sequences",
    "gradient_accumulation_steps": "batch.micro_sequences",
    "gradient_accumulation": "batch.micro_sequences",
    "gradient_checkpointing": "model.activation_checkpointing",
    "epochs": "train.epochs",
    "num_epochs": "train.epochs",
    "num_train_epochs": "train.epochs",
    "steps": "train.steps",
    "max_steps": "train.steps",
    "eval_steps": "train.evaluate_every_steps",
    "save_steps": "checkpoint.every_steps",
    "save_total_limit": "checkpoint.keep",
    "seq_len": "batch.sequence_tokens",
    "seq_length": "batch.sequence_tokens",
    "max_length": "batch.sequence_tokens",
    "max_seq_len": "batch.sequence_tokens",
    "max_seq_length": "batch.sequence_tokens",
    "output_dir": "run.root",
    "checkpoint.dir": "run.root",
    "seed": "run.seed",
    "model_name_or_path": "model.path",
    "model_name": "model.path",
    "dataset": "library.path",
    "attn_implementation": "model.attention",
    "report_to": "tracking.wandb",
    "tracking.mode": "tracking.wandb",
    "wandb.mode": "tracking.wandb",
    "wandb_mode": "tracking.wandb",
}
"""Whole names, or last parts of dotted ones, to the key that has the same effect or the nearest."""

_TOKENS = "write batch.tokens=..., which counts tokens of one step, all ranks together."
_TRACKING = "write tracking=auto, tracking=online, tracking=offline or tracking=off."

ALIASES_THAT_DIFFER: dict[str, str] = {
    "gradient_accumulation_steps": "set batch.tokens and batch.micro_sequences: how often "
    "gradients are accumulated follows from them.",
    "gradient_accumulation": "set batch.tokens and batch.micro_sequences: how often gradients are "
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
