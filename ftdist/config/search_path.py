"""The folders in which Hydra looks for config files: the user's own first, ftdist's own last."""

import importlib.util
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ftdist.errors import ConfigError

PROJECT_FOLDER = "conf"
"""A user's own config, in the working directory."""

VARIABLE = "FTDIST_CONFIG_DIR"
"""Names a folder of config that several projects share, such as the clusters of a site."""

_ROOTS = ("train.yaml", "curate.yaml")
_HYDRA_LINE = re.compile(
    r"^(hydra\s*:|\s*-\s*(override\s+)?/?hydra/|# @package hydra)", re.MULTILINE
)
_DIR_FLAGS = ("--config-dir", "-cd")


@dataclass(frozen=True, kw_only=True)
class ConfigFolder:
    """One folder of the search path."""

    path: Path
    provider: str
    """Who added it, as `--info searchpath` shows it."""


def conf_dir() -> Path:
    """The folder of ftdist's own config: in the package if installed, beside it in a checkout.

    Raises:
        ConfigError: the installation lacks it.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "train.yaml").is_file():
            return folder
    raise ConfigError(f"No config found in {package}.", remedy="reinstall ftdist.")


def own_folders(
    *, config_dir: Path | None = None, further: Sequence[Path] = ()
) -> tuple[ConfigFolder, ...]:
    """The user's own folders; of two files of one name, the one in the earlier folder is used.

    Args:
        config_dir: of the flag `--config-dir`.
        further: of `hydra.searchpath`.
    """
    shared = os.environ.get(VARIABLE)
    candidates = [
        *([ConfigFolder(path=config_dir, provider="--config-dir")] if config_dir else []),
        ConfigFolder(path=Path(PROJECT_FOLDER), provider="working directory"),
        *(ConfigFolder(path=path, provider="hydra.searchpath") for path in further),
        *([ConfigFolder(path=Path(shared), provider=VARIABLE)] if shared else []),
    ]
    seen = {conf_dir()}
    folders = []
    for each in candidates:
        path = each.path.expanduser().resolve()
        if path.is_dir() and path not in seen:
            seen.add(path)
            folders.append(ConfigFolder(path=path, provider=each.provider))
    return tuple(folders)


def refuse_unusable(folders: Iterable[ConfigFolder]) -> None:
    """Refuse what Hydra would ignore, or take for ftdist's own root config.

    Raises:
        ConfigError: the shared folder does not exist, or a folder has a root config.
    """
    shared = os.environ.get(VARIABLE)
    if shared and not Path(shared).expanduser().is_dir():
        raise ConfigError(
            f"${VARIABLE} is {shared}, and there is no such folder.",
            remedy="correct the variable, or unset it.",
        )
    for folder in folders:
        for root in _ROOTS:
            if (folder.path / root).is_file():
                raise ConfigError(
                    f"{folder.path / root} would replace ftdist's own root config of that name.",
                    remedy=f"rename it, or move it to {folder.path / 'experiment'} and choose it "
                    "with experiment=NAME; or run ftdist in another folder.",
                )


def list_options(group: str, folders: Iterable[ConfigFolder]) -> tuple[str, ...]:
    """The options of a group in the user's folders and in ftdist's own."""
    paths = [*(folder.path for folder in folders), conf_dir()]
    return tuple(sorted({file.stem for path in paths for file in (path / group).glob("*.yaml")}))


def split_config_dir(words: Sequence[str]) -> tuple[list[str], Path | None]:
    """The words of a command line without `--config-dir DIR`, and DIR.

    Raises:
        ConfigError: DIR is missing, or no folder.
    """
    rest: list[str] = []
    values: list[str] = []
    queue = list(words)
    while queue:
        flag, equals, value = queue.pop(0).partition("=")
        if flag not in _DIR_FLAGS:
            rest.append(f"{flag}{equals}{value}")
        else:
            values.append(value if equals else queue.pop(0) if queue else "")
    if not values:
        return rest, None
    if not values[-1]:
        raise ConfigError("--config-dir has no value.", remedy="write --config-dir=FOLDER.")
    return rest, _existing(values[-1], where="--config-dir")


def config_dir_flags(words: Sequence[str]) -> list[str]:
    """The flag `--config-dir` of a command line, for another one of the same folder."""
    _, folder = split_config_dir(words)
    return [f"--config-dir={folder}"] if folder else []


def files_of_hydra_keys(folders: Iterable[ConfigFolder]) -> list[Path]:
    """The user's files that seem to set keys of Hydra's own."""
    here = Path.cwd()
    found = [
        file
        for folder in folders
        for file in sorted(folder.path.rglob("*.yaml"))
        if _HYDRA_LINE.search(file.read_text(encoding="utf-8", errors="replace"))
    ]
    return [file.relative_to(here) if file.is_relative_to(here) else file for file in found]


def searchpath_folders(entries: Sequence[object]) -> list[Path]:
    """The folders that `hydra.searchpath` names: `file://FOLDER`, `pkg://PACKAGE` or `FOLDER`.

    Raises:
        ConfigError: one does not exist.
    """
    return [_searchpath_folder(str(entry)) for entry in entries]


def _searchpath_folder(entry: str) -> Path:
    scheme, separator, name = entry.partition("://")
    if not separator:
        return _existing(entry, where="hydra.searchpath")
    if scheme == "file":
        return _existing(name, where="hydra.searchpath")
    if scheme == "pkg":
        return _package_folder(name.replace("/", "."))
    raise ConfigError(
        f"hydra.searchpath names {entry}, and ftdist reads config from files.",
        remedy="write file://FOLDER or pkg://PACKAGE.",
    )


def _package_folder(package: str) -> Path:
    try:
        found = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        found = None
    locations = list(found.submodule_search_locations or []) if found else []
    if not locations:
        raise ConfigError(
            f"hydra.searchpath names pkg://{package}, and there is no such package.",
            remedy="install it, or write file://FOLDER.",
        )
    return Path(locations[0])


def _existing(name: str, *, where: str) -> Path:
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise ConfigError(
            f"{where} names {name}, and there is no such folder.",
            remedy="correct its path, which is relative to the working directory.",
        )
    return folder
