"""The demo: `ftdist expert` teaches a real base model an invented product's manual, here.

    python -m examples.demo [KEY=VALUE ...]

Fetches SmolLM2-135M-Instruct, writes the A-45 conversations and probes, and runs one command that a
user would type. Run again, it continues where it stopped. The keys are those of `ftdist expert`.
"""

import os
import shlex
import sys
from pathlib import Path

from rich.console import Console

from examples import smollm2
from examples.a45 import make as a45
from ftdist.dist.device import has_fast_bfloat16
from ftdist.errors import FtdistError

MODEL = Path(".cache/ftdist/smollm2-135m-instruct")
A45 = Path(".cache/ftdist/a45")

COMMAND = (
    "expert",
    "experiment=demo",
    f"sources=[a45={A45 / 'library'}]",
    "library.name=a45",
    # The example has probes of its own (eval.extra_probes in conf/experiment/demo.yaml).
    "split.num_probes=0",
    "retention.product_names=[A-45 SuperWidget,A-45 widget,SuperWidget,A-45]",
)


def main() -> int:
    """Prepare the example, then become `ftdist expert`.

    Returns:
        The exit code, if the example could not be prepared.
    """
    console = Console(highlight=False, soft_wrap=True)
    try:
        smollm2.fetch(MODEL, console=console)
    except FtdistError as error:
        console.print(str(error), markup=False)
        return error.exit_code
    except KeyboardInterrupt:
        console.print("Stopped. `make demo` continues from here.")
        return 130
    a45.write(A45)
    dtype = "bfloat16" if has_fast_bfloat16() else "float32"
    words = [*COMMAND, f"model.dtype={dtype}", *sys.argv[1:]]
    console.print(f"$ ftdist {shlex.join(words)}", markup=False)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "ftdist", *words])


if __name__ == "__main__":
    sys.exit(main())
