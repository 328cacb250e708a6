"""The cache of a curation in a folder that a team shares."""

from pathlib import Path

import pytest

from ftdist.config.compose import compose_curation
from ftdist.library.pipeline import curate

pytestmark = [pytest.mark.timeout(180), pytest.mark.fault("XN")]


@pytest.mark.parametrize("mode", [0o2775, 0o750, None])
def test_a_cache_folder_that_exists_keeps_its_mode_and_a_new_one_is_private(
    tmp_path: Path, mode: int | None
) -> None:
    (tmp_path / "notes.txt").write_text("The battery lasts 14 hours at full brightness.\n" * 3)
    cache = tmp_path / "cache"
    if mode is not None:
        cache.mkdir()
        cache.chmod(mode)
    config = compose_curation(
        [
            "library.name=w",
            f"library.root={tmp_path / 'libraries'}",
            f"library.sources=['{tmp_path / 'notes.txt'}']",
            f"work.cache_dir={cache}",
            "work.num_proc=1",
        ]
    )
    curate(config, model=None, log=lambda _: None)
    assert cache.stat().st_mode & 0o7777 == (0o700 if mode is None else mode)
