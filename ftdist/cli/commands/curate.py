"""`ftdist curate`: from documents and conversations to a library that teaches."""

from collections.abc import Sequence
from dataclasses import asdict

from ftdist.api.curation import curate_library
from ftdist.cli.common import log, print_json, print_result, take_flag
from ftdist.cli.config_note import log_user_files
from ftdist.config.hydra_flags import hydra_flags, run_hydra_flags
from ftdist.config.keys import CURATE
from ftdist.config.sweep import is_sweep
from ftdist.errors import ConfigError


def main(words: Sequence[str]) -> int:
    """Curate one library.

    Returns:
        0.

    Raises:
        FtdistError: a key is wrong, or a source cannot be used.
    """
    if hydra_flags(words):
        print_result(run_hydra_flags(words, command=CURATE).removesuffix("\n"))
        return 0
    if is_sweep(words):
        raise ConfigError("`ftdist curate` makes one library, not a sweep.", remedy="leave out -m.")
    as_json, words = take_flag("--json", words)
    log_user_files([words], command=CURATE)
    curated = curate_library(words, log=log)
    if as_json:
        print_json(asdict(curated))
    elif curated.job is None:
        print_result(curated.summary)
    else:
        print_result(
            f"Job {curated.job} makes {curated.folder}. Watch it: squeue -j {curated.job}; "
            f"its words: {curated.output}"
        )
    return 0
