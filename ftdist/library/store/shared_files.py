"""The files of a curated library that are uploaded, and its manifest without private paths."""

import json
import re
from pathlib import Path, PurePosixPath
from typing import Any

from ftdist.library.store.dataset import MANIFEST, PROBES_FILE, PROBES_TABLE, open_curated

_CARD = "README.md"
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


def is_shared(name: str) -> bool:
    """Whether a file of a repository is one that a library has, perhaps an earlier one."""
    path = PurePosixPath(name)
    is_data = path.parent == PurePosixPath("data") and path.suffix == ".parquet"
    return is_data or name in (PROBES_FILE, MANIFEST)


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
