"""Tasks of lm-eval: found before anything starts, and right where the model is right."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ftdist.errors import ConfigError, DataError
from ftdist.expert.inputs import Inputs
from ftdist.expert.meanings import meaning_of
from ftdist.expert.tally import Judged, tally
from ftdist.expert.tasks import _outcomes, find_tasks, tasks_key
from tests.support.libraries import packages
from tests.support.models import save_tiny_model
from tests.support.runs import write_tokenizer

ROOT = Path(__file__).resolve().parents[2]
LM_EVAL = (
    *("lm-eval", "datasets", "dill", "multiprocess", "evaluate", "aiohttp", "multidict", "yarl"),
    *("aiohappyeyeballs", "aiosignal", "attrs", "frozenlist", "propcache", "rouge-score"),
    *("sacrebleu", "scikit-learn", "joblib", "narwhals", "scipy", "six", "tabulate"),
    *("threadpoolctl", "absl-py", "colorama", "more-itertools", "nltk", "defusedxml", "pandas"),
    *("portalocker", "pytablewriter", "dataproperty", "mbstrdecoder", "chardet", "pathvalidate"),
    *("tabledata", "tcolorpy", "typepy", "python-dateutil", "pytz", "sqlitedict", "word2number"),
)
ASKED = [
    {"question": f"What comes after {n}?", "choices": ["one", "two", "many more"], "right": n % 3}
    for n in range(9)
]


def task_file(folder: Path, **more: Any) -> Path:
    """A multiple-choice task with its data beside it; JSON is YAML."""
    data = folder / "asked.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in ASKED))
    task = {
        "task": "after",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": str(data)},
        "test_split": "train",
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "doc_to_choice": "{{choices}}",
        "doc_to_target": "{{right}}",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        **more,
    }
    path = folder / "after.yaml"
    path.write_text(json.dumps(task))
    return path


@pytest.mark.timeout(600)
def test_a_task_of_lm_eval_finds_right_what_the_model_finds_likeliest(tmp_path: Path) -> None:
    site = packages("lm-eval", LM_EVAL)
    model = save_tiny_model(tmp_path / "model", "llama")
    write_tokenizer(model)
    path = task_file(tmp_path)
    script = (
        "import json, sys; from pathlib import Path; from ftdist.expert.answers import Answerer; "
        "model = Answerer(sys.argv[1], device='cpu', chat_template='{{ messages }}', threads=1); "
        "print(json.dumps(model.tasks([Path(sys.argv[2])], batch=4)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(model), str(path)],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{site}", "HF_HUB_OFFLINE": "1",
             "HF_HOME": str(tmp_path / "hf")},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == {"after/acc": right_by_hand(model)}
    assert 0 < sum(found["after/acc"]) < 9


def right_by_hand(folder: Path) -> list[bool]:
    """Whether the sum of log-probabilities of the right choice, after a space, is the highest."""
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = []
    for row in ASKED:
        sums = []
        for choice in row["choices"]:  # type: ignore[attr-defined]
            question = tokenizer(row["question"])["input_ids"]
            ids = tokenizer(f"{row['question']} {choice}")["input_ids"]
            with torch.no_grad():
                each = model(torch.tensor([ids])).logits[0].log_softmax(dim=-1)
            sums.append(sum(float(each[n - 1, ids[n]]) for n in range(len(question), len(ids))))
        found.append(max(range(3), key=lambda n: sums[n]) == row["right"])
    return found


def test_tasks_that_are_not_there_and_a_missing_lm_eval_are_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_tasks([]) == ()
    with pytest.raises(DataError, match="no task file"):
        find_tasks([str(tmp_path)])
    path = task_file(tmp_path)
    monkeypatch.setattr("ftdist.expert.tasks.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="needs lm-eval"):
        find_tasks([str(tmp_path)])
    monkeypatch.setattr("ftdist.expert.tasks.find_spec", lambda _: object())
    assert find_tasks([str(tmp_path), str(path)]) == (path,)


def test_a_changed_task_or_changed_data_beside_it_is_another_key(tmp_path: Path) -> None:
    path = task_file(tmp_path)
    keys = [tasks_key([path]), tasks_key([path])]
    path.write_text(path.read_text() + "\n")
    keys.append(tasks_key([path]))
    with (tmp_path / "asked.jsonl").open("a") as file:
        file.write(json.dumps(ASKED[0]) + "\n")
    keys.append(tasks_key([path]))
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_only_metrics_of_right_and_wrong_are_taken() -> None:
    rows = [
        {"metrics": ["acc", "bleu"], "acc": 1.0, "bleu": 0.31},
        {"metrics": ["acc", "bleu"], "acc": 0.0, "bleu": 0.0},
    ]
    assert _outcomes({"t": rows}, file=Path("t.yaml")) == {"t/acc": [True, False]}
    with pytest.raises(DataError, match="its metrics are bleu"):
        _outcomes({"t": [{"metrics": ["bleu"], "bleu": 0.5}]}, file=Path("t.yaml"))


def test_a_task_is_a_score_of_retention_paired_document_by_document() -> None:
    inputs = Inputs(probes=(), general=(), texts=(), source=Path("p"))
    base = Judged(probes=(), general=(), losses=(), tasks={"t/acc": [True, True, False, False]})
    tuned = Judged(probes=(), general=(), losses=(), tasks={"t/acc": [True, False, False, False]})
    scores = tally(inputs, base=base, tuned=tuned)
    assert (scores["base"]["t/acc"], scores["tuned"]["t/acc"]) == (0.5, 0.25)
    assert scores["paired"]["t/acc"]["difference"] == -0.25
    assert meaning_of("t/acc").group == "retention"
