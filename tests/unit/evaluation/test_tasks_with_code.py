"""Task files of lm-eval may name Python code, which only the user's own word runs."""

from pathlib import Path

import pytest

from ftdist.errors import ConfigError, DataError
from ftdist.evaluation import lm_eval_tasks
from ftdist.evaluation.lm_eval_tasks import find_tasks, tasks_key
from ftdist.rundir import RunDir, find_run

pytestmark = pytest.mark.fault("XM")

TASK = """task: theirs
dataset_path: json
process_docs: !function utils.docs
doc_to_text: !function utils.text
made: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path [{canary}]]
"""


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A task file whose code makes the file `canary`."""
    monkeypatch.setattr(lm_eval_tasks, "find_spec", lambda _: object())
    folder = tmp_path / "tasks"
    folder.mkdir()
    canary = tmp_path / "canary"
    (folder / "utils.py").write_text(f"open({str(canary)!r}, 'w')\ndocs = text = list\n")
    path = folder / "theirs.yaml"
    path.write_text(TASK.partition("made:")[0])
    return path


def test_code_that_a_task_file_names_does_not_run_when_the_file_is_read(
    task: Path, tmp_path: Path
) -> None:
    assert find_tasks([str(task.parent)]) == (task,)
    assert len(tasks_key([task])) == 64
    assert not (tmp_path / "canary").exists()


def test_a_python_object_in_a_task_file_is_not_made(task: Path, tmp_path: Path) -> None:
    task.write_text(TASK.format(canary=tmp_path / "canary"))
    with pytest.raises(DataError, match="is not YAML"):
        find_tasks([str(task)])
    assert not (tmp_path / "canary").exists()


def test_a_run_that_others_may_change_is_refused_before_its_tasks_are_read(
    task: Path, tmp_path: Path
) -> None:
    run = RunDir(tmp_path / "runs" / "theirs")
    run.create(private=False)
    run.config.write_text(f"eval: {{lm_eval_tasks: [{task}]}}\n")
    assert find_run("theirs", runs_root=run.root.parent).root == run.root
    run.root.chmod(0o777)
    with pytest.raises(ConfigError, match=r"can be changed by every user"):
        find_run("theirs", runs_root=run.root.parent)
    assert not (tmp_path / "canary").exists()
