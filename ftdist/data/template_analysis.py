"""Whether a chat template only passes contents on: told from its source, not from trying.

A template that looks into contents (compares, measures, cuts, keeps them for later) may write any
text, and has to be rendered for each conversation. One that only writes them, as they are or
without the blanks at their ends, writes the same pieces around them for the same order of roles.
Many templates of chat models are of that kind. What is not plainly so counts as looking.
"""

from collections.abc import Iterator

from jinja2 import Environment, TemplateError, nodes

_MESSAGES = "messages"
_CONTENT = "content"
_CALLED = {"raise_exception", "namespace", "range"}
"""Functions that give the same for the same arguments."""

_COUNTED = {"first", "last", "index", "index0", "revindex", "revindex0", "length"}
"""What a template may ask of a `loop`: nothing of the messages themselves."""


def leaves_contents_unread(source: str) -> bool:
    """Whether what a template writes around contents depends on the roles alone."""
    try:
        template = Environment(extensions=["jinja2.ext.loopcontrols"]).parse(source)
    except TemplateError:
        return False
    messages = {
        loop.target.name
        for loop in template.find_all(nodes.For)
        if _is_messages(loop.iter) and isinstance(loop.target, nodes.Name)
    }
    return all(_is_harmless(path, messages=messages) for path in _paths(template, ()))


def _paths(node: nodes.Node, above: tuple[nodes.Node, ...]) -> Iterator[tuple[nodes.Node, ...]]:
    """Every node, and what it stands in: itself first, the template last."""
    path = (node, *above)
    yield path
    for child in node.iter_child_nodes():
        yield from _paths(child, path)


def _is_harmless(path: tuple[nodes.Node, ...], *, messages: set[str]) -> bool:
    """Whether a node, where it stands, cannot let contents decide what is written."""
    node, above = path[0], path[1] if len(path) > 1 else None
    match node:
        case nodes.Name(name="loop"):
            return isinstance(above, nodes.Getattr) and above.attr in _COUNTED
        case nodes.Name(name=name, ctx="load") if name == _MESSAGES:
            return (
                (isinstance(above, nodes.For) and above.iter is node)
                or (isinstance(above, nodes.Filter) and above.name in ("length", "count"))
                or (isinstance(above, nodes.Getitem) and isinstance(above.arg, nodes.Const))
            )
        case nodes.Name(name=name, ctx="load") if name in messages:
            return _member(above) is not None
        case nodes.Name(name=name):
            return name != _MESSAGES and (
                name not in messages or (isinstance(above, nodes.For) and above.target is node)
            )
        case nodes.Getitem(node=nodes.Name(name=name)) if name == _MESSAGES:
            return _member(above) is not None
        case nodes.Getitem() | nodes.Getattr() if _member(node) in (None, _CONTENT):
            return _is_written(path[1:])
        case nodes.Call(node=called):
            return isinstance(called, nodes.Name) and called.name in _CALLED
        case nodes.Filter(name="random"):
            return False
        case nodes.Import() | nodes.FromImport() | nodes.Include() | nodes.Extends():
            return False
    return True


def _member(node: nodes.Node | None) -> str | None:
    """Which member of a message is taken; None: that is not plain."""
    match node:
        case nodes.Getattr(attr=attr) if not hasattr(dict, attr):
            return str(attr)
        case nodes.Getitem(arg=nodes.Const(value=str() as key)):
            return key
    return None


def _is_messages(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) and node.name == _MESSAGES


def _is_written(above: tuple[nodes.Node, ...]) -> bool:
    """Whether a content is written where it stands, joined to other text at most."""
    rest = iter(above)
    node = next(rest)
    if isinstance(node, nodes.Filter) and node.name == "trim" and not node.args + node.kwargs:
        node = next(rest)
    while isinstance(node, nodes.Add | nodes.Concat):
        node = next(rest)
    return isinstance(node, nodes.Output) and all(
        isinstance(outer, nodes.For | nodes.If | nodes.Template) for outer in rest
    )
