"""What Axolotl's YAML becomes."""

from pathlib import Path
from typing import Any

import pytest

from ftdist.config.compose import compose
from ftdist.config.migrate.axolotl import convert_axolotl
from ftdist.config.migrate.convert import convert
from ftdist.config.migrate.draft import Migration
from ftdist.errors import ConfigError
from tests.support.migration import FOLDER

DATA: dict[str, Any] = {"datasets": [{"path": "chats.jsonl", "type": "chat_template"}]}


def converted(*, ranks: int | None = 1, **members: Any) -> Migration:
    return convert_axolotl({**DATA, **members}, path=Path("a.yaml"), ranks=ranks)


def of_dataset(**members: Any) -> Migration:
    return converted(datasets=[{"path": "chats.jsonl", "type": "chat_template", **members}])


def remark(migration: Migration, key: str) -> str:
    return next((r.text for r in migration.remarks if key in r.key.split(", ")), "")


def test_a_config_as_users_keep_it_becomes_overrides_that_compose() -> None:
    migration = convert(str(FOLDER / "axolotl.yaml"), ranks=4)
    config = compose(migration.lines())
    assert config.library.path == "axolotl_chats.jsonl"
    assert config.library.columns == {"messages": "dialogue"}
    assert config.library.held_out_fraction == 0.1
    assert config.library.overlong == "drop"  # Axolotl's default
    # 256 tokens x 2 rows x 4 accumulated x 4 ranks
    assert config.batch.tokens == 8192
    assert (config.batch.sequence_length, config.batch.micro_batch_size) == (256, 2)
    assert (config.optim.peak_lr, config.optim.schedule) == (2e-5, "cosine")
    assert (config.optim.warmup_ratio, config.optim.final_lr_ratio) == (0.1, 0.1)
    assert (config.optim.weight_decay, config.optim.beta2) == (0, 0.999)
    assert config.train.epochs == 3
    assert config.model.attention == "flash_attention_2"
    assert config.model.activation_checkpointing == "full"
    assert (config.tracking.wandb, config.tracking.project) == ("offline", "pumps")
    assert config.run.name == "t7"


def test_what_needs_nothing_or_steps_or_a_model_folder_is_said() -> None:
    migration = convert(str(FOLDER / "axolotl.yaml"))
    assert remark(migration, "pad_to_sequence_len") == "ftdist needs no such setting."
    assert "`ftdist plan`" in remark(migration, "evals_per_epoch")
    assert "model folder" in remark(migration, "special_tokens")
    assert "multiply batch.tokens" in remark(migration, "micro_batch_size")
    assert remark(migration, "chat_template") == ""  # tokenizer_default is what ftdist does


def test_a_dataset_of_the_hub_keeps_subset_split_and_revision() -> None:
    datasets = [{"path": "org/chats", "name": "en", "split": "train_sft", "revision": "v1"}]
    overrides = converted(datasets=datasets).overrides
    assert overrides["library.path"] == "hf://datasets/org/chats"
    assert overrides["library.subset"] == "en"
    assert overrides["library.split"] == "train_sft"
    assert overrides["library.revision"] == "v1"


def test_files_of_a_format_or_of_the_hub_become_one_path() -> None:
    local = converted(datasets=[{"path": "json", "data_files": "rows/a.jsonl", "ds_type": "json"}])
    assert local.overrides["library.path"] == "rows/a.jsonl"
    hub = converted(datasets=[{"path": "org/chats", "data_files": ["a.jsonl", "b.jsonl"]}])
    assert hub.overrides["library.path"] == "hf://datasets/org/chats/a.jsonl"
    assert "put these 2 files into a folder" in remark(hub, "datasets[0].data_files")


def test_messages_and_their_keys_become_columns() -> None:
    mapping = {"role": "who", "content": "said"}
    overrides = of_dataset(field_messages="talk", message_property_mappings=mapping).overrides
    assert overrides["library.columns"] == "{messages: talk, role: who, content: said}"
    usual = of_dataset(
        field_messages="conversations",
        message_property_mappings={"role": "from", "content": "value"},
    )
    assert "library.columns" not in usual.overrides


def test_a_prompt_of_the_users_own_becomes_columns_without_its_format() -> None:
    kind = {
        "field_instruction": "frage",
        "field_output": "antwort",
        "format": "[INST] {instruction}",
        "system_prompt": "Be brief.",
    }
    migration = of_dataset(type=kind)
    assert migration.overrides["library.columns"] == "{question: frage, answer: antwort}"
    assert migration.overrides["library.system_prompt"] == "'Be brief.'"
    assert "chat template" in remark(migration, "datasets[0].type.format")


def test_preferences_are_taken_by_their_chosen_side_and_said() -> None:
    migration = converted(rl="dpo")
    assert migration.overrides["library.preferences"] == "chosen"
    assert "does not train on preferences" in remark(migration, "preferences")


def test_a_second_dataset_becomes_an_extra_source_whose_weight_is_to_be_set() -> None:
    datasets = [{"path": "a.jsonl"}, {"path": "b.jsonl", "field_messages": "talk"}]
    migration = converted(datasets=datasets)
    assert migration.overrides["library.extra_sources.b.path"] == "b.jsonl"
    assert migration.overrides["library.extra_sources.b.weight"] == "1"
    assert "concatenates" in remark(migration, "b")
    assert any("`ftdist curate` reads each source" in r.text for r in migration.remarks)


def test_a_learning_rate_for_lora_is_not_carried_over() -> None:
    migration = converted(adapter="lora", lora_r=16, learning_rate="2e-4")
    assert "optim.peak_lr" not in migration.overrides
    assert remark(migration, "learning_rate").startswith("0.0002 was chosen for LoRA")
    assert remark(migration, "lora_r") == remark(migration, "adapter") != ""


def test_gpus_that_share_sequences_count_as_one() -> None:
    members = {"sample_packing": True, "sequence_len": 256, "context_parallel_size": 2}
    migration = converted(ranks=8, **members)
    # 256 tokens for each of 4 pairs of ranks
    assert migration.overrides["batch.tokens"] == "1024"
    assert migration.overrides["batch.sequence_parallel_size"] == "2"


def test_without_packing_the_batch_is_left_to_the_user() -> None:
    migration = converted(micro_batch_size=2, gradient_accumulation_steps=8, ranks=None)
    assert "batch.tokens" not in migration.overrides
    assert "16 samples per GPU" in remark(migration, "micro_batch_size")


@pytest.mark.parametrize(
    ("batch_size", "tokens"),
    [
        (32, "524288"),  # 8 GPUs x 32 rows x 2048 tokens
        (30, "458752"),  # 30 // 4 = 7 micro-steps: 8 x 28 x 2048
    ],
)
def test_the_batch_size_is_that_of_one_gpu(batch_size: int, tokens: str) -> None:
    members = {"sample_packing": True, "sequence_len": 2048, "micro_batch_size": 4}
    migration = converted(**members, batch_size=batch_size, ranks=8)
    assert migration.overrides["batch.tokens"] == tokens
    assert remark(migration, "micro_batch_size") == ""
    alone = converted(**members, batch_size=batch_size, ranks=None)
    assert "multiply batch.tokens" in remark(alone, "micro_batch_size")


@pytest.mark.parametrize(
    ("members", "ratio"),
    [
        ({"warmup_ratio": 0.05}, "0.05"),
        ({"warmup_steps": 10, "max_steps": 200}, "0.05"),
        ({}, "0.03"),  # Axolotl's default
    ],
)
def test_warm_up_becomes_a_fraction(members: dict[str, Any], ratio: str) -> None:
    assert converted(**members).overrides["optim.warmup_ratio"] == ratio


@pytest.mark.parametrize(
    ("schedule", "options", "ratio"),
    [
        ("cosine_with_min_lr", {"min_lr": "1e-6"}, "0.05"),  # 1e-6 / 2e-5
        ("cosine_with_min_lr", {"min_lr_rate": 0.1}, "0.1"),
        ("warmup_stable_decay", {"min_lr_ratio": 0.2, "decay_type": "linear"}, "0.2"),
        ("linear", {}, "0"),
    ],
)
def test_the_least_learning_rate_becomes_a_part_of_the_largest(
    schedule: str, options: dict[str, Any], ratio: str
) -> None:
    migration = converted(lr_scheduler=schedule, lr_scheduler_kwargs=options, learning_rate=2e-5)
    assert migration.overrides["optim.final_lr_ratio"] == ratio
    assert not [r for r in migration.remarks if r.key.startswith("lr_scheduler_kwargs")]


def test_no_option_of_a_schedule_is_lost_silently() -> None:
    options = {"num_decay_steps": 50, "num_stable_steps": 100, "warmup_type": "cosine"}
    members: dict[str, Any] = {
        "lr_scheduler": "warmup_stable_decay",
        "lr_scheduler_kwargs": options,
    }
    fixed = converted(**members, max_steps=200)
    assert fixed.overrides["optim.decay_ratio"] == "0.25"  # 50 / 200
    assert "no such option" in remark(fixed, "lr_scheduler_kwargs.num_stable_steps")
    assert "no such option" in remark(fixed, "lr_scheduler_kwargs.warmup_type")
    assert "linearly, not by cosine" in remark(fixed, "lr_scheduler_kwargs.decay_type")
    by_epochs = converted(**members, num_epochs=2)
    assert "optim.decay_ratio" not in by_epochs.overrides
    assert "50 divided by the steps" in remark(by_epochs, "lr_scheduler_kwargs.num_decay_steps")
    unknown = converted(lr_scheduler="cosine_with_min_lr", lr_scheduler_kwargs={"min_lr": 1e-6})
    assert "divided by optim.peak_lr" in remark(unknown, "lr_scheduler_kwargs.min_lr")


@pytest.mark.parametrize(
    ("setting", "offloads"),
    [
        ({"offload_optimizer": {"device": "cpu"}}, True),
        ({"offload_param": {"device": "nvme"}}, True),
        ({"offload_optimizer": {"device": "none"}, "offload_param": {"device": "none"}}, False),
        ({"offload_optimizer": {}}, False),  # DeepSpeed's default device is none
        ({"cpu_offload": True}, True),
        ({"cpu_offload": False}, False),
    ],
)
def test_only_a_deepspeed_config_that_names_a_device_offloads(
    setting: dict[str, Any], offloads: bool
) -> None:
    migration = converted(deepspeed={"zero_optimization": {"stage": 3, **setting}})
    assert (migration.overrides.get("engine") == "zero3_offload") == offloads


def test_warm_up_in_steps_of_a_training_in_epochs_is_to_be_computed() -> None:
    migration = converted(warmup_steps=10, num_epochs=2)
    assert "optim.warmup_ratio" not in migration.overrides
    assert "10 divided by the steps" in remark(migration, "warmup_steps")


def test_other_optimizers_schedules_and_kernels_are_named() -> None:
    migration = converted(optimizer="muon", lr_scheduler="rex", attn_implementation="sage")
    assert "AdamW only, not muon" in remark(migration, "optimizer")
    assert "no schedule rex" in remark(migration, "lr_scheduler")
    assert "no attention kernel sage" in remark(migration, "attn_implementation")
    assert "optim.schedule" not in migration.overrides


def test_a_mistyped_key_is_answered_with_the_one_that_it_means() -> None:
    assert "Did you mean sample_packing?" in remark(
        converted(samples_packing=True), "samples_packing"
    )
    typo = of_dataset(fields_messages="talk")
    assert "Did you mean field_messages?" in remark(typo, "datasets[0].fields_messages")


def test_keys_that_are_off_are_not_mentioned() -> None:
    migration = converted(load_in_8bit=False, adapter=None, plugins=[], torch_compile=False)
    assert {r.key for r in migration.remarks} == {r.key for r in converted().remarks}


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"datasets": "chats.jsonl"}, "datasets is no list of datasets"),
        ({"datasets": [{"type": "alpaca"}]}, r"datasets\[0\] has no path"),
        ({"datasets": [{"path": "s3://bucket/a.jsonl"}]}, "local files and datasets of the Hub"),
        ({"rl": "grpo"}, "rl is grpo"),
        ({"learning_rate": "fast"}, "learning_rate is 'fast', which is not a number"),
        ({"num_epochs": [3]}, "num_epochs is a list, which is not a number"),
        ({"base_model": ["m"]}, "base_model is a list, which is not a text"),
        ({"rl": {"dpo": 1}}, "rl is a mapping, which is not a text"),
        ({"deepspeed": ["z3"]}, "deepspeed is a list, which is not a text"),
        ({"deepspeed": {"zero_optimization": [3]}}, "deepspeed.zero_optimization is a list"),
        ({"lr_scheduler_kwargs": [1]}, "lr_scheduler_kwargs is a list, which is not a mapping"),
        ({"lr_scheduler": ["cosine"]}, "lr_scheduler is a list, which is not a text"),
        (
            {"lr_scheduler": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr": "low"}},
            "lr_scheduler_kwargs.min_lr is 'low', which is not a number",
        ),
    ],
)
def test_what_cannot_be_converted_is_refused(members: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        converted(**members)


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"roles": ["user"]}, "roles is a list, which is not a mapping"),
        ({"roles": {"user": [["human"]]}}, "roles.user is a list, which is not a text"),
        ({"message_field_training": ["x"]}, "message_field_training is a list"),
        ({"roles_to_train": {"assistant": 1}}, "roles_to_train is a mapping"),
        ({"data_files": {"train": "x.jsonl"}}, "data_files is a mapping"),
        ({"path": ["a.jsonl"]}, "path is a list"),
        ({"split": ["train"]}, "split is a list"),
        ({"field_messages": ["talk"]}, "field_messages is a list"),
        ({"message_property_mappings": "role"}, "message_property_mappings is 'role'"),
        ({"type": {"field_output": ["a"]}}, "type.field_output is a list"),
    ],
)
def test_a_mistake_in_a_dataset_is_named_with_its_key(
    members: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        of_dataset(**members)
    assert f"a.yaml: datasets[0].{problem}" in caught.value.problem
    assert caught.value.remedy.startswith("correct datasets[0].")


def test_what_the_file_leaves_open_is_no_mistake() -> None:
    open_ones = {"roles": None, "roles_to_train": None, "split": None, "type": None}
    assert of_dataset(**open_ones).overrides == converted().overrides
    assert "engine" not in converted(deepspeed={"zero_optimization": None}).overrides
    assert remark(of_dataset(roles_to_train=1), "datasets[0].roles_to_train") != ""


def test_no_key_of_a_type_is_lost_silently() -> None:
    kind = {"field_output": "antwort", "field": "text", "prompt_format": "[INST]{prompt}"}
    migration = of_dataset(type=kind)
    assert "does not know" in remark(migration, "datasets[0].type.field")
    assert "chat template" in remark(migration, "datasets[0].type.prompt_format")
