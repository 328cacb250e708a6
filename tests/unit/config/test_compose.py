"""A command line becomes a frozen config; configs are saved and read."""

import subprocess
import sys
from pathlib import Path

import pytest

from ftdist.config.compose import (
    compose,
    compose_curation,
)
from ftdist.config.saved_config import dump_config, load_config, save_config
from ftdist.config.schema.data_source import SourceEntry
from ftdist.config.search_path import conf_dir
from ftdist.config.values import read_integer
from ftdist.errors import ConfigError, StorageError

NEEDED = ["run.name=r", "model.path=m", "library.path=l"]


def test_one_path_in_place_of_a_list_is_shown_as_a_list() -> None:
    with pytest.raises(ConfigError) as caught:
        compose_curation(["library.name=l", "library.sources=my/chats.jsonl"])
    assert caught.value.remedy == "write 'library.sources=[my/chats.jsonl]'."


def test_the_last_override_of_a_key_holds_and_tables_are_merged() -> None:
    config = compose(
        [
            *NEEDED,
            *("optim.peak_lr=1", "optim=wsd", "engine=zero3_offload", "optim.peak_lr=2"),
            *("engine=zero3", "cluster.env={FI_A: 1}", "cluster.env.FI_B=2"),
            *("cluster.env={FI_A: 3}", "cluster.env={FI_C: 4}"),
        ]
    )
    assert (config.optim.peak_lr, config.optim.schedule) == (2, "wsd")
    assert not config.engine.offload_optimizer
    assert config.cluster.env == {"FI_A": "3", "FI_B": "2", "FI_C": "4"}


def test_integers_accept_suffixes_and_separators() -> None:
    engine = compose(
        [
            *NEEDED,
            "engine.prefetch_bucket_size=64k",
            "engine.max_live_parameters=1M",
            "engine.reduce_bucket_size=2_000",
            "engine.param_persistence_threshold=64Ki",
        ]
    ).engine
    assert engine.prefetch_bucket_size == 64_000
    assert engine.max_live_parameters == 1_000_000
    assert engine.reduce_bucket_size == 2_000
    assert engine.param_persistence_threshold == 65_536


@pytest.mark.parametrize(
    ("text", "number"),
    [("1.5k", 1_500), ("2Gi", 2**31), ("-3", -3), ("1.0001k", None), ("k", None), ("4kB", None)],
)
def test_number_suffixes_must_give_a_whole_number(text: str, number: int | None) -> None:
    assert read_integer(text) == number


def test_an_explicit_length_overrides_the_default_length() -> None:
    by_default = compose(NEEDED).train
    by_steps = compose([*NEEDED, "train.steps=5"]).train
    by_epochs = compose([*NEEDED, "train.epochs=2"]).train
    by_exposures = compose([*NEEDED, "train.exposures=40"]).train
    assert (by_default.epochs, by_default.exposures, by_default.steps) == (None, None, None)
    assert (by_steps.epochs, by_steps.exposures, by_steps.steps) == (None, None, 5)
    assert (by_epochs.epochs, by_epochs.exposures, by_epochs.steps) == (2.0, None, None)
    assert (by_exposures.epochs, by_exposures.exposures, by_exposures.steps) == (None, 40.0, None)


@pytest.mark.fault("L5")
def test_a_time_limit_may_be_null_and_a_step_may_have_more_than_loading() -> None:
    limits = ("step_timeout_s=7200", "load_timeout_s=1800", "save_timeout_s=null")
    config = compose([*NEEDED, *(f"cluster.{limit}" for limit in limits)])
    assert (config.cluster.step_timeout_s, config.cluster.save_timeout_s) == (7200, None)


def test_the_command_line_overrides_the_experiment_and_the_experiment_the_group() -> None:
    tiny = compose(["experiment=tiny"])
    typed = compose(["experiment=tiny", "optim.peak_lr=0.5", "model.path=/m"])
    assert tiny.optim.peak_lr == 3e-3
    assert typed.optim.peak_lr == 0.5
    assert (typed.model.path, typed.library.path) == ("/m", "tiny")
    assert compose([*NEEDED]).optim.peak_lr == "auto"


def test_experiment_null_selects_no_experiment() -> None:
    assert compose([*NEEDED, "experiment=null"]) == compose(NEEDED)
    assert compose([*NEEDED, "experiment=tiny", "~experiment"]) == compose(NEEDED)
    assert compose(["experiment=null", "experiment=tiny"]) == compose(["experiment=tiny"])


def test_tiny_needs_no_other_keys_and_demo_trains_the_example_library() -> None:
    tiny, demo = compose(["experiment=tiny"]), compose(["experiment=demo"])
    assert (tiny.model.path, tiny.library.path, tiny.cluster.tasks_per_node) == ("tiny", "tiny", 2)
    assert (tiny.batch.sequence_length, tiny.batch.tokens) == (256, 1024)
    assert demo.library.path == "libraries/a45"
    assert demo.library.kl_to_base == ["replay", "out_of_scope"]
    assert (demo.optim.warmup_ratio, demo.optim.weight_decay) == (0.1, 0)
    assert (demo.model.dtype, demo.cluster.tasks_per_node) == ("auto", 2)


@pytest.mark.parametrize(
    "path", ["/data/my lib", "/data/x (v2)", "/scratch/lr=1e-5/lib", "it's", "/d/[a]", "007", "1e5"]
)
def test_strings_are_taken_literally(path: str) -> None:
    assert compose([*NEEDED[:2], f"library.path={path}"]).library.path == path


def test_a_run_may_be_named_by_a_number() -> None:
    assert compose([*NEEDED[1:], "run.name=2026_11"]).run.name == "2026_11"


def test_null_stays_null_for_strings() -> None:
    assert compose([*NEEDED, "library.system_prompt=null"]).library.system_prompt is None


def test_off_is_a_string_rather_than_a_boolean() -> None:
    assert compose([*NEEDED, "tracking=off"]).tracking.wandb == "off"
    assert compose([*NEEDED, "tracking.wandb=off"]).tracking.wandb == "off"


def test_sources_are_added_by_name() -> None:
    config = compose(
        [
            *NEEDED,
            "library.extra_sources.replay.path=/chats",
            "library.extra_sources.replay.weight=0.25",
        ]
    )
    assert config.library.extra_sources["replay"].weight == 0.25


def test_commit_hashes_and_token_counts_are_not_secrets() -> None:
    commit = "0123456789abcdef" * 2 + "01234567"
    config = compose([*NEEDED, f"model.revision={commit}", "eval.max_new_tokens=7"])
    assert config.model.revision == commit
    assert compose([*NEEDED[1:], "run.name=r", f"run.root=/c/snapshots/{commit}/x"])


def test_configs_round_trip(tmp_path: Path) -> None:
    config = compose(
        [
            *NEEDED[1:],
            "run.name=007",
            "library.system_prompt='yes: \"no\" # 1e5'",
            "tracking.tags=[on,1,null_]",
            "engine.deepspeed.wall_clock_breakdown=true",
            "library.extra_sources.replay={path: 012, weight: 1}",
        ]
    )
    file = tmp_path / "config.yaml"
    save_config(config, file)
    assert load_config(file) == config
    assert dump_config(load_config(file)) == dump_config(config)


def test_an_unusable_config_file_is_reported_with_its_location(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"absent\.yaml cannot be read"):
        load_config(tmp_path / "absent.yaml")
    torn = tmp_path / "config.yaml"
    text = dump_config(compose(NEEDED)).replace("peak_lr", "peek_lr").replace("seed: 1", "seed: x")
    torn.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(torn)
    assert f"{torn} has 3 problems" in caught.value.problem
    assert "did you mean optim.peak_lr" in caught.value.problem


def test_conf_is_next_to_the_package() -> None:
    assert (conf_dir() / "train.yaml").is_file()


def test_importing_compose_loads_neither_hydra_nor_torch() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, ftdist.config.compose; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=conf_dir().parent,
    ).stdout.split()
    heavy = {"hydra", "omegaconf", "torch", "deepspeed", "transformers", "wandb", "datasets"}
    assert heavy & set(loaded) == set()


def test_an_empty_string_is_not_a_value() -> None:
    with pytest.raises(ConfigError, match=r"library\.path has an empty value"):
        compose(["model.path=M", 'library.path=""', "run.name=r"])


def test_a_list_of_sources_takes_paths_and_mappings() -> None:
    entries = "faq=faq/,{path: org/name, split: train, columns: {question: title}},data/*.parquet"
    config = compose_curation(["library.name=l", f"library.sources=[{entries}]"])
    assert config.library.sources == [
        "faq=faq/",
        SourceEntry(path="org/name", split="train", columns={"question": "title"}),
        "data/*.parquet",
    ]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{path: a, splt: train}", "Entry 2 of library.sources has the unknown key splt."),
        ("{split: train}", "Entry 2 of library.sources has no path."),
        ("{path: a, split: [b]}", "Entry 2 of library.sources: split=['b'] is not a text."),
        ("5", "Entry 2 of library.sources, 5, is no source."),
    ],
)
def test_a_wrong_entry_of_a_list_of_sources_is_named(entry: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compose_curation(["library.name=l", f"library.sources=['a',{entry}]"])
    assert caught.value.problem == message


def test_a_commit_of_a_dataset_is_no_secret() -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    keys = ["run.name=r", "model.path=m", f"library.revision={commit}"]
    path = f"hf://datasets/org/name@{commit}"
    library = compose([*keys, f"library.path={path}"]).library
    assert (library.path, library.revision) == (path, commit)
    with pytest.raises(ConfigError, match="looks like a secret"):
        compose([*keys, f"library.path={commit}"])


def test_keys_written_as_flags_are_answered_with_the_words_to_write() -> None:
    words = ["--model.path=M", "--library.path", "L", "run.name=a", "--learning-rate", "1e-5"]
    with pytest.raises(ConfigError) as caught:
        compose(words)
    assert caught.value.problem == "Keys are written without dashes, as KEY=VALUE."
    assert caught.value.remedy == "write model.path=M library.path=L optim.peak_lr=1e-5."
    with pytest.raises(ConfigError) as caught:
        compose(["--model", "org/m", "library.path=L", "run.name=a"])
    assert caught.value.remedy == "write model.path=org/m."


def test_a_secret_written_as_a_flag_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        compose(["--model.path=M", f"--run.name=hf_{'a' * 30}"])
    assert "hf_a" not in str(caught.value)


def test_an_invalid_name_is_answered_with_a_valid_one() -> None:
    with pytest.raises(ConfigError) as caught:
        compose(["experiment=tiny", "run.name=a/b"])
    assert caught.value.remedy == "write run.name=a-b."
