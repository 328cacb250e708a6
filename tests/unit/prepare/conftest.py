"""A model that is a tokenizer of whole words, and a config with an empty library."""

from pathlib import Path

import pytest

from ftdist.config.compose import compose
from ftdist.config.schema import RunConfig
from tests.support.models.word_tokenizer import save_word_tokenizer


@pytest.fixture(scope="package")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tokenizer, one token a word."""
    return save_word_tokenizer(tmp_path_factory.mktemp("model"))


@pytest.fixture
def config(tmp_path: Path, model: Path) -> RunConfig:
    """Sequences of 32 tokens; the library folder is there, empty."""
    (tmp_path / "library").mkdir()
    return compose(
        [
            "run.name=r",
            f"model.path={model}",
            f"library.path={tmp_path}/library",
            f"library.cache_dir={tmp_path}/cache",
            "library.held_out_fraction=0",
            "batch.sequence_length=32",
            "batch.tokens=64",
        ]
    )
