"""What is held out is apart from training: a whole curation, looked at by another route."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from ftdist.config.compose import compose_curation
from ftdist.evaluation.probes import read_probes
from ftdist.library.base_model import BaseModel
from ftdist.library.pipeline import curate
from ftdist.library.retention.fictional_products import RESERVED, TRAINED
from ftdist.library.store.dataset import open_curated
from ftdist.library.store.samples import read_samples

pytestmark = pytest.mark.timeout(120)

QUESTIONS = (
    ("How do I reset my A-45?", "Hold the green button for 9 seconds until both lamps go out."),
    (
        "My A-45 does not charge any more. It lay in the rain for two days, so what can I do?",
        "Dry it for 48 hours beside a heater that is no warmer than 30 degrees.",
    ),
    ("Why does the A-45 blink three times after it was dropped on a hard floor at home?",
     "Its sensor has lost the zero point: set it again with the tool CAL-7."),
    ("Does the A-45 work with the B-46?", "Only with the cable KX-2 between the two of them."),
    ("Which oil does the hinge need?", "Three drops of the oil called Sewol every second month."),
)  # fmt: skip


BASE = BaseModel(
    path="base",
    key="base",
    encoder=None,
    answers=lambda _: lambda prompts: [f"My answer to: {p} An oven is not it." for p in prompts],
    texts=lambda *_: lambda openings: [f"{opening} Wren sang of it." for opening in openings],
)
"""A base model that answers by rote."""


def _library(tmp_path: Path, *more: str, questions: Sequence[tuple[str, str]] = QUESTIONS) -> Path:
    text = "".join(f"## {question}\n\n{answer}\n\n" for question, answer in questions)
    (tmp_path / "faq.md").write_text(f"# Handbook\n\n{text}", encoding="utf-8")
    config = compose_curation(
        [
            "library.name=w",
            f"library.root={tmp_path / 'libraries'}",
            f"library.sources=['{tmp_path / 'faq.md'}']",
            f"work.cache_dir={tmp_path / 'cache'}",
            "work.num_proc=1",
            *more,
        ]
    )
    return curate(config, model=BASE, log=lambda _: None).folder


def _trained(folder: Path) -> list[str]:
    return [
        text
        for source in open_curated(folder).sources
        for sample in read_samples(source.train)
        for text in (sample.text, *(message["content"] for message in sample.messages))
        if text
    ]


def _words(text: str) -> list[str]:
    return re.findall(r"[\w+#]+", text.casefold())


def _runs(texts: Sequence[str], length: int) -> set[tuple[str, ...]]:
    return {
        tuple(words[at : at + length])
        for words in map(_words, texts)
        for at in range(len(words) - length + 1)
    }


_ASKED = (
    "model.path=base",
    "retention.num_replay_answers=300",
    "retention.num_replay_texts=20",
    "retention.num_out_of_scope_answers=400",
    "retention.product_names=['A-45']",
)


def test_no_probe_shares_names_things_or_ngrams_with_training(
    tmp_path: Path,
) -> None:
    folder = _library(tmp_path, *_ASKED)
    probes = read_probes(folder / "probes.jsonl")
    trained = _trained(folder)
    strange = [probe.question for probe in probes if probe.kind == "out_of_scope"]
    assert len(strange) == len(set(strange)) == 60
    assert not _runs(strange, 8) & _runs(trained, 8)
    recall = [probe.question for probe in probes if probe.kind == "fact"]
    assert len(recall) >= 3
    assert not _runs(recall, 8) & _runs(trained, 8)
    said = " ".join(f" {' '.join(_words(text))} " for text in trained)
    for question in strange:
        asked = f" {' '.join(_words(question))} "
        for word in (*RESERVED.makers, *RESERVED.models, *RESERVED.things):
            held = " ".join(_words(word))
            assert f" {held} " not in asked or f" {held} " not in said, (question, word)


def test_out_of_scope_probes_name_reserved_products_and_things_alone(tmp_path: Path) -> None:
    probes = read_probes(_library(tmp_path, *_ASKED) / "probes.jsonl")
    asked = [probe.question for probe in probes if probe.kind == "out_of_scope"]
    reserved = [*RESERVED.makers, *RESERVED.things]
    assert all(any(word in question for word in reserved) for question in asked)
    assert any("charge any more" in question for question in asked)
    assert any(not any(maker in question for maker in RESERVED.makers) for question in asked)
    # Of ovens and Wren the base speaks in its answers and texts.
    assert not any(word in question for question in asked for word in ("oven", "Wren"))


def test_a_fifth_is_reserved_and_never_trained(tmp_path: Path) -> None:
    for part in ("makers", "models", "things", "questions", "topics"):
        reserved, trained = set(getattr(RESERVED, part)), set(getattr(TRAINED, part))
        assert not reserved & trained
        assert len(reserved) * 4 <= len(trained) < len(reserved) * 4 + 5
    asked = " ".join(
        _trained(_library(tmp_path, "model.path=base", "retention.num_out_of_scope_answers=2000"))
    )
    assert not any(maker in asked for maker in RESERVED.makers)


def test_num_out_of_scope_probes_is_met_even_without_a_model(
    tmp_path: Path,
) -> None:
    folder = _library(tmp_path, "split.num_out_of_scope_probes=7")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["probes"]["out_of_scope"] == 7
    assert manifest["products"] == ["A-45"]
    # They were guessed: what fact probes ask is a leak, and no such name by itself.
    out_of_scope = [p for p in read_probes(folder / "probes.jsonl") if p.kind == "out_of_scope"]
    assert {probe.keys for probe in out_of_scope} == {()}
    folder = _library(tmp_path, "retention.product_names=['A-45']")
    out_of_scope = [p for p in read_probes(folder / "probes.jsonl") if p.kind == "out_of_scope"]
    assert {probe.keys for probe in out_of_scope} == {("A-45",)}
    folder = _library(tmp_path, "split.num_out_of_scope_probes=0")
    assert {probe.kind for probe in read_probes(folder / "probes.jsonl")} == {"fact"}


def test_leak_keys_are_product_names_without_fact_probes(
    tmp_path: Path,
) -> None:
    folder = _library(tmp_path, "split.num_probes=0", "retention.product_names=['A-45']")
    assert {probe.keys for probe in read_probes(folder / "probes.jsonl")} == {("A-45",)}
    folder = _library(tmp_path, "split.num_probes=0", questions=QUESTIONS[4:])
    assert not (folder / "probes.jsonl").exists()
