"""How long a save blocks training: ftdist's and DeepSpeed's own, of the same state in one run.

    python -m benchmarks.saves

Trains SmolLM2-135M-Instruct on 2 ranks for a few steps. At each step with a checkpoint, DeepSpeed's
`save_checkpoint` is timed, then ftdist's save: until the next step may begin, and until the
commit. Where the model is not in `.cache/ftdist`, the tiny random one is trained instead.
"""

import os
import shutil
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.peers import CHECKOUT, BenchmarkError, rank_environment

WORK = CHECKOUT / "benchmarks" / "work" / "saves"
MODEL = CHECKOUT / ".cache" / "ftdist" / "smollm2-135m-instruct"
RANKS, STEPS, EVERY = 2, 16, 4
DEEPSPEED_TIMES = "deepspeed-save-s.txt"
TIMEOUT_S = 1800


def main() -> int:
    """Run it and print a table."""
    if len(sys.argv) == 2:
        return rank(Path(sys.argv[1]))
    shutil.rmtree(WORK, ignore_errors=True)
    try:
        run_dir = make_run()
        start_ranks(run_dir)
        report(run_dir)
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(WORK, ignore_errors=True)
    return 0


def make_run() -> Path:
    """A run directory, ready for its ranks."""
    from examples.a45.make import write as write_library
    from ftdist.config.compose import compose
    from ftdist.config.saved_config import dump_config
    from ftdist.plan.model_info import read_model_info
    from ftdist.plan.planner import make_plan
    from ftdist.prepare.main import prepare
    from ftdist.rundir import RunDir
    from ftdist.testing import tiny

    write_library(WORK / "a45")
    model = MODEL if MODEL.is_dir() else tiny.make(WORK / "tiny") / "model"
    config = compose(
        [
            *("run.name=saves", f"run.root={WORK}", f"model.path={model}", "model.dtype=float32"),
            *("engine=zero3", "batch.micro_batch_size=1", "model.activation_checkpointing=none"),
            *(f"library.path={WORK / 'a45' / 'library'}", f"library.cache_dir={WORK / 'cache'}"),
            *("library.held_out_fraction=0", "train.epochs=null", f"train.steps={STEPS}"),
            *("batch.sequence_length=256", f"batch.tokens={256 * RANKS}", "optim.peak_lr=1e-5"),
            *("eval.loss_every_steps=0", "tracking=off", "tracking.curves_every_s=0"),
            *(f"checkpoint.every_steps={EVERY}", "checkpoint.keep_latest=1"),
            *("cluster.device=cpu", f"cluster.tasks_per_node={RANKS}"),
        ]
    )
    run = RunDir(WORK / "saves")
    run.create(private=True)
    run.attempt(1).mkdir(parents=True)
    run.config.write_text(dump_config(config))
    plan = make_plan(config, model=read_model_info(model), library=prepare(config))
    run.plan.write_text(plan.to_json())
    print(f"{model.name}, {plan.parameters:,} parameters in float32, {RANKS} ranks")
    return run.root


def start_ranks(run_dir: Path) -> None:
    """Run the ranks to their end.

    Raises:
        BenchmarkError: one failed.
    """
    command = [sys.executable, "-m", "benchmarks.saves", str(run_dir)]
    with ExitStack() as stack:
        ranks = []
        for number in range(RANKS):
            log = stack.enter_context((WORK / f"rank-{number}.log").open("wb"))
            environment = rank_environment(number, ranks=RANKS, port=0, work=WORK)
            ranks.append(
                subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=log, stderr=log)
            )
        codes = [process.wait(timeout=TIMEOUT_S) for process in ranks]
    if any(codes):
        text = (WORK / f"rank-{codes.index(max(codes, key=abs))}.log").read_text(errors="replace")
        raise BenchmarkError(f"exit codes {codes}\n{text[-3000:]}")


def rank(run_dir: Path) -> int:
    """One rank: trains as `ftdist train` does, with a save by DeepSpeed before each of ours."""
    import torch.distributed

    from ftdist.dist.world import World
    from ftdist.train.checkpointing import Checkpointer
    from ftdist.train.main import main as train

    number = int(os.environ["RANK"])
    world = World(rank=number, size=RANKS, local_rank=number, local_size=RANKS)
    begin = Checkpointer.begin

    def begin_after_deepspeed(
        checkpointer: Checkpointer, step: int, *, beside_training: bool
    ) -> bool:
        folder = WORK / "deepspeed"
        torch.distributed.barrier()
        began = time.perf_counter()
        checkpointer._engine._engine.save_checkpoint(str(folder), tag=f"step-{step}")
        torch.distributed.barrier()
        if world.is_rank0:
            with (run_dir / DEEPSPEED_TIMES).open("a") as file:
                file.write(f"{step} {time.perf_counter() - began}\n")
            shutil.rmtree(folder)
        torch.distributed.barrier()
        return begin(checkpointer, step, beside_training=beside_training)

    vars(sys.modules[Checkpointer.__module__])["Checkpointer"].begin = begin_after_deepspeed
    return train(run_dir, world, attempt=1)


def report(run_dir: Path) -> None:
    """Print a row for each save, and the median of the ratios of those beside training."""
    from ftdist.rundir import RunDir

    lines = (run_dir / DEEPSPEED_TIMES).read_text().splitlines()
    deepspeed_s = {int(step): float(seconds) for step, seconds in map(str.split, lines)}
    events = [e for e in RunDir(run_dir).read_events() if e["event"] == "checkpoint_saved"]
    ratios = []
    print("step  DeepSpeed s  ftdist blocked s  until commit s  ratio")
    for event in events:
        step, blocked_s = event["step"], event["blocked_s"]
        ratio = blocked_s / deepspeed_s[step]
        if step < STEPS:
            ratios.append(ratio)
        awaited = " (the last one is awaited)" if step == STEPS else ""
        print(
            f"{step:4}  {deepspeed_s[step]:11.2f}  {blocked_s:16.3f}  {event['total_s']:14.2f}  "
            f"{ratio:5.3f}{awaited}"
        )
    print(f"median ratio of saves beside training: {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    sys.exit(main())
