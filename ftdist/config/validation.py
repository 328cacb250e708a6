"""What is wrong with a command line or a config file, collected and told at once."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from ftdist.config.aliases import ALIASES, ALIASES_THAT_DIFFER
from ftdist.config.batch_split import cut_batch
from ftdist.config.deepspeed_keys import (
    FIX_DEEPSPEED,
    check_deepspeed_keys,
    refused_deepspeed_keys,
    without_keys,
)
from ftdist.config.keys import (
    CURATE,
    TRAIN,
    ConfigKey,
    Form,
    find_key,
    nearest,
    nearest_key,
    read_integer,
    with_chosen_name,
)
from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError

Schema = TypeVar("Schema")
"""The dataclass of a config."""

_SECRET_NAME = re.compile(
    r"(^|[._-])(api_?keys?|access_?keys?|private_?key|auth|(auth|access)_?token|token|"
    r"passwords?|passwd|secrets?|credentials?|[a-z0-9_]+_(api_?key|token|secret|password))$",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"(?<![\w/.-])([0-9a-f]{40}|wandb_v\d_\w{20,}|local-[0-9a-f]{40}|hf_[A-Za-z0-9]{20,}"
    r"|sk-[\w-]{20,}|gh[pousr]_\w{30,}|github_pat_\w{30,})(?![\w/.-])|://[^/\s:@]*:[^/\s@]+@"
)
LENGTHS = ("train.epochs", "train.exposures", "train.steps")
"""Each sets how long a run is; a default gives way to the one that is typed."""

_CUT = (
    "batch.tokens",
    "batch.sequence_length",
    "batch.micro_batch_size",
    "cluster.nodes",
    "cluster.tasks_per_node",
    "batch.allow_uneven",
)
"""What decides whether a batch can be shared, in the order of `_uneven_batch`."""

_RANGE_ERRORS = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: a sentence that says it, and one that begins with a verb."""

    problem: str
    remedy: str
    key: str = ""


def as_error(
    problems: Sequence[Problem], *, where: str = "The command line", form: Form = TRAIN
) -> ConfigError:
    """One error that tells all `problems`."""
    if len(problems) == 1:
        return ConfigError(problems[0].problem, remedy=problems[0].remedy)
    lines = [f"  - {p.problem} {p.remedy[0].upper()}{p.remedy[1:]}" for p in problems]
    return ConfigError(
        f"{where} has {len(problems)} problems:\n" + "\n".join(lines),
        remedy=f"correct these {len(problems)}; `ftdist {form.verb} --help` explains every key.",
    )


def secret_problem(name: str, value: str, *, form: Form = TRAIN) -> Problem | None:
    """A key or value that looks like a password or an access key; the value is never repeated."""
    known = find_key(name, form=form)
    named = (known is None or known.kind == "table") and _SECRET_NAME.search(name)
    shown = name != "model.revision" and _SECRET_VALUE.search(value)
    if not named and not shown:
        return None
    return Problem(
        f"{name} looks like a secret, and a config is kept in the run directory.",
        "put it in the environment (WANDB_API_KEY, HF_TOKEN) or in ~/.netrc, and renew it if "
        "others could see it.",
        name,
    )


def unknown_key(
    name: str,
    *,
    groups: Mapping[str, Sequence[str]] | None = None,
    value: str = "",
    form: Form = TRAIN,
) -> Problem:
    """A key that is in no group and not in the schema."""
    other = CURATE if form is TRAIN else TRAIN
    if name in other.groups or find_key(name, form=other) is not None:
        kind = "group" if name in other.groups else "key"
        problem = f"{name} is a {kind} of a {other.thing} (`ftdist {other.verb} --help`), not of a "
        return Problem(f"{problem}{form.thing}.", "take it out here.")
    groups = groups or {}
    # a whole group is meant by a bare name only, a table only by a value that is one
    meant = nearest_key(
        name,
        groups=() if "." in name else groups,
        tables=value.strip().startswith("{"),
        form=form,
    )
    if meant is not None and meant in groups:
        return _unknown_group(name, value=value, meant=meant, options=groups[meant])
    meant = meant and with_chosen_name(meant, name=name)
    remedy = (
        f"write {meant}{value and f'={value}'}." if meant else f"see `ftdist {form.verb} --help`."
    )
    last = name.split(".")[-1]
    if remark := ALIASES_THAT_DIFFER.get(last):
        remedy = remark if meant and meant == ALIASES.get(name, ALIASES.get(last)) else remedy
    asked = f": did you mean {meant}?" if meant else "."
    return Problem(f"{name} is not a key of the config{asked}", remedy, meant or "")


def _unknown_group(name: str, *, value: str, meant: str, options: Sequence[str]) -> Problem:
    """A mistyped group: its name and, where the option is mistyped as well, that too."""
    option = value if value in options else nearest(value, options, least=0.4)
    if option is None:
        remedy = f"write {meant}=..., with one of {', '.join(options)}."
        return Problem(f"{name} is not a key of the config: did you mean {meant}?", remedy, meant)
    asked = f"did you mean {meant}={option}?"
    return Problem(f"{name} is not a key of the config: {asked}", f"write {meant}={option}.", meant)


def unset_key(name: str, *, form: Form = TRAIN) -> Problem:
    """A key that only the user can set, and did not."""
    key = find_key(name, form=form)
    meaning = f": {key.meaning.split('. ')[0].rstrip('.')}." if key else "."
    return Problem(f"{name} is not set.", f"add {name}=...{meaning}", name)


def validate(
    values: Mapping[str, Any],
    *,
    is_sound: Callable[[str], bool] = lambda _: True,
    is_new: bool = False,
) -> tuple[RunConfig | None, list[Problem]]:
    """The frozen config, or everything that is wrong with `values`.

    Args:
        values: composed, as nested mappings.
        is_sound: whether a key's value is what was asked for; only such keys are held against
            each other.
        is_new: whether the batch must be one that this many ranks can share. A run that exists
            is told so when its next attempt is planned.
    """
    config, plain, problems = validate_as(RunConfig, values, form=TRAIN)
    problems += _deepspeed_problems(plain)
    wrong = {p.key for p in problems}
    problems += _cross_checks(
        plain, is_sound=lambda key: key not in wrong and is_sound(key), is_new=is_new
    )
    return (None if problems else config), problems


def validate_as(
    schema: type[Schema], values: Mapping[str, Any], *, form: Form
) -> tuple[Schema | None, dict[str, Any], list[Problem]]:
    """The frozen config, the values it is made of, and what is wrong with single keys."""
    plain = _plain_numbers(values, form=form)
    try:
        return TypeAdapter(schema).validate_python(plain), plain, []
    except ValidationError as error:
        details = error.errors(include_url=False)
        return None, plain, [_translate(detail, form=form) for detail in details]


def show(value: Any) -> str:
    """A value as a person types it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def value_problem(
    key: ConfigKey, name: str, value: Any, *, error: str = "", of_item: bool = False
) -> Problem:
    """A value that does not fit its key.

    Args:
        key: what fits.
        name: as the user knows it.
        value: that does not fit.
        error: pydantic's name of what is wrong.
        of_item: whether `value` is one of a list.
    """
    shown = show(value)
    if key.choices:
        meant = nearest(shown, key.choices)
        hint = f"; did you mean {meant}?" if meant else "."
        problem = f"{name}={shown} is not one of {', '.join(key.choices)}{hint}"
    elif of_item and key.kind == "numbers":
        reason = "out of range" if error in _RANGE_ERRORS else "not a number"
        problem = f"{name} holds {shown}, which is {reason}."
    elif error == "too_short":
        problem = f"{name}={shown} is empty."
    elif error in _RANGE_ERRORS:
        problem = f"{name}={shown} is out of range."
    else:
        problem = f"{name}={shown} is not {key.described}."
    return Problem(problem, f"set {name} to {key.fits}.", name)


def _plain_numbers(values: Mapping[str, Any], *, form: Form, prefix: str = "") -> dict[str, Any]:
    """`values` with "64k" read as 64,000, numbers as texts where a list of texts is meant."""
    plain: dict[str, Any] = {}
    for name, value in values.items():
        dotted = f"{prefix}{name}"
        key = find_key(dotted, form=form)
        if isinstance(value, Mapping) and dotted == "cluster.env":
            value = {str(k): show(v) for k, v in value.items()}  # a shell has texts only
        elif isinstance(value, Mapping) and dotted != "engine.deepspeed":
            value = _plain_numbers(value, form=form, prefix=f"{dotted}.")
        elif key is not None and key.kind == "integer" and isinstance(value, str):
            number = read_integer(value)
            value = value if number is None else number
        elif key is not None and key.kind in ("integer", "number") and isinstance(value, bool):
            value = show(value)  # pydantic would read true as 1
        elif key is not None and key.kind in ("texts", "numbers") and isinstance(value, list):
            value = [show(v) if isinstance(v, int | float) else v for v in value]
        plain[str(name)] = value
    return plain


def _translate(detail: ErrorDetails, *, form: Form) -> Problem:
    name = ".".join(str(part) for part in detail["loc"] if not isinstance(part, int))
    key = find_key(name, form=form)
    if detail["type"] == "missing":
        return unset_key(name, form=form)
    if key is None or detail["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return unknown_key(name, form=form)
    of_item = any(isinstance(part, int) for part in detail["loc"])
    return value_problem(key, name, detail["input"], error=detail["type"], of_item=of_item)


def _cross_checks(
    values: Mapping[str, Any], *, is_sound: Callable[[str], bool], is_new: bool
) -> list[Problem]:
    """What keys say against each other; keys that are wrong by themselves are passed over."""
    found: list[Problem] = []

    def sound(*names: str) -> list[Any] | None:
        read = [_look_up(values, name) for name in names]
        return read if all(map(is_sound, names)) and ... not in read else None

    if pair := sound("batch.tokens", "batch.sequence_length"):
        found += _whole_sequences(int(pair[0]), int(pair[1]))
    if is_new and not found and (six := sound(*_CUT)):
        found += _uneven_batch(*map(int, six))
    if lengths := sound(*LENGTHS):
        found += _one_length(dict(zip(LENGTHS, lengths, strict=True)))
    if triple := sound("optim.schedule", "optim.warmup_ratio", "optim.decay_ratio"):
        warmup, decay = float(triple[1]), float(triple[2])
        if triple[0] == "wsd" and warmup + decay > 1 and not math.isclose(warmup + decay, 1):
            problem = f"optim.warmup_ratio={warmup} and optim.decay_ratio={decay} are together "
            remedy = f"set optim.decay_ratio to at most {round(1 - warmup, 6)}."
            found.append(Problem(problem + "more than all steps.", remedy, "optim.decay_ratio"))
    return found


def _deepspeed_problems(values: Mapping[str, Any]) -> list[Problem]:
    """Settings in `engine.deepspeed` that ftdist refuses; then DeepSpeed is asked of the others."""
    deepspeed = _look_up(values, "engine.deepspeed")
    refused = refused_deepspeed_keys(deepspeed) if isinstance(deepspeed, Mapping) else {}
    found = [
        Problem(f"engine.deepspeed.{key} {why}", remedy, f"engine.deepspeed.{key}")
        for key, (why, remedy) in refused.items()
    ]
    if found:  # else preflight asks, as it takes seconds
        others = without_keys(deepspeed, refused)
        found += [Problem(said, FIX_DEEPSPEED) for said in check_deepspeed_keys(others)]
    return found


def _uneven_batch(
    tokens: int, sequence_length: int, micro: int, nodes: int, tasks: int, uneven: int
) -> list[Problem]:
    try:
        cut_batch(
            global_sequences=tokens // sequence_length,
            micro_batch_size=micro,
            world_size=nodes * tasks,
            allow_uneven=bool(uneven),
            sequence_length=sequence_length,
        )
    except ConfigError as error:
        return [Problem(error.problem, error.remedy, "batch.tokens")]
    return []


def _whole_sequences(tokens: int, sequence_length: int) -> list[Problem]:
    if tokens % sequence_length == 0:
        return []
    below = tokens // sequence_length * sequence_length
    sizes = f"{below} or {below + sequence_length}" if below else f"{sequence_length}"
    return [
        Problem(
            f"batch.tokens={tokens} is not a multiple of batch.sequence_length={sequence_length}.",
            f"set batch.tokens to {sizes}.",
            "batch.tokens",
        )
    ]


def _one_length(lengths: Mapping[str, Any]) -> list[Problem]:
    given = {key: value for key, value in lengths.items() if value is not None}
    if len(given) == 1:
        return []
    named = [f"{key}={show(value)}" for key, value in (given or lengths).items()]
    problem = f"{', '.join(named[:-1])} and {named[-1]} are "
    problem += f"{'both' if len(given) == 2 else 'all'} {'set' if given else 'null'}."
    return [Problem(problem, "set exactly one of them.", "train.steps")]


def _look_up(values: Any, name: str) -> Any:
    for part in name.split("."):
        if not isinstance(values, Mapping) or part not in values:
            return ...
        values = values[part]
    return values
