"""Self-contained HTML pages, rendered with Jinja."""

from importlib.resources import files
from typing import Any

import jinja2


def render(template: str, **values: Any) -> str:
    """Render a template of the package; all values are escaped.

    Args:
        template: its path inside the package, such as `library/card.html.jinja`.
        values: by name; a missing one is an error.
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
    """A number with thousands separators."""
    return f"{value:,}"


def percent(share: float) -> str:
    """A fraction in percent."""
    return f"{100 * share:.1f} %"


def source(name: str) -> str:
    """A file of the package as text."""
    return files("ftdist").joinpath(name).read_text(encoding="utf-8")
