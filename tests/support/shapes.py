"""The runtime checker of types and tensor shapes that tests enable for `ftdist`."""

from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeDecorHintPep673Exception

PACKAGES = ["ftdist"]
CHECKER = "tests.support.shapes.checked"
"""Arguments of jaxtyping's import hook; pyproject.toml has the same for pytest itself."""

_TOWER = beartype(conf=BeartypeConf(is_pep484_tower=True))
"""An int where a float is asked for is right, as it is for mypy."""


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, raising where an argument or a result is not what its signature says.

    The hook decorates function by function, and beartype knows `Self` only within a decorated
    class: such a function, a classmethod that builds its own kind, stays as it is. So do readers:
    they have no tensors, and call small functions for each character or message.
    """
    if function.__module__.startswith("ftdist.library.readers"):
        return function
    try:
        return _TOWER(function)
    except BeartypeDecorHintPep673Exception:
        return function
