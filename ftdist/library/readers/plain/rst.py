"""reStructuredText, converted to HTML by docutils; markup of Sphinx keeps its text."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.core import publish_doctree, publish_from_doctree
from docutils.parsers.rst import Directive, directives, roles
from docutils.parsers.rst.languages import en as english

from ftdist.library.readers import read_bytes
from ftdist.library.readers.encoding import decode
from ftdist.library.readers.html import parse_html
from ftdist.library.schema import BadRow, Document, Location, Note

_DIRECTIVE = re.compile(r"^\s*\.\. ([a-zA-Z][\w+.-]*(?::[\w+.-]+)*)::", re.MULTILINE)
_ROLE = re.compile(r":([a-zA-Z][\w+.-]*(?::[\w+.-]+)*):`")
_TARGET = re.compile(r"\s*<[^<>]*>$")
_LEFT_OUT = {
    *("toctree", "index", "highlight", "module", "currentmodule", "py:module", "tags", "meta"),
    *("py:currentmodule", "automodule", "autoclass", "autofunction", "automethod", "include"),
    *("literalinclude", "image", "figure", "raw", "graphviz", "plot", "contents", "sectnum"),
}
_LABELS = {
    "versionadded": ["New in version"],
    "versionchanged": ["Changed in version"],
    "deprecated": ["Deprecated since version"],
    "seealso": ["See also:"],
}
"""What Sphinx writes before the arguments of its directives."""

_CODE = {
    *("code", "code-block", "sourcecode", "highlight-block", "prompt", "productionlist"),
    *("doctest", "testcode", "testoutput", "ipython", "console"),
}
_SETTINGS = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "initial_header_level": 1,
    "report_level": 3,
    "warning_stream": False,
    "halt_level": 5,
    "_disable_config": True,
    "embed_stylesheet": False,
    "stylesheet_path": None,
    "math_output": "LaTeX",
    "syntax_highlight": "none",
    "footnote_references": "brackets",
    "doctitle_xform": False,
    "toc_backlinks": False,
    "output_encoding": "unicode",
}


def read_rst(path: Path, *, name: str, encoding: str | None = None) -> Document | BadRow:
    """Read a file of reStructuredText."""
    text, notes = decode(read_bytes(path), encoding=encoding)
    left_out = Counter[str](
        directive for directive in _DIRECTIVE.findall(text) if directive.lower() in _LEFT_OUT
    )
    for directive in set(_DIRECTIVE.findall(text)):
        _register_directive(directive.lower())
    for role in set(_ROLE.findall(text)):
        if role not in english.roles and role not in roles._roles:
            roles.register_local_role(role, _text_role)
    tree = publish_doctree(text, settings_overrides=_SETTINGS)
    if errors := _restore_errors(tree):
        notes += (Note("markup that docutils cannot read is kept", errors[0], len(errors)),)
    first = next(iter(tree.findall(nodes.title)), None)
    tree["title"] = path.stem if first is None else first.astext()
    markup = publish_from_doctree(tree, writer="html5", settings_overrides=_SETTINGS)
    document = parse_html(str(markup), name=name, stem=path.stem)
    if isinstance(document, BadRow):
        return BadRow("contains no text", Location(name), "Remove it.")
    notes += tuple(Note("directive left out", each, count) for each, count in left_out.items())
    return replace(document, notes=(*document.notes, *notes))


def _restore_errors(tree: nodes.document) -> list[str]:
    """Replace each error by the source that it is about; the messages of the errors."""
    errors: list[str] = []
    for error in list(tree.findall(nodes.system_message)):
        source = list(error.findall(nodes.literal_block))
        errors += [" ".join(error[0].astext().split())] if source else []
        error.parent.replace(error, source)
    return errors


def _register_directive(name: str) -> None:
    """Let docutils read a directive that it does not know: it keeps its text."""
    if name in _LEFT_OUT:
        directives.register_directive(name, _LeftOut)
    elif name in _CODE:
        directives.register_directive(name, _Code)
    elif name not in english.directives and name not in directives._directives:
        directives.register_directive(name, _Text)


class _Directive(Directive):  # type: ignore[misc]
    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True

    class _AnyOption(dict[str, Any]):
        """Options of any name."""

        def __bool__(self) -> bool:
            return True

        def __getitem__(self, key: str) -> Any:
            return directives.unchanged

    option_spec = _AnyOption()


class _LeftOut(_Directive):
    """Neither its arguments nor its content are text."""

    def run(self) -> list[nodes.Node]:
        return []


class _Code(_Directive):
    """Its content keeps its line breaks."""

    def run(self) -> list[nodes.Node]:
        text = "\n".join(self.content)
        return [nodes.literal_block(text, text)]


class _Text(_Directive):
    """Its arguments are a paragraph, and its content is read like the text around it."""

    def run(self) -> list[nodes.Node]:
        container = nodes.container()
        argument = " ".join([*_LABELS.get(self.name, ()), *self.arguments]).strip()
        if argument:
            children, messages = self.state.inline_text(argument, self.lineno)
            container += nodes.paragraph(argument, "", *children, *messages)
        self.state.nested_parse(self.content, self.content_offset, container)
        return [container]


def _text_role(
    _name: str, rawtext: str, text: str, _line: int, _inliner: Any, **_: Any
) -> tuple[list[nodes.Node], list[nodes.Node]]:
    """The text of a role that docutils does not know, without the target of a reference."""
    shown = _TARGET.sub("", text).lstrip("~!")
    return [nodes.inline(rawtext, shown)], []
