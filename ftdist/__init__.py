"""ftdist: full-parameter fine-tuning on a cluster, with proof of what was gained.

    import ftdist

    run = ftdist.train("experiment=tiny", {"optim.peak_lr": 1e-3})
    run.export()
    run.compare()

Everything is loaded on first use: docs/reference/python-api.md.
"""

from importlib import import_module
from types import ModuleType

__version__ = "0.1.0"

_PLACES = {
    **dict.fromkeys(("compose", "curate", "runs", "submit", "sweep"), "ftdist.api.notebook"),
    "Run": "ftdist.api.run",
    "FtdistError": "ftdist.errors",
}
_CALLABLE_PACKAGES = ("plan", "train")

__all__ = ["FtdistError", "Run", "compose", "curate", "plan", "runs", "submit", "sweep", "train"]


class CallablePackage(ModuleType):
    """A package that is also the function of its name: `ftdist.train(...)`, `ftdist.train.loop`."""

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Call the function."""
        return self._function(*args, **kwargs)

    @property
    def _function(self) -> object:
        return getattr(import_module("ftdist.api.notebook"), self.__name__.rpartition(".")[2])

    @property
    def __signature__(self) -> object:
        """Of the function, for `help` and notebooks."""
        from inspect import signature

        return signature(self._function)


def __getattr__(name: str) -> object:
    if name in _CALLABLE_PACKAGES:
        return import_module(f"ftdist.{name}")
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'ftdist' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
