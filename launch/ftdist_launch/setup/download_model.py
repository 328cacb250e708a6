"""Download a base model from the Hugging Face hub, as a child process."""

import sys
from pathlib import Path

from ftdist.errors import ModelError
from ftdist.io.child_result import write_result

CONFIG = ["*.json", "*.model", "*.txt", "*.jinja"]
"""Config, tokenizer, chat template; no code."""

WEIGHTS = ["*.safetensors"]
"""Weights; no pickles."""


def download(name: str, *, revision: str | None, weights: bool) -> Path:
    """The local folder of a hub model, downloaded unless it is cached.

    Args:
        name: `owner/name`.
        revision: a commit, branch or tag; None: the newest.
        weights: whether to download the weights too.

    Raises:
        ModelError: it does not exist, is gated, or the hub is unreachable.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.constants import HF_HUB_CACHE, HF_HUB_OFFLINE
    from huggingface_hub.errors import (
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        patterns = [*CONFIG, *(WEIGHTS if weights else ())]
        return Path(snapshot_download(name, revision=revision, allow_patterns=patterns))
    except GatedRepoError as error:
        raise ModelError(
            f"{name} is a gated model, and you have no access.",
            remedy="accept its terms on the model's page, then set HF_TOKEN in the environment.",
        ) from error
    except RevisionNotFoundError as error:
        raise ModelError(
            f"{name} has no revision {revision!r}.",
            remedy="set model.revision to a commit or tag of that repository, or to null.",
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"{name!r} is neither a local folder nor a model on the hub.",
            remedy="set model.path to an existing folder or a hub name such as owner/name.",
        ) from error
    except OSError as error:
        offline = HF_HUB_OFFLINE or isinstance(error, LocalEntryNotFoundError)
        reason = "HF_HUB_OFFLINE is set" if HF_HUB_OFFLINE else "the hub is unreachable"
        where = f"not complete in {HF_HUB_CACHE}, and {reason}"
        raise ModelError(
            f"{name!r} is no local folder and {where if offline else f'cannot be read: {error}'}.",
            remedy="set model.path to an existing folder, or retry where there is a network.",
        ) from error


def main(name: str, revision: str, what: str, result: str) -> int:
    """Write folder and commit of the model as JSON to `result`; `what`: weights or config."""

    def run() -> dict[str, str]:
        folder = download(name, revision=revision or None, weights=what == "weights")
        # The Hub's cache names the folder of a snapshot after its commit.
        return {"path": str(folder), "revision": folder.name}

    return write_result(Path(result), run)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
