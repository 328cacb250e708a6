"""Batch scripts word for word, preflight checks, and parsing of SLURM's output."""

import dataclasses
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ftdist_launch.setup.code_snapshot import take_snapshot, verify_snapshot
from ftdist_launch.setup.preflight import tracking_problems
from ftdist_launch.slurm.client import Partition, Queue, SlurmError
from ftdist_launch.slurm.preflight import (
    partition_problems,
    save_notes,
    shared_root_problems,
    time_problems,
    with_resources,
)
from ftdist_launch.slurm.sbatch import (
    WAIT_FOR_CODE,
    JobRequest,
    Stage,
    gpus_of,
    parameters,
    script,
    setup,
)
from ftdist_launch.slurm.sinfo_fields import minutes

from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError, StorageError
from ftdist.rundir import RunDir
from tests.support.runs.fake_runs import slurm_config

GOLDEN = Path(__file__).parent / "golden"


def request(
    config: RunConfig,
    *,
    stage: Stage = "train",
    runs: int = 1,
    after: tuple[str, ...] = (),
    root: Path = Path("/shared/runs"),
) -> JobRequest:
    return JobRequest(
        stage=stage,
        runs=tuple(RunDir(root / f"r-{number}") for number in range(runs)),
        cluster=config.cluster,
        private=True,
        gpus_per_node=gpus_of(stage, config.cluster, copies=config.eval.num_replicas),
        after=after,
        name="r",
    )


# The script


@pytest.mark.parametrize(
    ("name", "stage", "runs", "after"),
    [
        ("train", "train", 1, ("7",)),
        ("array", "train", 3, ("7_0", "7_1", "7_2")),
        ("compare", "compare", 1, ()),
    ],
)
def test_the_script_matches_the_golden_file(
    name: str,
    stage: Stage,
    runs: int,
    after: tuple[str, ...],
    command: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command("srun", "exit 0")
    monkeypatch.setattr("os.getuid", lambda: 1000)
    monkeypatch.setattr("ftdist_launch.slurm.own_files.trusted_users", lambda: {0, 1000})
    config = slurm_config(
        *("cluster.nodes=2", "cluster.tasks_per_node=4", "cluster.gpus_per_node=4"),
        "cluster.partition=main",
        *(
            "cluster.python=/opt/python",
            "cluster.cpus_per_task=8",
            "cluster.environment_modules=[cuda/13.0]",
            "cluster.account=team",
        ),
        *(
            "cluster.network_interface=ib0",
            "cluster.memory_gib=0",
            "cluster.constraint=a100&nvlink",
        ),
        *("cluster.env.NCCL_IB_TIMEOUT=22", "cluster.cpu_partition=cpu"),
        *("cluster.container=/images/ftdist.sqsh", "cluster.container_mounts=[/shared:/shared]"),
    )
    text = script(request(config, stage=stage, runs=runs, after=after))
    assert text == (GOLDEN / f"{name}.sbatch").read_text()


@pytest.mark.fault("S1")
def test_bash_can_parse_the_script(command: Callable[[str, str], None]) -> None:
    command("srun", "exit 0")
    config = slurm_config("cluster.env.NCCL_IB_HCA='a b; $(c) \"d\"'")
    text = script(request(config, root=Path("/shared/it's mine")))
    checked = subprocess.run(
        ["bash", "-n"], input=text, text=True, capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert "export NCCL_IB_HCA='a b; $(c) \"d\"'" in text
    assert "export FTDIST_RUN='/shared/it'\"'\"'s mine/r-0'" in text


@pytest.mark.fault("S1")
@pytest.mark.parametrize("path", ["/shared/a\nrm -rf b", "/shared/50%j", "/shared/back\\slash"])
def test_a_path_that_slurm_would_interpret_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="a character that SLURM interprets"):
        setup(request(slurm_config(), root=Path(path)))


@pytest.mark.fault("S1")
@pytest.mark.parametrize(
    "override",
    [
        "cluster.partition='main\nrm -rf x'",
        "cluster.account='a b'",
        "cluster.constraint='$(reboot)'",
        "cluster.qos='`id`'",
        "cluster.environment_modules=['cuda; reboot']",
        "cluster.network_interface='eth0 x'",
        "run.name='r;s'",
        "cluster.container='x y'",
    ],
)
def test_a_value_that_a_shell_would_execute_is_refused(override: str) -> None:
    with pytest.raises(ConfigError):
        slurm_config(override)


def test_a_key_in_the_environment_of_a_cluster_is_refused() -> None:
    with pytest.raises(ConfigError, match="looks like a secret"):
        slurm_config("cluster.env.WANDB_API_KEY=" + "0123456789" * 4)


def test_stages_other_than_train_and_compare_use_the_cpu_partition() -> None:
    config = slurm_config(
        *("cluster.gpus_per_node=4", "cluster.cpu_partition=cpu", "cluster.nodes=2"),
        "cluster.partition=main",
    )
    asked = {
        stage: parameters(request(config, stage=stage))
        for stage in ("prepare", "train", "export", "compare")
    }
    assert {s: p.get("gpus_per_node") for s, p in asked.items()} == {
        "prepare": None,
        "train": 4,
        "export": None,
        "compare": 4,
    }
    fewer = dataclasses.replace(config, eval=dataclasses.replace(config.eval, num_replicas=2))
    wanted: dict[Stage, int] = {"compare": 2, "merge": 2, "train": 4, "curate": 1, "export": 0}
    assert {stage: request(fewer, stage=stage).gpus_per_node for stage in wanted} == wanted
    assert {s: p["partition"] for s, p in asked.items()} == {
        "prepare": "cpu",
        "train": "main",
        "export": "cpu",
        "compare": "main",
    }
    assert {s: p["nodes"] for s, p in asked.items()} == {
        "prepare": 1,
        "train": 2,
        "export": 1,
        "compare": 1,
    }


# Preflight

NODES = [
    Partition(
        name="main",
        is_default=True,
        is_up=True,
        time_limit_min=60,
        nodes=2,
        cores=4,
        memory_mib=8192,
        gpus=2,
    ),
    Partition(
        name="dead",
        is_default=False,
        is_up=False,
        time_limit_min=None,
        nodes=9,
        cores=99,
        memory_mib=99999,
        gpus=0,
    ),
]
FITS = ("cluster.timeout_min=60", "cluster.cpus_per_task=4")


@pytest.mark.fault("U2")
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ((), None),
        (("cluster.partition=mian",), "set it to main"),
        (("cluster.nodes=3", "batch.allow_uneven=true"), "at most 2"),
        (("cluster.timeout_min=61",), "at most 60"),
        (("cluster.tasks_per_node=2",), "set cluster.cpus_per_task to 2"),
        (("cluster.memory_gib=9",), "at most 8"),
        (("cluster.tasks_per_node=3",), "set cluster.tasks_per_node to at most 2, or"),
        (("cluster.tasks_per_node=2", "cluster.gpus_per_node=1"), "the job gets at most 1 GPU per"),
        (
            ("cluster.tasks_per_node=4", "cluster.cpus_per_task=1", "cluster.device=cpu"),
            None,
        ),
        (("cluster.gpus_per_node=3",), "set cluster.gpus_per_node to at most 2"),
        (("cluster.partition=dead", "cluster.nodes=1"), "is down"),
        (("cluster.partition=dead", "cluster.device=cuda"), "is down"),
    ],
)
def test_requests_beyond_a_partition_are_refused_with_its_limit(
    overrides: tuple[str, ...], message: str | None
) -> None:
    chosen = {override.partition("=")[0]: override for override in (*FITS, *overrides)}
    config = slurm_config(*chosen.values())
    problems = [str(problem) for problem in partition_problems(config, NODES)]
    if message is None:
        assert problems == []
    else:
        assert any(message in problem for problem in problems), problems


def test_gpus_default_to_one_per_task_as_far_as_the_partition_has_them() -> None:
    def asked(*overrides: str) -> int | None:
        return with_resources(slurm_config(*overrides), NODES).cluster.gpus_per_node

    assert asked("cluster.tasks_per_node=1") == 1
    assert asked("cluster.tasks_per_node=4") == 2
    assert asked("cluster.tasks_per_node=4", "cluster.gpus_per_node=1") == 1
    assert asked("cluster.device=cpu") == 0


def test_a_signal_delay_as_long_as_the_time_limit_is_refused() -> None:
    (problem,) = time_problems(slurm_config("cluster.timeout_min=5", "cluster.signal_delay_s=300"))
    assert "set cluster.signal_delay_s below 300" in str(problem)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        # Two checkpoints of 90 GiB at 0.5 GiB/s.
        ((), None),
        (("cluster.signal_delay_s=300",), "two checkpoints (the one being written, and the last)"),
        (("cluster.signal_delay_s=300",), "cluster.signal_delay_s=720: twice that time"),
        (("cluster.signal_delay_s=300",), "about 360 s"),
        (("cluster.signal_delay_s=300", "cluster.nodes=2"), None),
        (("cluster.signal_delay_s=100", "checkpoint.async_save=false"), "save one checkpoint"),
    ],
)
def test_a_stop_that_an_assumed_disk_cannot_save_in_time_is_warned_about_not_refused(
    overrides: tuple[str, ...], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftdist_launch.slurm.preflight._terms", lambda _: {"checkpoint_gib": 90.0})
    config = slurm_config("checkpoint.every_steps=10", *overrides)
    assert list(time_problems(config)) == []
    notes = list(save_notes(config))
    assert len(notes) == (expected is not None)
    assert all(expected in note and note.startswith("Warning:") for note in notes if expected)


def test_a_run_directory_in_memory_is_refused() -> None:
    (problem,) = shared_root_problems(Path("/dev/shm/runs"))
    assert isinstance(problem, StorageError)
    assert "tmpfs" in problem.problem


def test_online_tracking_without_a_key_is_refused(tmp_path: Path) -> None:
    config = slurm_config("tracking=online")
    nowhere = {"NETRC": str(tmp_path / "netrc")}
    (problem,) = tracking_problems(config, nowhere)
    assert "wandb login" in problem.remedy
    assert list(tracking_problems(config, {**nowhere, "WANDB_API_KEY": "k" * 40})) == []
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password " + "k" * 40 + "\n")
    assert list(tracking_problems(config, nowhere)) == []


# Output of SLURM


def test_states_are_those_of_jobs_in_the_queue(command: Callable[[str, str], None]) -> None:
    command(
        "squeue",
        "cat <<'E'\n"
        "7|PENDING|Dependency|| N/A\n8_0|RUNNING|None|node[1-2]|2026-11-23T21:00:00\n"
        "8_1|PENDING|Resources||N/A\n9|COMPLETED|None|node1|2026-11-23T20:00:00\nE",
    )
    states = Queue().states(["7", "8_0", "9"])
    assert {job: (s.state, s.reason, s.nodes) for job, s in states.items()} == {
        "7": ("PENDING", "Dependency", ""),
        "8_0": ("RUNNING", "None", "node[1-2]"),
    }


def test_jobs_unknown_to_slurm_are_not_in_the_queue(
    command: Callable[[str, str], None],
) -> None:
    command(
        "squeue",
        'case "$*" in *jobs=7\\ *) echo "7|RUNNING|None|node1|N/A";; '
        '*) echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1;; esac',
    )
    assert list(Queue().states(["7", "8"])) == ["7"]


def test_a_command_that_hangs_times_out(
    command: Callable[[str, str], None],
) -> None:
    command("squeue", "exec sleep 60")
    with pytest.raises(SlurmError, match="timed out after 0 s"):
        Queue(timeout_s=0.2).states(["7"])


def test_partitions_are_read_with_their_limits(command: Callable[[str, str], None]) -> None:
    command(
        "sinfo",
        "cat <<'E'\nmain*|up|1-00:00:00|2|8|8000+|gpu:a100:4(S:0-1)\n"
        "cpu|inact|infinite|3|2+|100|(null)\nE",
    )
    main, cpu = Queue().partitions()
    assert (main.name, main.is_default, main.is_up, main.time_limit_min) == (
        "main",
        True,
        True,
        1440,
    )
    assert (main.nodes, main.cores, main.memory_mib, main.gpus) == (2, 8, 8000, 4)
    assert (cpu.name, cpu.is_default, cpu.is_up, cpu.time_limit_min, cpu.gpus) == (
        *("cpu", False, False, None, 0),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("infinite", None),
        ("30:00", 30),
        ("2:00:00", 120),
        ("1-00:00:00", 1440),
        ("2-12", 3600),
        ("90", 90),
    ],
)
def test_time_limits_are_read(text: str, expected: int | None) -> None:
    assert minutes(text) == expected


# Code snapshots


def test_a_snapshot_that_was_changed_is_refused(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "r")
    run.create(private=True)
    take_snapshot(run)
    verify_snapshot(run)
    assert (run.code / "ftdist" / "conf" / "train.yaml").is_file()
    with (run.code / "ftdist" / "nn" / "loss.py").open("a") as file:
        file.write("\n")
    with pytest.raises(ConfigError, match="not the code that was submitted"):
        verify_snapshot(run)
    take_snapshot(run)
    verify_snapshot(run)
    (run.code / "ftdist" / "more.py").touch()
    with pytest.raises(ConfigError, match="not the code that was submitted"):
        verify_snapshot(run)


@pytest.mark.parametrize(
    "name", ["SQUEUE_PARTITION", "SINFO_PARTITION", "SBATCH_QOS", "SLURM_JOB_ID"]
)
def test_output_preferences_of_the_user_do_not_matter(
    name: str, command: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "canary")
    monkeypatch.setenv("SLURM_CONF", "kept")
    command(
        "squeue", f'[ -z "${name}" ] && [ "$SLURM_CONF" = kept ] && echo "7|RUNNING|None|n|N/A"'
    )
    assert list(Queue().states(["7"])) == ["7"]


@pytest.mark.fault("L15")
@pytest.mark.parametrize("shows", [True, False])
def test_the_script_waits_for_code_that_shows_late_and_names_its_path(
    tmp_path: Path, shows: bool
) -> None:
    lines = "\n".join(WAIT_FOR_CODE).replace("seq 60", "seq 20" if shows else "seq 1")
    process = subprocess.Popen(
        ["bash", "-c", f"{lines}\necho found"],
        env={"FTDIST_RUN": str(tmp_path), "PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(1.5)
    if shows:
        (tmp_path / "code" / "ftdist_launch").mkdir(parents=True)
    out, err = process.communicate(timeout=60)
    if shows:
        assert (process.returncode, out) == (0, "found\n")
    else:
        assert process.returncode == 74
        assert err.startswith(f"{tmp_path}/code did not show on ")
