"""LLaMA-Factory's keys: which are taken, which need nothing, which have no counterpart, and why."""

from ftdist.config.migrate.without import WITHOUT as COMMON

TAKEN = (
    *("model_name_or_path", "model_revision", "stage", "finetuning_type", "dataset", "dataset_dir"),
    *("cutoff_len", "packing", "neat_packing", "per_device_train_batch_size", "val_size", "seed"),
    *("gradient_accumulation_steps", "learning_rate", "num_train_epochs", "max_steps", "optim"),
    *("lr_scheduler_type", "lr_scheduler_kwargs", "warmup_ratio", "warmup_steps", "weight_decay"),
    *("max_grad_norm", "deepspeed", "eval_steps", "eval_strategy", "save_steps", "save_strategy"),
    *("save_total_limit", "output_dir", "report_to", "run_name", "default_system", "flash_attn"),
    "disable_gradient_checkpointing",
)
"""Keys that the converter reads, to find what a mistyped one means."""

NOTHING_TO_SET = (
    *("do_train", "do_eval", "overwrite_*", "preprocessing_*", "dataloader_*", "logging_*"),
    *("plot_loss", "ddp_timeout", "fsdp*", "per_device_eval_batch_size", "use_fast_tokenizer"),
    *("tokenized_path", "streaming", "buffer_size", "data_shared_file_system", "cache_dir"),
    *("ignore_pad_token_for_loss", "low_cpu_mem_usage", "save_only_model", "print_param_status"),
    *("include_*", "use_reentrant_gc", "upcast_*", "enable_liger_kernel", "load_best_model_at_end"),
    *("eval_accumulation_steps", "predict_with_generate", "compute_accuracy", "use_cache", "tf32"),
    *("hf_hub_token", "ms_hub_token", "om_hub_token", "freeze_vision_tower", "use_kv_cache"),
    *("freeze_multi_modal_projector", "infer_*", "use_unsloth_gc"),
    *("export_dir", "export_size", "export_device", "export_legacy_format"),
)
"""Patterns of keys that ftdist decides itself or does always."""

WITHOUT = {
    **COMMON,
    "template": COMMON["chat_template"],
    "tool_format": COMMON["chat_template"],
    "enable_thinking": "the chat template decides about thoughts; see library.reasoning.",
    "eval_dataset": "ftdist keeps library.held_out_fraction of the rows; a curated library has a "
    "held-out split of its own.",
    "eval_on_each_dataset": "ftdist has one held-out loss.",
    "max_samples": "ftdist reads all rows: write a smaller file.",
    "mask_history": "ftdist learns every answer: write weight 0 into those before the last.",
    "mix_strategy": "ftdist mixes by library.extra_sources.NAME.weight.",
    "interleave_probs": "ftdist mixes by library.extra_sources.NAME.weight.",
    "disable_shuffling": "ftdist always shuffles, by run.seed.",
    "resize_vocab": "ftdist keeps the tokenizer: change it in the model folder first.",
    "add_tokens": "ftdist keeps the tokenizer: change it in the model folder first.",
    "add_special_tokens": "ftdist keeps the tokenizer: change it in the model folder first.",
    "new_special_tokens_config": "ftdist keeps the tokenizer: change it in the model folder first.",
    "freeze_trainable_*": "optim.freeze_params names what is not trained: write the opposite.",
    "freeze_extra_modules": "optim.freeze_params names what is not trained: write the opposite.",
    "additional_target": COMMON["adapter*"],
    "use_dora": COMMON["adapter*"],
    "use_rslora": COMMON["adapter*"],
    "pissa_*": COMMON["adapter*"],
    "oft_*": COMMON["adapter*"],
    "use_galore": "ftdist has AdamW only.",
    "galore_*": "ftdist has AdamW only.",
    "use_apollo": "ftdist has AdamW only.",
    "apollo_*": "ftdist has AdamW only.",
    "use_badam": "ftdist has AdamW only.",
    "badam_*": "ftdist has AdamW only.",
    "use_adam_mini": "ftdist has AdamW only.",
    "use_muon": "ftdist has AdamW only.",
    "use_dft_loss": "ftdist has cross-entropy, and KL to the base model.",
    "use_unsloth": "ftdist trains with transformers' models.",
    "use_mca": "ftdist shards with ZeRO-3 only.",
    "shift_attn": "ftdist attends to the whole sample.",
}

ATTENTION = {
    "fa2": "flash_attention_2",
    "fa3": "flash_attention_3",
    "sdpa": "sdpa",
    "disabled": "eager",
}
"""Values of `flash_attn` to ftdist's kernels."""

_QUESTIONS = ("instruction", "question", "q", "prompt", "query")
COLUMNS: dict[str, tuple[str, tuple[str, ...]]] = {
    "prompt": ("question", _QUESTIONS),
    "query": ("input", ("input", "context", "passage", "background", "knowledge")),
    "response": ("answer", ("output", "answer", "a", "response", "completion", "reply")),
    "history": ("history", ("history",)),
    "messages": ("messages", ("conversations", "messages", "conversation", "dialog", "turns")),
    "system": ("system", ("system", "system_prompt", "system_message")),
    "tools": ("tools", ("tools",)),
    "chosen": ("chosen", ("chosen",)),
    "rejected": ("rejected", ("rejected",)),
}
"""Columns to ftdist's, and the names that ftdist finds by itself."""

KTO_TAGS = ("kto_tag", "label")
"""Names of the mark of a good answer that ftdist finds by itself."""

MEDIA = ("images", "videos", "audios")

TAG_COLUMNS = {
    "role_tag": ("role", ("from", "role")),
    "content_tag": ("content", ("value", "content")),
}

SPEAKERS = {
    "user_tag": ("user", "human", "customer", "client", "prompter"),
    "assistant_tag": ("assistant", "gpt", "model", "bot", "ai", "chatbot", "agent"),
    "system_tag": ("system", "developer"),
    "observation_tag": ("tool", "observation", "ipython"),
    "function_tag": ("function_call", "tool_call", "assistant"),
}
"""Tags of speakers, and the names that ftdist knows."""

DATASET_TAKEN = (
    *("hf_hub_url", "file_name", "formatting", "ranking", "subset", "split", "folder", "columns"),
    *("tags", "revision"),
)

DATASET_NOTHING_TO_SET = ("dataset_sha1", "file_sha1")

DATASET_WITHOUT = {"num_samples": "ftdist reads all rows: write a smaller file."}

REFUSED = {
    "ms_hub_url": "a dataset of ModelScope, and ftdist reads local files and Hugging Face's Hub.",
    "om_hub_url": "a dataset of Modelers, and ftdist reads local files and Hugging Face's Hub.",
    "script_url": "a script that loads the data, and ftdist runs no code of a dataset.",
}
REMEDY = "save the rows as JSONL or Parquet and name the file in library.path."
