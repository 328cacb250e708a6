"""Datasets of the Hugging Face Hub: their files in the Hub's usual cache.

With a commit as revision and its files in the cache, nothing is asked of the Hub.
"""

import errno
import glob
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ftdist.errors import DataError, FtdistError, StorageError
from ftdist.io.http_errors import http_error
from ftdist.library.sources.choice import set_option
from ftdist.library.sources.reference import DataReference, HubPath
from ftdist.library.sources.repository import CARD_FILES, files_inside, repository_files

_ATTEMPTS = 3
_PAUSE_S = 1.0

_Result = TypeVar("_Result")


@dataclass(frozen=True, kw_only=True)
class HubFiles:
    """Files of a Hub dataset in the cache.

    Attributes:
        hub: the dataset, with the commit as its revision.
        reference: what was chosen, in place of what was asked for.
        root: folder of the commit in the cache.
        files: in the order of reading.
    """

    hub: HubPath
    reference: DataReference
    root: Path
    files: tuple[Path, ...]


def hub_files(
    hub: HubPath, *, reference: DataReference, key: str, local_only: bool = False
) -> HubFiles:
    """The files of a dataset, downloaded unless they are cached.

    Args:
        hub: the dataset.
        reference: its subset, split and revision, as asked for.
        key: the config key of the data path, for errors.
        local_only: whether to use the cache alone.

    Raises:
        DataError: the dataset, subset, split, revision or path does not exist, it is gated, or the
            Hub cannot be reached.
        StorageError: the cache cannot be written.
    """
    requested = reference.revision
    revision = hub.revision if hub.is_pinned or requested is None else requested
    snapshot = _Snapshots(hub.repo, reference=reference, key=key, local_only=local_only)
    root = snapshot.fetch(revision, patterns=list(CARD_FILES))
    pinned = replace(hub, revision=root.name)
    names = snapshot.names(root)
    subset, split = None, None
    if hub.inside:
        if reference.subset or reference.split:
            raise DataError(
                f"{key}={reference.path} names files, which have no subset or split.",
                remedy=f"leave out the path {hub.inside}, or subset and split.",
            )
        chosen = files_inside(names, inside=hub.inside)
        if not chosen:
            raise _no_such_path(pinned, names, key=key)
    else:
        subset, split, chosen = _dataset_files(root, names, hub, reference=reference, key=key)
    snapshot.fetch(root.name, patterns=[glob.escape(name) for name in chosen])
    given = requested or (None if hub.is_pinned else hub.revision)
    return HubFiles(
        hub=pinned,
        reference=DataReference(path=str(pinned), subset=subset, split=split, revision=given),
        root=root,
        files=tuple(root / name for name in chosen),
    )


def _dataset_files(
    root: Path, names: list[str], hub: HubPath, *, reference: DataReference, key: str
) -> tuple[str | None, str, list[str]]:
    """Subset, split and names of the files of a dataset.

    `datasets` sees a folder with the repository's cards and an empty file for each of its data
    files: it needs their names alone, and says the same of them as of the repository itself.
    """
    with tempfile.TemporaryDirectory(prefix="ftdist-") as temporary:
        # A script of a dataset is recognised by the repository's name.
        skeleton = Path(temporary).resolve() / hub.repo.rpartition("/")[2]
        skeleton.mkdir()
        for name in names:
            path = skeleton / name
            path.parent.mkdir(parents=True, exist_ok=True)
            is_card = name in CARD_FILES and (root / name).is_file()
            path.write_bytes((root / name).read_bytes() if is_card else b"")
        subset, split, files = repository_files(skeleton, reference=reference, key=key)
        return subset, split, [file.relative_to(skeleton).as_posix() for file in files]


def _no_such_path(hub: HubPath, names: list[str], *, key: str) -> DataError:
    shown = ", ".join(sorted(names)[:8]) + (", ..." if len(names) > 8 else "")
    return DataError(
        f"{key}: {hub.label} has no file {hub.inside!r}; its files: {shown or 'none'}.",
        remedy="name one of them, a folder or a glob (with ** alone between slashes); or leave the "
        "path out for its dataset.",
    )


class _Snapshots:
    """Parts of one repository, downloaded; errors of the Hub as ours."""

    def __init__(self, repo: str, *, reference: DataReference, key: str, local_only: bool) -> None:
        self._repo, self._reference, self._key = repo, reference, key
        self._local_only = local_only

    def fetch(self, revision: str | None, *, patterns: list[str]) -> Path:
        """The folder of the commit, with all files that match the patterns."""
        from huggingface_hub import snapshot_download

        def download() -> Path:
            return Path(
                snapshot_download(
                    self._repo,
                    repo_type="dataset",
                    revision=revision,
                    allow_patterns=patterns,
                    local_files_only=self._local_only,
                )
            )

        return self._reported(download, revision=revision)

    def names(self, root: Path) -> list[str]:
        """The names of all files of the commit, cached or not.

        Raises:
            DataError: the cache does not tell: single files were downloaded, or by an old version.
        """
        from huggingface_hub import get_cached_repo_tree
        from huggingface_hub.errors import CachedRepoTreeNotFoundError

        try:
            tree = get_cached_repo_tree(self._repo, repo_type="dataset", revision=root.name)
        except CachedRepoTreeNotFoundError as error:
            raise self._unreachable(error) from error
        return [file.path for file in tree if _is_inside(file.path)]

    def _reported(self, download: Callable[[], _Result], *, revision: str | None) -> _Result:
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

        network_error = http_error()
        for attempt in range(1, _ATTEMPTS + 1):
            _limit_requests()
            try:
                return download()
            except LocalEntryNotFoundError as error:
                raise self._unreachable(error) from error
            except (network_error, OSError) as error:
                is_server = isinstance(error, HfHubHTTPError) and error.response.status_code >= 500
                is_network = isinstance(error, network_error) and not isinstance(
                    error, HfHubHTTPError
                )
                if attempt == _ATTEMPTS or not (is_server or is_network):
                    raise self._error(error, revision=revision) from error
                time.sleep(_PAUSE_S * attempt)
        raise AssertionError

    def _error(self, error: Exception, *, revision: str | None) -> FtdistError:
        from huggingface_hub.errors import (
            GatedRepoError,
            HfHubHTTPError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )

        repo, key = self._repo, self._key
        match error:
            case GatedRepoError():
                return DataError(
                    f"{key}: the dataset {repo} is gated, and you have no access.",
                    remedy=f"accept its terms on its page on the Hub ({repo}), then set HF_TOKEN "
                    "in the environment.",
                )
            case RevisionNotFoundError():
                return self._no_revision(revision)
            case RepositoryNotFoundError():
                named = (
                    ""
                    if self._reference.path.startswith("hf://")
                    else (f"{self._reference.path} is no local path, and ")
                )
                return DataError(
                    f"{key}: {named}the Hub has no dataset {repo}, or none that you may see.",
                    remedy="correct the path or name; for a private dataset set HF_TOKEN in the "
                    "environment.",
                )
            case HfHubHTTPError():
                return DataError(
                    f"{key}: the Hub answers {error.response.status_code} for the dataset {repo}.",
                    remedy="try again later; files that are complete are not downloaded again.",
                )
            case _ if isinstance(error, http_error()):
                return self._unreachable(error)
        number = error.errno if isinstance(error, OSError) else None
        full = number in (errno.ENOSPC, errno.EDQUOT)
        return StorageError(
            f"{key}: the dataset {repo} cannot be downloaded: "
            f"{'the disk of the cache is full' if full else error}.",
            remedy="free some space, or set HF_HOME to a folder on a larger disk that all nodes "
            "see; files that are complete are not downloaded again.",
        )

    def _no_revision(self, revision: str | None) -> DataError:
        from huggingface_hub import HfApi

        try:
            refs = HfApi().list_repo_refs(self._repo, repo_type="dataset")
            names = [ref.name for ref in (*refs.branches, *refs.tags, *refs.converts)]
        except Exception:  # noqa: BLE001 - the list is a help, nothing more
            names = []
        known = f"; its branches and tags: {', '.join(names)}" if names else ""
        remedy = set_option("revision", key=self._key, reference=self._reference, among=names)
        return DataError(
            f"{self._key}: {self._repo} has no revision {revision!r}{known}.",
            remedy=remedy,
        )

    def _unreachable(self, error: Exception) -> DataError:
        from huggingface_hub.constants import is_offline_mode

        repo = self._repo
        named = (
            ""
            if self._reference.path.startswith("hf://")
            else (f"{self._reference.path} is no local path, and ")
        )
        if self._local_only or is_offline_mode():
            why = "the Hub is not asked here" if self._local_only else "HF_HUB_OFFLINE is set"
            return DataError(
                f"{self._key}: {named}the dataset {repo} is not complete in the cache, and {why}.",
                remedy="run the command where there is a network first (the login node), with the "
                "same HF_HOME; or correct the path.",
            )
        reason = type(error.__cause__ or error).__name__
        return DataError(
            f"{self._key}: {named}the Hub cannot be reached for the dataset {repo} ({reason}).",
            remedy="try again where there is a network; or correct the path.",
        )


def _is_inside(name: str) -> bool:
    """Whether a name of a listing is one of a file in the repository."""
    return not name.startswith("/") and ".." not in name.split("/")


def _limit_requests() -> None:
    """Give every request a time-out, which huggingface_hub's own have only in part."""
    from huggingface_hub import get_session

    client = get_session()
    hooks = client.event_hooks["request"]
    if _limit_request not in hooks:
        client.event_hooks = {**client.event_hooks, "request": [*hooks, _limit_request]}


def _limit_request(request: Any) -> None:
    from huggingface_hub import constants

    given = request.extensions.get("timeout") or {}
    limits = dict.fromkeys(("connect", "read", "write", "pool"), constants.HF_HUB_DOWNLOAD_TIMEOUT)
    set_ones = {name: value for name, value in given.items() if value is not None}
    request.extensions["timeout"] = limits | set_ones
