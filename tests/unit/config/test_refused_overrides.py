"""A command line that makes no config gets one answer with all that is wrong with it."""

from pathlib import Path

import pytest
import yaml

from ftdist.config.compose import (
    compose,
)
from ftdist.config.saved_config import dump_config, load_config
from ftdist.errors import ConfigError

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


def test_a_suffix_that_leaves_a_fraction_is_refused() -> None:
    assert "batch.tokens=1.0001k is not a whole number" in str(
        _refused(*NEEDED, "batch.tokens=1.0001k")
    )


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


def test_experiments_are_composed_in_their_order() -> None:
    both = compose([*NEEDED, "experiment=[demo,tiny]"])
    assert (both.optim.peak_lr, both.batch.tokens, both.eval.max_new_tokens) == (3e-3, 1024, 64)
    assert "did you mean experiment=tiny?" in _refused(*NEEDED, "experiment=[demo,tny]").problem


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


def test_a_saved_config_without_a_section_or_a_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    whole = yaml.safe_load(dump_config(compose(NEEDED)))
    file.write_text(yaml.safe_dump({k: v for k, v in whole.items() if k != "cluster"}))
    with pytest.raises(ConfigError, match="cluster is not set"):
        load_config(file)
    file.write_text(dump_config(compose(NEEDED)).replace("  name: r\n", "", 1))
    with pytest.raises(ConfigError, match=r"run\.name"):
        load_config(file)
