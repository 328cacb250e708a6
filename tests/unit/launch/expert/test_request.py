"""All that is wrong with any stage is found before the first one starts."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from ftdist_launch.expert.request import check_expert, resolve_as_before
from ftdist_launch.slurm.client import Queue

from ftdist.config.expert import compose_expert
from ftdist.errors import ConfigError
from tests.unit.launch.expert.test_schedule import request_in, run_until


def test_problems_of_documents_model_questions_and_place_are_reported_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("sources=nowhere", "model=./none", "name=r", "eval.extra_probes=p.jsonl")
    expert = compose_expert([*words, "eval.probes=q.jsonl", "cluster.nodes=2"])
    with pytest.raises(ConfigError) as caught:
        check_expert(expert, words=words, queue=Queue(), log=lambda _: None)
    for text in ("4 problems", "nowhere", "model folder", "q.jsonl", "cluster.nodes=2"):
        assert text in caught.value.problem
    assert list(tmp_path.iterdir()) == []


def test_a_run_stays_with_the_commit_of_its_hub_model_when_a_newer_one_is_pushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(module: str, words: Sequence[str]) -> dict[str, str]:
        folder = tmp_path / "snapshots" / (words[1] or "newest")
        folder.mkdir(parents=True, exist_ok=True)
        return {"path": str(folder)}

    monkeypatch.setattr("ftdist_launch.setup.run_setup.call_child", download)
    request = request_in(tmp_path)
    typed = replace(request.config, model=replace(request.config.model, path="org/m"))
    folder = str(tmp_path / "snapshots" / "abc")
    begun = replace(typed, model=replace(typed.model, path=folder))
    run_until(replace(request, config=begun, model="org/m"), "curate")
    model = resolve_as_before(typed, log=lambda _: None).model
    assert (model.path, model.revision) == (folder, None)
    # Another model or revision is resolved as typed.
    for other in (replace(typed.model, path="org/n"), replace(typed.model, revision="v2")):
        model = resolve_as_before(replace(typed, model=other), log=lambda _: None).model
        assert Path(model.path).name == (other.revision or "newest")
