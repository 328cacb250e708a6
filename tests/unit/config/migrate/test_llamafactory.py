"""What LLaMA-Factory's dataset_info.json and train YAML become."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from ftdist.config.compose import compose
from ftdist.config.migrate.convert import convert
from ftdist.config.migrate.draft import Migration
from ftdist.config.migrate.llamafactory import convert_dataset, convert_training
from ftdist.errors import ConfigError
from tests.support.migration import FOLDER

LF = FOLDER / "llamafactory"
INFO = LF / "dataset_info.json"


def described(name: str) -> Migration:
    return convert(f"{INFO}:{name}")


def entry(**members: Any) -> Migration:
    return convert_dataset({"d": members}, path=Path("data/dataset_info.json"), name="d")


def trained(**members: Any) -> Migration:
    given = {"model_name_or_path": "org/base", "dataset": "pump", "dataset_dir": str(LF)}
    return convert_training({**given, **members}, path=Path("train.yaml"), ranks=1)


def remark(migration: Migration, key: str) -> str:
    return next((r.text for r in migration.remarks if key in r.key.split(", ")), "")


def test_a_training_as_users_keep_it_becomes_overrides_that_compose() -> None:
    migration = convert(str(LF / "train_full.yaml"), ranks=2)
    config = compose(migration.lines())
    assert config.library.path == str(LF / "pump.json")
    assert config.library.columns == {
        **{"question": "frage", "answer": "antwort"},
        "system": "system",  # else not read beside a question of its own name
    }
    assert config.library.overlong == "truncate"  # as LLaMA-Factory does
    assert config.library.held_out_fraction == 0.1
    # 256 tokens x 1 row x 2 accumulated x 2 ranks
    assert (config.batch.tokens, config.batch.sequence_length) == (1024, 256)
    assert (config.optim.peak_lr, config.optim.schedule) == (1e-5, "cosine")
    assert (config.optim.warmup_ratio, config.optim.weight_decay) == (0.1, 0)
    assert config.train.epochs == 3
    assert config.model.dtype == "bfloat16"
    assert config.engine.offload_optimizer
    assert (config.eval.loss_every_steps, config.checkpoint.every_steps) == (500, 500)
    assert config.tracking.wandb == "off"
    assert config.run.name == "sft"


def test_the_folder_of_the_data_is_found_beside_the_yaml_too(tmp_path: Path) -> None:
    shutil.copytree(LF, tmp_path / "lf")
    overrides = convert(str(tmp_path / "lf" / "train_full.yaml")).overrides
    assert overrides["library.path"] == str(tmp_path / "lf" / "pump.json")


def test_a_dataset_is_found_beside_its_description() -> None:
    assert described("pump_tools").lines() == [f"library.path={LF / 'pump_tools.json'}"]
    assert remark(described("pump"), "pump.num_samples").startswith("ftdist reads all rows")


def test_preferences_of_the_hub_keep_subset_and_split() -> None:
    assert described("dpo_en").overrides == {
        "library.path": "hf://datasets/llamafactory/DPO-En-Zh-20k",
        "library.subset": "en",
        "library.split": "train",
        "library.preferences": "chosen",
    }


def test_a_split_of_a_folder_is_kept_unless_it_is_the_default(tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    info = tmp_path / "dataset_info.json"
    for split, kept in (({}, None), ({"split": "test"}, "test")):
        members = {"d": {"file_name": "saved", **split}}
        overrides = convert_dataset(members, path=info, name="d").overrides
        assert overrides.get("library.split") == kept


def test_a_folder_and_a_revision_of_the_hub_are_kept() -> None:
    overrides = entry(hf_hub_url="org/data", folder="zh", revision="v2").overrides
    assert overrides["library.path"] == "hf://datasets/org/data/zh"
    assert overrides["library.revision"] == "v2"


def test_texts_for_pre_training_are_texts() -> None:
    assert "library.columns" not in described("pump_text").overrides
    story = entry(file_name="a.json", columns={"prompt": "story"})
    assert story.overrides["library.columns"] == "{text: story}"


def test_all_columns_keep_their_meaning() -> None:
    columns = {"prompt": "q1", "query": "extra", "chosen": "good", "rejected": "rejected"}
    overrides = entry(file_name="a.json", ranking=True, columns=columns).overrides
    assert overrides["library.columns"] == (
        "{question: q1, input: extra, chosen: good, rejected: rejected}"
    )
    assert overrides["library.preferences"] == "chosen"


def test_tags_become_columns_and_strange_speakers_are_named() -> None:
    tags = {
        "role_tag": "who",
        "content_tag": "said",
        "user_tag": "caller_7",
        "assistant_tag": "gpt",
    }
    migration = entry(file_name="a.json", formatting="sharegpt", tags=tags)
    assert migration.overrides["library.columns"] == "{role: who, content: said}"
    assert "rename caller_7 to user" in remark(migration, "d.tags.user_tag")
    assert remark(migration, "d.tags.assistant_tag") == ""


def test_pictures_are_refused_with_the_key_that_leaves_them_out() -> None:
    migration = described("openai_form")
    assert "library.columns" not in migration.overrides
    assert "drop_columns=[pictures]" in remark(migration, "openai_form.columns.images")


@pytest.mark.parametrize(
    ("name", "problem", "remedy"),
    [
        ("belle", "a script that loads the data", "save the rows as JSONL or Parquet"),
        ("moss", "a dataset of ModelScope", "save the rows as JSONL or Parquet"),
        ("cloud", "local files and datasets of the Hub only", "copy the data"),
        ("pmup", "describes no dataset pmup", "did you mean pump?"),
    ],
)
def test_what_ftdist_cannot_reach_is_refused(name: str, problem: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        described(name)
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy


def test_a_description_of_several_datasets_needs_a_name() -> None:
    with pytest.raises(ConfigError, match="describes 9 datasets") as caught:
        convert(str(INFO))
    assert caught.value.remedy == f"name one, such as --from {INFO}:pump."


def test_adapters_and_stages_without_counterpart_are_said() -> None:
    migration = trained(finetuning_type="lora", lora_rank=8, learning_rate=1e-4)
    assert "optim.peak_lr" not in migration.overrides
    assert "no adapters" in remark(migration, "lora_rank")
    with pytest.raises(ConfigError, match="stage is ppo"):
        trained(stage="ppo")


@pytest.mark.parametrize("stage", ["dpo", "kto"])
def test_training_on_preferences_takes_the_chosen_side(stage: str) -> None:
    migration = trained(stage=stage, dataset="pump_tools", finetuning_type="full")
    assert migration.overrides["library.preferences"] == "chosen"


def test_answers_labelled_good_or_bad_are_preferences() -> None:
    labelled = entry(file_name="a.json", columns={"response": "output", "kto_tag": "label"})
    assert labelled.overrides["library.preferences"] == "chosen"


def test_defaults_are_those_of_llama_factory() -> None:
    overrides = trained(finetuning_type="full").overrides
    assert overrides["train.epochs"] == "3"
    assert overrides["batch.sequence_length"] == "2048"
    assert overrides["optim.schedule"] == "linear"
    assert overrides["optim.warmup_ratio"] == "0"


def test_several_datasets_by_name() -> None:
    migration = trained(dataset="pump, pump_tools", finetuning_type="full")
    extra = "library.extra_sources.pump_tools"
    assert migration.overrides[f"{extra}.path"] == str(LF / "pump_tools.json")
    with pytest.raises(ConfigError, match="describes no dataset pump_toolz"):
        trained(dataset="pump_toolz")


def test_names_of_the_hub_need_no_description() -> None:
    overrides = trained(dataset="org/chats", dataset_dir="ONLINE").overrides
    assert overrides["library.path"] == "hf://datasets/org/chats"


@pytest.mark.parametrize("stage", ["dpo", "kto"])
def test_a_stage_on_preferences_holds_for_names_of_the_hub_too(stage: str) -> None:
    overrides = trained(dataset="org/pairs", dataset_dir="ONLINE", stage=stage).overrides
    assert overrides["library.preferences"] == "chosen"


@pytest.mark.parametrize(
    ("members", "is_packed"),
    [
        ({"stage": "pt"}, True),  # as LLaMA-Factory decides it
        ({"stage": "pt", "packing": False}, False),
        ({"stage": "pt", "packing": False, "neat_packing": True}, True),
        ({"packing": True}, True),
        ({}, False),
    ],
)
def test_the_batch_is_carried_over_where_llama_factory_packs(
    members: dict[str, Any], is_packed: bool
) -> None:
    assert ("batch.tokens" in trained(**members).overrides) == is_packed


def test_a_batch_size_is_no_key_of_llama_factory() -> None:
    migration = trained(packing=True, cutoff_len=128, batch_size=64)
    assert migration.overrides["batch.tokens"] == "128"
    assert "not known" in remark(migration, "batch_size")


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"columns": ["messages"]}, "d.columns is a list, which is not a mapping"),
        ({"columns": {"messages": ["a"]}}, "d.columns.messages is a list"),
        ({"tags": "role"}, "d.tags is 'role', which is not a mapping"),
        ({"tags": {"role_tag": ["a"]}}, "d.tags.role_tag is a list"),
        ({"formatting": ["alpaca"]}, "d.formatting is a list"),
        ({"split": ["train"]}, "d.split is a list"),
        ({"file_name": ["b.json"]}, "d.file_name is a list"),
        ({"hf_hub_url": {"name": "org/data"}}, "d.hf_hub_url is a mapping"),
    ],
)
def test_a_mistake_in_a_description_is_named_with_its_key(
    members: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        entry(**{"file_name": "a.json", **members})
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    "key", ["dataset", "dataset_dir", "finetuning_type", "output_dir", "optim"]
)
def test_a_mistake_in_a_training_is_named_with_its_key(key: str) -> None:
    with pytest.raises(ConfigError, match=f"train.yaml: {key} is a mapping"):
        trained(**{key: {"a": 1}})


def test_a_strategy_counts_more_than_the_steps_beside_it() -> None:
    never = trained(save_strategy="no", save_steps=500).overrides
    assert never["checkpoint.every_steps"] == "0"
    by_epoch = trained(save_strategy="epoch", save_steps=500)
    assert "checkpoint.every_steps" not in by_epoch.overrides
    assert "`ftdist plan`" in remark(by_epoch, "save_strategy")
    by_steps = trained(save_strategy="steps", save_steps=500).overrides
    assert by_steps["checkpoint.every_steps"] == "500"
