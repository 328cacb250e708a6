"""All that is wrong with any stage is found before the first one starts."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from ftdist_launch.expert.describe import unknown
from ftdist_launch.expert.kl_sources import with_kl_of_library
from ftdist_launch.expert.request import ExpertRequest, check_expert, resolve_as_before
from ftdist_launch.slurm.client import Queue

from ftdist.config.expert import compose_expert
from ftdist.config.schema import SourceConfig
from ftdist.errors import ConfigError, FtdistError
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
        return {"path": str(folder), "revision": folder.name}

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


def problem_of(*words: str) -> str:
    with pytest.raises(FtdistError) as caught:
        check_expert(compose_expert(words), words=words, queue=Queue(), log=lambda _: None)
    return str(caught.value)


def test_the_default_kl_sources_of_an_existing_library_are_those_that_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chats.jsonl").write_text('{"prompt": "a", "completion": "b"}\n')
    expert = compose_expert(["library=chats.jsonl", "model=m", "name=r"])
    config = expert.run
    assert config.library.kl_to_base == ["replay", "out_of_scope"]
    assert with_kl_of_library(config, expert=expert).library.kl_to_base == []
    extra = {"replay": SourceConfig(path="chats.jsonl", weight=1.0)}
    with_replay = replace(config, library=replace(config.library, extra_sources=extra))
    assert with_kl_of_library(with_replay, expert=expert).library.kl_to_base == ["replay"]


def test_typed_kl_sources_that_a_library_lacks_are_refused_with_its_other_problems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chats.jsonl").write_text('{"prompt": "a", "completion": "b"}\n')
    words = ("library=chats.jsonl", "model=./none", "name=r")
    assert "kl_to_base" not in problem_of(*words)
    message = problem_of(*words, "library.kl_to_base=[replay]")
    for text in ("3 problems", "names replay", "library.kl_to_base=[]", "no probes.jsonl"):
        assert text in message


def test_a_dry_run_says_how_many_questions_the_base_model_gets() -> None:
    words = ("sources=a", "model=m", "name=r", "retention.num_replay_answers=300")
    expert = compose_expert([*words, "retention.num_out_of_scope_answers=50"])
    request = ExpertRequest(
        config=expert.run, curation=expert.curation, inputs="", words=words, model="m"
    )
    assert "asks the base model 350 questions (retention.num_*)" in unknown(request)
    assert unknown(replace(request, curation=None)).startswith("Not known")
