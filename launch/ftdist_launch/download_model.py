"""Download a base model by its hub name, as a child process."""

import json
import sys
from pathlib import Path

from ftdist.errors import ModelError

WANTED = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
"""Weights as safetensors, tokenizers, templates; neither pickles nor code."""


def fetch(name: str, *, revision: str | None) -> Path:
    """The folder of a hub model, from the local cache where it lies there already.

    Raises:
        ModelError: the hub does not have it, does not give it, or cannot be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=WANTED))
    except GatedRepoError as error:
        raise ModelError(
            f"The hub gives {name} only to those who accepted its terms.",
            remedy="accept them on the model's page, then set HF_TOKEN in the environment.",
        ) from error
    except RevisionNotFoundError as error:
        raise ModelError(
            f"{name} has no revision {revision!r}.",
            remedy="set model.revision to a commit or tag of that repository, or to null.",
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"There is no folder {name!r} here, and no such model on the hub.",
            remedy="give model.path a folder that exists, or a hub name such as owner/name.",
        ) from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        raise ModelError(
            f"There is no folder {name!r} here, and the hub could not be asked for it: "
            f"{type(error).__name__}.",
            remedy="give model.path a folder that exists, or fetch the model where there is a "
            "network and give its folder.",
        ) from error


def main(name: str, revision: str, answer: str) -> int:
    """Write the folder of the model, or the error, as JSON to `answer`."""
    try:
        fields: dict[str, str | int] = {"path": str(fetch(name, revision=revision or None))}
        code = 0
    except ModelError as error:
        code = error.exit_code
        fields = {"problem": error.problem, "remedy": error.remedy, "exit_code": code}
    Path(answer).write_text(json.dumps(fields), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
