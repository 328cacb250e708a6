"""A config sets settings of libraries, and no variable by which it would run code."""

from pathlib import Path

import pytest
import yaml
from ftdist_launch.local.submit import common_environment

from ftdist.config.compose import compose, compose_curation
from ftdist.config.saved_config import dump_config, load_config
from ftdist.errors import ConfigError
from ftdist.io.env_names import is_tunable

NEEDED = ["model.path=m", "library.path=l", "run.name=r"]

TUNABLE = """
NCCL_DEBUG NCCL_DEBUG_SUBSYS NCCL_IB_HCA NCCL_IB_PKEY NCCL_SOCKET_IFNAME NCCL_P2P_DIRECT_DISABLE
NCCL_IB_TIMEOUT NCCL_ALGO NCCL_NET NCCL_NET_GDR_LEVEL NCCL_CROSS_NIC TORCH_NCCL_TRACE_BUFFER_SIZE
TORCH_NCCL_ASYNC_ERROR_HANDLING GLOO_SOCKET_IFNAME UCX_NET_DEVICES UCX_TLS FI_PROVIDER
FI_EFA_USE_DEVICE_RDMA OMP_NUM_THREADS OMP_PROC_BIND OMP_DISPLAY_ENV KMP_AFFINITY
KMP_DUPLICATE_LIB_OK MKL_THREADING_LAYER CUDA_LAUNCH_BLOCKING CUDA_VISIBLE_DEVICES
CUDA_DEVICE_MAX_CONNECTIONS CUDA_MODULE_LOADING CUBLAS_WORKSPACE_CONFIG PYTORCH_CUDA_ALLOC_CONF
PYTORCH_ALLOC_CONF LC_ALL TZ MALLOC_ARENA_MAX
"""

RUNS_CODE = """
LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT GCONV_PATH GLIBC_TUNABLES BASH_ENV ENV PATH HOME TMPDIR
PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONINSPECT PYTHONSAFEPATH PERL5LIB PERL5OPT NODE_OPTIONS
NCCL_NET_PLUGIN NCCL_TUNER_PLUGIN NCCL_PROFILER_PLUGIN NCCL_CONF_FILE NCCL_TOPO_FILE
NCCL_TOPO_DUMP_FILE NCCL_GRAPH_FILE NCCL_DEBUG_FILE NCCL_COMM_ID CUDA_INJECTION64_PATH
CUDA_INJECTION32_PATH CUDA_CACHE_PATH CUDA_HOME CUDA_PATH CUDA_MPS_PIPE_DIRECTORY
CUDA_COREDUMP_FILE CUDA_COREDUMP_PIPE CUBLAS_LOGDEST_DBG CUDNN_LOGDEST_DBG
TORCH_FORCE_WEIGHTS_ONLY_LOAD TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD TORCH_HOME TORCH_EXTENSIONS_DIR
TORCH_NVCC_FLAGS TORCH_NCCL_DEBUG_INFO_TEMP_FILE TORCH_NCCL_DEBUG_INFO_PIPE_FILE TORCH_LOGS
TORCHINDUCTOR_CACHE_DIR TRITON_CACHE_DIR TRITON_CACHE_MANAGER TRITON_PTXAS_PATH DS_ACCELERATOR
UCX_MODULE_DIR UCX_MODULES UCX_CONFIG_DIR UCX_GDB_COMMAND UCX_ERROR_MAIL_TO UCX_LOG_FILE
UCX_STATS_DEST FI_PROVIDER_PATH OMP_TOOL OMP_TOOL_LIBRARIES OMP_TOOL_VERBOSE_INIT
MKL_VERBOSE_OUTPUT_FILE GLOO_DEVICE_TRANSPORT_TCP_TLS_CERT MALLOC_TRACE MALLOC_CONF RDMAV_DRIVERS
HF_HUB_OFFLINE HF_ENDPOINT HF_HOME HF_MODULES_CACHE TRANSFORMERS_OFFLINE HF_DATASETS_OFFLINE
WANDB_BASE_URL SSL_CERT_FILE REQUESTS_CA_BUNDLE http_proxy HTTPS_PROXY SLURM_CONF PMIX_MCA_mca
OMPI_MCA_mca CC CXX NVCC_PREPEND_FLAGS CPATH LIBRARY_PATH MASTER_ADDR FTDIST_RUN
FTDIST_TRUSTED_DIRS nccl_debug NCCL-DEBUG
"""


@pytest.mark.fault("XA", "S3")
@pytest.mark.parametrize("name", RUNS_CODE.split())
def test_a_variable_that_could_run_code_or_lift_a_safeguard_is_refused(name: str) -> None:
    assert not is_tunable(name)


def test_settings_of_libraries_are_free() -> None:
    assert [name for name in TUNABLE.split() if not is_tunable(name)] == []
    words = [f"cluster.env.{name}=1" for name in TUNABLE.split()]
    assert set(TUNABLE.split()) <= set(compose([*NEEDED, *words]).cluster.env)


@pytest.mark.fault("XA")
def test_no_safeguard_of_ftdists_own_is_a_setting() -> None:
    free = {name for name in common_environment(compose(NEEDED).cluster) if is_tunable(name)}
    threads = {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"}
    assert free == threads | {"TOKENIZERS_PARALLELISM"}


@pytest.mark.fault("XA")
def test_the_command_line_a_curation_and_a_saved_config_are_refused_alike(tmp_path: Path) -> None:
    expected = (
        r"cluster\.env\.LD_PRELOAD is not one of the settings .*\n.*`export LD_PRELOAD=\.\.\.`"
    )
    with pytest.raises(ConfigError, match=r"cluster\.env\.LD_PRELOAD is not one") as refused:
        compose([*NEEDED, "cluster.env={LD_PRELOAD: /evil.so}"])
    assert "`export LD_PRELOAD=...` in your shell" in refused.value.remedy
    with pytest.raises(ConfigError, match=expected):
        compose_curation(["library.name=l", "library.sources=[s]", "cluster.env.LD_PRELOAD=/evil"])
    values = yaml.safe_load(dump_config(compose(NEEDED)))
    values["cluster"]["env"] = {"LD_PRELOAD": "/evil.so", "NCCL_DEBUG": "INFO"}
    saved = tmp_path / "config.yaml"
    saved.write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigError, match=expected):
        load_config(saved)


def test_a_value_of_several_lines_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"The value of cluster\.env\.NCCL_IB_HCA is not one line"
    ):
        compose([*NEEDED, 'cluster.env.NCCL_IB_HCA="one\ntwo"'])
