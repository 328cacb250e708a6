"""Environment variables that a config may set: settings of the libraries that ranks use.

Everything else comes from the user's own environment, which ranks inherit, here and in jobs. A
config may be somebody else's, and other variables would make it a program: they preload code, move
caches of compiled code, or turn a safeguard of ftdist off.
"""

import re

_SETTINGS = re.compile(
    r"(NCCL|TORCH_NCCL|TORCH_GLOO|GLOO|UCX|FI|MLX5|CUDA|CUBLAS|CUDNN|OMP|GOMP|KMP|MKL|OPENBLAS)_\w+"
    r"|PYTORCH_(CUDA_)?ALLOC_CONF|PYTORCH_NO_CUDA_MEMORY_CACHING|TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"
    r"|TORCH_(DISTRIBUTED_DEBUG|CPP_LOG_LEVEL|SHOW_CPP_STACKTRACES)|NVIDIA_TF32_OVERRIDE"
    r"|MALLOC_(ARENA_MAX|TRIM_THRESHOLD_|MMAP_THRESHOLD_|TOP_PAD_)|RAYON_NUM_THREADS"
    r"|TOKENIZERS_PARALLELISM|LANG|LC_\w+|TZ",
    re.ASCII,
)
_CODE_OR_FILE = re.compile(
    # What these libraries load, execute, read settings from or write to, by the words that their
    # names share: NCCL_NET_PLUGIN, CUDA_INJECTION64_PATH, OMP_TOOL_LIBRARIES, UCX_MODULE_DIR.
    r"PLUGIN|PRELOAD|INJECT|LIBRAR|COMMAND|MAIL|GDB|TOOL|LOGDEST|(^|_)(\w*PATHS?|DIRS?|DIRECTORY"
    r"|FILE|FILENAME|LIB$|CMD|EXE|PIPE|DEST|MODULES?$|HOME|ROOT|TRACE$|TLS_\w+|COMM_ID|DUMP"
    r"|INIT$)(_|$)",
    re.ASCII,
)


def is_tunable(name: str) -> bool:
    """Whether a variable is a setting of a library that neither loads code nor names a file."""
    return bool(_SETTINGS.fullmatch(name)) and not _CODE_OR_FILE.search(name)
