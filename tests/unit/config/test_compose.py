"""A command line becomes a frozen config, or one answer that tells all that is wrong with it."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

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


def _refused(*overrides: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        compose(overrides)
    return caught.value


@pytest.mark.fault("U1")
def test_key_and_value_typos_are_reported_together() -> None:
    error = _refused(*NEEDED, "optim.peek_lr=1", "engine=zero4", "batch.tokens=abc")
    assert error.problem == (
        "The command line has 3 problems:\n"
        "  - optim.peek_lr is not a key of the config: did you mean optim.peak_lr? "
        "Write optim.peak_lr=1.\n"
        "  - engine=zero4 is not an option: did you mean engine=zero3? "
        "Choose one of auto, zero3, zero3_offload.\n"
        "  - batch.tokens=abc is not a whole number. "
        "Set batch.tokens to a whole number of at least 1, or auto."
    )
    assert error.exit_code == 78


def test_missing_required_keys_are_reported_with_the_other_problems() -> None:
    error = _refused("optim.beta1=2", "run.name=r")
    assert "optim.beta1=2 is out of range. Set optim.beta1 to a number of at least 0" in str(error)
    assert "model.path is not set. Add model.path=...: Hugging Face model folder" in str(error)
    assert "library.path is not set." in str(error)
    assert "run.name" not in error.problem


def test_a_misspelt_required_key_is_not_reported_as_unset() -> None:
    error = _refused("run.name=r", "library.path=l", "model.pth=m")
    assert error.problem.startswith("model.pth is not a key of the config: did you mean model.path")
    assert error.remedy == "write model.path=m."


def test_an_experiment_typo_does_not_report_its_values_as_unset() -> None:
    error = _refused("experiment=tny", "batch.tokens=1024")
    assert error.problem == "experiment=tny is not an option: did you mean experiment=tiny?"
    assert error.remedy == "choose one of demo, expert, tiny, null."


# Grouped so that no key stands twice in one command: composing takes a fifth of a second.
MISTAKES: list[dict[str, str]] = [
    {
        "lr=1": "lr is not a key of the config: did you mean optim.peak_lr?",
        "optim.learning_rate=1": "optim.learning_rate is not a key of the config: did you mean "
        "optim.peak_lr?",
        "steps=5": "did you mean train.steps?",
        "+foo_bar=1": "foo_bar is not a key of the config. See",
        "~optim.beta1": "optim.beta1 cannot be removed.",
        "optim.beta2.x=1": "optim.beta2.x is not a key of the config",
        "run=3": "run is a section, not a key.",
        "train.epochs": "'train.epochs' is not of the form key=value.",
        "--cgf": "--cgf is not a flag. Write --cfg.",
        "optim={beta1: 0.8}": "optim={...} is not an option.",
        "engine=null": "engine=null is not an option.",
        "engine@x=zero3": "engine@x moves a group to another section. Write engine=zero3",
    },
    {
        "library.system_prompt=": "library.system_prompt= has no value",
        "model.dtype=float16": "did you mean bfloat16?",
        "cluster.nodes=true": "cluster.nodes=true is not a whole number.",
        "cluster.tasks_per_node=1.5": "cluster.tasks_per_node=1.5 is not a whole number.",
        "optim.peak_lr=nan": "optim.peak_lr=nan is",
        "optim.eps=inf": "optim.eps=inf is not a number.",
        "optim.beta1=1": "optim.beta1=1 is out of range.",
        "train.steps=0": "train.steps=0 is out of range.",
        "run.seed=null": "run.seed=null is not a whole number.",
        "optim.max_grad_norm=1,2": "optim.max_grad_norm=1,2 has several values",
        "tracking.tags=[a": "The value of tracking.tags cannot be read: [a",
        "library.extra_sources.chats.wieght=1": "did you mean library.extra_sources.chats.weight?",
        "library.extra_sources.replay.weight=1": "library.extra_sources.replay.path is not set.",
    },
    {
        "retention=recommended": "retention is a group of a library (`ftdist curate --help`), not "
        "of a run. Leave it out here.",
        "retention.replay_fraction=0.2": "retention.replay_fraction is a key of a library "
        "(`ftdist curate --help`), not of a run. Leave it out here.",
        "cluster.env=[A]": "cluster.env=[A] is a list. Name each: cluster.env.NAME=...",
        "engine.deepspeed={a: 1},{b: 2}": "engine.deepspeed={a: 1},{b: 2} has several values",
        "library.extra_sources=[manuals/,b]": "Name each: library.extra_sources.NAME.path=...",
        "~engine": "The group engine cannot be removed. Choose engine=auto, engine=zero3, "
        "engine=zero3_offload.",
    },
    {  # what users of other trainers type
        "packing=true": "packing is not a key of the config. Leave it out: ftdist always packs",
        "bf16=true": "Write model.dtype=bfloat16 or model.dtype=float32",
        "fp16=true": "ftdist does not train in float16.",
        "lora_r=8": "ftdist trains all parameters and has no adapters (LoRA)",
        "deepspeed=ds.json": "Write engine=zero3 or engine=zero3_offload",
        "dataset_name=a/b": "Write library.path=a/b.",
        "push_to_hub=true": "`ftdist push R org/name` publishes the export",
        "resume_from_checkpoint=x": "`ftdist resume R` continues a run",
        "optim.betas=[0.9,0.95]": "Write optim.beta1=... and optim.beta2=...",
        "optimizer=adamw_torch": "ftdist trains with AdamW",
        "fsdp=full_shard": "ftdist shards everything with ZeRO-3",
        "num_processes=4": "Write cluster.tasks_per_node=4.",
        "logging_steps=5": "ftdist logs every step",
        "tracking=tensorboard": "a run's own files and W&B are the only records. Choose one",
        "model=gpt2": "did you mean model.path=gpt2?",
        "tracking.tags=mytag": "is not a list such as [a,b]. Write 'tracking.tags=[mytag]'.",
        "--dry-run": "Use `ftdist plan` in its place",
        "--config-dr=x": "Write --config-dir.",
    },
]


@pytest.mark.parametrize("mistakes", MISTAKES)
def test_each_problem_has_a_plain_message(mistakes: dict[str, str]) -> None:
    answer = str(_refused(*NEEDED, *mistakes))
    assert [said for said in mistakes.values() if said not in answer] == []
    assert f"has {len(mistakes)} problems" in answer


def test_one_path_in_place_of_a_list_is_shown_as_a_list() -> None:
    with pytest.raises(ConfigError) as caught:
        compose_curation(["library.name=l", "library.sources=my/chats.jsonl"])
    assert caught.value.remedy == "write 'library.sources=[my/chats.jsonl]'."


def test_a_run_name_that_is_not_a_valid_folder_name_is_refused() -> None:
    assert "run.name=a b is not a name of up to 64 letters" in str(
        _refused(*NEEDED[1:], "run.name='a b'")
    )


def test_lists_are_accepted_for_deepspeed_settings() -> None:
    config = compose([*NEEDED, "engine.deepspeed.comms_logger.prof_ops=[all_reduce]"])
    assert config.engine.deepspeed == {"comms_logger": {"prof_ops": ["all_reduce"]}}
    assert "is not one of the DeepSpeed settings that are tested with ftdist" in str(
        _refused(*NEEDED, "engine.deepspeed.elasticity.micro_batch_sizes=[2,4]")
    )


def test_a_fractional_batch_suggests_the_two_nearest_sizes() -> None:
    error = _refused(*NEEDED, "batch.tokens=10_000", "batch.sequence_length=4096")
    assert error.problem == "batch.tokens=10000 is not a multiple of batch.sequence_length=4096."
    assert error.remedy == "set batch.tokens to 8192 or 12288."


def test_a_batch_shorter_than_one_sequence_suggests_the_smallest_size() -> None:
    error = _refused(*NEEDED, "batch.tokens=1k", "batch.sequence_length=4096")
    assert error.remedy == "set batch.tokens to 4096."


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


def test_a_suffix_that_leaves_a_fraction_is_refused() -> None:
    assert "batch.tokens=1.0001k is not a whole number" in str(
        _refused(*NEEDED, "batch.tokens=1.0001k")
    )


def test_an_explicit_length_overrides_the_default_length() -> None:
    by_default = compose(NEEDED).train
    by_steps = compose([*NEEDED, "train.steps=5"]).train
    by_epochs = compose([*NEEDED, "train.epochs=2"]).train
    by_exposures = compose([*NEEDED, "train.exposures=40"]).train
    assert (by_default.epochs, by_default.exposures, by_default.steps) == (None, None, None)
    assert (by_steps.epochs, by_steps.exposures, by_steps.steps) == (None, None, 5)
    assert (by_epochs.epochs, by_epochs.exposures, by_epochs.steps) == (2.0, None, None)
    assert (by_exposures.epochs, by_exposures.exposures, by_exposures.steps) == (None, 40.0, None)


def test_at_most_one_training_length_is_set() -> None:
    both = _refused(*NEEDED, "train.epochs=2", "train.steps=5")
    assert both.problem == "train.epochs=2 and train.steps=5 are both set."
    every = _refused(*NEEDED, "train.epochs=2", "train.steps=5", "train.exposures=7.5")
    assert every.problem == "train.epochs=2, train.exposures=7.5 and train.steps=5 are all set."


def test_auto_replaces_numbers_only_where_it_is_offered() -> None:
    config = compose([*NEEDED, "optim.peak_lr=1e-4", "optim.peak_lr=auto"])
    assert (config.batch.tokens, config.batch.sequence_length) == ("auto", "auto")
    assert config.optim.peak_lr == "auto"
    assert (
        _refused(*NEEDED, "train.steps=auto").problem == "train.steps=auto is not a whole number."
    )
    mistyped = _refused(*NEEDED, "optim.peak_lr=atuo", "batch.sequence_length=4")
    assert (
        "optim.peak_lr=atuo is not a number. Set optim.peak_lr to a number above 0, or auto."
        in (mistyped.problem)
    )
    assert "batch.sequence_length=4 is out of range." in mistyped.problem


def test_a_wsd_schedule_that_decays_during_warmup_is_refused() -> None:
    error = _refused(*NEEDED, "optim=wsd", "optim.warmup_ratio=0.3", "optim.decay_ratio=0.8")
    assert error.remedy == "set optim.decay_ratio to at most 0.7."


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


def test_experiments_are_composed_in_their_order() -> None:
    both = compose([*NEEDED, "experiment=[demo,tiny]"])
    assert (both.optim.peak_lr, both.batch.tokens, both.eval.max_new_tokens) == (3e-3, 1024, 64)
    assert "did you mean experiment=tiny?" in _refused(*NEEDED, "experiment=[demo,tny]").problem


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


def test_deepspeed_settings_are_free_except_reserved_ones() -> None:
    config = compose([*NEEDED, "engine.deepspeed.zero_optimization.overlap_comm=false"])
    assert config.engine.deepspeed == {"zero_optimization": {"overlap_comm": False}}
    error = _refused(
        *NEEDED,
        "engine.deepspeed.zero_optimization.stage=2",
        "engine.deepspeed.gradient_clipping=1",
        "engine.deepspeed.train_batch_size=8",
        "engine.deepspeed.bf16.enabled=true",
        "engine.deepspeed.gradient_accumulation_steps=2",
    )
    assert "has 5 problems" in error.problem
    assert (
        "gradient_clipping is set by ftdist itself. Set optim.max_grad_norm instead."
        in error.problem
    )
    assert "train_batch_size is set by ftdist itself. Set batch.tokens" in error.problem


@pytest.mark.fault("S8")
@pytest.mark.parametrize(
    "override",
    [
        "tracking.api_key=hunter2",
        "WANDB_API_KEY=hunter2",
        "+tracking.password=hunter2",
        "engine.deepspeed.comet.api_key=hunter2",
        "hydra.job.env_set.HF_TOKEN=hunter2",
        "tracking.entity=" + "0123456789abcdef" * 2 + "01234567",
        "tracking.tags=[a,hf_" + "x" * 30 + "]",
        "model.path=https://me:hunter2@example.com/m",
        "0123456789abcdef" * 2 + "01234567",
    ],
)
def test_secrets_are_refused_and_never_echoed(override: str) -> None:
    error = _refused(*NEEDED, override)
    assert "looks like a secret" in str(error)
    assert "WANDB_API_KEY" in error.remedy
    assert override.rpartition("=")[2] not in str(error)


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


def test_an_indivisible_batch_is_reported_together_with_typos() -> None:
    error = _refused(
        *NEEDED,
        "optim.peek_lr=1",
        "optim.beta1=x",
        "batch.tokens=40960",
        "batch.sequence_length=4096",
        "cluster.tasks_per_node=4",
    )
    assert "has 3 problems" in error.problem
    assert "did you mean optim.peak_lr?" in error.problem
    assert "optim.beta1=x is not a number." in error.problem
    assert "batch.tokens=40960 (10 sequences of 4096) cannot be shared equally by 4 ranks" in str(
        error
    )


def test_a_group_typo_does_not_hide_conflicts_between_other_keys() -> None:
    error = _refused(*NEEDED, "engine=zero4", "batch.tokens=10_000", "batch.sequence_length=4096")
    assert "engine=zero4 is not an option" in error.problem
    assert "batch.tokens=10000 is not a multiple" in error.problem


def test_intended_keys_of_misspelt_overrides_cause_no_conflicts() -> None:
    assert "has" not in _refused(*NEEDED, "batch.tokns=3", "cluster.tasks_per_node=3").problem
    batch = ("batch.tokens=10_000", "batch.sequence_length=4096")
    assert "multiple" not in _refused(*NEEDED, "batch=defualt", *batch[:1]).problem
    assert "multiple" in _refused(*NEEDED, "batch=default", *batch).problem


def test_names_from_other_trainers_suggest_our_key() -> None:
    output = {
        "lr=1": "optim.peak_lr",
        "batch.size=8": "batch.tokens",
        "gradient_accumulation_steps=4": "batch.micro_batch_size",
        "epochs=2": "train.epochs",
        "max_steps=5": "train.steps",
        "max_length=512": "batch.sequence_length",
        "output_dir=/x": "run.root",
        "report_to=none": "tracking.wandb",
        "library.sources.chats.path=/x": "library.extra_sources.chats.path",
        "compare.alphas=[1]": "merge.alphas",
    }
    answer = str(_refused(*NEEDED, *output))
    for typed, meant in output.items():
        name = typed.partition("=")[0]
        assert f"{name} is not a key of the config: did you mean {meant}?" in answer


def test_a_group_typo_suggests_the_nearest_option() -> None:
    assert _refused(*NEEDED, "enigne=zero2").remedy == "write engine=zero3."


def test_no_group_and_no_free_table_is_suggested_for_an_unknown_leaf() -> None:
    unknown = ("engine.deepsped.x=1", "deep=x", "engine.zero_stage=3", "tensor_parallel=2")
    answer = str(_refused(*NEEDED, *unknown))
    assert answer.count("See `ftdist train --help`.") == 4


def test_null_is_suggested_only_where_it_is_valid() -> None:
    assert _refused(*NEEDED[:1], "library.path=l", "model.path=").remedy == "write a value."
    assert "or library.system_prompt=null" in _refused(*NEEDED, "library.system_prompt=").remedy


def test_a_reserved_deepspeed_key_does_not_hide_other_typos() -> None:
    error = _refused(
        *NEEDED,
        "engine.deepspeed.gradient_clipping=1",
        "engine.deepspeed.train_batch_sise=8",
        "engine.deepspeed.wall_clock_breakdwn=true",
        "engine.deepspeed.tensor_parallel.autotp_size=2",
    )
    assert "has 4 problems" in error.problem
    assert "train_batch_size? ftdist sets that itself. Set batch.tokens and" in error.problem
    assert "did you mean engine.deepspeed.wall_clock_breakdown?" in error.problem
    assert "tensor_parallel.autotp_size is not one of the DeepSpeed settings" in error.problem


def test_an_empty_string_is_not_a_value() -> None:
    with pytest.raises(ConfigError, match=r"library\.path has an empty value"):
        compose(["model.path=M", 'library.path=""', "run.name=r"])


def test_a_saved_config_without_a_section_or_a_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    whole = yaml.safe_load(dump_config(compose(NEEDED)))
    file.write_text(yaml.safe_dump({k: v for k, v in whole.items() if k != "cluster"}))
    with pytest.raises(ConfigError, match="cluster is not set"):
        load_config(file)
    file.write_text(dump_config(compose(NEEDED)).replace("  name: r\n", "", 1))
    with pytest.raises(ConfigError, match=r"run\.name"):
        load_config(file)


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
