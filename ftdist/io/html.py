"""Pages of ours: one HTML file each, which opens anywhere and asks the network for nothing."""

from importlib.resources import files
from typing import Any

import jinja2


def render(template: str, **values: Any) -> str:
    """A template of ftdist, filled in; every value is text and none of it markup.

    Args:
        template: its path inside the package, such as `library/card.html.jinja`.
        values: by the names that it uses; one that is missing is our own mistake.
    """
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(source),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    environment.filters["percent"] = percent
    return environment.get_template(template).render(**values)


def number(value: float) -> str:
    """A count with its thousands apart."""
    return f"{value:,}"


def percent(share: float) -> str:
    """A proportion in percent."""
    return f"{100 * share:.1f} %"


def source(name: str) -> str:
    """A file of the package as text."""
    return files("ftdist").joinpath(name).read_text(encoding="utf-8")
