"""The files of a curated library that are uploaded, and its manifest without private paths."""

import json
import re
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import Any

from ftdist.errors import ConfigError
from ftdist.io.hashing import file_sha256
from ftdist.library.store.dataset import (
    KL_ONLY,
    MANIFEST,
    PROBES_FILE,
    PROBES_TABLE,
    check_unchanged,
    open_curated,
)

_CARD = "README.md"
_OF_LIBRARY = re.compile(
    rf"(data|{KL_ONLY})/[^/]+-(train|held_out)\.parquet"
    rf"|{re.escape(PROBES_TABLE)}|{re.escape(PROBES_FILE)}"
)
_FOLDER = re.compile(r"[/~].*|\.\./.*")
"""A text that is likely a path outside of the working directory."""

_PRIVATE_SETTINGS = (
    *(("generator", "base_url"), ("generator", "api_key_env")),
    *(("clean", "allowlist"), ("library", "assistant_senders")),
)
"""Of the machine, and those that name people."""

_SOURCES = (("library", "sources"), ("retention", "replay_sources"))
_TEXTS = ("rules", "bad_rows")
"""Parts of a manifest that quote sources."""


def files_to_push(folder: Path) -> dict[str, Path | bytes]:
    """The card, the data, the probes and the manifest of a library, by name.

    Raises:
        DataError: it is damaged, or was changed after it was curated.
    """
    open_curated(folder)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    data = [file for each in manifest["sources"] for file in each["files"].values()]
    for file in data:
        path = folder / file["name"]
        check_unchanged(path, digest=file_sha256(path), expected=file["sha256"])
    names = [
        _CARD,
        *(file["name"] for file in data),
        *(n for n in (PROBES_FILE, PROBES_TABLE) if (folder / n).exists()),
    ]
    text = json.dumps(public_manifest(manifest), indent=2, ensure_ascii=False) + "\n"
    return {**{name: folder / name for name in names}, MANIFEST: text.encode()}


def earlier_files(names: Collection[str]) -> set[str]:
    """Those of a repository's files that an earlier upload of a library made.

    Raises:
        ConfigError: it has such files and no manifest: the card would count them as the library's.
    """
    files = {name for name in names if _OF_LIBRARY.fullmatch(name)}
    if files and MANIFEST not in names:
        raise ConfigError(
            f"The repository holds another dataset: {min(files)}, and no {MANIFEST}.",
            remedy="name another repository.",
        )
    return files


def public_manifest(manifest: dict[str, Any]) -> dict[str, Any]:
    """A manifest without settings of the machine and names of people, paths by their last part."""
    settings = json.loads(json.dumps(manifest["settings"]))
    settings.pop("cluster", None)
    for section, name in _PRIVATE_SETTINGS:
        settings.get(section, {}).pop(name, None)
    for section, name in _SOURCES:
        if sources := settings.get(section, {}).get(name):
            settings[section][name] = [_public_source(each) for each in sources]
    if path := settings.get("model", {}).get("path"):
        settings["model"]["path"] = _last_part(path)
    origins = {name: _last_part(each) for name, each in manifest.get("origins", {}).items()}
    whole = {**manifest, "settings": settings, "origins": origins}
    return {key: v if key in _TEXTS else _without_folders(v) for key, v in whole.items()}


def _public_source(entry: str | dict[str, Any]) -> str | dict[str, Any]:
    if isinstance(entry, dict):
        return {**entry, "path": _last_part(entry["path"])}
    name, equals, path = entry.partition("=")
    if equals and "/" not in name:
        return f"{name}={_last_part(path)}"
    return _last_part(entry)


def _last_part(path: str) -> str:
    """Of a local path; one of the Hub is public anyway."""
    return path if path.startswith("hf://") else PurePosixPath(path).name


def _without_folders(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_folders(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_folders(each) for each in value]
    is_path = isinstance(value, str) and _FOLDER.fullmatch(value)
    return PurePosixPath(value).name if is_path else value
