"""Axolotl's keys: which are taken, which need nothing, which have no counterpart, and why."""

from ftdist.config.migrate.without import WITHOUT as COMMON

TAKEN = (
    *("base_model", "revision_of_model", "datasets", "pretraining_dataset", "sequence_len"),
    *("sample_packing", "micro_batch_size", "gradient_accumulation_steps", "num_epochs"),
    *("max_steps", "optimizer", "lr_scheduler", "lr_scheduler_kwargs", "learning_rate"),
    *("warmup_steps", "warmup_ratio", "weight_decay", "max_grad_norm", "val_set_size", "seed"),
    *("gradient_checkpointing", "flash_attention", "deepspeed", "eval_steps", "save_steps"),
    *("save_total_limit", "wandb_project", "wandb_entity", "wandb_name", "wandb_mode"),
    *("output_dir", "default_system_message", "excess_length_strategy", "attn_implementation"),
)
"""Keys that the converter reads, to find what a mistyped one means."""

NOTHING_TO_SET = (
    *("strict", "model_type", "type_of_model", "tokenizer_*", "base_model_config"),
    *("cls_model_config", "is_*_derived_model", "processor_type", "base_model_ignore_patterns"),
    *("pad_to_sequence_len", "group_by_length", "eval_sample_packing", "batch_flattening"),
    *("sample_packing_*", "multipack_real_batches", "eval_sequence_len"),
    *("dataset_*", "shuffle_merged_datasets", "skip_prepare_dataset", "dataloader_*", "streaming*"),
    *("logging_steps", "tf32", "low_cpu_mem_usage", "ddp*", "fsdp*", "device*", "world_size"),
    *("local_rank", "gc_steps", "save_safetensors", "save_only_model", "save_first_step"),
    *("gradient_checkpointing_kwargs", "accelerator_config", "remove_unused_columns", "debug"),
    *("load_best_model_at_end", "auto_resume_from_checkpoints", "include_t*", "use_tensorboard"),
    *("profiler_*", "auto_find_batch_size", "eval_batch_size", "hf_use_auth_token", "dp_*_size"),
    *("experimental_skip_move_to_device", "total_num_tokens", "total_supervised_tokens"),
    *("is_preprocess", "preprocess_iterable", "axolotl_config_path", "pretrain_multipack_*"),
    *("cut_cross_entropy", "chunked_cross_entropy*", "liger_*", "flash_attn_*", "use_kernels"),
    *("eot_tokens", "max_packed_sequence_len"),
)
"""Patterns of keys that ftdist decides itself or does always."""

WITHOUT = {
    **COMMON,
    "test_datasets": "ftdist keeps library.held_out_fraction of the rows; a curated library has a "
    "held-out split of its own.",
    "min_sample_len": "ftdist leaves out no short rows.",
    "unfrozen_parameters": "optim.freeze_params names what is not trained: write the opposite.",
    "special_tokens": "ftdist keeps the tokenizer: change it in the model folder first.",
    "tokens": "ftdist keeps the tokenizer: change it in the model folder first.",
    "added_tokens_overrides": "ftdist keeps the tokenizer: change it in the model folder first.",
    "resize_token_embeddings_to_32x": "ftdist keeps the shape of the embeddings.",
    "overrides_of_model_*": "ftdist takes the model as its config.json says: change it there.",
    "plugins": "ftdist loads no code from configs.",
    "push_dataset_to_hub": "`ftdist push libraries/L org/name` publishes a curated library.",
    "lr_groups": "optim.layerwise_lr_decay is the only difference between layers.",
    "cosine_constant_lr_ratio": "ftdist's cosine ends at the last step.",
    "embedding_lr*": "optim.layerwise_lr_decay is the only difference between layers.",
    "tensor_parallel_size": "ftdist shards with ZeRO-3 only.",
    "do_bench_eval": "`ftdist compare` evaluates; see eval.lm_eval_tasks.",
    "do_causal_lm_eval": "`ftdist compare` evaluates; see eval.lm_eval_tasks.",
    "eval_causal_lm_metrics": "`ftdist compare` evaluates; see eval.lm_eval_tasks.",
    "eval_table_size": "eval.num_generations answers questions during training.",
    "eval_max_new_tokens": "eval.max_new_tokens_in_training limits answers during training.",
}

ATTENTION = {
    "flash_attention": "flash_attention_2",
    "sdp_attention": "sdpa",
    "eager_attention": "eager",
    "xformers_attention": "xformers",
    "flex_attention": "flex_attention",
    "s2_attention": "s2",
    "sage_attention": "sage",
}
"""Switches that choose the attention kernel, with transformers' name of it."""

BUILDERS = ("json", "jsonl", "parquet", "csv", "text", "arrow")
"""Paths that name a format, with the files in `data_files`."""

COLUMNS = {
    "field_messages": ("messages", ("messages", "conversations")),
    "field_tools": ("tools", ("tools",)),
    "field_system": ("system", ("system",)),
    "field text_column": ("text", ("text",)),
    "field_chosen": ("chosen", ("chosen",)),
    "field_rejected": ("rejected", ("rejected",)),
    "message_field_role": ("role", ("role", "from")),
    "message_field_content": ("content", ("content", "value")),
}
"""Keys of a dataset to ftdist's columns, and the names that ftdist finds by itself."""

MESSAGE_KEYS = {"role": ("role", "from"), "content": ("content", "value")}
"""Keys of messages, and the names that ftdist finds by itself."""

THINKING = ("reasoning_content", "reasoning", "thinking")
"""Names of a thought that ftdist finds by itself."""

PROMPTER = {
    "field_instruction": "question",
    "field_input": "input",
    "field_output": "answer",
    "field_system": "system",
    "field_prompt": "question",
    "field_completion": "answer",
    "field_chosen": "chosen",
    "field_rejected": "rejected",
    "field_label": "kto_tag",
}
"""Keys of a `type` that the user wrote to ftdist's columns."""

PREFERENCE_COLUMNS = {
    "question": "prompt",
    "answer": "completion",
    "chosen": "chosen",
    "rejected": "rejected",
    "kto_tag": "label",
}
"""Names of such a `type` for DPO or KTO where the user wrote none; a row has some of them."""

TYPE_COLUMNS = {
    "summarizetldr": {"question": "article", "answer": "summary"},
    "metharme": {"question": "prompt", "answer": "generation"},
}
"""Types whose rows have names of their own."""

READ_TYPES = {
    *("", "chat_template", "alpaca", "alpaca_chat", "alpaca_w_system", "completion", "gpteacher"),
    *("oasst", "jeopardy", "sharegpt", "pretrain", "pygmalion", "llama2_chat", "chatml"),
}
"""Types whose rows ftdist tells by their keys."""

TRAINING_FLAGS = {"weight", "train", "training", "trainable", "loss", "learn"}
"""Keys of messages by which ftdist knows what is learned."""

SPEAKERS = {
    *("user", "human", "assistant", "gpt", "model", "system", "developer", "tool", "bot", "ai"),
    *("observation", "function", "customer", "agent", "ipython"),
}
"""Names of speakers that ftdist knows; there are more."""

DATASET_TAKEN = (
    *("path", "name", "split", "revision", "type", "data_files", "message_property_mappings"),
    *("roles_to_train", "train_on_eos", "message_field_training", "roles", *COLUMNS),
)

DATASET_NOTHING_TO_SET = (
    *("ds_type", "preprocess_shards", "split_thinking", "conversation"),
    *("template_thinking_key", "trust_remote_code"),
)

DATASET_WITHOUT = {
    "chat_template*": COMMON["chat_template"],
    "shards": "ftdist reads all rows: write a smaller file.",
    "shards_idx": "ftdist reads all rows: write a smaller file.",
    "skip": "ftdist reads all rows: write a smaller file.",
    "message_field_training_detail": "ftdist learns whole answers: weight 0 or 1 per message.",
    "drop_system_message": "remove the system messages from the rows.",
    "input_transform": "ftdist runs no code of a config: transform the rows first.",
    "input_format": "ftdist writes every prompt with the model's chat template.",
    "logprobs_field": "ftdist has no loss from another model's probabilities.",
    "temperature": "ftdist has no loss from another model's probabilities.",
    "field_human": "name the columns in library.columns: question and answer.",
    "field_model": "name the columns in library.columns: question and answer.",
}
