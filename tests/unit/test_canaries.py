"""Files and configs that try to run code: in checkpoints, models, configs and sources."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from ftdist_launch.setup.preflight import model_problems, run_dir
from safetensors import SafetensorError

from ftdist.config.compose import compose, compose_curation
from ftdist.errors import ConfigError, FtdistError
from ftdist.io.progress import no_log
from ftdist.library.pipeline import curate
from ftdist.plan.model_info import read_model_info
from ftdist.zero.shard_files import SavedShards, shard_name
from tests.support.canary import Canary

NEEDED = ["model.path=m", "library.path=l", "run.name=r"]


@pytest.fixture
def canary(tmp_path: Path) -> Canary:
    return Canary(tmp_path / "canary")


@pytest.mark.fault("S2")
@pytest.mark.parametrize("form", ["pickle", "torch"])
def test_a_pickle_in_place_of_a_checkpoints_shard_is_not_executed(
    canary: Canary, tmp_path: Path, form: str
) -> None:
    file = tmp_path / shard_name(rank=0, world_size=1)
    file.parent.mkdir(parents=True)
    if form == "torch":
        torch.save({"weights": canary}, file)
    else:
        file.write_bytes(pickle.dumps(canary))
    shards = SavedShards(tmp_path, "master", world_size=1)
    with pytest.raises(SafetensorError):
        shards.read("w", start=0, stop=1, elements=1, dtype=torch.float32)
    canary.assert_unharmed()


@pytest.mark.fault("S2", "S4")
def test_pickles_and_code_in_a_model_folder_are_not_executed(
    canary: Canary, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    automatic = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "auto_map": automatic}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text(canary.code)
    torch.save({"weights": canary}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").write_bytes(pickle.dumps(canary))
    assert any("evil.Model" in problem.problem for problem in model_problems(folder))
    with pytest.raises(FtdistError):
        read_model_info(folder)
    canary.assert_unharmed()


@pytest.mark.fault("S3")
def test_a_target_in_a_config_is_an_unknown_key(canary: Canary, tmp_path: Path) -> None:
    file = tmp_path / "experiment/evil.yaml"
    file.parent.mkdir()
    call = f"_target_: os.system\n  _args_: ['touch {canary.path}']\n"
    for section in ("optim", "run", "cluster"):
        file.write_text(f"# @package _global_\n{section}:\n  {call}")
        with pytest.raises(ConfigError, match=rf"{section}\._target_ is not a key"):
            compose([*NEEDED, f"--config-dir={tmp_path}", "experiment=evil"])
    for word in ("+optim._target_=os.system", "+hydra.launcher._target_=os.system"):
        with pytest.raises(ConfigError):
            compose([*NEEDED, word])
    canary.assert_unharmed()


@pytest.mark.fault("S3")
def test_yaml_makes_no_objects(canary: Canary, tmp_path: Path) -> None:
    file = tmp_path / "experiment/evil.yaml"
    file.parent.mkdir()
    call = f"!!python/object/apply:os.system ['touch {canary.path}']"
    file.write_text(f"# @package _global_\nrun:\n  name: {call}\n")
    with pytest.raises(ConfigError):
        compose([*NEEDED[:2], f"--config-dir={tmp_path}", "experiment=evil"])
    canary.assert_unharmed()


@pytest.mark.fault("S5")
def test_a_script_beside_the_data_is_not_executed(canary: Canary, tmp_path: Path) -> None:
    source = tmp_path / "widget"
    source.mkdir()
    rows = [{"question": f"What is part {n}?", "answer": f"Part {n} is a lamp."} for n in range(20)]
    (source / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in ("widget.py", "__init__.py", "dataset.py", "conftest.py", "sitecustomize.py"):
        (source / name).write_text(canary.code)
    (source / "state.pkl").write_bytes(pickle.dumps(canary))
    words = ["library.name=w", f"library.root={tmp_path / 'l'}", f"library.sources=[{source}]"]
    words += [f"work.cache_dir={tmp_path / 'c'}", "work.num_proc=1", "split.num_probes=0"]
    words += ["library.on_invalid_row=skip"]
    curated = curate(compose_curation(words), model=None, log=no_log)
    assert curated.folder.is_dir()
    canary.assert_unharmed()


@pytest.mark.fault("U3")
@pytest.mark.parametrize(
    "name",
    [
        *("../../x", "/abs", "..", ".", ".hidden", "a/b", "a b", "-x", "--help", "%j", "r-%t"),
        *("a\nb", "a\n", "$(id)", "`id`", "r;s", "r|s", "~", "*", "", "\u540d", "a\\b", "a\x00b"),
        *("x" * 65, "x" * 300),
    ],
    ids=lambda name: repr(name[:8]),
)
def test_a_run_name_that_is_no_plain_folder_name_is_refused(name: str, tmp_path: Path) -> None:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    with pytest.raises(ConfigError, match=r"run\.name"):
        compose([*NEEDED[:2], f'run.name="{quoted}"', f"run.root={tmp_path}"])


@pytest.mark.fault("U3")
def test_a_valid_run_name_stays_below_the_root(tmp_path: Path) -> None:
    for name in ("r", "R-1.2_x", "x" * 64, "a..b"):
        config = compose([*NEEDED[:2], f"run.name={name}", f"run.root={tmp_path}"])
        assert run_dir(config).root.parent == tmp_path.resolve()
