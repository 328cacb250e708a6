"""Upload files to a repository of the Hugging Face Hub: what changed, in one commit.

Whoever runs it needs a token with the right to write, from HF_TOKEN or `hf auth login`.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ftdist.errors import ConfigError, HubError
from ftdist.io.http_errors import http_error

if TYPE_CHECKING:
    from huggingface_hub import HfApi

RepositoryKind = Literal["dataset", "model"]
Content = Path | bytes


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A repository on the Hub, which may not exist yet, and who writes to it."""

    api: "HfApi"
    name: str
    """Such as org/name."""

    kind: RepositoryKind
    user: str
    is_private: bool | None
    """None: it does not exist."""

    files: Mapping[str, tuple[str, str]]
    """Its files: git's hash of each, and the sha256 of those that are kept outside of git or ""."""

    @property
    def url(self) -> str:
        """Its page."""
        prefix = "datasets/" if self.kind == "dataset" else ""
        return f"{self.api.endpoint}/{prefix}{self.name}"


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What an upload changes in a repository."""

    upload: Mapping[str, Content]
    """New and changed files by name."""

    unchanged: int
    delete: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes to upload."""
        return sum(map(_size, self.upload.values()))


def open_repository(name: str, *, kind: RepositoryKind) -> Repository:
    """Look up a repository, and who may write to it.

    Raises:
        ConfigError: the name is none, the Hub is switched off, or there is no token that may write.
        HubError: the Hub does not answer.
    """
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.constants import is_offline_mode
    from huggingface_hub.errors import RepositoryNotFoundError
    from huggingface_hub.hf_api import RepoFile

    if is_offline_mode():
        raise ConfigError(
            "The Hub is switched off by HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE.",
            remedy="unset the variable for this command.",
        )
    if name.count("/") != 1:
        raise ConfigError(
            f"{name!r} is not the name of a repository.", remedy="write it as owner/name."
        )
    if get_token() is None:
        raise ConfigError(
            "There is no token for the Hub.",
            remedy="run `hf auth login`, or set HF_TOKEN to a token with the right to write.",
        )
    api = HfApi(library_name="ftdist")
    with _hub_errors(name):
        who = api.whoami()
    if who.get("auth", {}).get("accessToken", {}).get("role") == "read":
        raise ConfigError(
            f"The token of {who['name']} may only read.",
            remedy="set HF_TOKEN to a token with the right to write.",
        )
    is_private: bool | None = None
    files: dict[str, tuple[str, str]] = {}
    with _hub_errors(name):
        try:
            is_private = bool(api.repo_info(name, repo_type=kind).private)
        except RepositoryNotFoundError:
            pass
        else:
            for entry in api.list_repo_tree(name, repo_type=kind, recursive=True):
                if isinstance(entry, RepoFile):
                    files[entry.path] = (entry.blob_id, entry.lfs.sha256 if entry.lfs else "")
    return Repository(
        api=api, name=name, kind=kind, user=who["name"], is_private=is_private, files=files
    )


def find_changes(
    repository: Repository, files: Mapping[str, Content], *, earlier: Collection[str]
) -> Changes:
    """What to upload, and what to delete.

    Args:
        repository: to upload to.
        files: all that it is to have, by name.
        earlier: files of the repository that an earlier upload made; those not among `files` are
            deleted.
    """
    upload = {
        name: content
        for name, content in files.items()
        if name not in repository.files or not _is_same(content, *repository.files[name])
    }
    return Changes(
        upload=upload,
        unchanged=len(files) - len(upload),
        delete=tuple(sorted(set(earlier) - set(files))),
    )


def commit_changes(repository: Repository, changes: Changes, *, private: bool, message: str) -> str:
    """Create the repository unless it exists, and commit the changes; the commit's URL.

    Content that an interrupted call uploaded already is not uploaded again.

    Raises:
        HubError: the Hub refuses it or cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    with _hub_errors(repository.name):
        if repository.is_private is None:
            repository.api.create_repo(
                repository.name, repo_type=repository.kind, private=private, exist_ok=True
            )
        commit = repository.api.create_commit(
            repository.name,
            [
                *(
                    CommitOperationAdd(path_in_repo=name, path_or_fileobj=content)
                    for name, content in changes.upload.items()
                ),
                *(CommitOperationDelete(path_in_repo=name) for name in changes.delete),
            ],
            commit_message=message,
            repo_type=repository.kind,
        )
    return str(commit.commit_url)


def _is_same(content: Content, blob: str, sha256: str) -> bool:
    if sha256:
        return _digest(content, hashlib.sha256()) == sha256
    header = f"blob {_size(content)}\0".encode()
    return _digest(content, hashlib.sha1(header, usedforsecurity=False)) == blob


def _digest(content: Content, digest: "hashlib._Hash") -> str:
    if isinstance(content, bytes):
        digest.update(content)
    else:
        with content.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _size(content: Content) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


@contextmanager
def _hub_errors(name: str) -> Iterator[None]:
    """Convert errors of the Hub and of the network into a HubError or ConfigError."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        yield
    except HFValidationError as error:
        raise ConfigError(
            f"{name!r} is not the name of a repository: {_first_line(error)}",
            remedy="write it as owner/name.",
        ) from error
    except HfHubHTTPError as error:
        raise _refusal(name, error) from error
    except (http_error(), OSError, RuntimeError, ValueError) as error:
        cause = error.__cause__
        if isinstance(cause, HfHubHTTPError):
            raise _refusal(name, cause) from error
        reason = _first_line(error if cause is None else cause)
        raise HubError(
            f"The Hub could not be reached for {name}: {reason}",
            remedy="check the network and HF_ENDPOINT, then run the command again: what is "
            "uploaded already is not uploaded twice.",
        ) from error


def _refusal(name: str, error: "Exception") -> ConfigError | HubError:
    """The error for an answer of the Hub."""
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", 0)
    answer = getattr(error, "server_message", None) or _first_line(error)
    match status:
        case 401:
            return ConfigError(
                f"The Hub does not accept the token: {answer}",
                remedy="run `hf auth login`, or set HF_TOKEN to a valid token.",
            )
        case 402 | 403:
            return ConfigError(
                f"The Hub refuses to write to {name}: {answer}",
                remedy="use a token with the right to write there, or name a repository of your "
                "own.",
            )
        case 404:
            return ConfigError(
                f"{name} is not there, or this token may not see it: {answer}",
                remedy="name a repository of your own; a name that another kind of repository "
                "has is taken.",
            )
        case status if 400 <= status < 500 and status != 429:
            return ConfigError(
                f"The Hub rejects the upload to {name}: {answer}",
                remedy="correct what it names; if that is the card, see library.license.",
            )
    return HubError(
        f"The Hub failed with status {status} for {name}: {answer}",
        remedy="run the command again later: what is uploaded already is not uploaded twice.",
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".") + "."
