"""The adapter to Hydra, and only importer of hydra and omegaconf: parse overrides and compose."""

import contextlib
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftdist.config.keys import CommandSpec, conf_dir

if TYPE_CHECKING:
    from hydra._internal.hydra import Hydra

    __all__ = ["Hydra"]


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """One override, parsed by Hydra's grammar."""

    line: str
    """The override in the form that Hydra composes."""

    value: Any
    several: bool
    """Whether it is a sweep."""

    deletes: bool


@dataclass(frozen=True, kw_only=True)
class ComposedFile:
    """One file that Hydra composes."""

    folder: str
    """The config folder that holds it."""

    name: str
    """Its path in that folder, without `.yaml`."""

    package: str
    """The dotted section that its values go to; empty: the whole config."""

    values: dict[str, Any]


class CompositionError(Exception):
    """Hydra cannot compose a config."""


@contextlib.contextmanager
def open_hydra() -> Iterator["Hydra"]:
    """Hydra initialized with `conf/`; its global state is restored afterwards."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    with initialize_config_dir(str(conf_dir()), job_name="ftdist", version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None, "initialize_config_dir makes one"
        yield hydra


def compose_values(overrides: list[str], *, hydra: "Hydra", command: CommandSpec) -> dict[str, Any]:
    """The values that Hydra composes of `conf/` and the overrides, without its own.

    Raises:
        CompositionError: with Hydra's reason.
    """
    from hydra.errors import HydraException
    from hydra.types import RunMode
    from omegaconf import OmegaConf, open_dict
    from omegaconf.errors import OmegaConfBaseException

    try:
        tree = hydra.compose_config(
            config_name=command.verb,
            overrides=overrides,
            run_mode=RunMode.RUN,
            from_shell=False,
            with_log_configuration=False,
        )
        with open_dict(tree):
            del tree["hydra"]
        values = OmegaConf.to_container(tree, resolve=True, throw_on_missing=False)
    except (HydraException, OmegaConfBaseException) as error:
        raise CompositionError(" ".join(str(error).split())) from None
    assert isinstance(values, dict), "conf/train.yaml is a mapping"
    return {str(key): value for key, value in values.items()}


def composed_files(
    overrides: list[str], *, hydra: "Hydra", command: CommandSpec
) -> list[ComposedFile]:
    """The files that Hydra composes, in its order, without its own.

    Raises:
        CompositionError: with Hydra's reason.
    """
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra.errors import HydraException
    from hydra.types import RunMode
    from omegaconf import OmegaConf

    loader = hydra.config_loader
    assert isinstance(loader, ConfigLoaderImpl), "Hydra has no other"
    try:
        chosen = loader.compute_defaults_list(command.verb, overrides, RunMode.RUN).defaults
    except HydraException as error:
        raise CompositionError(" ".join(str(error).split())) from None
    files = []
    for each in chosen:
        package = each.package or ""
        if each.config_path is None or package.split(".")[0] == "hydra":
            continue
        loaded = loader.repository.load_config(each.config_path)
        assert loaded is not None, "Hydra has just found it"
        values = OmegaConf.to_container(loaded.config, resolve=False, throw_on_missing=False)
        assert isinstance(values, dict), "a config file is a mapping"
        files.append(
            ComposedFile(
                folder=loaded.path.removeprefix("file://"),
                name=each.config_path,
                package=package,
                values={str(name): value for name, value in values.items()},
            )
        )
    return files


def flag_parser() -> ArgumentParser:
    """Hydra's own parser of command line flags."""
    from hydra._internal.utils import get_args_parser

    parser: ArgumentParser = get_args_parser()
    return parser


def quoted(text: str) -> str:
    """A text in quotes, for Hydra's grammar."""
    from hydra.core.override_parser.types import Quote, QuotedString

    return QuotedString(text=text, quote=Quote.single).with_quotes()


def parse_override(text: str, *, as_text: bool = False) -> Parsed | None:
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
