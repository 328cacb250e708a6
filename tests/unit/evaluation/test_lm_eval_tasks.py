"""Tasks of lm-eval: found before anything starts, and right where the model is right."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ftdist.errors import ConfigError, DataError
from ftdist.evaluation.eval_set import EvalSet
from ftdist.evaluation.lm_eval_tasks import _outcomes, find_tasks, tasks_key
from ftdist.evaluation.scoring.aggregate import JudgedAnswers, aggregate_scores
from ftdist.observe.score_table import doc_of
from tests.support.documents.real_libraries import packages
from tests.support.models.tiny_models import save_tiny_model
from tests.support.runs.tiny_runs import write_tokenizer

ROOT = Path(__file__).resolve().parents[3]
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


SUMS = [{"question": f"What is 2 + {n}?", "right": str(2 + n)} for n in (2, 3, 4)]
SAID = ["2 + 2: the answer is 4", "5", "the answer is 7"]
TWO_FILTERS = [
    {
        "name": name,
        "filter": [
            {"function": "regex", "regex_pattern": pattern, "group_select": -1},
            {"function": "take_first"},
        ],
    }
    for name, pattern in (("strict", "answer is ([0-9])"), ("last", "([0-9])"))
]


def task_file(folder: Path, **more: Any) -> Path:
    """A multiple-choice task with its data beside it; JSON is YAML."""
    data = folder / "asked.jsonl"
    write_rows(data, ASKED)
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
    path = folder / f"{task['task']}.yaml"
    path.write_text(json.dumps(task))
    return path


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def run_with_lm_eval(script: str, *arguments: object, home: Path) -> Any:
    """What a script prints last, as JSON, in a process that finds lm-eval."""
    site = packages("lm-eval", LM_EVAL)
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{site}", "HF_HUB_OFFLINE": "1",
             "HF_HOME": str(home)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_lm_eval_task_scores_the_most_likely_choice(tmp_path: Path) -> None:
    model = save_tiny_model(tmp_path / "model", "llama")
    write_tokenizer(model)
    path = task_file(tmp_path)
    script = (
        "import json, sys; from pathlib import Path; "
        "from ftdist.evaluation.lm_eval_tasks import ask_tasks; "
        "from ftdist.inference.hf_model import HFModel; "
        "model = HFModel(sys.argv[1], device='cpu', chat_template='{{ messages }}', threads=1); "
        "print(json.dumps(ask_tasks(model.model, model.tokenizer, [Path(sys.argv[2])], batch=4)))"
    )
    found = run_with_lm_eval(script, model, path, home=tmp_path / "hf")
    assert found == {"after/acc": right_by_hand(model)}
    assert 0 < sum(found["after/acc"]) < 9


@pytest.mark.timeout(600)
def test_each_filter_of_a_task_is_a_score_with_one_outcome_per_document(tmp_path: Path) -> None:
    """The real lm-eval, with answers put in the model's mouth: to 2 + 2, 2 + 3 and 2 + 4."""
    model = save_tiny_model(tmp_path / "model", "llama")
    write_tokenizer(model)
    write_rows(tmp_path / "sums.jsonl", SUMS)
    path = task_file(
        tmp_path,
        task="sums",
        dataset_kwargs={"data_files": str(tmp_path / "sums.jsonl")},
        output_type="generate_until",
        doc_to_choice=None,
        generation_kwargs={"until": ["|"]},
        filter_list=TWO_FILTERS,
        metric_list=[{"metric": "exact_match"}],
    )
    script = (
        "import json, sys; from pathlib import Path; "
        "from lm_eval.models.huggingface import HFLM; "
        "from ftdist.evaluation.lm_eval_tasks import ask_tasks; "
        "from ftdist.inference.hf_model import HFModel; "
        "HFLM.generate_until = lambda self, asked, **_: json.loads(sys.argv[3]); "
        "model = HFModel(sys.argv[1], device='cpu', chat_template='{{ messages }}', threads=1); "
        "print(json.dumps(ask_tasks(model.model, model.tokenizer, [Path(sys.argv[2])], batch=4)))"
    )
    found = run_with_lm_eval(script, model, path, json.dumps(SAID), home=tmp_path / "hf")
    assert found == {
        "sums/exact_match,strict": [True, False, False],
        "sums/exact_match,last": [True, True, False],
    }


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


def test_missing_tasks_and_missing_lm_eval_are_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_tasks([]) == ()
    with pytest.raises(DataError, match="is not a task file and contains none"):
        find_tasks([str(tmp_path)])
    path = task_file(tmp_path)
    monkeypatch.setattr("ftdist.evaluation.lm_eval_tasks.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="needs lm-eval"):
        find_tasks([str(tmp_path)])
    monkeypatch.setattr("ftdist.evaluation.lm_eval_tasks.find_spec", lambda _: object())
    assert find_tasks([str(tmp_path), str(path)]) == (path,)


def test_a_changed_task_or_local_data_changes_its_cache_key(tmp_path: Path) -> None:
    path = task_file(tmp_path)
    keys = [tasks_key([path]), tasks_key([path])]
    path.write_text(path.read_text() + "\n")
    keys.append(tasks_key([path]))
    with (tmp_path / "asked.jsonl").open("a") as file:
        file.write(json.dumps(ASKED[0]) + "\n")
    keys.append(tasks_key([path]))
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


@pytest.mark.parametrize("how", ["text", "list", "mapping", "pattern", "data_dir", "folder"])
def test_changed_data_in_another_folder_changes_the_cache_key(tmp_path: Path, how: str) -> None:
    data = tmp_path / "data" / "asked.jsonl"
    data.parent.mkdir()
    write_rows(data, ASKED)
    named: dict[str, dict[str, Any]] = {
        "text": {"dataset_kwargs": {"data_files": str(data)}},
        "list": {"dataset_kwargs": {"data_files": [str(data)]}},
        "mapping": {"dataset_kwargs": {"data_files": {"train": [str(data)]}}},
        "pattern": {"dataset_kwargs": {"data_files": str(data.with_name("*.jsonl"))}},
        "data_dir": {"dataset_kwargs": {"data_dir": str(data.parent), "data_files": "asked.jsonl"}},
        "folder": {"dataset_path": str(data.parent), "dataset_kwargs": None},
    }
    (tmp_path / "tasks").mkdir()
    path = task_file(tmp_path / "tasks", **named[how])
    key = tasks_key([path])
    assert tasks_key([path]) == key
    write_rows(data, ASKED[:8])
    assert tasks_key([path]) != key


def test_a_changed_include_of_a_task_changes_its_cache_key(
    tmp_path: Path,
) -> None:
    for name in ("tasks", "common", "data"):
        (tmp_path / name).mkdir()
    data = tmp_path / "data" / "asked.jsonl"
    write_rows(data, ASKED)
    common = tmp_path / "common" / "base_yaml"
    kwargs = f"dataset_kwargs: {{data_files: {data}}}\n"
    common.write_text("dataset_path: json\nprocess_docs: !function utils.docs\n" + kwargs)
    path = tmp_path / "tasks" / "after.yaml"
    path.write_text("include: ../common/base_yaml\ntask: after\n")
    keys = [tasks_key([path]), tasks_key([path])]
    write_rows(data, ASKED[:8])
    keys.append(tasks_key([path]))
    common.write_text(common.read_text() + "doc_to_text: question\n")
    keys.append(tasks_key([path]))
    (common.parent / "utils.py").write_text("docs = list\n")
    keys.append(tasks_key([path]))
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4


def test_a_duplicate_task_name_is_refused_with_both_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftdist.evaluation.lm_eval_tasks.find_spec", lambda _: object())
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first, second = task_file(tmp_path / "a"), tmp_path / "b" / "heir.yaml"
    second.write_text("include: ../a/after.yaml\n")
    with pytest.raises(DataError) as caught:
        find_tasks([str(first), str(second)])
    assert caught.value.problem == (f"Two tasks have the name after, in {first} and in {second}.")
    second.write_text("include: ../a/after.yaml\ntask: heir\n")
    assert find_tasks([str(tmp_path)]) == (first, second)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("include: none.yaml\n", "none.yaml, which .*bad.yaml includes, cannot be read: No such"),
        ("task: [\n", "bad.yaml is not YAML"),
        ("[" * 5000, "bad.yaml is not YAML"),
        ("after\n", "bad.yaml holds no keys"),
    ],
)
def test_an_unreadable_task_file_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, why: str
) -> None:
    monkeypatch.setattr("ftdist.evaluation.lm_eval_tasks.find_spec", lambda _: object())
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(DataError, match=why):
        find_tasks([str(path)])


def test_groups_of_the_same_tasks_are_distinguished_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftdist.evaluation.lm_eval_tasks.find_spec", lambda _: object())
    groups = [tmp_path / "one.yaml", tmp_path / "two.yaml"]
    for path in groups:
        path.write_text(f"group: {path.stem}\ntask: [a, b]\ndataset_path: ~nobody-here/x\n")
    assert find_tasks([str(tmp_path)]) == tuple(groups)
    assert tasks_key(groups) == tasks_key(groups)


def test_only_binary_metrics_are_used() -> None:
    rows = [
        {"filter": "none", "metrics": ["acc", "bleu"], "acc": 1.0, "bleu": 0.31},
        {"filter": "none", "metrics": ["acc", "bleu"], "acc": 0.0, "bleu": 0.0},
    ]
    assert _outcomes({"t": rows}, file=Path("t.yaml")) == {"t/acc": [True, False]}
    rows = [{"filter": "none", "metrics": ["bleu"], "bleu": 0.5}]
    with pytest.raises(DataError, match="its metrics are bleu"):
        _outcomes({"t": rows}, file=Path("t.yaml"))


def test_a_single_filter_is_named_unless_it_is_none() -> None:
    rows = [{"filter": "strict", "metrics": ["acc"], "acc": 1.0}]
    assert _outcomes({"t": rows}, file=Path("t.yaml")) == {"t/acc,strict": [True]}


def test_a_task_is_a_retention_score_paired_by_document() -> None:
    eval_set = EvalSet(probes=(), general=(), texts=(), source=Path("p"))
    base = JudgedAnswers(
        probes=(), general=(), losses=(), tasks={"t/acc": [True, True, False, False]}
    )
    tuned = JudgedAnswers(
        probes=(), general=(), losses=(), tasks={"t/acc": [True, False, False, False]}
    )
    scores = aggregate_scores(eval_set, base=base, tuned=tuned)
    assert (scores["base"]["t/acc"], scores["tuned"]["t/acc"]) == (0.5, 0.25)
    assert scores["paired"]["t/acc"]["difference"] == -0.25
    assert doc_of("t/acc").group == "retention"


def judged(**tasks: list[bool]) -> JudgedAnswers:
    named = {f"t/{metric}": hits for metric, hits in tasks.items()}
    return JudgedAnswers(probes=(), general=(), losses=(), tasks=named)


def test_a_task_with_other_documents_for_the_base_is_one_clear_error() -> None:
    eval_set = EvalSet(probes=(), general=(), texts=(), source=Path("p"))
    with pytest.raises(DataError, match=r"t/acc .* base answered 3 documents, the tuned model 2"):
        aggregate_scores(
            eval_set, base=judged(acc=[True, False, True]), tuned=judged(acc=[True, False])
        )


def test_metrics_that_are_binary_only_by_chance_are_not_scores() -> None:
    """F1 of 0 for each of the base's answers, and of shares for the tuned model's."""
    eval_set = EvalSet(probes=(), general=(), texts=(), source=Path("p"))
    base, tuned = judged(acc=[True, False], f1=[False, False]), judged(acc=[True, True])
    for scores in (
        aggregate_scores(eval_set, base=base, tuned=tuned),
        aggregate_scores(eval_set, base=tuned, tuned=base),
    ):
        assert set(scores["paired"]) == {"t/acc"}
        assert "t/f1" not in scores["base"] | scores["tuned"]
