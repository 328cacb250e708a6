"""How the ends of child processes are reported."""

import pytest
from ftdist_launch.subprocesses import run_child

from ftdist.errors import FtdistError

pytestmark = pytest.mark.timeout(60)

_RUN_ONCE = ("-n", "1", "-r", "1")


def test_a_killed_program_is_not_an_internal_error() -> None:
    with pytest.raises(FtdistError) as caught:
        run_child("timeit", [*_RUN_ONCE, "import os; os.kill(os.getpid(), 9)"])
    assert "was killed" in caught.value.problem
    assert "memory" in str(caught.value.remedy)


def test_a_crashed_program_is_to_be_run_again() -> None:
    with pytest.raises(FtdistError) as caught:
        run_child("timeit", [*_RUN_ONCE, "import os; os.kill(os.getpid(), 11)"])
    assert "signal 11 (Segmentation fault)" in caught.value.problem
    assert "run the command again" in caught.value.remedy


def test_ranks_of_another_launcher_do_not_reach_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMPI_COMM_WORLD_LOCAL_RANK", "PMI_RANK", "PMIX_RANK"):
        monkeypatch.setenv(name, "2")
    monkeypatch.setenv("PMIRROR", "2")
    seen = "[name for name in os.environ if name.startswith(('OMPI', 'PMI'))]"
    run_child("timeit", [*_RUN_ONCE, f"import os; assert {seen} == ['PMIRROR']"])


def test_a_silent_program_is_reported_with_its_exit_code() -> None:
    with pytest.raises(FtdistError, match="exit code 3"):
        run_child("timeit", [*_RUN_ONCE, "import os; os._exit(3)"])
