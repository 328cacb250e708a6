"""A curated library has cloze questions as samples of their own kind, and none as a probe."""

import json
from pathlib import Path

from ftdist.config.compose import compose_curation
from ftdist.library.pipeline import curate
from ftdist.library.schema import Sample
from ftdist.library.store.samples import read_samples

PAGE = """# Help for guests

## Arrival

The gate closes at 22:00. Ring the bell twice if you are late. Park your car behind the barn.

## Wireless

The network is called LakeNet. Its password is changed every Monday at the desk.
"""
GATE = "What time does the gate close?"


def _curated(place: Path, *more: str) -> tuple[list[Sample], str]:
    (place / "docs").mkdir(parents=True)
    (place / "docs" / "help.md").write_text(PAGE)
    keys = [
        "library.name=guests", f"library.root={place}", f"library.sources=[{place / 'docs'}]",
        f"work.cache_dir={place / 'cache'}", "work.num_proc=1", *more,
    ]  # fmt: skip
    published = curate(compose_curation(keys), model=None, log=lambda _: None)
    (path,) = (published.folder / "data").glob("*-train.parquet")
    probes = published.folder / "probes.jsonl"
    return list(read_samples(path)), probes.read_text() if probes.exists() else ""


def test_sentences_are_asked_for_in_samples_but_not_in_probes_or_passages(tmp_path: Path) -> None:
    samples, probes = _curated(tmp_path)

    asking = {sample.messages[0]["content"]: sample for sample in samples if sample.messages}
    assert asking[GATE].made_by == "cloze"
    assert asking[GATE].messages[1]["content"] == (
        '(Help for guests, section "Arrival") The gate closes at 22:00. '
        "Ring the bell twice if you are late. Park your car behind the barn."
    )
    assert asking["arrival gate closes what time"].made_by == "wording"
    questions = {json.loads(line)["question"] for line in probes.splitlines()}
    assert not any("gate close" in question for question in questions)
    assert not any("what time" in sample.text for sample in samples)


def test_without_quotes_the_answer_is_the_sentence_alone(tmp_path: Path) -> None:
    samples, _ = _curated(tmp_path, "synthesis.quote_words=0")

    asking = {sample.messages[0]["content"]: sample for sample in samples if sample.messages}
    assert asking[GATE].messages[1]["content"] == (
        '(Help for guests, section "Arrival") The gate closes at 22:00.'
    )


def test_each_of_two_settings_leaves_cloze_questions_out(tmp_path: Path) -> None:
    for number, setting in enumerate(("cloze_questions", "extract_questions")):
        samples, _ = _curated(tmp_path / str(number), f"synthesis.{setting}=false")

        assert not any(sample.made_by == "cloze" for sample in samples)
