"""What a packed library says about its prompts and the model's embedding."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ftdist.config.compose import compose
from ftdist.config.schema import RunConfig
from ftdist.data.packed_dataset import CARD
from ftdist.errors import DataError
from ftdist.plan.dataset_info import PackedDatasetInfo, has_fixed_opening
from ftdist.prepare.main import prepare
from ftdist.prepare.tokenize_shard import LEFT_OUT
from tests.support.models.thinking_templates import thinking_tokenizer

THOUGHT = "<think>\nRow 1.\n</think>\n\nHold it."


def configured(folder: Path, template: str, *answers: str) -> RunConfig:
    """A model folder with a tokenizer alone, and a library with these answers."""
    thinking_tokenizer(template).save_pretrained(folder / "model")
    rows = [{"question": f"Reset {n}?", "answer": answer} for n, answer in enumerate(answers)]
    (folder / "library.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return compose(
        [
            "run.name=r",
            f"model.path={folder}/model",
            f"library.path={folder}/library.jsonl",
            f"library.cache_dir={folder}/cache",
            "batch.sequence_length=128",
            "batch.tokens=128",
        ]
    )


@pytest.mark.parametrize(
    ("answers", "is_fixed"), [(("Hold.", "No."), True), (("Hold.", THOUGHT), False)]
)
def test_prompts_have_the_empty_thought_if_every_answer_has_it(
    tmp_path: Path, answers: tuple[str, ...], is_fixed: bool
) -> None:
    facts = prepare(configured(tmp_path, "empty", *answers))
    assert facts.fixed_opening == is_fixed
    assert PackedDatasetInfo.from_json(facts.to_json()) == facts
    (tmp_path / "plan.json").write_text(json.dumps({"library": json.loads(facts.to_json())}))
    assert has_fixed_opening(tmp_path / "plan.json") == is_fixed
    assert not has_fixed_opening(tmp_path / "none.json")


def test_a_row_that_the_model_would_not_be_prompted_for_is_named(tmp_path: Path) -> None:
    config = configured(tmp_path, "begun-marked", THOUGHT, "Hold.")
    with pytest.raises(DataError) as refused:
        prepare(config)
    assert "library.jsonl, row 2 cannot be used. The prompt for message 2" in refused.value.problem
    assert "end the generation prompt after" in refused.value.remedy
    skipping = replace(config, library=replace(config.library, on_invalid_row="skip"))
    [source] = prepare(skipping).sources
    assert source.samples == 1


def test_answers_that_lose_their_thought_are_counted_in_the_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configured(tmp_path, "empty", "Hold.")
    roles = ("user", "assistant", "user", "assistant")
    texts = ("Reset?", THOUGHT, "And?", THOUGHT)
    messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=True)]
    path = tmp_path / "library.jsonl"
    path.write_text(json.dumps({"messages": messages}) + "\n")
    facts = prepare(config)
    [source] = json.loads((Path(facts.path) / CARD).read_text())["sources"]
    assert source["notes"] == {LEFT_OUT: [1, "library: library.jsonl, row 1"]}
    assert f"{LEFT_OUT}: 1 time," in capsys.readouterr().err
    keeping = replace(config, library=replace(config.library, reasoning="keep"))
    with pytest.raises(DataError, match="leaves out a thought in or before message 2"):
        prepare(keeping)
    dropping = prepare(replace(config, library=replace(config.library, reasoning="drop")))
    assert dropping.sources[0].tokens < facts.sources[0].tokens
    assert dropping.fixed_opening
