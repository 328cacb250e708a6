"""What every test of a command needs."""

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _own_term_handler() -> Iterator[None]:
    """`main` answers SIGTERM; the test process keeps its own answer afterwards."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)
