"""Libraries of counted words, on a tokenizer of whole words, for tests worked by hand."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from ftdist.config.schema import RunConfig
from ftdist.data.packed_dataset import PackedSource

WORDS = [f"w{number}" for number in range(2000)]
TEMPLATE = (
    "{% for m in messages %}{{ m.role + ' : ' + m.content }}"
    "{{ ' </s> ' if m.role == 'assistant' else ' ' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant : ' }}{% endif %}"
)


def save_word_tokenizer(folder: Path) -> Path:
    """Save a tokenizer with one token a word."""
    vocabulary = ["<unk>", "</s>", "user", "assistant", "system", ":", *WORDS]
    core = Tokenizer(
        models.WordLevel({word: at for at, word in enumerate(vocabulary)}, unk_token="<unk>")
    )
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="</s>", unk_token="<unk>", chat_template=TEMPLATE
    )
    tokenizer.save_pretrained(folder)
    return folder


def words(count: int, *, start: int = 0) -> str:
    """Text of `count` tokens."""
    return " ".join(WORDS[(start + at) % len(WORDS)] for at in range(count))


def row(question: int, answer: int, *, start: int = 0) -> dict[str, str]:
    """A conversation of question + answer + 5 tokens, answer + 1 of them learned."""
    return {"question": words(question, start=start), "answer": words(answer, start=start)}


def write_rows(path: Path, rows: list[Any]) -> None:
    """A JSONL file of rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(value) + "\n" for value in rows))


def with_library(config: RunConfig, **values: Any) -> RunConfig:
    """The config with other values of `library`."""
    return replace(config, library=replace(config.library, **values))


def samples_of(source: PackedSource) -> list[list[int]]:
    """The samples of all packed sequences."""
    found = []
    for index in range(len(source)):
        sequence = source.sequence(index)
        borders = np.cumsum(sequence.lengths)[:-1]
        found += [sample.tolist() for sample in np.split(sequence.input_ids, borders)]
    return found


def decoded(model: Path, samples: list[list[int]]) -> list[str]:
    """Samples as text."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(model)
    return [tokenizer.decode(sample) for sample in samples]


def with_model(config: RunConfig, folder: Path, fields: dict[str, Any]) -> RunConfig:
    """The config with a copy of its model folder that has a config.json."""
    shutil.copytree(config.model.path, folder)
    (folder / "config.json").write_text(json.dumps(fields))
    return replace(config, model=replace(config.model, path=str(folder)))
