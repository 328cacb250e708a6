"""Fixtures of the distributed tests."""

from pathlib import Path

import pytest

from tests.support.models import save_tiny_model
from tests.support.runs import write_library, write_tokenizer


@pytest.fixture(scope="session")
def ingredients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model, its tokenizer, and a library."""
    folder = tmp_path_factory.mktemp("ingredients")
    save_tiny_model(folder / "model", "llama_tied")
    write_tokenizer(folder / "model")
    write_library(folder / "library")
    return folder
