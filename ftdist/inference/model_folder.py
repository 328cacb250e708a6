"""The local folder of a model, downloaded from the hub if necessary. No torch."""

from pathlib import Path

from ftdist.errors import ModelError

CHAT_TEMPLATE = "chat_template.jinja"

_PATTERNS = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]


def resolve_model_folder(path: str, revision: str | None, *, key: str = "model.path") -> Path:
    """The folder of a model; a hub name's is downloaded, or found in the hub's cache.

    Args:
        path: folder or hub name.
        revision: of the hub; None: the newest.
        key: that names it, for messages.

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
            f"{key}={path} is not a folder, and downloading it from the hub failed: "
            f"{str(error).strip().splitlines()[0]}",
            remedy="name an existing folder, or check the network and the hub name.",
        ) from error


def has_template(folder: Path) -> bool:
    """Whether the model in a folder has a chat template of its own."""
    if (folder / CHAT_TEMPLATE).is_file():
        return True
    settings = folder / "tokenizer_config.json"
    return settings.is_file() and '"chat_template"' in settings.read_text(encoding="utf-8")
