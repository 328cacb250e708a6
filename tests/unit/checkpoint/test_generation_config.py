"""The exported generation config: whoever generates from the export stops where answers end."""

from pathlib import Path

import pytest
from transformers import GenerationConfig, LlamaConfig

from ftdist.checkpoint.export import _generation_config
from tests.support.models.families import tokenizer_of


def _ids(family: str, *tokens: str) -> list[int]:
    ids: list[int] = tokenizer_of(family).convert_tokens_to_ids(list(tokens))
    return ids


@pytest.mark.parametrize("named", ["by the base's own", "by the model's config"])
def test_generation_config_lists_end_of_turn_and_end_of_text(tmp_path: Path, named: str) -> None:
    end, end_of_text = _ids("phi", "<|end|>", "<|endoftext|>")
    if named == "by the base's own":
        GenerationConfig(eos_token_id=end_of_text, temperature=0.5, do_sample=True).save_pretrained(
            tmp_path
        )
    config = LlamaConfig(eos_token_id=end_of_text)
    _generation_config(tmp_path, config, tokenizer_of("phi")).save_pretrained(tmp_path / "export")
    found = GenerationConfig.from_pretrained(tmp_path / "export")
    assert found.eos_token_id == [end_of_text, end]
    assert found.do_sample == (True if named == "by the base's own" else None)


def test_a_single_eos_token_stays_single(tmp_path: Path) -> None:
    [end] = _ids("smollm2", "<|im_end|>")
    GenerationConfig(eos_token_id=end).save_pretrained(tmp_path)
    found = _generation_config(tmp_path, LlamaConfig(), tokenizer_of("smollm2"))
    assert found.eos_token_id == end
