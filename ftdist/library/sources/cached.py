"""A file of the Hub that was downloaded before, in the Hub's cache."""

from pathlib import Path

from ftdist.errors import DataError
from ftdist.library.sources.reference import SCHEME, hub_path


def cached_file(path: str, *, key: str) -> Path:
    """The local file at a path; of one on the Hub, with a commit, the copy in the cache.

    Args:
        path: of a local file, or `hf://datasets/org/name@commit/file`.
        key: the config key of the path, for errors.

    Raises:
        DataError: it is not in the cache.
    """
    hub = hub_path(path, key=key) if path.startswith(SCHEME) else None
    if hub is None:
        return Path(path)
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(hub.repo, hub.inside, repo_type="dataset", revision=hub.revision)
    if not isinstance(found, str):
        raise DataError(
            f"{key}: the file {hub.inside} of {hub.label} is not in the Hub's cache.",
            remedy=f"run the command where there is a network (the login node), with the same "
            f"HF_HOME; or set {key} to a local file.",
        )
    return Path(found)
