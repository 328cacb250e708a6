"""Clusters and users of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ftdist.rundir import RunDir
from tests.support.slurm.cluster import SlurmLab
from tests.support.slurm.login import Login, logged_in
from tests.support.slurm.queued_runs import left_over, submit
from tests.support.tiers import missing_cluster


@pytest.fixture(scope="session")
def slurm_lab() -> Iterator[SlurmLab]:
    """A cluster of two nodes, for all tests; who breaks a node mends it."""
    _skip_without_slurm()
    with SlurmLab.running(nodes=2) as lab:
        yield lab


@pytest.fixture(scope="module")
def three_nodes() -> Iterator[SlurmLab]:
    """A cluster of three nodes beside it, for the tests of one file."""
    _skip_without_slurm()
    with SlurmLab.running(nodes=3) as lab:
        yield lab


@pytest.fixture
def login(slurm_lab: SlurmLab, tmp_path: Path) -> Iterator[Login]:
    """A user of the two nodes, whose jobs end with the test."""
    with logged_in(slurm_lab, tmp_path) as user:
        yield user


@pytest.fixture(scope="session")
def uninterrupted(
    slurm_lab: SlurmLab, ingredients: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunDir]:
    """An uninterrupted run, with which disturbed ones are compared."""
    with logged_in(slurm_lab, tmp_path_factory.mktemp("whole")) as login:
        job = submit(login, ingredients, "whole")
        login.wait_for_state(job, "COMPLETED")
        assert slurm_lab.exit_code(job) == 0
        assert left_over(login) == []
        yield login.run("whole")


def _skip_without_slurm() -> None:
    if reason := missing_cluster():
        pytest.skip(reason)
