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
    assert config.model.activation_checkpointing
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


def test_without_packing_the_batch_is_left_to_the_user() -> None:
    migration = converted(micro_batch_size=2, gradient_accumulation_steps=8, ranks=None)
    assert "batch.tokens" not in migration.overrides
    assert "16 samples per GPU" in remark(migration, "micro_batch_size")


def test_a_total_batch_needs_no_number_of_gpus() -> None:
    migration = converted(
        sample_packing=True, sequence_len=128, micro_batch_size=2, batch_size=16, ranks=None
    )
    assert migration.overrides["batch.tokens"] == "2048"
    assert remark(migration, "micro_batch_size") == ""


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
    ],
)
def test_what_cannot_be_converted_is_refused(members: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        converted(**members)
