"""The errors that a user can meet, each with its exit code.

    FtdistError          70  our own mistake
      ConfigError        78  a key, a value, or an arithmetic that cannot work
      DataError          78  a document, a conversation or a probe that cannot be used
      ModelError         78  a model folder that cannot be trained as it is
      StorageError       74  a disk that is full, a file that is damaged or cannot be written
      SlurmError         69  SLURM did not do what it was asked (ftdist_launch.slurm.client)
      HangError          76  a rank that stopped answering
      RequeueError       75  the run is whole and asks to be started again
      CrashLoopError     99  several attempts in a row without progress

An error is one sentence that says what is wrong, with the numbers, and one that says what to do.
`ftdist.cli` prints both and exits with the code; a traceback is for our own mistakes alone.
"""

from typing import ClassVar

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells report it: 128 + SIGINT."""


class FtdistError(Exception):
    """Something went wrong that one sentence can say.

    Args:
        problem: what is wrong, with the numbers; a full sentence.
        remedy: what to do about it, beginning with a verb, ending with a full stop.
    """

    exit_code: ClassVar[int] = 70

    def __init__(self, problem: str, *, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        """The two lines that a user sees."""
        return f"{self.problem}\nTo fix: {self.remedy}"

    def __reduce__(self) -> tuple[object, ...]:
        """Errors cross process borders: keep both sentences."""
        return (_rebuild, (type(self), self.problem, self.remedy))


def _rebuild(kind: type[FtdistError], problem: str, remedy: str) -> FtdistError:
    return kind(problem, remedy=remedy)


class ConfigError(FtdistError):
    """A key, a value, or an arithmetic that cannot work."""

    exit_code = 78


class DataError(FtdistError):
    """A document, a conversation or a probe that cannot be used."""

    exit_code = 78


class ModelError(FtdistError):
    """A model that cannot be trained as it is."""

    exit_code = 78


class StorageError(FtdistError):
    """A disk that is full, or a file that is damaged or cannot be written."""

    exit_code = 74


class HangError(FtdistError):
    """A rank stopped answering."""

    exit_code = 76


class RequeueError(FtdistError):
    """The run is whole and asks to be started again."""

    exit_code = 75


class CrashLoopError(FtdistError):
    """Several attempts in a row made no progress."""

    exit_code = 99
