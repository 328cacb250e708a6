"""Field types and patterns that several sections of the config share."""

from typing import Annotated, Final, Literal, TypeVar

from pydantic import AfterValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from ftdist.io.env_names import is_tunable

STRICT = ConfigDict(
    extra="forbid", use_attribute_docstrings=True, validate_default=True, allow_inf_nan=False
)

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""Name of a run or a library: safe as a folder, in a shell script and in SLURM's file patterns."""

SLURM_WORD_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.:,@+=&|*()\[\]-]{0,127}$"
"""A partition, an account, nodes or their features; safe in an sbatch script."""

HUB_NAME_PATTERN = r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*"
"""The name of a model or dataset of the Hub, with its organisation."""

PATH_PATTERN = r"^[^\x00-\x1f%\\]+$"
"""A path that SLURM and a shell script accept: no line breaks, `%` or backslashes."""


def _tunable(name: str) -> str:
    if is_tunable(name):
        return name
    raise PydanticCustomError(ENV_NAME, "not a setting of a library")


def _one_line(value: str) -> str:
    if value.isprintable():
        return value
    raise PydanticCustomError(ENV_VALUE, "not one line of text")


ENV_NAME, ENV_VALUE = "env_name", "env_value"
"""pydantic's types of the errors of `EnvName` and `EnvValue`."""

EnvName = Annotated[str, AfterValidator(_tunable)]
"""An environment variable that a config may set."""

EnvValue = Annotated[str, AfterValidator(_one_line)]
SlurmWord = Annotated[str, Field(pattern=SLURM_WORD_PATTERN)]
SafePath = Annotated[str, Field(pattern=PATH_PATTERN)]
Fraction = Annotated[float, Field(ge=0, le=1)]
FractionBelowOne = Annotated[float, Field(ge=0, lt=1)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeInt = Annotated[int, Field(ge=0)]
PositiveInt = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
SequenceLength = Annotated[int, Field(ge=8)]

AUTO: Final = "auto"
"""Value of a key whose number follows from library and model, until the run is planned."""

Auto = Literal["auto"]
_Number = TypeVar("_Number", int, float)


def resolved(value: _Number | Auto) -> _Number:
    """The number of a key that may be `auto`, in a config that has been planned."""
    assert value != "auto", "the plan of a run replaces auto by numbers"
    return value
