"""`ftdist check`: whether a model and a library fit each other."""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from ftdist_launch.setup.run_setup import resolve_paths
from ftdist_launch.subprocesses import call_child
from rich.console import Console

from ftdist.check.findings import Report
from ftdist.check.terminal import print_report
from ftdist.cli.common import log, print_result, refuse_secrets
from ftdist.config.compose import compose, is_sweep
from ftdist.config.saved_config import dump_config
from ftdist.errors import ConfigError, DataError

DESCRIPTION = """\
Check whether a model and a library fit each other: chat template, learned tokens, end of turn,
special tokens, lengths, vocabulary, and, on a small random model of the same architecture, packing
and the output head. Takes the keys of `ftdist train`; config.json and tokenizer are enough of the
model. A sample of the rows is read, unless --all is given."""

PAGE = "ftdist-check.html"
NAMELESS = "check"
"""Run name in the config: a check needs none."""


def main(words: Sequence[str]) -> int:
    """Print what was found, and write a page with samples.

    Returns:
        0, or 78 if a check failed; with --strict also if there is a warning.

    Raises:
        FtdistError: a key is wrong, or model or library cannot be read at all.
    """
    flags = _Parser().parse_intermixed_args(words)
    if is_sweep(words):
        raise ConfigError("`ftdist check` takes one model, not a sweep.", remedy="leave out -m.")
    config = compose(flags.keys, name=NAMELESS)
    config = resolve_paths(config, log=log)
    page = Path(flags.html).absolute()
    with tempfile.TemporaryDirectory(prefix="ftdist-") as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(dump_config(config), encoding="utf-8")
        rows = "all" if flags.all else "some"
        values = call_child("ftdist.check.main", [str(path), str(page), rows])
    report = Report.from_values(values)
    if flags.json:
        samples = values.pop("samples")
        print_result(json.dumps({**values, "page": str(page), "samples": len(samples)}, indent=2))
    else:
        print_report(report, Console())
        print_result(f"{report.summary}. Details and more samples: {page}")
    bad = report.status == "failed" or (flags.strict and report.status == "warning")
    return DataError.exit_code if bad else 0


class _Parser(argparse.ArgumentParser):
    """Parses keys and flags; an error is a ConfigError."""

    def __init__(self) -> None:
        super().__init__(
            prog="ftdist check",
            description=DESCRIPTION,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.add_argument("keys", nargs="*", metavar="key=value", help="keys of `ftdist train`")
        self.add_argument("--html", metavar="FILE", default=PAGE, help=f"page to write [{PAGE}]")
        self.add_argument("--json", action="store_true", help="print the findings as JSON")
        self.add_argument("--all", action="store_true", help="read every row")
        self.add_argument("--strict", action="store_true", help="fail on warnings, too")

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        refuse_secrets(message.split())
        raise ConfigError(f"{message}.", remedy="see `ftdist check --help`.")
