"""`python -m benchmarks`: every configuration in turns, in processes of its own."""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import components, report, tokenise
from benchmarks.measure import WARM_UP_STEPS, Outcome
from benchmarks.ours import overrides, run_ours
from benchmarks.peers import (
    CHECKOUT,
    BenchmarkError,
    make_trl_environment,
    run_peer,
    versions,
)
from benchmarks.report import BARE, OURS, TRL_PACKED, TRL_UNPACKED
from benchmarks.settings import PeerSettings
from examples import smollm2
from examples.a45.make import write as write_library
from ftdist.config.compose import compose
from ftdist.config.schema import RunConfig
from ftdist.config.schema.types import resolved
from ftdist.io.jsonl import write_whole

WORK = CHECKOUT / "benchmarks" / "work"
MODEL = CHECKOUT / ".cache" / "ftdist" / "smollm2-135m-instruct"
PAGE = CHECKOUT / "docs" / "benchmarks.md"
TIMES_TOKENISED = 200
"""The rows, over and over, until starting processes no longer counts."""

PACKAGES = ("torch", "deepspeed", "transformers", "accelerate")

Run = Callable[[Path], Outcome]


def main() -> int:
    """Run all rounds, print the page and write it."""
    args = _arguments().parse_args()
    if args.steps <= WARM_UP_STEPS:
        _arguments().error(f"--steps must be above {WARM_UP_STEPS}: the first ones are not counted")
    try:
        runs, facts, settings = _measure(args)
        tokenised = _tokenise()
        parts = [] if args.no_components else _components()
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    page = report.document(
        runs, facts=facts, settings=settings, tokenised=tokenised, components=parts
    )
    print(page)
    if args.out is not None:
        write_whole(args.out, page)
        print(f"Written to {args.out}.")
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=2, help="times that each configuration runs")
    parser.add_argument("--steps", type=int, default=6, help="optimizer steps of each run")
    names = (BARE, TRL_PACKED, TRL_UNPACKED)
    parser.add_argument("--against", nargs="*", choices=names, default=names, help="leave some out")
    parser.add_argument(
        "--no-components", action="store_true", help="do not measure where a step's time goes"
    )
    parser.add_argument("--out", type=Path, default=PAGE, help="page to write")
    parser.add_argument(
        "--print-only", dest="out", action="store_const", const=None, help="write no page"
    )
    return parser


def _measure(
    args: argparse.Namespace,
) -> tuple[dict[str, list[Outcome]], dict[str, str], list[str]]:
    library = WORK / "a45"
    write_library(library)
    smollm2.fetch(MODEL, console=Console(highlight=False, soft_wrap=True))
    work = WORK / "runs"
    shutil.rmtree(work, ignore_errors=True)

    rows = library / "library"
    words = overrides(model=MODEL, library=rows, steps=args.steps, folder=work)
    config = compose(words)
    peers = peer_settings(config, rows=rows / "a45.jsonl")
    facts = report.machine()
    configurations = _configurations(args, peers, rows=rows, facts=facts)
    runs: dict[str, list[Outcome]] = {name: [] for name in configurations}
    for number in range(1, args.rounds + 1):
        for index, (name, run) in enumerate(configurations.items(), start=1):
            print(f"Round {number} of {args.rounds}, {index} of {len(runs)}: {name}", flush=True)
            folder = work / f"{number}-{name.replace(' ', '-').lower()}"
            outcome = run(folder)
            runs[name].append(outcome)
            print(
                f"  {outcome.tokens_per_s:.1f} tokens/s, {outcome.peak_gib:.2f} GiB, first step "
                f"after {outcome.first_step_s:.1f} s",
                flush=True,
            )
            # A checkpoint, an export: gigabytes that nobody asked to keep.
            shutil.rmtree(folder, ignore_errors=True)
    return runs, facts, describe(config, peers, against=args.against)


def _tokenise() -> dict[str, Any]:
    """Rows to packed tokens, and their order, of the rows that all configurations had."""
    print("Rows to packed tokens", flush=True)
    rows = WORK / "a45" / "library" / "a45.jsonl"
    return tokenise.measure(MODEL, rows, times=TIMES_TOKENISED) | tokenise.order()


def _components() -> list[str]:
    """The table of a step's seconds by component."""
    print("A step by component", flush=True)
    folder = WORK / "components"
    shutil.rmtree(folder, ignore_errors=True)
    words = overrides(model=MODEL, library=WORK / "unused", steps=6, folder=folder)
    measured = components.measure(words, model=MODEL, ranks=2, folder=folder)
    return [*components.table(measured), ""]


def _configurations(
    args: argparse.Namespace,
    peers: PeerSettings,
    *,
    rows: Path,
    facts: dict[str, str],
) -> dict[str, Run]:
    """What runs, by name; the versions of what it runs with are added to the facts."""
    own = Path(sys.executable)
    facts |= {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "Python": sys.version.split()[0],
    }
    facts |= versions(own, PACKAGES)

    def ours(folder: Path) -> Outcome:
        steps = peers.steps
        words = overrides(model=MODEL, library=rows, steps=steps, folder=folder)
        return run_ours(OURS, words=words, folder=folder)

    def peer(name: str, python: Path, module: str, *, packed: bool) -> Run:
        return lambda folder: run_peer(
            name,
            python=python,
            module=module,
            settings=replace(peers, log=str(folder), packed=packed),
            folder=folder,
        )

    chosen: dict[str, Run] = {OURS: ours}
    if BARE in args.against:
        chosen[BARE] = peer(BARE, own, "benchmarks.bare", packed=True)
    if {TRL_PACKED, TRL_UNPACKED} & set(args.against):
        python = make_trl_environment()
        there = versions(python, ("trl", *PACKAGES))
        facts |= {"TRL": ", ".join(f"{name} {version}" for name, version in there.items())}
        for name in (TRL_PACKED, TRL_UNPACKED):
            if name in args.against:
                packed = name == TRL_PACKED
                chosen[name] = peer(name, python, "benchmarks.trl_peer", packed=packed)
    return chosen


def peer_settings(config: RunConfig, *, rows: Path) -> PeerSettings:
    """The peers' settings, checked to equal those of ftdist."""
    engine, optim = config.engine, config.optim
    return PeerSettings(
        model=config.model.path,
        rows=str(rows),
        log="",
        steps=config.train.steps or 0,
        ranks=config.cluster.tasks_per_node,
        sequence_length=resolved(config.batch.sequence_length),
        seed=config.run.seed,
        learning_rate=resolved(optim.peak_lr),
        betas=(optim.beta1, optim.beta2),
        eps=optim.eps,
        weight_decay=optim.weight_decay,
        max_grad_norm=optim.max_grad_norm,
        zero={
            "reduce_bucket_size": resolved(engine.reduce_bucket_size),
            "sub_group_size": resolved(engine.sub_group_size),
            "stage3_prefetch_bucket_size": resolved(engine.prefetch_bucket_size),
            "stage3_param_persistence_threshold": resolved(engine.param_persistence_threshold),
            "stage3_max_live_parameters": resolved(engine.max_live_parameters),
            "stage3_max_reuse_distance": resolved(engine.max_live_parameters),
        },
        packed=True,
    )


def describe(config: RunConfig, peers: PeerSettings, *, against: Sequence[str]) -> list[str]:
    """What was asked of each configuration, a sentence each."""
    zero = ", ".join(f"{name} {value:,}" for name, value in peers.zero.items())
    words = overrides(
        model=Path("MODEL"), library=Path("LIBRARY"), steps=peers.steps, folder=Path()
    )
    lines = [
        "Model: SmolLM2-135M-Instruct in float32. Rows: the training conversations of the A-45 "
        f"library. {peers.ranks} ranks over gloo, one thread each, one packed sequence of at most "
        f"{peers.sequence_length} tokens a rank and step.",
        f"Everybody: ZeRO-3 ({zero}); torch's fused AdamW, clipping at "
        f"{config.optim.max_grad_norm}; no activation checkpointing, no tracking, no evaluation.",
        f"{OURS}: `ftdist train {' '.join(words)}`.",
        f"{BARE}: `benchmarks/bare.py`; rows joined and cut into blocks of exactly "
        f"{peers.sequence_length} tokens, samples seeing each other; the model's own loss.",
    ]
    if {TRL_PACKED, TRL_UNPACKED} & set(against):
        lines.append(
            "TRL: `benchmarks/trl_peer.py`, ranks started directly instead of by a launcher; "
            "prompt and completion rows, loss on completions; packing with `bfd`, or none and as "
            "many conversations a rank and step as have the tokens of one packed sequence; "
            "gradient_checkpointing and bf16 off, which TRL has on; the rest as TRL has it."
        )
    return lines


def _commit() -> str:
    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=CHECKOUT, capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    changed = " with changes" if git("status", "--porcelain", "--untracked-files=no") else ""
    return (git("rev-parse", "--short", "HEAD") or "unknown") + changed


if __name__ == "__main__":
    sys.exit(main())
