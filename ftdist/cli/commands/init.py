"""`ftdist init`: lay out a project: a folder for the user's own config, libraries and runs."""

import re
import shlex
from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from ftdist.cli.common import CommandParser, print_result, refuse_secrets
from ftdist.errors import ConfigError, StorageError

DESCRIPTION = """\
Lay out a project in a new folder: conf/ for your own clusters, experiments and other options, which
ftdist finds first when it runs there; libraries/ and runs/ for what it makes; a README and a
.gitignore."""

_FILES = ("conf/cluster/mine.yaml", "conf/experiment/mine.yaml", "README.md", "gitignore.txt")
_FOLDERS = ("libraries", "runs")
_SHOWN = 3


def main(arguments: Sequence[str]) -> int:
    """Write the files of a project, and print the commands that come next.

    Raises:
        ConfigError: the folder holds something.
        StorageError: it cannot be written.
    """
    parser = CommandParser("init", description=DESCRIPTION)
    parser.add_argument("folder", nargs="?", help="a new folder; . for the current one if empty")
    flags = parser.parse_args(arguments)
    if flags.folder is None:
        raise ConfigError(
            "`ftdist init` needs a folder.",
            remedy="name a new one: `ftdist init F`; or, if this one is empty: `ftdist init .`.",
        )
    refuse_secrets([flags.folder])
    folder = Path(flags.folder).expanduser()
    _refuse_used(folder)
    try:
        _write(folder)
    except OSError as error:
        raise StorageError(
            f"Cannot write {error.filename or folder}: {error.strerror}.",
            remedy="name a folder that you may write.",
        ) from None
    print_result(_next_commands(folder, typed=flags.folder))
    return 0


def _refuse_used(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file.", remedy="name a new folder.")
    held = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if not held:
        return
    if (folder / "conf").is_dir():
        raise ConfigError(
            f"{folder.resolve()} holds a folder conf: it is a project already.",
            remedy="run ftdist there, or name a new folder.",
        )
    more = f" and {len(held) - _SHOWN} more" if len(held) > _SHOWN else ""
    raise ConfigError(
        f"{folder} is not empty: it holds {', '.join(held[:_SHOWN])}{more}.",
        remedy="name a new folder; `ftdist init` changes no file of yours.",
    )


def _write(folder: Path) -> None:
    name = folder.resolve().name
    templates = resources.files("ftdist.cli") / "project"
    for part in (*_FOLDERS, "conf/cluster", "conf/experiment"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for file in _FILES:
        target = folder / (".gitignore" if file == "gitignore.txt" else file)
        target.write_text(_filled(templates / file, name=name), encoding="utf-8")


def _filled(template: Traversable, *, name: str) -> str:
    project = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._") or "experts"
    text = template.read_text(encoding="utf-8")
    return text.replace('"NAME"', project).replace("# NAME\n", f"# {name}\n")


def _next_commands(folder: Path, *, typed: str) -> str:
    here = folder.resolve() == Path.cwd().resolve()
    lines = [
        f"Project {folder.resolve().name}:",
        "  conf/cluster/mine.yaml     your cluster: cluster=mine",
        "  conf/experiment/mine.yaml  settings of your runs: experiment=mine",
        "  libraries/, runs/          what ftdist makes; README.md has the commands",
        "",
        "Next:",
        *([] if here else [f"  cd {shlex.quote(typed)}"]),
        "  ftdist train experiment=tiny   # checks the installation, about a minute",
        "  ftdist doctor                  # on a login node: writes conf/cluster/",
        "  ftdist expert 'sources=[FOLDER]' model=M run.name=R experiment=mine --dry-run",
    ]
    return "\n".join(lines)
