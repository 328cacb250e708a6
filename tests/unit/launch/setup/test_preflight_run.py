"""What is refused of a run and its machine, and what surrounds its ranks."""

import json
from pathlib import Path

import pytest
from ftdist_launch.local.submit import rank_environment
from ftdist_launch.setup.plan_elsewhere import elsewhere_problems
from ftdist_launch.setup.preflight import (
    Machine,
    check_run,
    disk_problems,
    machine_notes,
    machine_problems,
    model_problems,
)
from ftdist_launch.setup.run_setup import executor_problems

from ftdist.config.compose import compose
from ftdist.errors import ConfigError, StorageError
from ftdist.rundir import RunDir
from tests.support.runs.fake_runs import some_config


def model_folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    config = {
        "model_type": "llama",
        "hidden_size": 8,
        "num_hidden_layers": 2,
        "vocab_size": 16,
        "max_position_embeddings": 8192,
    }
    (folder / "config.json").write_text(json.dumps(config))
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    text = len(header).to_bytes(8, "little") + header + bytes(8)
    (folder / "model.safetensors").write_bytes(text)
    (folder / "tokenizer.json").write_text("{}")
    return folder


def test_a_whole_model_folder_has_no_problem(tmp_path: Path) -> None:
    assert list(model_problems(model_folder(tmp_path / "m"))) == []


@pytest.mark.fault("S4")
def test_models_with_remote_code_are_refused_by_name(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m")
    fields = json.loads((folder / "config.json").read_text())
    fields["auto_map"] = {"AutoModelForCausalLM": "modeling_evil.EvilForCausalLM"}
    (folder / "config.json").write_text(json.dumps(fields))
    (problem,) = model_problems(folder)
    assert "modeling_evil.EvilForCausalLM" in problem.problem


def test_a_model_without_tokenizer_is_refused(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m")
    (folder / "tokenizer.json").unlink()
    (problem,) = model_problems(folder)
    assert "has no tokenizer" in problem.problem


def test_all_problems_of_a_run_are_reported_together(tmp_path: Path) -> None:
    taken = RunDir(tmp_path / "runs" / "r")
    taken.create(private=True)
    taken.config.write_text("x")
    config = some_config(
        f"model.path={tmp_path / 'no model'}",
        f"library.path={tmp_path / 'no library'}",
        f"run.root={tmp_path / 'runs'}",
    )
    with pytest.raises(ConfigError, match="cannot be shared equally by 5 ranks"):
        some_config("cluster.tasks_per_node=5", "batch.tokens=8Ki", "batch.sequence_length=1Ki")
    with pytest.raises(ConfigError) as caught:
        check_run(
            config,
            executor_problems=machine_problems(config, machine=Machine(cores=2, gpus=0)),
            new=True,
        )
    output = caught.value.problem
    assert output.startswith("The run has 3 problems, so nothing was started:")
    for words in ("The model folder", "the file or folder", "does not exist"):
        assert words in output
    assert "`ftdist resume r`" in output


@pytest.mark.parametrize(
    ("overrides", "gpus", "problem"),
    [
        (["cluster.device=cuda"], 0, "no GPU is visible"),
        (["cluster.device=auto", "cluster.tasks_per_node=2"], 1, "1 GPUs are visible"),
        (["cluster.nodes=2"], 0, "this machine alone"),
    ],
)
def test_more_ranks_than_the_machine_fits_are_refused(
    overrides: list[str], gpus: int, problem: str
) -> None:
    base = ["model.path=m", "library.path=l", "run.name=r"]
    (found,) = machine_problems(compose([*base, *overrides]), machine=Machine(cores=8, gpus=gpus))
    assert problem in found.problem


@pytest.mark.parametrize(
    ("overrides", "note"),
    [
        (["cluster=slurm"], "planned without the cluster"),
        (["cluster.device=cuda", "cluster.gpu=H100"], "planned for H100; no GPU is visible here"),
        (["cluster.device=cuda", "cluster.gpu_memory_gib=80"], "planned for GPUs of 80 GiB"),
        (["cluster.device=cuda"], None),
        (["cluster.device=cpu"], None),
    ],
)
def test_a_plan_of_named_gpus_needs_neither_them_nor_their_cluster_and_says_so(
    overrides: list[str], note: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    config = compose(["model.path=m", "library.path=l", "run.name=r", *overrides])
    machine = Machine(cores=8, gpus=0)
    found = elsewhere_problems(config, machine=machine)
    assert (found is None) == (note is None)
    if found is not None and note is not None:
        assert found[0] == []
        assert note in found[1]
        assert "not checked" in found[1].replace("\n", " ")
        assert list(executor_problems(config, machine=machine)), "a run is refused"


def test_a_plan_elsewhere_still_finds_what_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    base = ["model.path=m", "library.path=l", "run.name=r"]
    keys = ["cluster=slurm", "cluster.timeout_min=5", "cluster.signal_delay_s=300"]
    found = elsewhere_problems(compose([*base, *keys]), machine=Machine(cores=8, gpus=0))
    assert found is not None
    assert "the job would be asked to stop when it starts" in found[0][0].problem


def test_online_tracking_without_a_key_is_refused_on_this_machine_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "")
    monkeypatch.setenv("NETRC", "/dev/null")
    machine = Machine(cores=8, gpus=0)
    (problem,) = executor_problems(some_config("tracking=online"), machine=machine)
    assert "there is no W&B key" in problem.problem
    assert list(executor_problems(some_config("tracking=auto"), machine=machine)) == []


def test_more_threads_than_cores_give_a_warning() -> None:
    config = some_config("cluster.tasks_per_node=4", "cluster.cpus_per_task=2")
    (note,) = machine_notes(config, machine=Machine(cores=2, gpus=0))
    assert "4 ranks of 2 threads share 2 cores" in note
    assert list(machine_notes(config, machine=Machine(cores=8, gpus=0))) == []


def test_an_insufficient_disk_is_refused_with_both_sizes(tmp_path: Path) -> None:
    (problem,) = disk_problems(tmp_path / "runs" / "r", needed_gib=1e9)
    assert isinstance(problem, StorageError)
    assert "about 1000000000.00 GiB of disk" in problem.problem
    assert list(disk_problems(tmp_path / "runs" / "r", needed_gib=0.0)) == []


def test_a_small_disk_is_measured_in_mib_and_only_what_helps_is_advised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftdist_launch.setup.preflight.free_gib", lambda _: 12 / 1024)
    (three,) = disk_problems(tmp_path, needed_gib=40 / 1024, keep_latest=3)
    (two,) = disk_problems(tmp_path, needed_gib=40 / 1024, keep_latest=2)
    assert "needs about 40 MiB of disk" in three.problem
    assert "has only 12 MiB free" in three.problem
    assert "checkpoint.keep_latest=2" in three.remedy
    assert two.remedy == "free some space, or set run.root to a larger disk."


# The environment of ranks


def test_ranks_get_threads_and_the_code_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/other")
    variables = rank_environment(some_config("cluster.cpus_per_task=3").cluster)
    assert variables["OMP_NUM_THREADS"] == "3"
    assert variables["PYTHONPATH"].endswith(":/other")
    assert "DS_ACCELERATOR" not in variables  # each rank looks for GPUs itself
