"""What a user reads when a GPU fails: real ranks raise what torch raises, or abort as NCCL does."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from ftdist_launch.attempts import Finished
from ftdist_launch.local.supervisor import Supervisor
from ftdist_launch.rank_process import RankInfo

from ftdist.config.saved_config import dump_config
from ftdist.errors import DeviceError
from ftdist.plan.model_info import read_model_info
from ftdist.plan.planner import make_plan
from ftdist.rundir import RunDir
from tests.support.runs.fake_runs import launched_run, plan_of, run_rank, some_config

RANKS = 2


class NoView:
    """A view that shows nothing."""

    def update(self) -> None:
        return

    def close(self) -> None:
        return


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDir:
    monkeypatch.setattr("ftdist_launch.local.monitor.GRACE_S", 1.0)
    return launched_run(tmp_path)


def train(run: RunDir, function: Callable[[str], None], *overrides: str) -> Finished:
    config = some_config("cluster.max_attempts_without_progress=1", *overrides)
    config = replace(config, batch=replace(config.batch, sequence_length=256, tokens=32_768))
    plan = plan_of(config, ranks=RANKS)
    if Path(config.model.path).is_dir():
        model = read_model_info(Path(config.model.path))
        plan = make_plan(config, model=model, library=plan.library, device="cpu")
    run.config.write_text(dump_config(config))
    run.plan.write_text(plan.to_json())
    supervisor = Supervisor(
        run=run,
        config=config,
        make_view=lambda _: NoView(),
        log=lambda _: None,
        jobs=SimpleNamespace(train=function),
    )
    with supervisor.exclusive():
        return supervisor.train(plan, requested_by="train")


def folder_of(run_dir: str) -> Path:
    run = RunDir(Path(run_dir))
    return run.attempt(run.newest_attempt())


def run_out_of_memory(run_dir: str) -> None:
    def rank_main(rank: RankInfo) -> int:
        import torch

        if rank.rank == 1:
            raise torch.OutOfMemoryError(
                "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 1 ..."
            )
        time.sleep(60)
        return 0

    run_rank(folder_of(run_dir), rank_main)


def test_out_of_memory_shows_the_plan_and_the_smallest_change_and_is_not_repeated(
    run: RunDir, tmp_path: Path
) -> None:
    from tests.support.models.tiny_models import save_tiny_model

    save_tiny_model(tmp_path / "m", "llama_tied")
    finished = train(
        run,
        run_out_of_memory,
        f"model.path={tmp_path / 'm'}",
        "cluster.max_attempts_without_progress=3",
        *("train.steps=10", "engine=zero3", "model.activation_checkpointing=none"),
        "batch.micro_batch_size=64",
        "cluster.tasks_per_node=2",
    )
    assert run.newest_attempt() == 1
    assert (finished.outcome, finished.exit_code) == ("failed", 72)
    assert finished.failure is not None
    problem, remedy = finished.failure.problem, finished.failure.remedy
    assert problem.startswith("Rank 1 on ")
    assert "ran out of GPU memory: 2.50 GiB more were wanted; the plan expected " in problem
    assert "activations " in problem, problem
    assert remedy.startswith("set model.activation_checkpointing="), remedy
    assert f"`ftdist resume {run.cli_name} KEY=VALUE`" in remedy


def lose_the_gpu(run_dir: str) -> None:
    def rank_main(rank: RankInfo) -> int:
        if rank.rank == 0:
            raise RuntimeError("CUDA error: uncorrectable ECC error encountered\nCUDA kernel ...")
        time.sleep(60)
        return 0

    run_rank(folder_of(run_dir), rank_main)


def test_a_faulty_gpu_of_this_machine_ends_the_run_since_no_other_can_take_its_place(
    run: RunDir,
) -> None:
    finished = train(run, lose_the_gpu, "cluster.max_attempts_without_progress=3")
    assert run.newest_attempt() == 1
    assert (finished.outcome, finished.exit_code) == ("failed", DeviceError.exit_code)
    assert finished.failure is not None
    assert finished.failure.host is not None
    assert f"Rank 0 on {finished.failure.host} has a GPU with an" in finished.failure.problem


def abort_as_nccl_does(run_dir: str) -> None:
    def rank_main(rank: RankInfo) -> int:
        if rank.rank == 1:
            time.sleep(60)
        work = "WorkNCCL(SeqNum=12, OpType=_ALLGATHER_BASE, NumelIn=8, NumelOut=16, "
        text = (
            "[rank0]:[E321 02:07:08.4 ProcessGroupNCCL.cpp:607] [Rank 0] Watchdog caught "
            f"collective operation timeout: {work}Timeout(ms)=300000) ran for "
            "300041 milliseconds before timing out.\n"
            "terminate called after throwing an instance of 'c10::DistBackendError'\n"
        )
        os.write(2, text.encode())
        os.abort()

    run_rank(folder_of(run_dir), rank_main)


def test_a_rank_that_nccl_aborts_is_a_hang_and_the_absent_rank_is_named(run: RunDir) -> None:
    finished = train(run, abort_as_nccl_does)
    assert finished.outcome == "crash_loop"  # the one attempt that the config allows
    assert finished.failure is not None
    assert finished.failure.exit_code == 76
    assert "waited 300 s for the collective ALLGATHER_BASE number 12" in finished.failure.problem
    assert finished.failure.problem.endswith("did not join it.")
    assert ": rank 1 on " in finished.failure.problem


def show_gpu_variables(run_dir: str) -> None:
    def rank_main(rank: RankInfo) -> int:
        names = ("CUDA_VISIBLE_DEVICES", "PYTORCH_ALLOC_CONF", "DS_ACCELERATOR")
        seen = {name: os.environ.get(name) for name in names}
        (folder_of(run_dir) / f"seen-{rank.rank}.json").write_text(json.dumps(seen))
        return 0

    run_rank(folder_of(run_dir), rank_main)


def test_ranks_on_cpus_see_no_gpu_and_leave_one_record_file_and_no_stacks(run: RunDir) -> None:
    assert train(run, show_gpu_variables).outcome == "done"
    folder = run.attempt(1)
    for rank in range(RANKS):
        seen = json.loads((folder / f"seen-{rank}.json").read_text())
        assert seen == {
            "CUDA_VISIBLE_DEVICES": "",
            "PYTORCH_ALLOC_CONF": None,
            "DS_ACCELERATOR": "cpu",
        }
    assert len(list(folder.glob("ranks-*.jsonl"))) == 1
    assert list(folder.glob("stacks-*")) == []
