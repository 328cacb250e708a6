"""The user's own folders of config come before ftdist's own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ftdist.config.compose import compose, compose_curation
from ftdist.config.hydra_flags import run_hydra_flags
from ftdist.config.keys import CURATE, TRAIN
from ftdist.config.search_path import conf_dir, own_folders
from ftdist.config.sweep import read_sweep
from ftdist.errors import ConfigError

NEEDED = ["run.name=r", "model.path=m", "library.path=l"]
Write = Callable[[str, str], Path]

OWN_CLUSTER = "defaults:\n  - slurm\n  - _self_\n\npartition: {}\n"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a file below the working directory."""
    monkeypatch.chdir(tmp_path)

    def written(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return written


def _refused(*overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        compose([*NEEDED, *overrides])
    return str(caught.value)


def test_options_of_the_working_directory_extend_those_of_ftdist(write: Write) -> None:
    write("conf/cluster/mine.yaml", OWN_CLUSTER.format("long"))
    write("conf/library/kept.yaml", "defaults: [default, _self_]\nreasoning: drop\n")
    write("conf/retention/half.yaml", "defaults: [recommended, _self_]\nreplay_fraction: 0.5\n")
    config = compose([*NEEDED, "cluster=mine", "library=kept"])
    assert (config.cluster.executor, config.cluster.partition) == ("slurm", "long")
    assert config.library.reasoning == "drop"
    library = compose_curation(
        ["library.name=l", "library.sources=[a]", "retention=half", "cluster=mine"]
    )
    assert library.retention.replay_fraction == 0.5
    assert library.retention.num_replay_answers == 100
    assert library.cluster.partition == "long"


def test_an_own_experiment_overrides_groups_and_refers_to_keys(write: Write) -> None:
    write("conf/cluster/mine.yaml", OWN_CLUSTER.format("long"))
    write(
        "conf/experiment/mine.yaml",
        "# @package _global_\n"
        "defaults:\n  - tiny\n  - override /optim: wsd\n  - override /cluster: mine\n  - _self_\n"
        "run:\n  name: mine-${optim.peak_lr}\noptim:\n  peak_lr: 2e-3\n",
    )
    config = compose(["experiment=mine"])
    assert (config.optim.schedule, config.optim.peak_lr) == ("wsd", 2e-3)
    assert (config.run.name, config.cluster.partition) == ("mine-0.002", "long")
    assert compose(["experiment=mine", "optim=cosine"]).optim.schedule == "cosine"
    assert [run.name for run in read_sweep(["experiment=mine", "optim.peak_lr=1,2"]).runs] == [
        "mine-1",
        "mine-2",
    ]


def test_of_two_files_of_a_name_the_first_on_the_path_is_used(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("given", "conf", "searched", "shared"):
        write(f"{folder}/cluster/mine.yaml", OWN_CLUSTER.format(folder))
        write(f"{folder}/cluster/slurm.yaml", f"defaults: [local, _self_]\npartition: {folder}\n")
    monkeypatch.setenv("FTDIST_CONFIG_DIR", "shared")
    arguments = ["--config-dir", "given", "hydra.searchpath=[file://searched]"]
    for provider in ("given", "conf", "searched", "shared"):
        config = compose([*NEEDED, *arguments, "cluster=mine"])
        assert config.cluster.partition == provider
        assert compose([*NEEDED, *arguments, "cluster=slurm"]).cluster.partition == provider
        if provider == "given":
            arguments = arguments[2:]
        else:
            (Path(provider) / "cluster/mine.yaml").unlink()
            (Path(provider) / "cluster/slurm.yaml").unlink()
    assert compose([*NEEDED, "cluster=slurm"]).cluster.partition is None


def test_errors_and_help_name_own_options_too(write: Write) -> None:
    write("conf/cluster/halden.yaml", OWN_CLUSTER.format("long"))
    write("further/cluster/other.yaml", OWN_CLUSTER.format("long"))
    assert _refused("cluster=haldn", "hydra.searchpath=[further]") == (
        "cluster=haldn is not an option: did you mean cluster=halden?\n"
        "To fix: choose one of halden, local, other, slurm."
    )
    for command in (TRAIN, CURATE):
        text = run_hydra_flags(["--help", "-cd=further"], command=command)
        assert "  cluster: halden, local, other, slurm\n" in text


def test_a_sweep_carries_the_folder_to_each_of_its_runs(write: Write) -> None:
    write("given/cluster/mine.yaml", OWN_CLUSTER.format("long"))
    runs = read_sweep([*NEEDED, "-m", "--config-dir", "given", "cluster=mine,local"]).runs
    assert [compose(run.overrides).cluster.partition for run in runs] == ["long", None]


def test_info_shows_the_folders_in_their_order(write: Write) -> None:
    write("conf/cluster/mine.yaml", OWN_CLUSTER.format("long"))
    write("given/cluster/mine.yaml", OWN_CLUSTER.format("long"))
    shown = run_hydra_flags(["--info", "searchpath", "--config-dir=given"])
    places = ["pkg://hydra.conf", f"file://{Path.cwd()}/given", f"file://{Path.cwd()}/conf"]
    found = [shown.index(place) for place in [*places, f"file://{conf_dir()}"]]
    assert found == sorted(found)


def test_in_a_checkout_there_is_no_own_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FTDIST_CONFIG_DIR", raising=False)
    monkeypatch.chdir(conf_dir().parent)
    assert own_folders() == ()


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["--config-dir", "nope"], "--config-dir names nope, and there is no such folder."),
        (["--config-dir"], "--config-dir has no value."),
        (["hydra.searchpath=[nope]"], "hydra.searchpath names nope, and there is no such folder."),
        (["hydra.searchpath=[s3://x]"], "hydra.searchpath names s3://x, and ftdist reads config"),
        (["hydra.searchpath=[pkg://no.such]"], "there is no such package"),
        (["hydra.searchpath=x"], "To fix: write 'hydra.searchpath=[file://FOLDER]'."),
    ],
)
def test_a_folder_that_does_not_exist_is_refused(words: list[str], answer: str) -> None:
    assert answer in _refused(*words)


def test_what_would_replace_the_root_config_is_refused(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write("conf/train.yaml", "a: 1\n")
    assert _refused().startswith(f"{file} would replace ftdist's own root config of that name.")
    file.unlink()
    monkeypatch.setenv("FTDIST_CONFIG_DIR", "/nope")
    assert "$FTDIST_CONFIG_DIR is /nope, and there is no such folder." in _refused()


def test_own_files_hold_no_secret_and_no_key_of_hydra(write: Write) -> None:
    write("conf/cluster/mine.yaml", OWN_CLUSTER.format("x") + "env:\n  WANDB_API_KEY: local-1\n")
    answer = _refused("cluster=mine")
    assert "cluster.env.WANDB_API_KEY looks like a secret" in answer
    assert "local-1" not in answer
    write(
        "conf/experiment/x.yaml",
        "# @package _global_\n"
        "defaults:\n  - override /hydra/job_logging: disabled\n"
        "hydra:\n  run:\n    dir: /x/y\n",
    )
    answer = _refused("experiment=x")
    assert "hydra.run.dir (in conf/experiment/x.yaml) has no effect in ftdist" in answer
    assert "hydra.job_logging" in answer
    assert compose(NEEDED).run.name == "r"


def test_a_broken_own_file_is_named(write: Write) -> None:
    write("conf/cluster/mine.yaml", "partition: [a\n")
    assert "conf/cluster/mine.yaml" in _refused("cluster=mine")
    write("conf/cluster/mine.yaml", "defaults: [slrum]\n")
    assert "In 'cluster/mine': Could not load 'cluster/slrum'.\n" in _refused("cluster=mine")
    write("conf/cluster/mine.yaml", "- a\n")
    assert "conf/cluster/mine.yaml is not a mapping." in _refused("cluster=mine")
    write("conf/cluster/other.yml", "")
    assert "other.yml is not read: Hydra reads *.yaml." in _refused("cluster=other")


def test_a_mistake_in_an_own_file_is_reported_with_the_file(write: Write) -> None:
    write("conf/cluster/mine.yaml", OWN_CLUSTER.format("x") + "partitoin: x\nnodes: many\n")
    write("conf/experiment/mine.yaml", "# @package _global_\noptim:\n  peek_lr: 1\n")
    answer = _refused("cluster=mine", "experiment=mine", "optim.beta1=7").splitlines()
    assert answer[1].startswith("  - optim.beta1=7 is out of range.")
    assert sorted(answer[2:-1]) == [
        "  - conf/cluster/mine.yaml: cluster.nodes=many is not a whole number. Set "
        "cluster.nodes to a whole number of at least 1.",
        "  - conf/cluster/mine.yaml: cluster.partitoin is not a key of the config: did you mean "
        "cluster.partition? Write cluster.partition.",
        "  - conf/experiment/mine.yaml: optim.peek_lr is not a key of the config: did you mean "
        "optim.peak_lr? Write optim.peak_lr.",
    ]


def test_an_own_option_that_extends_none_is_one_problem(write: Write) -> None:
    write("conf/cluster/mine.yaml", "executor: slurm\npartition: long\n")
    write("conf/optim/empty.yaml", "")
    answer = _refused("cluster=mine", "optim=empty")
    assert answer.splitlines()[0] == "The command line has 2 problems:"
    assert "conf/cluster/mine.yaml leaves 31 keys of cluster without a value. " in answer
    assert "begin it with `defaults: [cosine, _self_]`." in answer


def test_an_experiment_without_its_package_is_one_problem(write: Write) -> None:
    write("conf/experiment/mine.yaml", "optim:\n  peak_lr: 1\n")
    assert _refused("experiment=mine") == (
        "conf/experiment/mine.yaml lacks the line that makes its values keys of the whole config.\n"
        "To fix: make `# @package _global_` its first line."
    )
