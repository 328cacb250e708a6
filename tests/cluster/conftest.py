"""Clusters and users of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.slurm.cluster import Login, SlurmLab, logged_in
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


def _skip_without_slurm() -> None:
    if reason := missing_cluster():
        pytest.skip(reason)
