"""Keys of several trainers that ftdist has no counterpart of, with a sentence each."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

_LORA = (
    "ftdist trains all parameters and has no adapters (LoRA): see docs/explanation/forgetting.md."
)
_QUANTIZED = "ftdist trains in bfloat16 or float32, without quantization."
_RL = "ftdist has no preference or reinforcement learning."
_VISION = "ftdist trains text models only."
_EXPERTS = "ftdist does not train mixtures of experts."
_NOISE = "ftdist adds no noise to embeddings."
_TRACKER = "ftdist's own files and W&B are its only records (tracking)."
_PACKED = "ftdist always packs, and samples never see each other."
_SHARDED = "ftdist shards everything with ZeRO-3 (engine=zero3, engine=zero3_offload)."
_ADAMW = "ftdist trains with AdamW (its settings: optim.*)."
_PUBLISH = "`ftdist push R org/name` publishes the export after training."

WITHOUT = {
    **dict.fromkeys(("adapter*", "lora_*", "peft*", "qlora_*", "relora*", "loraplus*"), _LORA),
    **dict.fromkeys(("jagged_restart_*", "merge_lora", "lisa_*", "create_new_adapter"), _LORA),
    **dict.fromkeys(
        ("load_in_4bit", "load_in_8bit", "gptq*", "bnb_*", "quantization*"), _QUANTIZED
    ),
    **dict.fromkeys(("qat", "double_quantization", "model_quantization*"), _QUANTIZED),
    **dict.fromkeys(("dpo_*", "kto_*", "orpo_*", "cpo_*", "simpo_*", "rpo_*", "rl_*"), _RL),
    **dict.fromkeys(("trl", "vllm", "reward_*", "process_reward_model", "ppo_*", "pref_*"), _RL),
    **dict.fromkeys(("ref_model*", "max_prompt_len", "num_labels"), _RL),
    **dict.fromkeys(("image_*", "video_*", "audio_*", "freeze_mm_modules", "media_dir"), _VISION),
    **dict.fromkeys(("moe_*", "llama4_linearized_experts", "mixture_of_depths"), _EXPERTS),
    **dict.fromkeys(("neftune_noise_alpha", "noisy_embedding_alpha"), _NOISE),
    **dict.fromkeys(("use_mlflow", "mlflow_*", "hf_mlflow_*", "use_comet", "comet_*"), _TRACKER),
    **dict.fromkeys(("use_swanlab", "swanlab_*", "use_trackio", "trackio_*", "otel_*"), _TRACKER),
    **dict.fromkeys(("wandb_watch", "wandb_run_id"), _TRACKER),
    "wandb_log_model": "tracking.artifacts=files uploads the exported model.",
    **dict.fromkeys(("hub_*", "push_to_hub", "export_hub_model_id"), _PUBLISH),
    "chat_template": "ftdist uses the model's own chat template: to train with another one, write "
    "it to chat_template.jinja in the model folder.",
    "chat_template_*": "ftdist uses the model's own chat template: to train with another one, "
    "write it to chat_template.jinja in the model folder.",
    "trust_remote_code": "ftdist never runs code of a model or a dataset.",
    "resume_from_checkpoint": "`ftdist resume R` continues a run of ftdist; checkpoints of others "
    "are not read, exported models are.",
    "torch_compile*": "ftdist does not compile models.",
    "rope_scaling": "ftdist takes the model as its config.json says: change it there.",
    **dict.fromkeys(("packing", "sample_packing", "neat_packing", "padding_free"), _PACKED),
    "train_on_inputs": "ftdist learns what the assistant says, and nothing else.",
    "assistant_only_loss": "ftdist learns what the assistant says, and nothing else.",
    "completion_only_loss": "ftdist learns what the assistant says, and nothing else.",
    "train_on_prompt": "ftdist learns what the assistant says, and nothing else.",
    **dict.fromkeys(("fsdp*", "ddp*"), _SHARDED),
    **dict.fromkeys(("optimizer", "optim.name", "optim.optimizer", "optim.type"), _ADAMW),
    "logging_steps": "ftdist logs every step (metrics.jsonl, W&B).",
    "use_ray": "ftdist starts jobs itself: cluster=slurm.",
    "ray_*": "ftdist starts jobs itself: cluster=slurm.",
}
"""Patterns of keys, the first that matches wins."""


def sentence_for(name: str, without: Mapping[str, str] = WITHOUT) -> str | None:
    """What to say of a key that has no counterpart; None: nothing."""
    return next((text for pattern, text in without.items() if fnmatchcase(name, pattern)), None)
