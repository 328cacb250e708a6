"""Which stages of an existing run run again, and which changes are refused."""

import dataclasses
from dataclasses import replace
from pathlib import Path

import pytest
from ftdist_launch.expert.request import ExpertRequest
from ftdist_launch.expert.schedule import Schedule, schedule, write_record
from ftdist_launch.expert.stages import STAGES

from ftdist.config.expert import compose_expert
from ftdist.config.saved_config import save_config
from ftdist.errors import ConfigError
from ftdist.library.store.dataset import MANIFEST
from ftdist.rundir import RunDir


def request_in(folder: Path, *words: str, inputs: str = "1") -> ExpertRequest:
    own = ("sources=a", "model=m", "name=w", f"run.root={folder}", f"library.root={folder / 'l'}")
    expert = compose_expert([*own, *words])
    return ExpertRequest(
        config=expert.run, curation=expert.curation, inputs=inputs, words=own, model="m"
    )


def run_until(request: ExpertRequest, *stages: str) -> RunDir:
    """Write what a run leaves that did these stages."""
    run = request.run
    run.create(private=True)
    save_config(request.config, run.config)
    write_record(request, schedule(request))
    for stage in stages:
        if stage == "train":
            begun = {"attempt": 1, "world_size": 1, "steps": 3, "host": "h", "job": "1"}
            run.append_event("attempt_started", **begun)
            run.append_event("attempt_finished", attempt=1, outcome="done")
            run.attempt(1).mkdir(parents=True)
        else:
            run.append_event("stage_started", stage=stage)
            run.append_event("stage_finished", stage=stage, exit_code=0)
    results = {
        "curate": Path(request.config.library.path) / MANIFEST,
        "prepare": run.plan,
        "export": run.export / "config.json",
        "compare": run.report / "scores.json",
    }
    for path in (results[stage] for stage in stages if stage in results):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return run


def rerun(folder: Path, *words: str, inputs: str = "1") -> Schedule:
    return schedule(request_in(folder, *words, inputs=inputs))


def test_a_new_run_does_all_stages_and_one_with_a_library_does_not_curate(tmp_path: Path) -> None:
    request = request_in(tmp_path)
    assert schedule(request).todo == STAGES
    assert schedule(replace(request, curation=None)).todo == STAGES[1:]


def test_the_same_command_does_what_is_left(tmp_path: Path) -> None:
    run_until(request_in(tmp_path), "curate", "prepare")
    plan = rerun(tmp_path)
    assert (plan.reused, plan.todo) == (("curate", "prepare"), ("train", "export", "compare"))
    assert not plan.resumes


def test_a_complete_run_has_nothing_to_do(tmp_path: Path) -> None:
    run_until(request_in(tmp_path), *STAGES)
    assert rerun(tmp_path).todo == ()


@pytest.mark.parametrize(
    ("word", "first"),
    [
        ("eval.max_new_tokens=9", "compare"),
        ("tracking.log_generations=false", "compare"),
        ("export.dtype=float32", "export"),
        ("cluster.timeout_min=9", None),
    ],
)
def test_a_changed_key_runs_the_stages_again_that_depend_on_it(
    tmp_path: Path, word: str, first: str | None
) -> None:
    run_until(request_in(tmp_path), *STAGES)
    plan = rerun(tmp_path, word)
    assert plan.todo == (() if first is None else STAGES[STAGES.index(first) :])
    assert dataclasses.asdict(plan.config) == dataclasses.asdict(request_in(tmp_path, word).config)


def test_before_training_other_keys_prepare_again_and_other_documents_curate_again(
    tmp_path: Path,
) -> None:
    run_until(request_in(tmp_path), "curate", "prepare")
    assert rerun(tmp_path, "optim.peak_lr=1e-3").todo == STAGES[1:]
    assert rerun(tmp_path, inputs="2").todo == STAGES


def test_once_training_has_begun_they_are_refused(tmp_path: Path) -> None:
    run_until(request_in(tmp_path), "curate", "prepare", "train")
    with pytest.raises(ConfigError, match="other documents") as caught:
        rerun(tmp_path, "optim.peak_lr=1e-3", inputs="2")
    assert "other values of optim.peak_lr" in caught.value.problem
    assert "another run.name" in caught.value.remedy


def test_a_stage_whose_result_was_deleted_runs_again(tmp_path: Path) -> None:
    run = run_until(request_in(tmp_path), *STAGES)
    (run.export / "config.json").unlink()
    assert rerun(tmp_path).todo == ("export", "compare")


@pytest.mark.parametrize("gone", ["library", "plan"])
def test_a_run_that_has_trained_is_never_curated_or_planned_again(
    tmp_path: Path, gone: str
) -> None:
    request = request_in(tmp_path)
    run = run_until(request, "curate", "prepare", "train")
    lost = run.plan if gone == "plan" else Path(request.config.library.path) / MANIFEST
    lost.unlink()
    assert rerun(tmp_path).todo == ("export", "compare")
    run.append_event("attempt_started", attempt=2)  # it resumes, with the plan of its checkpoints
    assert rerun(tmp_path).todo == ("train", "export", "compare")
