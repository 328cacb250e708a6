"""`ftdist push`: upload a curated library or a run's exported model to the Hugging Face Hub."""

import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ftdist_launch.setup.preflight import raise_together
from ftdist_launch.setup.stage_preflight import merged_missing

from ftdist.cli.common import CommandParser, log, print_plan, print_result, refuse_secrets
from ftdist.errors import ConfigError
from ftdist.io.hub_upload import (
    Changes,
    Content,
    Repository,
    RepositoryKind,
    commit_changes,
    find_changes,
    open_repository,
)
from ftdist.io.progress import count
from ftdist.io.units import format_bytes
from ftdist.library.store.dataset import is_curated
from ftdist.library.store.files_to_push import earlier_files, files_to_push
from ftdist.rundir import RUNS_ROOT, RunDir, find_run

DESCRIPTION = """\
Upload a curated library as a dataset, or a run's export as a model, to the Hugging Face Hub:
`ftdist push libraries/widget org/name`, `ftdist push RUN org/name`; with --merged the model of
`ftdist merge`. The repository is private
unless --public is given. Only what changed is uploaded, after a question."""

_WEIGHTS = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors|model\.safetensors\.index\.json")
"""Files of an earlier export: left in place, they would be loaded with the new ones."""


@dataclass(frozen=True, kw_only=True)
class _Shared:
    """What is uploaded."""

    what: str
    kind: RepositoryKind
    files: Mapping[str, Content]
    earlier: Callable[[Collection[str]], set[str]]
    """Of the files of a repository, those that an earlier upload made."""


def main(arguments: Sequence[str]) -> int:
    """Upload a library or an export.

    Returns:
        0; also if there was nothing to upload.

    Raises:
        FtdistError: there is no such library or export, or the Hub refuses it.
    """
    parser = CommandParser("push", description=DESCRIPTION)
    parser.add_argument("source", help="folder of a library, or name or folder of a run")
    parser.add_argument("repository", metavar="owner/name", help="repository on the Hub")
    parser.add_argument("root", nargs="?", metavar="run.root=DIR", help="folder of the runs")
    parser.add_argument("--merged", action="store_true", help="the model of `ftdist merge`")
    parser.add_argument("--public", action="store_true", help="for everybody to see")
    parser.add_argument("--dry-run", action="store_true", help="show what would be uploaded")
    parser.add_argument("--yes", action="store_true", help="upload without a question")
    parser.add_argument("--message", help="of the commit")
    flags = parser.parse_args(arguments)
    refuse_secrets([flags.source, flags.repository])
    shared = _find(flags.source, runs_root=_runs_root(flags.root), merged=flags.merged)
    repository = open_repository(flags.repository, kind=shared.kind)
    if repository.is_private is False and not flags.public:
        raise ConfigError(
            f"The {repository.kind} {repository.name} is public, and this upload would be private.",
            remedy="add --public to publish it, or name another repository.",
        )
    changes = find_changes(repository, shared.files, earlier=shared.earlier(repository.files))
    _show(shared, repository, changes, is_public=flags.public)
    if not changes.upload and not changes.delete:
        print_result(f"Nothing to upload: {repository.url} has all of it.")
        return 0
    if flags.dry_run:
        return 0
    if not flags.yes:
        confirm()
    log(f"push: uploading {count(len(changes.upload), 'file')}")
    message = flags.message or f"Upload {shared.what} with ftdist"
    url = commit_changes(repository, changes, private=not flags.public, message=message)
    print_result(f"Uploaded: {url}")
    return 0


def _runs_root(word: str | None) -> Path:
    if word is None:
        return RUNS_ROOT
    key, _, value = word.partition("=")
    if key != "run.root":
        raise ConfigError(
            f"`ftdist push` takes no {key!r}.", remedy="write `ftdist push LIBRARY owner/name`."
        )
    return Path(value)


def _find(source: str, *, runs_root: Path, merged: bool) -> _Shared:
    """The library, the export or the merged model that is named."""
    folder = Path(source).expanduser()
    if is_curated(folder):
        if merged:
            raise ConfigError(f"{source} is a library, not a run.", remedy="leave out --merged.")
        return _Shared(
            what=f"the library {folder.resolve().name}",
            kind="dataset",
            files=files_to_push(folder),
            earlier=earlier_files,
        )
    is_run = RunDir(folder).exists() or RunDir(runs_root / source).exists()
    if not is_run and (folder.is_dir() or "/" in source):
        raise ConfigError(
            f"{source} is neither a curated library nor a run.",
            remedy="name the folder of one: `ftdist curate` makes libraries, `ftdist train` runs.",
        )
    run = find_run(source, runs_root=runs_root)
    if merged:
        raise_together(list(merged_missing(run)))
    model = run.merged_model if merged else run.export
    files = {
        path.relative_to(model).as_posix(): path
        for path in sorted(model.rglob("*"))
        if path.is_file() and not path.is_symlink() and not path.name.startswith(".")
    }
    if "config.json" not in files:
        raise ConfigError(
            f"Run {run.name} has no export.",
            remedy=f"write it first: `ftdist export {run.cli_name}`.",
        )
    return _Shared(
        what=f"the {'merged model' if merged else 'export'} of run {run.name}",
        kind="model",
        files=files,
        earlier=lambda names: set(filter(_WEIGHTS.fullmatch, names)),
    )


def _show(shared: _Shared, repository: Repository, changes: Changes, *, is_public: bool) -> None:
    """What will be uploaded, where to, and as whom."""
    visible = "public" if is_public else "private"
    if repository.is_private is None:
        where = f"{repository.url} ({visible}, new)"
    elif repository.is_private and is_public:
        where = f"{repository.url} (stays private: publish it in its settings)"
    else:
        where = f"{repository.url} ({visible})"
    rows = [
        ("what", shared.what),
        ("where", where),
        ("as", repository.user),
        ("upload", f"{count(len(changes.upload), 'file')}, {format_bytes(changes.size)}"),
        *(("", name) for name in changes.upload),
        ("unchanged", count(changes.unchanged, "file")),
    ]
    if changes.delete:
        rows += [("delete", count(len(changes.delete), "file"))]
        rows += [("", name) for name in changes.delete]
    print_plan(rows, title="Push")


def confirm() -> None:
    """Ask on the terminal.

    Raises:
        ConfigError: there is none, or the answer is no.
    """
    if not sys.stdin.isatty():
        raise ConfigError("Nothing was uploaded: there is no terminal to ask.", remedy="add --yes.")
    sys.stderr.write("Upload? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise ConfigError("Nothing was uploaded.", remedy="answer y, or add --yes.")
