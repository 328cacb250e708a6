"""Command line and `conf/` to a frozen RunConfig. The only importer of hydra and omegaconf.

Hydra stops at the first problem. Here every override is read and checked first, the valid ones
are composed, the result is validated, and one error reports all problems.
"""

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftdist.config.help import help_text
from ftdist.config.keys import CURATE, TRAIN, Form
from ftdist.config.overrides import Parsed, Reading, read_overrides
from ftdist.config.problems import Problem, as_error, unset_key
from ftdist.config.schema import RunConfig
from ftdist.config.schema.curate import CurateConfig
from ftdist.config.validation import validate, validate_as
from ftdist.errors import ConfigError

if TYPE_CHECKING:
    from hydra._internal.hydra import Hydra

MISSING = "???"
_PRINTING_FLAGS = frozenset(
    {"--help", "-h", "--hydra-help", "--version", "--cfg", "-c", "--info", "-i", "--resolve"}
    | {"--package", "-p"}
)
_REFUSED_FLAGS = frozenset(
    {"--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd", "--run", "-r"}
    | {"--shell-completion", "-sc", "--experimental-rerun"}
)
_SWEEP_FLAGS = frozenset({"--multirun", "-m"})


def conf_dir() -> Path:
    """The folder of Hydra groups: inside the package when installed, beside it in a checkout.

    Raises:
        ConfigError: the installation lacks it.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "train.yaml").is_file():
            return folder
    raise ConfigError(f"No config found in {package}.", remedy="reinstall ftdist.")


def group_options(form: Form = TRAIN) -> dict[str, tuple[str, ...]]:
    """Groups in `conf/` that a command's config is composed of, each with its options' names."""
    folder = conf_dir()
    return {
        name: tuple(sorted(file.stem for file in (folder / name).glob("*.yaml")))
        for name in form.groups
    }


def compose(overrides: Sequence[str], *, name: str | None = None) -> RunConfig:
    """The run that a command line asks for.

    Args:
        overrides: `key=value`, `group=option`; the verb and its flags have come off.
        name: of a run that is given none.

    Raises:
        ConfigError: all that is wrong with them, each problem with its remedy.
    """
    with _hydra() as hydra:
        checked = _check(overrides, hydra=hydra, name=name)
    if checked.config is None:
        raise as_error(checked.problems + checked.unset)
    return checked.config


def compose_curation(overrides: Sequence[str]) -> CurateConfig:
    """The library that a command line asks for.

    Raises:
        ConfigError: all that is wrong with it, each problem with its remedy.
    """
    with _hydra() as hydra:
        composed = _compose(overrides, hydra=hydra, form=CURATE)
    if composed.values is None:
        raise as_error(composed.problems, form=CURATE)
    unset = set(_unset(composed.values))
    config, _, wrong = validate_as(CurateConfig, composed.values, form=CURATE)
    meant = composed.reading.meant
    problems = composed.problems + [p for p in wrong if p.key not in unset | meant]
    problems += [unset_key(key, form=CURATE) for key in sorted(unset - meant)]
    if config is None or problems:
        raise as_error(problems, form=CURATE)
    return config


def sweep(arguments: Sequence[str]) -> list[list[str]]:
    """The single runs of a sweep (`-m optim.peak_lr=1e-4,1e-5`), in Hydra's own order.

    Each run gets a name of its own: unless `run.name` is swept, its index in the sweep is appended.

    Raises:
        ConfigError: all that is wrong with any of them.
    """
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    overrides = [argument for argument in arguments if argument not in _SWEEP_FLAGS]
    problems = _set_twice(overrides)
    names: list[str] = []
    with _hydra() as hydra:
        parser = OverridesParser.create(config_loader=hydra.config_loader)
        try:
            (runs,) = BasicSweeper.split_arguments(parser.parse_overrides(overrides), None)
        except HydraException:
            runs = [overrides]  # the usual checks report what cannot be read
        for run in runs:
            checked = _check(run, hydra=hydra)
            problems += checked.problems + checked.unset
            names += [checked.config.run.name] if checked.config else []
    if problems:
        raise as_error(list(dict.fromkeys(problems)))
    if len(set(names)) == len(names):
        return [list(run) for run in runs]
    return [_named(run, index=index, name=names[index]) for index, run in enumerate(runs)]


def is_sweep(arguments: Sequence[str]) -> bool:
    """Whether a command line asks for several runs (`-m`, `--multirun`)."""
    return any(argument in _SWEEP_FLAGS for argument in arguments)


def hydra_flags(arguments: Sequence[str]) -> bool:
    """Whether a command line has flags of Hydra that print something instead of running."""
    flags = {argument.split("=")[0] for argument in arguments if argument.startswith("-")}
    return bool(flags & (_PRINTING_FLAGS | _REFUSED_FLAGS))


def run_hydra_flags(arguments: Sequence[str], *, form: Form = TRAIN) -> str:
    """What `--help`, `--cfg job`, `--info defaults` and their kin print.

    Raises:
        ConfigError: a flag or an override that cannot be used; keys may still be unset.
    """
    from hydra._internal.utils import get_args_parser

    refused = [a for a in arguments if a.split("=")[0] in _REFUSED_FLAGS]
    if refused:
        raise ConfigError(
            f"ftdist does not take Hydra's {refused[0]}.",
            remedy="leave it out; values live in conf/ and on the command line.",
        )
    printed, complaint = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(complaint):
        parser = get_args_parser()
        try:
            flags = parser.parse_intermixed_args(list(arguments))
        except SystemExit as end:
            if end.code == 0:
                return printed.getvalue()
            reason = complaint.getvalue().strip().rsplit("error: ", maxsplit=1)[-1]
            raise ConfigError(
                f"These flags cannot be read: {reason}.", remedy="see `ftdist train --hydra-help`."
            ) from None
        with _hydra() as hydra:
            if flags.help:
                values = _composed([], hydra=hydra, form=form)
                return help_text(groups=group_options(form), values=values, form=form)
            if flags.hydra_help:
                hydra.hydra_help(form.verb, args_parser=parser, args=flags)
                return printed.getvalue()
            _answer(hydra, flags, form=form)
    return printed.getvalue()


@dataclass(frozen=True, kw_only=True)
class _Checked:
    """A command line, composed and validated."""

    config: RunConfig | None
    problems: list[Problem]
    unset: list[Problem]
    """Keys that only the user can set, and did not."""


def _check(overrides: Sequence[str], *, hydra: "Hydra", name: str | None = None) -> _Checked:
    """Compose and validate what is sound, even where other overrides are not."""
    composed = _compose(overrides, hydra=hydra, form=TRAIN)
    reading, values = composed.reading, composed.values
    if values is None:
        return _Checked(config=None, problems=composed.problems, unset=[])
    if name is not None and values["run"]["name"] == MISSING:
        values["run"]["name"] = name
    unset = set(_unset(values))
    is_sound = _soundness(reading, groups=group_options())
    config, wrong = validate(values, is_sound=is_sound, is_new=True)
    problems = reading.problems + [p for p in wrong if p.key not in unset | reading.meant]
    # an experiment that was mistyped might have set them
    reported = set() if "experiment" in reading.meant else unset - reading.meant
    return _Checked(
        config=None if problems or unset else config,
        problems=problems,
        unset=[unset_key(key) for key in sorted(reported)],
    )


@dataclass(frozen=True, kw_only=True)
class _Composed:
    """A command line as read, and what Hydra makes of what is sound in it; None: nothing."""

    reading: Reading
    values: dict[str, Any] | None
    problems: list[Problem]


def _compose(overrides: Sequence[str], *, hydra: "Hydra", form: Form) -> _Composed:
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    reading = read_overrides(overrides, parse=parse_override, groups=group_options(form), form=form)
    if form is TRAIN:
        reading.unset_other_lengths()
    try:
        values = _composed(reading.lines(), hydra=hydra, form=form)
    except (HydraException, OmegaConfBaseException) as error:
        reason = " ".join(str(error).split())
        problem = Problem(f"Hydra cannot compose this: {reason}", "change what it names.")
        return _Composed(reading=reading, values=None, problems=[*reading.problems, problem])
    return _Composed(reading=reading, values=values, problems=reading.problems)


def _soundness(reading: Reading, *, groups: Mapping[str, Sequence[str]]) -> Callable[[str], bool]:
    """Tells keys whose value is as asked from those that a mistyped override was meant to set."""
    mistaken = reading.meant & set(groups)

    def is_sound(key: str) -> bool:
        if key in reading.meant:
            return False
        from_mistaken = "experiment" in mistaken or key.partition(".")[0] in mistaken
        return key in reading.accepted or not from_mistaken

    return is_sound


def quoted(text: str) -> str:
    """A text in quotes, for Hydra's grammar."""
    from hydra.core.override_parser.types import Quote, QuotedString

    return QuotedString(text=text, quote=Quote.single).with_quotes()


def parse_override(text: str, as_text: bool) -> Parsed | None:
    """One override by Hydra's grammar, the value quoted first if `as_text`; None: unreadable."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    if as_text:
        name, _, value = text.partition("=")
        text = f"{name}={quoted(value)}"
    try:
        (override,) = OverridesParser.create().parse_overrides([text])
    except HydraException:
        return None
    if override.package is not None:
        return None
    return Parsed(
        line=text,
        value=override.value(),
        several=override.is_sweep_override(),
        deletes=override.is_delete(),
    )


def _set_twice(overrides: Sequence[str]) -> list[Problem]:
    """Keys of a sweep that are set twice, of which Hydra's sweeper would take the last."""
    names = [text.partition("=")[0].lstrip("+") for text in dict.fromkeys(overrides)]
    twice = sorted({name for name in names if names.count(name) > 1})
    return [Problem(f"{name} is set twice.", "keep one of them.", name) for name in twice]


def _named(run: Sequence[str], *, index: int, name: str) -> list[str]:
    """One run of a sweep under a name of its own."""
    others = [text for text in run if not text.startswith("run.name=")]
    return [*others, f"run.name={name}-{index}"]


def _composed(overrides: list[str], *, hydra: "Hydra", form: Form) -> dict[str, Any]:
    from hydra.types import RunMode
    from omegaconf import OmegaConf, open_dict

    tree = hydra.compose_config(
        config_name=form.verb,
        overrides=overrides,
        run_mode=RunMode.RUN,
        from_shell=False,
        with_log_configuration=False,
    )
    with open_dict(tree):
        del tree["hydra"]
    values = OmegaConf.to_container(tree, resolve=True, throw_on_missing=False)
    assert isinstance(values, dict), "conf/train.yaml is a mapping"
    return {str(key): value for key, value in values.items()}


def _unset(values: Mapping[str, Any], *, prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _unset(value, prefix=f"{prefix}{name}.")
        elif value == MISSING:
            yield f"{prefix}{name}"


@contextlib.contextmanager
def _hydra() -> Iterator["Hydra"]:
    """Hydra, looking at `conf/`; whatever was there before is there again afterwards."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    with initialize_config_dir(str(conf_dir()), job_name="ftdist", version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None, "initialize_config_dir makes one"
        yield hydra


def _answer(hydra: "Hydra", flags: Any, *, form: Form) -> None:
    """Let Hydra print what `--cfg` or `--info` asks for, once the overrides are sound."""
    composed = _compose(flags.overrides, hydra=hydra, form=form)
    problems = composed.problems
    if form is TRAIN:
        problems = _check(flags.overrides, hydra=hydra).problems
    if problems:
        raise as_error(problems, form=form)
    lines = composed.reading.lines()
    if flags.cfg:
        hydra.show_cfg(form.verb, lines, flags.cfg, flags.package, flags.resolve)
    else:
        hydra.show_info(flags.info or "all", config_name=form.verb, overrides=lines)
