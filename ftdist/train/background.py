"""One piece of work in a thread of its own, whose result or failure is asked for later."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

IsCancelled = Callable[[], bool]


class BackgroundWork(Generic[T]):
    """Runs a function in a thread, beside training.

    The thread is a daemon: a disk that hangs keeps no process from ending.

    Args:
        action: gets a function that says whether to stop early.
        name: of the thread, for stack dumps.
    """

    def __init__(self, action: Callable[[IsCancelled], T], *, name: str) -> None:
        self._action = action
        self._cancelled = threading.Event()
        self._value: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """Whether it has ended, in one way or another."""
        return not self._thread.is_alive()

    def result(self) -> T:
        """Wait for the end: what the function returned, or raise what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._value[0]

    def cancel(self, *, patience_s: float) -> None:
        """Ask it to stop, and wait for that, but not longer than `patience_s`."""
        self._cancelled.set()
        self._thread.join(patience_s)

    def _run(self) -> None:
        try:
            self._value.append(self._action(self._cancelled.is_set))
        except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
            self._error = error
