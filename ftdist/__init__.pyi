from types import ModuleType
from typing import Any

from ftdist.api.notebook import compose as compose
from ftdist.api.notebook import curate as curate
from ftdist.api.notebook import plan as plan
from ftdist.api.notebook import runs as runs
from ftdist.api.notebook import submit as submit
from ftdist.api.notebook import sweep as sweep
from ftdist.api.notebook import train as train
from ftdist.api.run import Run as Run
from ftdist.errors import FtdistError as FtdistError

__version__: str
__all__ = ["FtdistError", "Run", "compose", "curate", "plan", "runs", "submit", "sweep", "train"]

class CallablePackage(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
