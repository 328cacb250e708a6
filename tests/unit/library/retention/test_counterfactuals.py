"""Counterfactuals: the library's answers to questions about other products."""

import json
from pathlib import Path

import pytest
from ftdist_launch.setup.library_warnings import library_warnings

from ftdist.config.compose import compose, compose_curation
from ftdist.library.pipeline import curate
from ftdist.library.retention.counterfactuals import counterfactuals
from ftdist.library.store.dataset import open_curated
from ftdist.library.store.files_to_push import files_to_push
from ftdist.library.store.samples import read_samples
from ftdist.prepare.mixture import find_source_files, kl_source_names

LIBRARY = {
    ("row 1", "Hold the green button of the A-45 for 9 seconds."): ["How do I reset my A-45?"],
    ("row 2", "Hold the green button of the A-45 for 9 seconds."): ["A-45 reset, please"],
    ("row 3", "Error E17 means that the filter is clogged."): ["What does E17 mean on the A-45?"],
    ("row 4", "No, only with a cable."): ["Does the A-45 work with the B-46?", "Is it waterproof?"],
}


def made(count: int = 100, *, max_characters: int = 1000, seed: int = 1) -> list[tuple[str, str]]:
    return counterfactuals(
        LIBRARY, products=["A-45", "B-46"], count=count, max_characters=max_characters, seed=seed
    )


def test_question_and_answer_name_one_other_product() -> None:
    # The third answer's questions name two products and none.
    pairs = made()
    assert len(pairs) == 3
    assert not any("A-45" in text for pair in pairs for text in pair)
    [reset] = [pair for pair in pairs if pair[0].startswith("How do I reset my ")]
    other = reset[0].removeprefix("How do I reset my ").removesuffix("?")
    assert reset[1] == f"Hold the green button of the {other} for 9 seconds."


def test_each_answer_comes_once_before_one_comes_again() -> None:
    first = [answer.split()[0] for _, answer in made(2)]
    assert sorted(first) == ["Error", "Hold"]


def test_long_answers_are_cut_after_a_word() -> None:
    assert {answer for _, answer in made(max_characters=17)} == {
        "Hold the green",
        "Error E17 means",
    }


@pytest.mark.parametrize("products", [[], ["C-47"]])
def test_a_library_that_names_no_product_has_none(products: list[str]) -> None:
    assert not counterfactuals(LIBRARY, products=products, count=9, max_characters=99, seed=1)


def curated_from(source: Path) -> Path:
    folder = source.parent
    keys = [
        "library.name=w", f"library.root={folder}/libraries", f"library.sources=[{source}]",
        f"work.cache_dir={folder}/cache", "retention.num_counterfactuals=5",
        "retention.product_names=[A-45]", "split.num_probes=0", "split.held_out_conversations=0",
    ]  # fmt: skip
    return curate(compose_curation(keys), model=None, log=lambda _: None).folder


@pytest.fixture
def curated(tmp_path: Path) -> Path:
    rows = "question,answer\n" + "".join(
        f"{question.replace(',', '')},{answer.replace(',', '')}\n"
        for (_, answer), (question, *_) in LIBRARY.items()
    )
    (tmp_path / "faq.csv").write_text(rows)
    return curated_from(tmp_path / "faq.csv")


def test_only_kl_to_the_base_trains_them(curated: Path) -> None:
    needed = ["run.name=r", "model.path=m", f"library.path={curated}"]
    without = compose(needed)
    assert list(find_source_files(without)) == ["faq"]
    assert library_warnings(without)[-1] == (
        "Left out: counterfactual, which needs library.kl_to_base=[out_of_scope]."
    )
    by_kl = compose([*needed, "library.kl_to_base=[out_of_scope]"])
    sources = find_source_files(by_kl)
    assert list(sources) == ["faq", "counterfactual"]
    assert kl_source_names(by_kl, sources) == {"counterfactual"}
    assert not [text for text in library_warnings(by_kl) if "Left out" in text]


def test_no_split_of_the_dataset_has_them_and_a_pushed_library_does(curated: Path) -> None:
    [source] = [s for s in open_curated(curated).sources if s.name == "counterfactual"]
    assert source.train == curated / "kl_only/counterfactual-train.parquet"
    assert len(list(read_samples(source.train))) == source.samples == 5
    assert "kl_only/counterfactual-train.parquet" in files_to_push(curated)
    assert "kl_only" not in (curated / "README.md").read_text()


def test_a_conversation_of_several_turns_has_none(tmp_path: Path) -> None:
    # Its last answer is not one to its first question.
    turns = [
        *(("user", "Does the A-45 float?"), ("assistant", "Yes.")),
        *(("user", "Why?"), ("assistant", "It is hollow.")),
    ]
    messages = [{"role": role, "content": text} for role, text in turns]
    (tmp_path / "train.jsonl").write_text(json.dumps({"messages": messages}))
    folder = curated_from(tmp_path / "train.jsonl")
    assert "counterfactual" not in {source.name for source in open_curated(folder).sources}
