"""A tiny model folder without weights, and a library that fits it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftdist.check import main
from ftdist.check.findings import Finding, Report
from ftdist.config.compose import compose
from tests.support.models.families import tokenizer_of
from tests.support.models.tiny_models import FAMILIES, SIZES

Check = Callable[..., Report]

QUESTIONS = ("How do I reset the widget?", "Where is the lamp?", "What turns green?")


def conversation(question: str, answer: str, *before: dict[str, Any]) -> dict[str, Any]:
    """A row with one question and one answer."""
    return {
        "messages": [
            *before,
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ]
    }


def save_model(folder: Path, *, family: str = "smollm2", **changes: Any) -> Path:
    """A model folder with config.json and a family's tokenizer, but no weights."""
    from transformers import AutoConfig

    tokenizer = tokenizer_of(family)
    tokenizer.save_pretrained(folder)
    settings = {
        **SIZES,
        **FAMILIES["llama"],
        "vocab_size": len(tokenizer),
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "model_type": "llama",
        **changes,
    }
    AutoConfig.for_model(**settings).save_pretrained(folder)
    return folder


def rows() -> list[dict[str, Any]]:
    """Conversations that fit."""
    return [conversation(q, f"Press the red button. {q}") for q in QUESTIONS]


def write_library(folder: Path, rows: list[Any]) -> Path:
    """A library of one file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def run_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Check a model folder with rows; keys of the config may follow.

    `proof`: with packing and head on a small model, which takes longer.
    """

    def run(
        model: Path, rows: list[Any], *keys: str, all_rows: bool = True, proof: bool = False
    ) -> Report:
        library = write_library(tmp_path / "library", rows)
        if not proof:
            monkeypatch.setattr(main, "model_findings", lambda *_, **__: iter(()))
        return main.check(
            compose(
                [
                    "run.name=r",
                    f"model.path={model}",
                    f"library.path={library}",
                    "batch.sequence_length=128",
                    "batch.tokens=1024",
                    *keys,
                ]
            ),
            all_rows=all_rows,
        )

    return run


def finding(report: Report, check: str) -> Finding:
    """The only finding of a check."""
    [found] = [each for each in report.findings if each.check == check]
    return found
