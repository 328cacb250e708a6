"""The exceptions that a user can meet, each with its exit code.

    FtdistError          70  internal error
      ConfigError        78  invalid key, value or combination of them
      DataError          78  unusable document, conversation or probe
      ModelError         78  untrainable model folder
      StorageError       74  full disk, damaged or unwritable file
        TransientStorageError  75  a file system that did not answer for a while
      SlurmError         69  SLURM failed (ftdist_launch.slurm.client)
      HubError           69  the Hugging Face Hub failed or is unreachable
      DeviceError        71  a GPU is missing or faulty
      GpuMemoryError     72  a GPU's memory is too small
      DivergedError      65  training diverged: steps that are not finite, ruined parameters
      HangError          76  a rank stopped responding
      RequeueError       75  the run was saved and should be started again
      CrashLoopError     99  several consecutive attempts without progress

A run that a person stops ends with 0, one that Ctrl-C stops with 130.

An error has one sentence for the problem, with the numbers, and one for the remedy. `ftdist.cli`
prints both and exits with the code; only internal errors show a traceback.
"""

from typing import ClassVar

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells report it: 128 + SIGINT."""


class FtdistError(Exception):
    """An error that is reported to the user as problem and remedy.

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
        """Errors cross process boundaries: keep both sentences."""
        return (_rebuild, (type(self), self.problem, self.remedy))


def _rebuild(kind: type[FtdistError], problem: str, remedy: str) -> FtdistError:
    return kind(problem, remedy=remedy)


class ConfigError(FtdistError):
    """Invalid key, value or combination of them."""

    exit_code = 78


class DataError(FtdistError):
    """Unusable document, conversation or probe."""

    exit_code = 78


class ModelError(FtdistError):
    """Untrainable model."""

    exit_code = 78


class StorageError(FtdistError):
    """Full disk, or damaged or unwritable file."""

    exit_code = 74


class TransientStorageError(StorageError):
    """A shared file system that did not answer for a while: a run is started again.

    A rank exits with the code of StorageError, so that the others end; the restart policy reads
    this one.
    """

    exit_code = 75


class HubError(FtdistError):
    """The Hugging Face Hub failed or is unreachable."""

    exit_code = 69


class DeviceError(FtdistError):
    """A GPU that was requested is missing or faulty: another node may have a good one."""

    exit_code = 71


class GpuMemoryError(FtdistError):
    """The memory of a GPU is too small for this configuration."""

    exit_code = 72


class DivergedError(FtdistError):
    """Training diverged; its last good checkpoint stays. The same steps would diverge again."""

    exit_code = 65


class HangError(FtdistError):
    """A rank stopped responding."""

    exit_code = 76


class RequeueError(FtdistError):
    """The run was saved and should be started again."""

    exit_code = 75


class CrashLoopError(FtdistError):
    """Several consecutive attempts made no progress."""

    exit_code = 99
