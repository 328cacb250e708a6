"""SLURM's commands on a machine that belongs to no cluster."""

from pathlib import Path

import pytest
from ftdist_launch.slurm.client import Queue, SlurmError

# What SLURM 22.05 prints without slurm.conf.
PRINTED = (
    "sinfo: error: resolve_ctls_from_dns_srv: res_nsearch error: Unknown host\n"
    "sinfo: error: fetch_config: DNS SRV lookup failed\n"
    "sinfo: fatal: Could not establish a configuration source\n"
)


@pytest.mark.parametrize(
    ("printed", "problem"),
    [
        (PRINTED, "`sinfo` is installed here, and finds no cluster."),
        ("sinfo: error: Connection refused\n", "`sinfo` failed with code 1: "),
        (None, "`sinfo` is not installed on this machine."),
    ],
)
def test_a_machine_without_a_cluster_is_named_as_such(
    printed: str | None, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if printed is not None:
        command = tmp_path / "sinfo"
        command.write_text(f"#!/bin/sh\nprintf '%s' '{printed}' >&2\nexit 1\n")
        command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SlurmError) as caught:
        Queue().partitions()
    assert caught.value.problem.startswith(problem)
    assert caught.value.remedy.startswith("retry" if "failed" in problem else "run this on a login")
