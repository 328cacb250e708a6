from pathlib import Path

import pytest

from ftdist.doctor.gpu_health import FIELDS, THROTTLE, parse_gpus, parse_xids, read_gpus, read_xids
from ftdist.doctor.node_report import read_reports, write_report
from tests.support.node_reports import gpu, report

HEALTHY = """\
0, NVIDIA H100 80GB HBM3, 580.95.05, 0, 38, 1980, 1980, 4, 0, Disabled
1, NVIDIA H100 80GB HBM3, 580.95.05, 2, 91, 1155, 1980, 71680, Yes, Enabled
"""
NO_ECC = "0, NVIDIA GeForce RTX 4090, 570.10, [N/A], 45, 210, 3105, 512, [N/A], [N/A]\n"
REASONS = """\
Not Active, Not Active, Not Active, Not Active
Active, Active, Not Active, Not Active
"""
DMESG = """\
[   12.345678] nvidia 0000:1b:00.0: enabling device
[ 4711.000001] NVRM: Xid (PCI:0000:1b:00): 79, pid=4242, GPU has fallen off the bus.
[ 4712.000001] NVRM: Xid (PCI:0000:1b:00): 48, pid='<unknown>', DBE (double bit error)
[ 4713.000001] NVRM: Xid (PCI:0000:3b:00): 79, pid=4243, GPU has fallen off the bus.
"""


def test_the_state_of_gpus_is_read_from_nvidia_smi() -> None:
    first, second = parse_gpus(HEALTHY, REASONS)
    assert first == gpu(0, temperature_c=38.0, memory_used_gib=4 / 1024)
    assert second == gpu(
        1,
        uncorrected_errors=2,
        temperature_c=91.0,
        sm_clock_mhz=1155.0,
        memory_used_gib=70.0,
        throttle=("hw_slowdown", "hw_thermal_slowdown"),
        remapped_failure=True,
        mig=True,
    )


def test_what_a_gpu_does_not_say_is_unknown() -> None:
    (found,) = parse_gpus(NO_ECC, "")
    assert found.uncorrected_errors is None
    assert (found.remapped_failure, found.mig, found.throttle) == (False, False, ())
    assert parse_gpus("No devices were found\n", "") == ()


def test_errors_in_the_kernels_log_are_counted_once() -> None:
    assert parse_xids(DMESG) == (48, 79)
    assert parse_xids("dmesg: read kernel buffer failed: Operation not permitted") == ()


SMI = """#!/bin/sh
case "$1" in
*clocks_event_reasons*) echo "Field is not valid to query." ; exit 2 ;;
*clocks_throttle_reasons*) echo "Active, Not Active, Not Active, Not Active" ;;
*) echo "0, NVIDIA A100, 470.1, 0, 50, 1410, 1410, 0, 0, Disabled" ;;
esac
"""


def fake_smi(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "nvidia-smi"
    path.write_text(text)
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_older_drivers_with_other_names_of_fields_are_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_smi(tmp_path, SMI, monkeypatch)
    (found,), error = read_gpus()
    assert error is None
    assert (found.driver, found.throttle) == ("470.1", ("hw_slowdown",))


def test_a_driver_that_does_not_answer_gives_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = '#!/bin/sh\necho "NVIDIA-SMI has failed because it could not communicate"\nexit 9\n'
    fake_smi(tmp_path, text, monkeypatch)
    assert read_gpus() == ((), "NVIDIA-SMI has failed because it could not communicate")


def test_a_machine_without_nvidia_smi_has_no_gpus_and_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_gpus() == ((), None)
    assert read_xids() == ()


def test_reports_survive_their_file(tmp_path: Path) -> None:
    whole = report("n2", gpus=2, infiniband=("mlx5_0",), xids=(79,))
    write_report(tmp_path, whole)
    write_report(tmp_path, report("n1"))
    assert read_reports(tmp_path) == [report("n1"), whole]


def test_each_field_is_asked_once() -> None:
    assert len(set(FIELDS)) == len(FIELDS) == 10
    assert len(set(THROTTLE)) == 4
