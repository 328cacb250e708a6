"""What a comparison asks, looked for in what was trained on."""

import json
from pathlib import Path

import pytest

from ftdist.config.compose import compose
from ftdist.config.schema import RunConfig
from ftdist.evaluation import contamination
from ftdist.evaluation.contamination import seen_in_training
from ftdist.evaluation.eval_set import EvalSet
from ftdist.evaluation.probes import Probe
from ftdist.evaluation.report.text import contamination_texts

LONG = "Please tell me how one resets the large green widget in the hall"


def recall(question: str) -> Probe:
    return Probe(question=question, answer="So.", keys=("so",), kind="fact")


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    """A run whose library and replay hold three rows each of another kind."""
    rows = [
        {"question": f"And now: {LONG}, would you?", "answer": "Hold the button."},
        {"question": "Who made it?", "answer": "A company of the north made it in the year 1987."},
    ]
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "chat.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows)
    )
    (tmp_path / "replay").mkdir()
    (tmp_path / "replay" / "page.md").write_text(
        "A river runs down from the hills to the sea and nobody knows its name.\n"
    )
    return compose(
        [
            "model.path=m",
            f"library.path={tmp_path / 'library'}",
            f"library.extra_sources.replay.path={tmp_path / 'replay'}",
            "library.extra_sources.replay.weight=0.5",
            "run.name=r",
        ]
    )


def test_contamination_reports_shared_8_grams_with_an_example(
    config: RunConfig,
) -> None:
    eval_set = EvalSet(
        probes=(
            recall("what is its weight"),
            recall("tell me how one resets the large green elephant"),  # 8 words in a row
            recall("me how one resets the large green elephant"),  # 7
            recall("WHO made it?"),  # all of its words are all of a message's
            recall("Who made?"),
        ),
        general=(),
        texts=("Elsewhere. A river runs down from the hills to another sea.", "None of it."),
        source=Path("p"),
    )
    found = seen_in_training(eval_set, config)
    assert found == {
        "probes": {
            "contaminated": 2, "n": 5, "first": "tell me how one resets the large green elephant",
        },
        "texts": {
            "contaminated": 1, "n": 2,
            "first": "Elsewhere. A river runs down from the hills to another sea.",
        },
    }  # fmt: skip
    probes, texts = contamination_texts({"contamination": found})
    assert probes.startswith("2 of 5 probes occur in the training data")
    assert texts.startswith("1 of 2 general texts occur in the training data")


def test_contamination_skips_missing_and_oversized_sources(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    eval_set = EvalSet(probes=(recall(LONG),), general=(), texts=(), source=Path("p"))
    monkeypatch.setattr(contamination, "MAX_BYTES", 100)
    assert seen_in_training(eval_set, config) is None
    monkeypatch.undo()
    (tmp_path / "replay" / "page.md").unlink()
    assert seen_in_training(eval_set, config) is None
    assert contamination_texts({}) == []
