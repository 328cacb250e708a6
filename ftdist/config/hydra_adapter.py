"""The adapter to Hydra, and only importer of hydra and omegaconf: parse overrides and compose."""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftdist.config.keys import CommandSpec
from ftdist.config.problems import UnresolvedError
from ftdist.config.search_path import ConfigFolder, conf_dir, own_folders, refuse_unusable

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
    before: tuple[str, ...] = ()
    """Earlier overrides of the same table, which this one adds to."""


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

    @property
    def sections(self) -> dict[str, Any]:
        """Its values in their sections, as in the whole config."""
        values = self.values
        for part in reversed([part for part in self.package.split(".") if part]):
            values = {part: values}
        return values


def hydra_version() -> str:
    """The version of Hydra, such as 1.3.8."""
    import hydra

    return hydra.__version__


class CompositionError(Exception):
    """Hydra cannot compose a config."""


ENV_NAMES = ("HOME", "LOGNAME", "PROJECT", "SCRATCH", "TMPDIR", "USER", "WORK")
"""The variables that `${oc.env:NAME}` may read: a config is stored in files, and others may hold
secrets."""


@contextlib.contextmanager
def open_hydra(folders: Sequence[ConfigFolder] | None = None) -> Iterator["Hydra"]:
    """Hydra with the user's folders before ftdist's own; its global state is restored afterwards.

    Args:
        folders: the user's; by default those that a command finds without being given any.

    Raises:
        ConfigError: one cannot be used.
    """
    from hydra import initialize_config_dir
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra.core.config_search_path import SearchPathQuery
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig

    folders = own_folders() if folders is None else folders
    refuse_unusable(folders)
    before = HydraConfig.instance().cfg
    with initialize_config_dir(str(conf_dir()), job_name="ftdist", version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None, "initialize_config_dir makes one"
        search_path = hydra.config_loader.get_search_path()
        for each in folders:
            search_path.prepend(each.provider, f"file://{each.path}", SearchPathQuery("main", None))
        hydra.config_loader = ConfigLoaderImpl(search_path)
        try:
            with _guarded_environment():
                yield hydra
        finally:
            HydraConfig.instance().cfg = before


@contextlib.contextmanager
def _guarded_environment() -> Iterator[None]:
    """`${oc.env:NAME}` reads only ENV_NAMES, however the reference is written."""
    from omegaconf import OmegaConf
    from omegaconf.resolvers import oc

    def read(name: str, *default: Any) -> Any:
        if name not in ENV_NAMES:
            raise ValueError(f"it reads ${name} from the environment, which may hold a secret")
        return oc.env(name, *default)

    OmegaConf.register_new_resolver("oc.env", read, replace=True)
    try:
        yield
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)


def compose_values(
    overrides: list[str],
    *,
    hydra: "Hydra",
    command: CommandSpec,
    defaults: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The values that Hydra composes of the search path and the overrides, without its own.

    Args:
        overrides: in the form that Hydra composes.
        hydra: of `open_hydra`.
        command: whose config it is.
        defaults: values of keys that nothing sets.

    Raises:
        CompositionError: with Hydra's reason.
        UnresolvedError: a `${...}` has no value.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.errors import HydraException
    from hydra.types import RunMode
    from omegaconf import OmegaConf
    from omegaconf.errors import InterpolationResolutionError, OmegaConfBaseException
    from yaml import YAMLError

    try:
        tree = hydra.compose_config(
            config_name=command.verb,
            overrides=overrides,
            run_mode=RunMode.RUN,
            from_shell=False,
            with_log_configuration=False,
        )
        HydraConfig.instance().set_config(tree)
        own = OmegaConf.masked_copy(tree, [str(name) for name in tree if name != "hydra"])
        for name, value in (defaults or {}).items():
            section, _, last = name.rpartition(".")
            if OmegaConf.is_missing(OmegaConf.select(own, section), last):
                OmegaConf.update(own, name, value)
        values = OmegaConf.to_container(own, resolve=True, throw_on_missing=False)
    except InterpolationResolutionError as error:
        raise _reference_problem(error) from None
    except (HydraException, OmegaConfBaseException, YAMLError, OSError, UnicodeError) as error:
        raise _composition_error(error) from None
    assert isinstance(values, dict), "conf/train.yaml is a mapping"
    return {str(key): value for key, value in values.items()}


def _composition_error(error: Exception) -> CompositionError:
    """Hydra's reason in one line, without the search path."""
    text = str(error) or str(error.__cause__ or type(error).__name__)
    return CompositionError(" ".join(re.split(r"\s*Config search path:", text)[0].split()))


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
        raise _composition_error(error) from None
    files = []
    for each in chosen:
        package = each.package or ""
        if each.config_path is None or package.split(".")[0] == "hydra":
            continue
        loaded = loader.repository.load_config(each.config_path)
        assert loaded is not None, "Hydra has just found it"
        values = OmegaConf.to_container(loaded.config, resolve=False, throw_on_missing=False)
        if not isinstance(values, dict):
            folder = loaded.path.removeprefix("file://")
            raise CompositionError(f"{folder}/{each.config_path}.yaml is not a mapping.")
        files.append(
            ComposedFile(
                folder=loaded.path.removeprefix("file://"),
                name=each.config_path,
                package=package,
                values={str(name): value for name, value in values.items()},
            )
        )
    return files


def changed_hydra_keys(overrides: list[str], *, hydra: "Hydra", command: CommandSpec) -> list[str]:
    """Hydra's own keys that config files set to other values than Hydra does."""
    from hydra.types import RunMode
    from omegaconf import OmegaConf

    trees = [
        hydra.compose_config(name, given, RunMode.RUN, from_shell=False)
        for name, given in ((command.verb, overrides), (None, []))
    ]
    changed, own = (dict(_leaves(OmegaConf.to_container(tree.hydra))) for tree in trees)
    names = [name for name in {**changed, **own} if changed.get(name) != own.get(name)]
    return [name for name in names if not name.startswith(_BY_HYDRA)]


_BY_HYDRA = (
    *("hydra.runtime.", "hydra.overrides.", "hydra.job.name", "hydra.job.config_name"),
    "hydra.job.override_dirname",
)
"""Keys that Hydra itself sets for each command line."""


def _leaves(value: Any, *, name: str = "hydra") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, name=f"{name}.{key}")
    else:
        yield name, value


def _reference_problem(error: Exception) -> UnresolvedError:
    """What OmegaConf says of a `${...}` that has no value, in one line."""
    key = str(getattr(error, "full_key", None) or "a key")
    line = str(error).splitlines()[0]
    missing = re.fullmatch(r"Interpolation key '(.*)' not found", line)
    unset = re.search(r"Missing mandatory value: (.*)", line)
    if missing:
        return UnresolvedError(key, reason="there is no such key", reference=missing[1])
    if unset:
        return UnresolvedError(key, reason=f"{unset[1]} is not set")
    unsupported = re.fullmatch(r"Unsupported interpolation type (.*)", line)
    if unsupported:
        return UnresolvedError(key, reason=f"there is no resolver {unsupported[1]}")
    return UnresolvedError(key, reason=line.rpartition("interpolation: ")[2])


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
