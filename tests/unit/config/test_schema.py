"""The schema and conf/ say the same keys, each value once."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from ftdist.config.compose import compose
from ftdist.config.keys import CURATE, TRAIN, config_keys, find_key
from ftdist.config.schema import RunConfig
from ftdist.config.search_path import conf_dir
from ftdist.errors import ConfigError

NEEDED = ["run.name=r", "model.path=m", "library.path=l"]


def _leaves(values: dict[str, Any], prefix: str = "") -> set[str]:
    leaves: set[str] = set()
    for key, value in values.items():
        name = f"{prefix}{key}"
        leaves |= _leaves(value, f"{name}.") if isinstance(value, dict) and value else {name}
    return leaves


def _written(file: Path) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    values.pop("defaults", None)
    return values


def test_schema_fields_and_conf_keys_correspond_one_to_one() -> None:
    groups = set(TRAIN.options) - {"experiment"}
    written = _leaves(_written(conf_dir() / "train.yaml"))
    for group in groups:
        for file in (conf_dir() / group).glob("*.yaml"):
            written |= {f"{group}.{key}" for key in _leaves(_written(file))}
    chosen = {key for key in written if key.startswith("cluster.env.")}
    written = (written - chosen) | {"cluster.env"}  # its names are the user's
    assert written == {key for key in config_keys() if ".*." not in key}


def test_every_section_outside_train_yaml_is_a_group() -> None:
    sections = {field.name for field in dataclasses.fields(RunConfig)}
    assert set(TRAIN.options) - {"experiment"} == sections - {"run", "train", "resume"}


def _folders() -> set[str]:
    return {path.name for path in conf_dir().iterdir() if any(path.glob("*.yaml"))}


def test_every_folder_of_conf_is_a_group_of_a_command() -> None:
    assert _folders() == {*TRAIN.groups, *CURATE.groups}
    assert list(TRAIN.groups) == sorted(TRAIN.groups)


def test_derived_options_repeat_no_values_of_their_base() -> None:
    for group in _folders() - {"experiment"}:
        for file in (conf_dir() / group).glob("*.yaml"):
            whole = yaml.safe_load(file.read_text(encoding="utf-8"))
            bases = [base for base in whole.get("defaults", []) if base != "_self_"]
            for base in bases:
                above = _written(file.with_name(f"{base}.yaml"))
                repeated = {k for k, v in _written(file).items() if above[k] == v and k in above}
                assert repeated == set(), file


def test_every_key_has_a_meaning() -> None:
    assert [key.name for key in config_keys().values() if len(key.meaning) < 8] == []


@pytest.mark.parametrize(
    ("group", "option"),
    [(group, option) for group, options in TRAIN.options.items() for option in options],
)
def test_every_option_of_every_group_composes_and_validates(group: str, option: str) -> None:
    config = compose([*NEEDED, f"{group}={option}"])
    assert isinstance(config, RunConfig)


def test_the_schema_has_no_defaults() -> None:
    def sections(kind: Any) -> list[Any]:
        inner = [f.type for f in dataclasses.fields(kind) if dataclasses.is_dataclass(f.type)]
        return [kind, *(section for part in inner for section in sections(part))]

    with_default = [
        f"{section.__name__}.{field.name}"
        for section in sections(RunConfig)
        for field in dataclasses.fields(section)
        if field.default is not dataclasses.MISSING
        or field.default_factory is not dataclasses.MISSING
    ]
    assert with_default == []


def test_a_composed_config_is_frozen() -> None:
    config = compose(NEEDED)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.optim.peak_lr = 1.0  # type: ignore[misc]


def test_keys_outside_the_schema_are_refused() -> None:
    values = dataclasses.asdict(compose(NEEDED))
    values["optim"]["lrr"] = 1
    with pytest.raises(ValidationError, match="lrr"):
        TypeAdapter(RunConfig).validate_python(values)


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("batch.tokens", "a whole number of at least 1, or auto"),
        ("optim.beta1", "a number of at least 0 and below 1"),
        ("optim.peak_lr", "a number above 0, or auto"),
        ("train.steps", "a whole number of at least 1, or null"),
        ("model.dtype", "one of auto, bfloat16, float32"),
        ("run.private", "true or false"),
        ("eval.lm_eval_tasks", "a list such as [a,b]"),
        (
            "merge.alphas",
            "a list of numbers, each at least 0 and at most 1, such as [0.4,0.8]",
        ),
        ("library.extra_sources.replay.weight", "a number above 0"),
    ],
)
def test_valid_values_of_a_key_are_described_in_plain_words(name: str, fits: str) -> None:
    key = find_key(name)
    assert key is not None
    assert key.fits == fits


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ("[5,4]", r"is no first and last of 1 to 10 steps\.\nTo fix: write both, such as"),
        ("[1,11]", "is no first and last of 1 to 10 steps"),
        ("[10]", "is no first and last of 1 to 10 steps"),
        ("10", r"is not a list of whole numbers\.\nTo fix: write 'train.profile_steps=\[10\]'"),
        ("[0,2]", r"holds 0, which is out of range\..*each at least 1, such as \[10,12\]"),
        ("[a,2]", r"holds a, which is not a whole number\."),
    ],
)
def test_profiled_steps_are_a_short_range(steps: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=rf"(?s)train.profile_steps.*{problem}"):
        compose([*NEEDED, f"train.profile_steps={steps}"])


def test_profiled_steps_are_numbers() -> None:
    assert compose([*NEEDED, "train.profile_steps=[1,10]"]).train.profile_steps == [1, 10]


def test_ranks_that_share_rows_cannot_have_a_teacher() -> None:
    shared = ["cluster.tasks_per_node=2", "batch.sequence_parallel_size=2"]
    with pytest.raises(ConfigError, match="ranks cannot share the rows of the teacher") as caught:
        compose([*NEEDED, *shared, "library.context_distillation=0.5"])
    assert "set library.context_distillation=0 or" in str(caught.value.remedy)
    assert compose([*NEEDED, *shared]).library.context_distillation == 0.0


def test_hpz_groups_are_of_equal_size() -> None:
    ranks = ["cluster.nodes=2", "cluster.tasks_per_node=3"]
    with pytest.raises(ConfigError, match=r"hpz_partition_size=4 does not divide the 6 ranks"):
        compose([*NEEDED, *ranks, "engine.hpz_partition_size=4"])
    assert compose([*NEEDED, *ranks, "engine.hpz_partition_size=3"]).engine.hpz_partition_size == 3
