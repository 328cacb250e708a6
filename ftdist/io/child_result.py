"""The result of a child process, as a JSON file that its parent reads."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from ftdist.errors import FtdistError
from ftdist.io.jsonl import write_whole


def write_result(path: Path, compute: Callable[[], Mapping[str, object]]) -> int:
    """Write what `compute` returns, or the problem, remedy and exit code of its `FtdistError`.

    Returns:
        The exit code of the process.
    """
    code = 0
    try:
        fields = compute()
    except FtdistError as error:
        code = error.exit_code
        fields = {"problem": error.problem, "remedy": error.remedy, "exit_code": code}
    write_whole(path, json.dumps(fields))
    return code
