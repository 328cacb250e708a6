"""Values of a command line or config file to a frozen config, or everything that is wrong."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from ftdist.config.batch_split import count_groups, split_batch
from ftdist.config.deepspeed_keys import deepspeed_problems
from ftdist.config.keys import LENGTHS, TRAIN, CommandSpec, find_key
from ftdist.config.kinds import LISTS
from ftdist.config.problems import Problem, env_problem, unknown_key, unset_key, value_problem
from ftdist.config.schema.data_source import SourceEntry
from ftdist.config.schema.types import AUTO, ENV_NAME, ENV_VALUE
from ftdist.config.values import format_value, read_integer
from ftdist.errors import ConfigError

_BATCH_KEYS = (
    "batch.tokens",
    "batch.sequence_length",
    "batch.micro_batch_size",
    "cluster.nodes",
    "cluster.tasks_per_node",
    "batch.allow_uneven",
    "batch.sequence_parallel_size",
)
"""The arguments of `_batch_problems`."""

_GROUP_KEYS = ("cluster.nodes", "cluster.tasks_per_node", "batch.sequence_parallel_size")
"""The arguments of `_group_problems`."""

_RESUME_KEYS = ("resume.accept", "resume.restart")

MAX_PROFILED_STEPS = 10
"""Steps in one trace: viewers open files of a few hundred MB at most."""


def validate(
    values: Mapping[str, Any],
    *,
    command: CommandSpec = TRAIN,
    is_sound: Callable[[str], bool] = lambda _: True,
    is_new: bool = False,
) -> tuple[Any, list[Problem]]:
    """The frozen config of a command, or everything that is wrong with `values`.

    Args:
        values: composed, as nested mappings.
        command: whose config it is.
        is_sound: whether a key's value is what was asked for; only such keys are held against
            each other.
        is_new: whether the batch must be one that this many ranks can share. For an existing run,
            the plan of its next attempt checks that.
    """
    plain = _plain_numbers(values, command=command)
    config: Any = None
    problems: list[Problem] = []
    try:
        config = TypeAdapter(command.schema).validate_python(plain)
    except ValidationError as error:
        details = error.errors(include_url=False)
        problems = [
            _translate(detail, command=command)
            for detail in details
            if detail["loc"][-1:] != ("literal['auto']",)  # the other half says what is wrong
        ]
    deepspeed = look_up(plain, "engine.deepspeed")
    problems += deepspeed_problems(deepspeed) if isinstance(deepspeed, Mapping) else []
    wrong = {p.key for p in problems}
    problems += _cross_checks(
        plain, is_sound=lambda key: key not in wrong and is_sound(key), is_new=is_new
    )
    return (None if problems else config), problems


def _plain_numbers(
    values: Mapping[str, Any], *, command: CommandSpec, prefix: str = ""
) -> dict[str, Any]:
    """`values` with "64k" read as 64,000, numbers as texts where a list of texts is meant."""
    plain: dict[str, Any] = {}
    for name, value in values.items():
        dotted = f"{prefix}{name}"
        key = find_key(dotted, command=command)
        if isinstance(value, Mapping) and dotted == "cluster.env":
            value = {str(k): format_value(v) for k, v in value.items()}  # a shell has texts only
        elif isinstance(value, Mapping) and dotted != "engine.deepspeed":
            value = _plain_numbers(value, command=command, prefix=f"{dotted}.")
        elif key is not None and key.kind == "integer" and isinstance(value, str):
            number = read_integer(value)
            value = value if number is None else number
        elif key is not None and key.kind in ("integer", "number") and isinstance(value, bool):
            value = format_value(value)  # pydantic would read true as 1
        elif key is not None and key.kind in LISTS[:3] and isinstance(value, list):
            value = [format_value(v) if isinstance(v, int | float) else v for v in value]
        plain[str(name)] = value
    return plain


def _translate(detail: ErrorDetails, *, command: CommandSpec) -> Problem:
    name = ".".join(str(part) for part in detail["loc"] if not isinstance(part, int))
    if detail["type"] in (ENV_NAME, ENV_VALUE):
        return env_problem(name.removesuffix(".[key]"), is_name=detail["type"] == ENV_NAME)
    if (key := find_key(name.rpartition(".")[0], command=command)) and key.takes_auto:
        name = key.name  # pydantic appends the half of `number or auto` that it tried
    if problem := _entry_problem(detail, name, command=command):
        return problem
    key = find_key(name, command=command)
    if detail["type"] == "missing":
        return unset_key(name, command=command)
    if key is None or detail["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return unknown_key(name, command=command)
    of_item = any(isinstance(part, int) for part in detail["loc"])
    return value_problem(key, name, detail["input"], error=detail["type"], of_item=of_item)


def _entry_problem(detail: ErrorDetails, name: str, *, command: CommandSpec) -> Problem | None:
    """The problem of an entry in a list of sources; None: it is another key's."""
    of_list, is_entry, field = name.partition(".entry")
    field = field.lstrip(".")
    key = find_key(of_list, command=command)
    if not is_entry or key is None or key.kind != "sources":
        return None
    number = next(part for part in detail["loc"] if isinstance(part, int)) + 1
    names = ", ".join(SourceEntry.__annotations__)
    what = f"Entry {number} of {of_list}"
    if not field:
        shown = format_value(detail["input"])
        return Problem(f"{what}, {shown}, is no source.", f"set {of_list} to {key.fits}.", of_list)
    if detail["type"] == "missing":
        return Problem(f"{what} has no {field}.", f"give it {field}: ...", of_list)
    if field not in SourceEntry.__annotations__ and "." not in field:
        return Problem(f"{what} has the unknown key {field}.", f"use {names}.", of_list)
    shown = format_value(detail["input"])
    return Problem(f"{what}: {field}={shown} is not a text.", f"write a text as {field}.", of_list)


def _cross_checks(
    values: Mapping[str, Any], *, is_sound: Callable[[str], bool], is_new: bool
) -> list[Problem]:
    """What keys say against each other; keys that are wrong by themselves are passed over."""
    problems: list[Problem] = []

    def sound(*names: str) -> list[Any] | None:
        read = [look_up(values, name) for name in names]
        return read if all(map(is_sound, names)) and ... not in read else None

    if is_new and (groups := sound(*_GROUP_KEYS)):
        problems += _group_problems(*map(int, groups))
    batch = sound(*_BATCH_KEYS if is_new else _BATCH_KEYS[:2])
    if batch and AUTO not in batch[:2] and not problems:
        problems += _batch_problems(*(1 if value == AUTO else int(value) for value in batch))
    if is_new:
        problems += _new_run_problems(sound(*_RESUME_KEYS))
    for check, names in _CHECKS:
        if checked := sound(*names):
            problems += check(*checked)
    if lengths := sound(*LENGTHS):
        problems += _one_length(dict(zip(LENGTHS, lengths, strict=True)))
    if sound("train.profile_steps") and (steps := look_up(values, "train.profile_steps")):
        problems += _profiled_problems([int(step) for step in steps])
    if triple := sound("optim.schedule", "optim.warmup_ratio", "optim.decay_ratio"):
        problems += _schedule_problems(triple[0], float(triple[1]), float(triple[2]))
    return problems


def _new_run_problems(resume: list[Any] | None) -> list[Problem]:
    if resume is None or not any(resume):
        return []
    problem = "resume.accept and resume.restart are for `ftdist resume`: a new run keeps neither."
    return [Problem(problem, "leave them out.", _RESUME_KEYS[0])]


def _schedule_problems(schedule: str, warmup: float, decay: float) -> list[Problem]:
    if schedule != "wsd" or warmup + decay <= 1 or math.isclose(warmup + decay, 1):
        return []
    problem = f"optim.warmup_ratio={warmup} and optim.decay_ratio={decay} are together "
    remedy = f"set optim.decay_ratio to at most {round(1 - warmup, 6)}."
    return [Problem(problem + "more than all steps.", remedy, "optim.decay_ratio")]


def _profiled_problems(steps: Sequence[int]) -> list[Problem]:
    first, last = steps[0], steps[-1]
    if len(steps) == 2 and first <= last < first + MAX_PROFILED_STEPS:
        return []
    name, shown = "train.profile_steps", ",".join(map(str, steps))
    problem = f"{name}=[{shown}] is no first and last of 1 to {MAX_PROFILED_STEPS} steps."
    return [Problem(problem, f"write both, such as '{name}=[{first},{first + 2}]'.", name)]


def _group_problems(nodes: int, tasks_per_node: int, sequence_parallel_size: int) -> list[Problem]:
    """Ranks that are no whole number of groups that share their sequences."""
    try:
        count_groups(nodes * tasks_per_node, sequence_parallel_size=sequence_parallel_size)
    except ConfigError as error:
        return [Problem(error.problem, error.remedy, _GROUP_KEYS[-1])]
    return []


def _hpz_problems(size: Any, nodes: Any, tasks_per_node: Any) -> list[Problem]:
    """A second copy of the parameters that groups of ranks cannot share equally."""
    key = "engine.hpz_partition_size"
    ranks = int(nodes) * int(tasks_per_node)
    if size == AUTO or ranks % int(size) == 0:
        return []
    problem = f"{key}={size} does not divide the {ranks} ranks."
    return [Problem(problem, f"set {key} to auto, 1, or the ranks of a node.", key)]


def _batch_problems(
    tokens: int,
    sequence_length: int,
    micro_batch_size: int = 1,
    nodes: int = 1,
    tasks_per_node: int = 1,
    allow_uneven: int = 1,
    sequence_parallel_size: int = 1,
) -> list[Problem]:
    """A batch that is no whole number of sequences, or that the ranks cannot share."""
    try:
        split_batch(
            tokens=tokens,
            sequence_length=sequence_length,
            micro_batch_size=micro_batch_size,
            world_size=nodes * tasks_per_node,
            sequence_parallel_size=sequence_parallel_size,
            allow_uneven=bool(allow_uneven),
        )
    except ConfigError as error:
        return [Problem(error.problem, error.remedy, "batch.tokens")]
    return []


def _offload_problems(offload: bool, checkpointing: object) -> list[Problem]:
    if not offload or checkpointing not in ("none", False):
        return []
    problem = "model.activation_offload=true moves the inputs of layers with activation "
    problem += "checkpointing, and model.activation_checkpointing=none has none."
    remedy = "set model.activation_checkpointing=full."
    return [Problem(problem, remedy, "model.activation_checkpointing")]


def _distillation_problems(weight: Any, sequence_parallel_size: Any) -> list[Problem]:
    """A teacher whose rows, longer than the model's, would be cut elsewhere between ranks."""
    if float(weight) == 0 or int(sequence_parallel_size) == 1:
        return []
    problem = f"library.context_distillation={weight} does not work with "
    problem += f"batch.sequence_parallel_size={sequence_parallel_size}: ranks cannot share the "
    problem += "rows of the teacher."
    remedy = "set library.context_distillation=0 or batch.sequence_parallel_size=1."
    return [Problem(problem, remedy, "library.context_distillation")]


def _one_length(lengths: Mapping[str, Any]) -> list[Problem]:
    given = {key: value for key, value in lengths.items() if value is not None}
    if len(given) < 2:
        return []
    named = [f"{key}={format_value(value)}" for key, value in given.items()]
    problem = f"{', '.join(named[:-1])} and {named[-1]} are "
    problem += f"{'both' if len(given) == 2 else 'all'} set."
    return [Problem(problem, "set one of them.", "train.steps")]


def look_up(values: Any, name: str) -> Any:
    """The value of a dotted key in nested mappings; `...` where there is none."""
    for part in name.split("."):
        if not isinstance(values, Mapping) or part not in values:
            return ...
        values = values[part]
    return values


_CHECKS: tuple[tuple[Callable[..., list[Problem]], tuple[str, ...]], ...] = (
    (_hpz_problems, ("engine.hpz_partition_size", *_GROUP_KEYS[:2])),
    (_offload_problems, ("model.activation_offload", "model.activation_checkpointing")),
    (_distillation_problems, ("library.context_distillation", _GROUP_KEYS[-1])),
)
"""What keys say against each other, and which keys."""
