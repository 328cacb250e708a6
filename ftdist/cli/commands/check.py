"""`ftdist check`: whether a model and a library fit each other."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ftdist_launch.setup.run_setup import resolve_paths
from ftdist_launch.subprocesses import call_child

from ftdist.check.findings import Report
from ftdist.check.terminal import print_report
from ftdist.cli.common import CommandParser, log, print_result
from ftdist.cli.migration import (
    migration_values,
    print_migration,
    read_migration,
    with_typed,
)
from ftdist.config.compose import compose
from ftdist.config.saved_config import dump_config
from ftdist.config.sweep import is_sweep
from ftdist.errors import ConfigError, DataError
from ftdist.text.terminal import text_console

DESCRIPTION = """\
Check whether a model and a library fit each other: chat template, learned tokens, end of turn,
special tokens, lengths, vocabulary, and, on a small random model of the same architecture, packing
and the output head. Takes the keys of `ftdist train`; config.json and tokenizer are enough of the
model. A sample of the rows is read, unless --all is given."""

PAGE = "ftdist-check.html"
NAMELESS = "check"
"""Run name in the config: a check needs none."""


def main(words: Sequence[str]) -> int:
    """Print what was found, and write a page with samples; --from prints another config's keys.

    Returns:
        0, or 78 if a check failed; with --strict also if there is a warning.

    Raises:
        FtdistError: a key is wrong, or model or library cannot be read at all.
    """
    flags = _Parser().parse_intermixed_args(words)
    if is_sweep(words):
        raise ConfigError("`ftdist check` takes one model, not a sweep.", remedy="leave out -m.")
    config_dir = [f"--config-dir={flags.config_dir}"] if flags.config_dir else []
    keys, more = flags.keys, {}
    if flags.from_file is not None:
        migration = read_migration(flags.from_file, keys=keys)
        more = {"from": migration_values(migration, keys=keys)}
        has_model = any(key.startswith("model.path=") for key in keys)
        if not flags.json:
            print_migration(migration, keys=keys)
        elif not has_model:
            print_result(json.dumps(more["from"], indent=2))
        if not has_model:
            return 0
        keys = with_typed(migration, keys)
    config = resolve_paths(compose([*config_dir, *keys], name=NAMELESS), log=log, weights=False)
    page = Path(flags.html).absolute()
    with tempfile.TemporaryDirectory(prefix="ftdist-") as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(dump_config(config), encoding="utf-8")
        rows = "all" if flags.all else "some"
        values = call_child("ftdist.check.main", [str(path), str(page), rows])
    report = Report.from_values(values)
    if flags.json:
        samples = values.pop("samples")
        values |= {"page": str(page), "samples": len(samples), **more}
        print_result(json.dumps(values, indent=2))
    else:
        print_report(report, text_console())
        print_result(f"{report.summary}. Details and more samples: {flags.html}")
    bad = report.status == "failed" or (flags.strict and report.status == "warning")
    return DataError.exit_code if bad else 0


class _Parser(CommandParser):
    """Parses keys and flags; an error is a ConfigError."""

    def __init__(self) -> None:
        super().__init__("check", description=DESCRIPTION)
        self.add_argument("keys", nargs="*", metavar="key=value", help="keys of `ftdist train`")
        self.add_argument(
            "--from",
            dest="from_file",
            metavar="FILE[:NAME]",
            help="read the keys from an Axolotl YAML, a train YAML of LLaMA-Factory or a dataset "
            "of a dataset_info.json, and print them; without model.path nothing else is done",
        )
        self.add_argument("--html", metavar="FILE", default=PAGE, help=f"page to write [{PAGE}]")
        self.add_argument("--json", action="store_true", help="print the findings as JSON")
        self.add_argument("--all", action="store_true", help="read every row")
        self.add_argument("-cd", "--config-dir", metavar="FOLDER", help="a folder of config")
        self.add_argument("--strict", action="store_true", help="fail on warnings, too")
