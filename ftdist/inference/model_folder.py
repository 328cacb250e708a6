"""The local folder of a model, downloaded from the hub if necessary. No torch."""

from pathlib import Path

from ftdist.errors import ModelError

_PATTERNS = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]


def resolve_model_folder(path: str, revision: str | None) -> Path:
    """The folder of a model; a hub name's is downloaded, or found in the hub's cache.

    Raises:
        ModelError: there is none.
    """
    if Path(path).is_dir():
        return Path(path)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(snapshot_download(path, revision=revision, allow_patterns=_PATTERNS))
    except (OSError, HfHubHTTPError, HFValidationError) as error:
        raise ModelError(
            f"model.path={path} is not a folder, and downloading it from the hub failed: "
            f"{str(error).strip().splitlines()[0]}",
            remedy="name an existing folder, or check the network and the hub name.",
        ) from error
