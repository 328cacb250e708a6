"""A curated library has questions that its documents do not answer, apart from those of probes."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from ftdist.config.compose import compose_curation
from ftdist.library.pipeline import curate
from ftdist.library.schema import Sample
from ftdist.library.store.samples import read_samples

PUMP = """# Halden Orrin 40

The Orrin 40 is a pump for rain barrels. A basket at the inlet keeps leaves out.

| Property | Value |
| --- | --- |
| Price | 139 euros |
| Weight | 4.6 kg |
| Flow rate | 7,200 litres per hour |
| Maximum lift | 9 metres |
"""
DRILL = """# Halden Pike 12

The Pike 12 is a cordless drill for furniture.

| Property | Value |
| --- | --- |
| Price | 94 euros |
| Weight | 1.1 kg |
| Torque | 34 Nm |
| Battery capacity | 2.5 Ah |
"""


DOCUMENTS = {"orrin": PUMP, "pike": DRILL}
OF_ALL = (
    "The warranty is two years, and the delivery time is five days. The material is steel and the "
    "colour is grey. The cable length is 2 metres, the energy class is A, the power consumption "
    "is 300 watts. The weight and the dimensions stand on the label at the back, beside the "
    "number of the model, which you need when you order spare parts from us by telephone."
)


def _curated(
    place: Path, *more: str, documents: Mapping[str, str] = DOCUMENTS
) -> tuple[list[Sample], list[dict[str, str]], str]:
    for name, text in documents.items():
        (place / "docs").mkdir(exist_ok=True)
        (place / "docs" / f"{name}.md").write_text(text)
    keys = [
        "library.name=pumps", f"library.root={place}", f"library.sources=[{place / 'docs'}]",
        f"work.cache_dir={place / 'cache'}", "work.num_proc=1", *more,
    ]  # fmt: skip
    published = curate(compose_curation(keys), model=None, log=lambda _: None)
    (path,) = (published.folder / "data").glob("*-train.parquet")
    probes = map(json.loads, (published.folder / "probes.jsonl").read_text().splitlines())
    manifest = json.loads((published.folder / "manifest.json").read_text())
    samples = list(read_samples(path))
    assert manifest["made_by"] == Counter(sample.made_by for sample in samples)
    return samples, list(probes), " ".join(published.card.split())


def test_each_thing_has_questions_that_training_answers_and_others_that_probes_ask(
    tmp_path: Path,
) -> None:
    samples, probes, card = _curated(tmp_path)
    trained = [sample for sample in samples if sample.made_by == "unanswerable"]
    of_document = Counter(sample.doc_id for sample in trained)
    assert of_document == {
        "docs: orrin.md": 2,
        "docs: pike.md": 2,
    }  # four facts: two questions, one wording
    for sample in trained:
        answer = sample.messages[-1]["content"]
        assert answer.startswith(
            ("The documents do not give the ", "I have no information on the ")
        )
        assert "(" not in answer  # it cites nothing
    asked = {probe["question"] for probe in probes if probe["kind"] == "unanswerable"}
    texts = " ".join(sample.messages[-1]["content"] for sample in trained)
    assert len(asked) == 4
    for question in asked:
        attribute, thing = question.removeprefix("What is the ").rstrip("?").split(" of the ")
        assert f"the {attribute} of the {thing}" not in texts
    assert "4 questions that the documents do not answer" in card


@pytest.mark.parametrize("number", [2, 6], ids=["a duplicate section", "boilerplate"])
def test_what_a_left_out_part_of_a_document_says_is_not_asked(tmp_path: Path, number: int) -> None:
    end = f"\n## Good to know\n\n{OF_ALL}\n" if number == 2 else f"\n{OF_ALL}\n"
    drills = [DRILL.replace("Pike 12", f"Pike {12 + at}") + end for at in range(number - 1)]
    documents = {"orrin": PUMP + end} | {f"pike{at}": drill for at, drill in enumerate(drills)}
    samples, _, _ = _curated(tmp_path, "clean.dedup=false", documents=documents)
    kept = [s for s in samples if s.made_by == "passage" and "telephone" in s.text]
    assert len(kept) == (number == 2)
    assert not [s for s in samples if s.made_by == "unanswerable"]


def test_two_facts_of_a_document_are_trained_and_other_pairs_are_probed(tmp_path: Path) -> None:
    samples, probes, _ = _curated(tmp_path)
    answers = {s.messages[-1]["content"] for s in samples if s.made_by == "two facts"}
    assert answers
    probed = [probe["answer"] for probe in probes if probe.get("form") == "two_facts"]
    values = [{line.rpartition(": ")[2] for line in answer.split("\n")} for answer in probed]
    assert not any(all(value in answer for value in pair) for pair in values for answer in answers)


def test_they_can_be_left_out_and_need_the_passages(tmp_path: Path) -> None:
    for setting in ("synthesis.unanswerable_questions=false", "synthesis.passages=false"):
        samples, _, card = _curated(tmp_path, setting)
        assert not any(sample.made_by == "unanswerable" for sample in samples)
        assert "do not answer" not in card
