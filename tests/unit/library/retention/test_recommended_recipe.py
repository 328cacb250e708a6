"""The recommended recipe for an expert: retention=recommended, experiment=expert, a note."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from ftdist_launch.setup.library_warnings import NO_REPLAY_WARNING, TINY_FOLDER, library_warnings
from ftdist_launch.setup.run_setup import plan_run

from ftdist.cli.commands import plan as plan_command
from ftdist.cli.commands import submit as submit_command
from ftdist.config.compose import compose, compose_curation
from ftdist.config.hydra_flags import run_hydra_flags
from ftdist.config.keys import CURATE
from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError
from ftdist.library.store.dataset import FORMAT
from ftdist.plan.duration import Duration
from ftdist.plan.plan import Plan
from ftdist.prepare.data_files import SourceFiles
from ftdist.prepare.mixture import kl_source_names
from tests.support.runs.fake_runs import plan_of, some_config

LIBRARY = ["library.name=w", "library.sources=[x]"]
PLACES = ["model.path=m", "library.path=l"]

NONE = {
    "replay_sources": [],
    "replay_fraction": 0.2,
    "num_replay_answers": 0,
    "num_replay_texts": 0,
    "out_of_scope_fraction": 0.1,
    "num_out_of_scope_answers": 0,
    "num_counterfactuals": 0,
    "product_names": [],
    "max_answer_tokens": 64,
    "long_answer_fraction": 0.2,
    "max_long_answer_tokens": 256,
    "max_text_tokens": 200,
}
EXPERT = {
    "replay_sources": [],
    "replay_fraction": 0.12,
    "num_replay_answers": 100,
    "num_replay_texts": 60,
    "out_of_scope_fraction": 0.48,
    "num_out_of_scope_answers": 600,
    "num_counterfactuals": 400,
    "product_names": [],
    "max_answer_tokens": 32,
    "long_answer_fraction": 0.25,
    "max_long_answer_tokens": 256,
    "max_text_tokens": 100,
}


def _kept(*overrides: str) -> dict[str, Any]:
    return dataclasses.asdict(compose_curation([*LIBRARY, *overrides]).retention)


# Curation


def test_no_retention_data_is_added_by_default() -> None:
    assert _kept() == _kept("retention=none") == NONE


def test_recommended_is_the_measured_recipe_and_explicit_keys_override_it() -> None:
    assert _kept("retention=recommended") == EXPERT
    typed = _kept(
        "retention.product_names=[A-45 widget,A-45]",
        "retention=recommended",
        "retention.long_answer_fraction=0",
    )
    assert typed == EXPERT | {"product_names": ["A-45 widget", "A-45"], "long_answer_fraction": 0}


@pytest.mark.parametrize(
    ("typed", "problem", "remedy"),
    [
        (
            "retention=recomended",
            "retention=recomended is not an option: did you mean retention=recommended?",
            "choose one of none, recommended.",
        ),
        (
            "retenton=recommended",
            "retenton is not a key of the config: did you mean retention=recommended?",
            "write retention=recommended.",
        ),
        (
            "retention.replay_fracton=0.3",
            "retention.replay_fracton is not a key of the config: did you mean "
            "retention.replay_fraction?",
            "write retention.replay_fraction=0.3.",
        ),
        (
            "experiment=expert",
            "experiment is a group of a run (`ftdist train --help`), not of a library.",
            "leave it out here.",
        ),
    ],
)
def test_a_recipe_typo_suggests_the_valid_values(typed: str, problem: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compose_curation([*LIBRARY, typed])
    assert (caught.value.problem, caught.value.remedy) == (problem, remedy)


def test_help_of_curate_lists_the_options_and_every_key_with_its_default() -> None:
    output = run_hydra_flags(["--help"], command=CURATE)
    assert "\n  retention: none, recommended\n" in output
    assert [key for key in NONE if f"\n  retention.{key} [" not in output] == []
    assert "\n  retention.replay_fraction [0.2]: " in output
    shown = run_hydra_flags(["retention=recommended", "--cfg", "job"], command=CURATE)
    assert "num_out_of_scope_answers: 600" in shown


# Training


def test_experiment_expert_sets_only_the_kl_to_the_base() -> None:
    plain = dataclasses.asdict(compose([*PLACES, "run.name=r"]))
    expert = dataclasses.asdict(compose([*PLACES, "run.name=r", "experiment=expert"]))
    assert expert["library"].pop("kl_to_base") == ["replay", "out_of_scope"]
    del plain["library"]["kl_to_base"]
    optim = plain["optim"]
    assert (optim["peak_lr"], optim["warmup_ratio"], optim["weight_decay"]) == ("auto", 0.1, 0)
    assert expert == plain


def test_experiment_expert_leaves_name_model_and_library_to_the_user() -> None:
    with pytest.raises(ConfigError) as caught:
        compose(["experiment=expert"])
    assert "has 3 problems" in caught.value.problem
    for key in ("run.name", "model.path", "library.path"):
        assert f"{key} is not set." in caught.value.problem


def test_an_explicit_length_overrides_that_of_the_experiment() -> None:
    base = [*PLACES, "run.name=r", "experiment=expert"]
    by_epochs = compose([*base, "train.epochs=2"]).train
    by_exposures = compose([*base, "train.exposures=20"]).train
    assert (by_epochs.epochs, by_epochs.exposures, by_epochs.steps) == (2, None, None)
    assert (by_exposures.epochs, by_exposures.exposures, by_exposures.steps) == (None, 20, None)


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ([*PLACES, "experiment=expert"], "Plan\n"),
        ([*PLACES, "experiment=null"], "Plan\n"),
        ([*PLACES, "experiment=expert", "run.name=r"], "Plan of run r\n"),
        (["experiment=tiny"], "Plan of run tiny\n"),
    ],
)
def test_a_plan_needs_no_name(
    words: list[str],
    title: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    def planned(config: RunConfig, **_: Any) -> tuple[RunConfig, Plan]:
        return config, plan_of(some_config(), ranks=1)

    monkeypatch.setattr(plan_command, "plan_run", planned)
    known = Duration(seconds=60, tokens_per_s=1, basis="known")
    monkeypatch.setattr(plan_command, "estimate_duration", lambda *_, **__: known)
    assert plan_command.main([*words, f"run.root={tmp_path}"]) == 0
    assert capsys.readouterr().out.strip().partition("\n")[0].strip() == title.strip()


def test_a_quiet_plan_still_says_that_the_disk_is_too_small(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def planned(config: RunConfig, **_: Any) -> tuple[RunConfig, Plan]:
        return config, dataclasses.replace(plan_of(some_config(), ranks=1), disk_gib=1e9)

    monkeypatch.setattr(plan_command, "plan_run", planned)
    known = Duration(seconds=60, tokens_per_s=1, basis="known")
    monkeypatch.setattr(plan_command, "estimate_duration", lambda *_, **__: known)
    monkeypatch.setenv("FTDIST_QUIET", "1")
    assert plan_command.main(["experiment=tiny", f"run.root={tmp_path}"]) == 74
    assert "needs about 1000000000.00 GiB of disk" in capsys.readouterr().err
    # Without the cluster, its disk is unknown.
    monkeypatch.setenv("PATH", str(tmp_path))
    assert plan_command.main([*PLACES, "cluster=slurm", f"run.root={tmp_path}"]) == 0


def test_a_library_without_kl_sources_shows_how_to_add_them(tmp_path: Path) -> None:
    config = some_config("experiment=expert", f"library.path={tmp_path}")
    files = SourceFiles(root=tmp_path, files=(), ignored=(), key="library.path")
    with pytest.raises(ConfigError) as caught:
        kl_source_names(config, {"library": files, "replay": dataclasses.replace(files, role="")})
    assert caught.value.problem == (
        "library.kl_to_base names out_of_scope, and the sources are library, replay."
    )
    assert caught.value.remedy == (
        "curate the library with retention=recommended, which adds out_of_scope; or name "
        "sources that there are, or add them by library.extra_sources.NAME.path; "
        "library.kl_to_base=[] names none."
    )


# The note


def _curated(folder: Path, *roles: str) -> Path:
    """A curated library with a source of each role."""
    files = {name: {"name": f"{name}.parquet", "samples": 1, "sha256": ""} for name in ("a", "b")}
    source = {"weight": 1, "files": {"train": files["a"], "held_out": files["b"]}}
    sources = [{"name": role, "role": role, **source} for role in roles]
    folder.mkdir()
    (folder / "manifest.json").write_text(
        json.dumps({"format": FORMAT, "shares": {}, "sources": sources})
    )
    for name in files:
        (folder / f"{name}.parquet").touch()
    return folder


def test_only_a_library_without_retention_sources_gets_a_note(tmp_path: Path) -> None:
    def notes(path: Path, *more: str) -> list[str]:
        return library_warnings(some_config(f"library.path={path}", *more))

    own, kept = _curated(tmp_path / "own", "library"), _curated(tmp_path / "k", "library", "replay")
    more = ("library.extra_sources.chats.path=c", "library.extra_sources.chats.weight=1")
    for alone in (tmp_path, own):
        assert notes(alone) == [NO_REPLAY_WARNING]
        assert notes(alone, *more) == []
    assert notes(kept) == []
    assert notes((TINY_FOLDER / "library").resolve()) == []


def test_train_and_plan_print_the_note_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from ftdist_launch.setup import run_setup

    plan = plan_of(some_config(), ranks=1)
    monkeypatch.setattr(run_setup, "check_run", lambda *_, **__: None)
    monkeypatch.setattr(run_setup, "prepare_library", lambda _: plan.library)
    monkeypatch.setattr(run_setup, "read_model_info", lambda _: None)
    monkeypatch.setattr(run_setup, "plan_with_choices", lambda c, **_: (c, plan, None))
    monkeypatch.setattr(run_setup, "check_memory", lambda *_, **__: None)
    monkeypatch.setattr(run_setup, "resolve_recipe", lambda config, **_: config)
    monkeypatch.setattr(run_setup, "refuse_few_steps", lambda *_, **__: None)
    monkeypatch.setattr(run_setup, "describe_choices", lambda *_: "")
    said: list[str] = []
    for folder, roles in (("own", ["library"]), ("kept", ["library", "out_of_scope"])):
        config = some_config(f"library.path={_curated(tmp_path / folder, *roles)}")
        plan_run(config, new=False, log=said.append)
    assert said == [NO_REPLAY_WARNING]


def test_a_submitted_sweep_prints_the_note_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(submit_command, "check", lambda config, **_: config)
    monkeypatch.setattr(submit_command, "dry_run", lambda _: "the script")
    monkeypatch.setattr(submit_command, "print_plan", lambda _, **__: None)
    words = [*PLACES, "run.name=r", "cluster=slurm", "batch.tokens=32768"]
    assert submit_command.main(["--dry-run", "-m", *words, "run.seed=1,2"]) == 0
    assert capsys.readouterr().err.splitlines() == [NO_REPLAY_WARNING, "Nothing was submitted."]
