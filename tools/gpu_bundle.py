"""Collect what a GPU machine without a network lacks: wheels, in one small folder.

    python -m tools.gpu_bundle [--python 3.12] [--out build/gpu-bundle]

On the machine, in a copy of this repository:

    python3 -m pip install --no-index --no-deps --target /tmp/site build/gpu-bundle/*.whl
    PYTHONPATH=/tmp/site:.:launch python3 -m benchmarks.gpu

The machine brings torch with CUDA, transformers, numpy and their dependencies. Models and libraries
are made there.
"""

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
MAX_MIB = 60

WHEELS = (
    *("hydra-core", "omegaconf", "pydantic", "pydantic-core", "annotated-types"),
    *(
        "typing-inspection",
        "hjson",
        "submitit",
        "beartype",
        "dill",
        "pygal",
        "importlib_metadata",
        "lazy-importer",
    ),
)
SOURCES = ("deepspeed", "antlr4-python3-runtime")
"""Published as source only; their wheels hold no compiled code."""

PLATFORMS = tuple(
    f"manylinux{name}_x86_64" for name in ("2014", "_2_17", "_2_24", "_2_27", "_2_28", "1")
)


def main(arguments: Sequence[str]) -> int:
    """Make the folder; 1 if it is too large."""
    parser = argparse.ArgumentParser(prog="python -m tools.gpu_bundle", description=__doc__)
    parser.add_argument("--python", default="3.12", help="version on the machine")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "gpu-bundle")
    options = parser.parse_args(arguments)
    shutil.rmtree(options.out, ignore_errors=True)
    options.out.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    target = [f"--python-version={options.python}", "--implementation=cp", "--only-binary=:all:"]
    target += [f"--platform={platform}" for platform in PLATFORMS]
    folder = str(options.out)
    wheels = [pinned(name) for name in WHEELS]
    subprocess.run([*pip, "download", "--no-deps", *target, "-d", folder, *wheels], check=True)
    sources = [pinned(name) for name in SOURCES]
    build = ["wheel", "--no-deps", "--no-build-isolation", "-w", folder]
    subprocess.run([*pip, *build, *sources], check=True)
    size = sum(path.stat().st_size for path in options.out.iterdir()) / 2**20
    print(f"{folder}: {len(list(options.out.iterdir()))} wheels, {size:.1f} MiB")
    if size > MAX_MIB:
        print(f"That is more than {MAX_MIB} MiB.\nTo fix: leave out what the machine has.")
    return int(size > MAX_MIB)


def pinned(name: str) -> str:
    """A requirement with the version that is tested.

    Raises:
        KeyError: constraints.txt has none.
    """
    pattern = rf"^{re.escape(name)}==(\S+)"
    text = CONSTRAINTS.read_text(encoding="utf-8")
    found = re.search(pattern, text, re.MULTILINE | re.IGNORECASE)
    if found is None:
        raise KeyError(f"{CONSTRAINTS.name} does not pin {name}")
    return f"{name}=={found[1]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
