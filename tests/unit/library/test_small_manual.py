"""A user's own small manual and a dozen chats: every fact gets a probe, and nothing is silent."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from ftdist.config.compose import compose_curation
from ftdist.library.pipeline import curate
from ftdist.library.store.dataset import open_curated
from ftdist.library.store.samples import read_samples

pytestmark = pytest.mark.timeout(120)

SMALL = Path(__file__).parents[2] / "support/documents/small_manual"
TITLE = "Halden T-7 Tide Pump: Owner's Manual"


def _curate(place: Path, sources: Sequence[Path], *more: str) -> tuple[Path, str]:
    listed = ",".join(map(str, sources))
    keys = [
        "library.name=t7", f"library.root={place}", f"library.sources=[{listed}]",
        f"work.cache_dir={place / 'cache'}", "work.num_proc=1", *more,
    ]  # fmt: skip
    published = curate(compose_curation(keys), model=None, log=lambda _: None)
    return published.folder, " ".join(published.card.split())


def _probes(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "probes.jsonl").read_text(encoding="utf-8").splitlines()
    return [row for row in map(json.loads, lines) if row["kind"] == "fact"]


def _trained(folder: Path) -> dict[str, set[str]]:
    """The trained questions by their answer."""
    by_answer: dict[str, set[str]] = {}
    for source in open_curated(folder).sources:
        for sample in read_samples(source.train):
            if sample.messages:
                question, answer = (message["content"] for message in sample.messages[-2:])
                by_answer.setdefault(answer, set()).add(question)
    return by_answer


@pytest.fixture(params=["md", "html", "pdf"])
def manual(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The manual as Markdown, as HTML, and as a browser prints it."""
    if request.param != "html":
        return SMALL / f"manual.{request.param}"
    body = MarkdownIt().enable("table").render((SMALL / "manual.md").read_text(encoding="utf-8"))
    path = tmp_path / "manual.html"
    path.write_text(f"<html><title>{TITLE}</title><body>{body}</body></html>", encoding="utf-8")
    return path


def test_each_fact_of_a_small_manual_has_a_probe_in_other_words(
    tmp_path: Path, manual: Path
) -> None:
    folder, card = _curate(tmp_path, [manual])
    trained, all_probes = _trained(folder), _probes(folder)
    probes = [each for each in all_probes if each["form"] not in ("reverse", "two_facts")]
    # 5 headings, 10 cells of error codes, 4 of technical data, 4 questions; then sentences.
    overviews = {answer for answer in trained if answer.startswith("The T-7: ")}
    of_table = [probe for probe in all_probes if probe not in probes]
    assert {probe["answer"] for probe in probes} <= trained.keys() - overviews
    assert "The T-7." in {probe["answer"] for probe in of_table}
    assert len(trained) - len(overviews) >= len(probes) >= 23
    questions = {question.casefold().rstrip("?") for each in trained.values() for question in each}
    assert not questions & {probe["question"].casefold().rstrip("?") for probe in all_probes}
    assert sum(probe["form"] == "reworded" for probe in probes) >= 20
    assert not any(probe["form"] == "prefixed" for probe in probes)
    assert f"Probes: {len(all_probes)} of facts" in card


def test_keys_are_the_facts_and_never_the_maker(tmp_path: Path) -> None:
    folder, _ = _curate(tmp_path, [SMALL / "manual.md"])
    keys = {probe["question"]: probe["keys"] for probe in _probes(folder)}
    assert keys["Do you know how long the warranty is?"] == ["four years"]
    assert keys["Is it possible to run it with salt water?"] == ["twice a month"]
    assert keys["What is important about tide mode for the T-7?"] == ["half an hour"]
    assert keys["How do I get rid of error E1 on the T-7?"] == ["twenty minutes"]
    assert ["18.5 kg"] in keys.values()
    assert ["sea cock"] in keys.values()
    to_values = [each for each in keys.values() if each != ["T-7"]]  # others ask for the thing
    words = {word for each in to_values for key in each for word in key.split()}
    assert not words & {"Halden", "Marine", "T-7"}


def test_questions_are_asked_as_people_ask(tmp_path: Path) -> None:
    folder, _ = _curate(tmp_path, [SMALL / "manual.md"])
    questions = {question for each in _trained(folder).values() for question in each}
    assert {
        "How do I start the T-7?",
        "What should I know about winter storage for the T-7?",
        "What should I do about error E4 on the T-7?",
        "What is the hose diameter of the T-7?",
    } <= questions
    assert not [question for question in questions if "Manual" in question]


def test_a_library_of_chats_alone_has_probes_and_a_held_out_chat(tmp_path: Path) -> None:
    folder, card = _curate(tmp_path, [SMALL / "chats.jsonl"])
    held_out = [s for source in open_curated(folder).sources for s in read_samples(source.held_out)]
    assert len(held_out) == 1
    assert len(_trained(folder)) == 11
    assert len({probe["answer"] for probe in _probes(folder)}) == 11
    assert "Held out: 1 document or conversation." in card
    assert "Only 11 fact probes; results of fewer than 20 are mostly noise." in card
    assert "generator.backend=endpoint" in card
    assert "eval.probes" in card
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "Only 11 fact probes" in page
    assert re.search(r"A fact probe asks what training also asks.*\(\d+ in other words", page)


def test_the_card_says_why_nothing_is_held_out(tmp_path: Path) -> None:
    few = tmp_path / "few.jsonl"
    rows = (SMALL / "chats.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    few.write_text("".join(rows[:9]), encoding="utf-8")
    _, card = _curate(tmp_path, [few])
    assert "no held-out loss: 9 conversations are too few" in card
    _, card = _curate(tmp_path, [SMALL / "manual.md"])
    assert "no held-out loss: there is no conversation to hold out" in card
    _, card = _curate(tmp_path, [few], "split.held_out_conversations=0")
    assert "no held-out loss: split.held_out_conversations and split.held_out_documents" in card


def test_conversations_of_several_turns_give_probes_too(tmp_path: Path) -> None:
    def chat(*texts: str) -> str:
        roles = ("system", "user", "assistant", "user", "assistant")
        messages = [{"role": r, "content": t} for r, t in zip(roles, texts, strict=True)]
        return json.dumps({"messages": messages}) + "\n"

    path = tmp_path / "chats.jsonl"
    path.write_text(
        chat("Be brief.", "How far does the remote reach", "It reaches 60 metres.", "Thanks!",
             "You are welcome.")
    )  # fmt: skip
    folder, _ = _curate(tmp_path, [path])
    [probe] = _probes(folder)
    assert (probe["question"], probe["keys"]) == ("How far remote reach", ["60 metres"])
