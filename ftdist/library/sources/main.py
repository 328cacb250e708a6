"""Resolve the data paths of a config that name datasets of the Hub, and download their files.

    python -m ftdist.library.sources.main REQUEST.json OUT.json

REQUEST holds a list of {"key", "path", "subset", "split", "revision"}; OUT gets {"sources": [...]},
for each the same with the commit in `path`, and `files`, the paths of its files on the Hub; or the
error.
"""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ftdist.io.child_result import write_result
from ftdist.library.sources.hub import hub_files
from ftdist.library.sources.reference import DataReference, hub_path, refuse_slice


def resolve(request: dict[str, Any]) -> dict[str, Any]:
    """One data path of the Hub, resolved and downloaded.

    Raises:
        FtdistError: it does not exist, or cannot be downloaded.
    """
    key = request.pop("key")
    reference = DataReference(**request)
    refuse_slice(reference, key=key)
    hub = hub_path(reference.path, key=key)
    assert hub is not None
    found = hub_files(hub, reference=reference, key=key)
    names = [file.relative_to(found.root).as_posix() for file in found.files]
    return asdict(found.reference) | {"files": [str(replace(found.hub, inside=n)) for n in names]}


def main(arguments: Sequence[str]) -> int:
    """Resolve the paths of a request file; arguments: that file, and the file for the result."""
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # it warns where a dataset has no card
    request, result = map(Path, arguments)
    requests = json.loads(request.read_text(encoding="utf-8"))
    return write_result(result, lambda: {"sources": list(map(resolve, requests))})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
