"""The files of a curated library that are uploaded, and its manifest without private paths."""

import json
import re
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import Any

from ftdist.errors import ConfigError
from ftdist.library.store.dataset import MANIFEST, PROBES_FILE, PROBES_TABLE, open_curated

_CARD = "README.md"
_OF_LIBRARY = re.compile(
    rf"data/[^/]+-(train|held_out)\.parquet|{re.escape(PROBES_TABLE)}|{re.escape(PROBES_FILE)}"
)
_FOLDER = re.compile(r"(?P<name>[\w.-]+=)?(?P<path>[/~].*|\.\./.*)")
"""A path that tells of folders outside of the working directory, named or not."""

_LOCAL_SETTINGS = (("cluster",), ("generator", "base_url"), ("generator", "api_key_env"))
_TEXTS = ("rules", "bad_rows")
"""Parts of a manifest that quote sources."""


def shared_files(folder: Path) -> dict[str, Path | bytes]:
    """The card, the data, the probes and the manifest of a library, by name.

    Raises:
        DataError: it is damaged.
    """
    open_curated(folder)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    data = [file["name"] for each in manifest["sources"] for file in each["files"].values()]
    names = [_CARD, *data, *(n for n in (PROBES_FILE, PROBES_TABLE) if (folder / n).exists())]
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
    """A manifest without settings of the cluster and of the endpoint, paths by their last part."""
    settings = json.loads(json.dumps(manifest["settings"]))
    for *above, name in _LOCAL_SETTINGS:
        section = settings
        for each in above:
            section = section.get(each, {})
        section.pop(name, None)
    whole = {**manifest, "settings": settings}
    return {key: v if key in _TEXTS else _without_folders(v) for key, v in whole.items()}


def _without_folders(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_folders(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_folders(each) for each in value]
    match = _FOLDER.fullmatch(value) if isinstance(value, str) else None
    return value if match is None else (match["name"] or "") + PurePosixPath(match["path"]).name
