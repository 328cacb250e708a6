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


def test_a_silent_program_is_reported_with_its_exit_code() -> None:
    with pytest.raises(FtdistError, match="exit code 3"):
        run_child("timeit", [*_RUN_ONCE, "import os; os._exit(3)"])
