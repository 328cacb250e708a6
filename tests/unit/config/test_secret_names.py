"""Names of secrets are refused in a config and hidden; names of settings are neither."""

from dataclasses import asdict
from pathlib import Path

import pytest

from ftdist.config.compose import compose
from ftdist.config.keys import CURATE, EXPERT, TRAIN, config_keys
from ftdist.errors import ConfigError
from ftdist.io.secret_names import is_secret_name
from ftdist.observe.metrics import UNITS
from ftdist.observe.redact import HIDDEN, redacted

NEEDED = ["model.path=m", "library.path=l", "run.name=r"]

SECRETS = """
OPENAI_KEY OPENAI_API_KEY OPENAI_APIKEY WANDB_API_KEY HF_TOKEN HUGGING_FACE_HUB_TOKEN GITHUB_PAT
GH_TOKEN MY_PASSPHRASE AWS_SESSION AWS_SESSION_TOKEN AWS_SECRET_ACCESS_KEY AWS_ACCESS_KEY_ID
DB_PASS PGPASSWORD MYSQL_PWD REGISTRY_AUTH CLIENT_SECRET SLURM_JWT GOOGLE_APPLICATION_CREDENTIALS
AZURE_STORAGE_CONNECTION_STRING comet.api_key hub_token
"""

SETTINGS = """
NCCL_DEBUG NCCL_IB_HCA NCCL_IB_PKEY NCCL_SOCKET_IFNAME NCCL_COMM_ID NCCL_P2P_DISABLE UCX_IB_PKEY
NCCL_ASYNC_ERROR_HANDLING TORCH_NCCL_ASYNC_ERROR_HANDLING TORCH_NCCL_BLOCKING_WAIT OMP_NUM_THREADS
CUDA_VISIBLE_DEVICES PYTORCH_CUDA_ALLOC_CONF TOKENIZERS_PARALLELISM HF_HOME HF_HUB_CACHE
HF_HUB_OFFLINE HF_DATASETS_CACHE HF_TOKEN_PATH HF_HUB_DISABLE_IMPLICIT_TOKEN TRANSFORMERS_CACHE
SLURM_JOB_ID SLURM_NTASKS SLURM_PROCID SLURM_CPU_BIND SLURM_MPI_TYPE SLURM_TASKS_PER_NODE
SLURM_STEP_NODELIST SBATCH_ACCOUNT KEYBOARD_LAYOUT KEYBOARD MONKEY PATH LD_LIBRARY_PATH PYTHONPATH
PWD OLDPWD XDG_SESSION_ID XDG_SESSION_TYPE DESKTOP_SESSION SSH_AUTH_SOCK XAUTHORITY SSH_ASKPASS
PGPASSFILE MASTER_ADDR MAX_TOKENS tokens key plan.library.key WANDB_MODE WANDB_BASE_URL compass
"""


@pytest.mark.parametrize("name", SECRETS.split())
def test_what_stands_under_a_name_of_a_secret_is_hidden(name: str) -> None:
    assert is_secret_name(name)
    assert redacted({name: "x"}, environment={}) == {name: HIDDEN}
    assert redacted("a hunter2-hunter2 b", environment={name: "hunter2-hunter2"}) == f"a {HIDDEN} b"


@pytest.mark.parametrize(
    "override", ["cluster.env.OPENAI_KEY=hunter2", "cluster.env={A: b, GITHUB_PAT: hunter2}"]
)
def test_a_secret_in_the_jobs_environment_is_refused_and_never_echoed(override: str) -> None:
    with pytest.raises(ConfigError, match="looks like a secret") as caught:
        compose([*NEEDED, override])
    assert "hunter2" not in str(caught.value)


def test_settings_are_no_secrets() -> None:
    assert [name for name in SETTINGS.split() if is_secret_name(name)] == []


def test_no_key_of_a_config_and_no_metric_is_a_secret() -> None:
    names = {name for command in (TRAIN, CURATE, EXPERT) for name in config_keys(command)}
    assert [name for name in (*names, *UNITS) if is_secret_name(name)] == []


def test_only_settings_of_libraries_are_shown_of_the_jobs_environment() -> None:
    config = compose([*NEEDED, "cluster.env={NCCL_DEBUG: INFO, OMP_NUM_THREADS: '4'}"])
    shown = redacted(asdict(config), environment={})
    assert shown["cluster"]["env"] == {"NCCL_DEBUG": "INFO", "OMP_NUM_THREADS": "4"}
    older = {"cluster": {"env": {"LICENCE": "x1", "OMP_NUM_THREADS": "4"}}}
    assert redacted(older, environment={})["cluster"]["env"]["LICENCE"] == HIDDEN
    others = {name: part for name, part in asdict(config).items() if name != "cluster"}
    assert redacted(others, environment={}) == others


TOKENS = [
    "xoxb-" + "1234567890-abcdefghij",
    "glpat-" + "a1B2" * 6,
    "AKIA" + "ABCDEFGH12345678",
    "ghp_" + "a1B2" * 9,
    "hf_" + "a1B2" * 8,
    "sk-" + "a1B2" * 8,
    "sk-proj-" + "a1B2" * 8,
    "github_pat_" + "a1B2" * 12,
    "AIza" + "a" * 35,
    "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NSJ9." + "a1B2c3D4e5F6",
    "https://me:" + "hunter2@host/x",
    "-----BEGIN OPENSSH PRIVATE KEY-----",
]
PLACES = [
    "tracking.project={}",
    "tracking.tags=[a,'{}']",
    "cluster.env={{NCCL_IB_HCA: '{}'}}",
    "library.extra_sources={{chats: {{path: '{}', weight: 1}}}}",
    "eval.lm_eval_tasks=['{}']",
]


@pytest.mark.fault("S8", "XC")
@pytest.mark.parametrize("token", TOKENS, ids=[token[:5] for token in TOKENS])
def test_a_token_is_refused_wherever_it_stands_and_never_repeated(token: str) -> None:
    for place in PLACES:
        with pytest.raises(ConfigError, match="looks like a secret") as caught:
            compose([*NEEDED, place.format(token)])
        assert token not in str(caught.value)
        assert place.partition("=")[0] in str(caught.value)


@pytest.mark.fault("S8", "XC")
@pytest.mark.parametrize("name", ["PGPASSWORD", "WANDB_API_KEY", "MYSQL_PWD", "MY_TOKEN"])
def test_a_name_of_a_secret_in_a_table_or_a_file_is_refused(name: str, tmp_path: Path) -> None:
    file = tmp_path / "experiment/mine.yaml"
    file.parent.mkdir()
    file.write_text(f"# @package _global_\ncluster:\n  env:\n    {name}: hunter2\n")
    for words in (
        [f"cluster.env={{NCCL_DEBUG: INFO, {name}: hunter2}}"],
        [f"cluster.env.{name}=hunter2"],
        [f"+cluster.env={{'{name}': 'hunter2'}}"],
        [f"--config-dir={tmp_path}", "experiment=mine"],
    ):
        with pytest.raises(ConfigError, match=r"cluster\.env\S* looks like a secret") as caught:
            compose([*NEEDED, *words])
        assert "hunter2" not in str(caught.value)


@pytest.mark.fault("S8", "XC")
def test_a_token_in_a_list_of_a_file_is_refused(tmp_path: Path) -> None:
    token = "glpat-" + "a1B2" * 6
    file = tmp_path / "experiment/mine.yaml"
    file.parent.mkdir()
    file.write_text(f"# @package _global_\ntracking:\n  tags: [a, {token}]\n")
    with pytest.raises(ConfigError, match=r"tracking\.tags looks like a secret") as caught:
        compose([*NEEDED, f"--config-dir={tmp_path}", "experiment=mine"])
    assert token not in str(caught.value)
