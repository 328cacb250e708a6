"""An attack that leaves a file if it succeeds."""

import os
import pickle
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Canary:
    """Code that leaves `path` where it is executed, as a pickle or as Python."""

    path: Path

    def __reduce__(self) -> tuple[object, ...]:
        """Run a command as it is unpickled."""
        return (os.system, (f"touch {self.path}",))

    @property
    def code(self) -> str:
        """A module that leaves it as it is imported."""
        return f"import pathlib\npathlib.Path({str(self.path)!r}).touch()\n"

    def assert_unharmed(self) -> None:
        """Nothing executed it, although it works."""
        assert not self.path.exists(), "it was executed"
        pickle.loads(pickle.dumps(self))
        assert self.path.exists(), "the canary works"
        self.path.unlink()
        assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", self.code]) == 0
        assert self.path.exists(), "its code works"
        self.path.unlink()
