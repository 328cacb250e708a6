"""Composition root of `ftdist curate`: the child process that does the work.

python -m ftdist.library.main [check | inspect] CONFIG.json OUT.json
"""

import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from pydantic import TypeAdapter

from ftdist.config.schema.curate import CurateConfig
from ftdist.errors import FtdistError
from ftdist.inference.openai_client import open_endpoint
from ftdist.io.child_result import write_result
from ftdist.io.progress import Heartbeat
from ftdist.library.base_model import open_base_model
from ftdist.library.check_config import check_curation, curation_inputs
from ftdist.library.pipeline import curate
from ftdist.library.stages.publish import Published
from ftdist.text.terminal import plain


def check_config_file(path: Path) -> None:
    """Check the curation of a config file (JSON) before anything is read.

    Raises:
        FtdistError: a setting, a source or the model does not allow it.
    """
    config = _read_config(path)
    if config.model.path is not None:
        open_base_model(config.model.path)
    check_curation(config)


def inspect_config_file(path: Path) -> dict[str, object]:
    """What is wrong with the curation of a config file (JSON), and of what it makes the library.

    Returns:
        problems: each with its `problem` and `remedy`; inputs: a fingerprint of the settings and of
        the content of the sources, which is empty if there are problems.
    """
    config, problems = _read_config(path), []
    model = config.model.path
    try:
        if model is not None and Path(model).is_dir():
            open_base_model(model)
    except FtdistError as error:
        problems.append({"problem": error.problem, "remedy": error.remedy})
    try:
        inputs = curation_inputs(config)
    except FtdistError as error:
        problems.append({"problem": error.problem, "remedy": error.remedy})
    return {"problems": problems, "inputs": "" if problems else inputs}


def curate_config_file(path: Path) -> Published:
    """Run the curation of a config file (JSON).

    Raises:
        FtdistError: a source, the model or the disk does not allow it.
    """
    config = _read_config(path)
    with Heartbeat(_log) as log:
        model = (
            None
            if config.model.path is None
            else open_base_model(config.model.path, reasoning=config.library.reasoning, log=log)
        )
        writes = config.generator.backend == "endpoint"
        endpoint = open_endpoint(config.generator) if writes else None
        return curate(config, model=model, endpoint=endpoint, log=log)


def _read_config(path: Path) -> CurateConfig:
    return TypeAdapter(CurateConfig).validate_json(path.read_text(encoding="utf-8"))


def main(arguments: Sequence[str]) -> int:
    """Curate the library of a config file, or check it; the result goes into OUT.json."""
    signal.signal(signal.SIGTERM, _exit)  # it comes when the parent process ends, too
    *options, config, result = arguments

    def compute() -> dict[str, object]:
        if options == ["check"]:
            check_config_file(Path(config))
            return {}
        if options == ["inspect"]:
            return inspect_config_file(Path(config))
        library = curate_config_file(Path(config))
        return {"card": library.card, "folder": str(library.folder)}

    return write_result(Path(result), compute)


def _exit(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's shape
    raise SystemExit(128 + number)


def _log(line: str) -> None:
    with suppress(OSError):  # the terminal may be gone
        sys.stderr.write(f"{plain(line)}\n")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
