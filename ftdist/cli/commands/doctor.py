"""`ftdist doctor`: look at this machine, its cluster and its nodes, and say what will hurt."""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from ftdist_launch.doctor.cluster_config import JobOptions
from ftdist_launch.doctor.cluster_file import FOLDER, write_cluster_file
from ftdist_launch.doctor.diagnosis import NO_SLURM, Diagnosis, Request, diagnose
from ftdist_launch.doctor.finding import Finding, count
from ftdist_launch.doctor.measure_nodes import measure_nodes
from rich.table import Table
from rich.text import Text

from ftdist.cli.common import CommandParser, log, print_result, refuse_secrets
from ftdist.errors import ConfigError
from ftdist.io.units import format_count
from ftdist.rundir import RUNS_ROOT
from ftdist.text.terminal import plain, text_console

DESCRIPTION = f"""\
Examine the cluster of this login node and write {FOLDER}/NAME.yaml for it;
check storage, W&B, the Hub and one or two compute nodes: what will hurt, and
how to fix it. With --nodes N, measure nodes together instead: collectives,
every link, GPUs, disks, clocks; slow and wrong nodes are named."""

PROBE_WAIT_MIN, NODES_WAIT_MIN = 1, 60
"""How long a job may wait for nodes, in minutes."""

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def main(arguments: Sequence[str]) -> int:
    """Check, print, and write the cluster file.

    Returns:
        0, or 78 if a check failed.

    Raises:
        FtdistError: a flag or key is wrong.
    """
    flags = _parser().parse_intermixed_args(arguments)
    request = _request(flags)
    if flags.nodes is not None:
        return _measure(flags, request)
    diagnosis = diagnose(request, log=log)
    path = None
    if diagnosis.cluster_file is not None and diagnosis.name is not None and not flags.dry_run:
        path = write_cluster_file(diagnosis.cluster_file, name=diagnosis.name, force=flags.force)
    if flags.json:
        print_result(json.dumps(asdict(diagnosis) | {"written": path and str(path)}, indent=2))
    else:
        print_findings(diagnosis.findings)
        _print_cluster_file(diagnosis, path, dry_run=flags.dry_run)
    return ConfigError.exit_code if count(diagnosis.findings, "fail") else 0


def _measure(flags: argparse.Namespace, request: Request) -> int:
    """`--nodes N`."""
    if flags.nodes < 1:
        raise ConfigError(f"--nodes {flags.nodes} is no number of nodes.", remedy="use 1 or more.")
    measured = measure_nodes(
        request.options, nodes=flags.nodes, root=request.root, wait_s=request.wait_s, log=log
    )
    exclude = f"cluster.exclude={','.join(measured.exclude)}" if measured.exclude else None
    if flags.json:
        print_result(json.dumps(asdict(measured) | {"override": exclude}, indent=2))
    else:
        print_findings(measured.findings)
        if exclude is not None:
            print_result(f"Leave these nodes out: {exclude}")
    return ConfigError.exit_code if count(measured.findings, "fail") else 0


def _parser() -> CommandParser:
    parser = CommandParser("doctor", description=DESCRIPTION)
    add = parser.add_argument
    add("keys", nargs="*", metavar="cluster=NAME", help="or cluster.KEY=VALUE, or run.root=DIR")
    add("--nodes", type=int, metavar="N", help="measure N nodes: collectives, links, disks, GPUs")
    add("--partition", metavar="P", help="partition to look at, and to run on")
    add("--account", metavar="A", help="SLURM account of the jobs")
    add("--qos", metavar="Q", help="quality of service of the jobs")
    add("--name", help="name of the cluster file; default: SLURM's ClusterName")
    add("--force", action="store_true", help="replace an existing cluster file")
    add("--dry-run", action="store_true", help="print the cluster file in place of writing it")
    add("--no-nodes", action="store_true", help="submit no job to look at compute nodes")
    add(
        "--wait",
        type=float,
        metavar="MIN",
        help=f"minutes that a job may wait: {PROBE_WAIT_MIN}; {NODES_WAIT_MIN} with --nodes",
    )
    add("--json", action="store_true", help="print everything as JSON, for scripts")
    return parser


def _request(flags: argparse.Namespace) -> Request:
    refuse_secrets(flags.keys)
    usual = PROBE_WAIT_MIN if flags.nodes is None else NODES_WAIT_MIN
    roots = [word.partition("=")[2] for word in flags.keys if word.startswith("run.root=")]
    return Request(
        options=JobOptions(
            partition=flags.partition,
            account=flags.account,
            qos=flags.qos,
            overrides=[word for word in flags.keys if not word.startswith("run.root=")],
        ),
        root=Path(roots[-1]) if roots else Path(RUNS_ROOT),
        name=flags.name,
        check_nodes=not flags.no_nodes,
        wait_s=60.0 * (usual if flags.wait is None else flags.wait),
    )


def print_findings(findings: Sequence[Finding]) -> None:
    """Print findings under the headings of their areas, and how many there are of each level."""
    console = text_console()
    areas = list(dict.fromkeys(finding.area for finding in findings))
    for area in areas:
        console.print(Text(area, style="bold"))
        console.print(_table(finding for finding in findings if finding.area == area))
    failed, warned = count(findings, "fail"), count(findings, "warn")
    console.print(
        f"{format_count(failed, 'failure')}, {format_count(warned, 'warning')}, "
        f"{count(findings, 'ok')} ok."
    )


def _table(findings: Iterable[Finding]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(width=5, justify="right")
    table.add_column(width=17, overflow="fold")
    table.add_column(overflow="fold")
    for finding in findings:
        text = Text(plain(finding.found))
        if finding.consequence:
            text.append(f"\n{_sentence(plain(finding.consequence))}")
        if finding.remedy:
            text.append(f"\nTo fix: {plain(finding.remedy)}.")
        level = Text(finding.level, style=STYLES[finding.level])
        table.add_row(level, Text(finding.name), text)
    return table


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _print_cluster_file(diagnosis: Diagnosis, path: Path | None, *, dry_run: bool) -> None:
    if not diagnosis.has_slurm:
        print_result(NO_SLURM)
    if diagnosis.cluster_file is None or diagnosis.name is None:
        return
    there = FOLDER / f"{diagnosis.name}.yaml"
    if path is not None:
        print_result(f"Wrote {path}. Use it: cluster={diagnosis.name}.")
    elif dry_run:
        print_result(f"Nothing was written. {there} would be:\n")
        sys.stdout.write(diagnosis.cluster_file)
    else:
        print_result(
            f"{there} exists and was not changed: --force replaces it, --dry-run shows the new one."
        )
