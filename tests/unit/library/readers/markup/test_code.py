"""Code in pages keeps its lines and indentation, without line numbers."""

import pytest

from tests.support.documents.blocks import briefs

NUMBERS = "<pre class=lineno>1\n2\n</pre>"


@pytest.mark.parametrize(
    "markup",
    [
        "<pre>if x:\n    y()</pre>",
        "<pre>if x:<br>    y()</pre>",
        "<pre>\n<code>if x:\n    y()\n</code></pre>",
        "<pre><div>if x:</div><div>    y()</div></pre>",
        "<pre><span class=line>if x:</span>\n<span class=line>    y()</span></pre>",
        "<pre><span class=line>if x:</span><span class=line>    y()</span></pre>",
        "<pre><span class=token-line><b>if</b> x:<br></span>"
        "<span class=token-line>    y()<br></span></pre>",
        "<pre><span data-line>if x:\n</span><span data-line>    y()\n</span></pre>",
        "<pre><ol><li>if x:</li><li>    y()</li></ol></pre>",
        "<code>if x:<br>&nbsp;&nbsp;&nbsp; y()</code>",
        "<div style='white-space: pre-wrap'>if x:\n    y()</div>",
        f"<table><tr><td>{NUMBERS}<td><pre>if x:\n    y()</pre></table>",
        f"<pre><table><tr><td>{NUMBERS}</td><td><pre>if x:\n    y()\n</pre></table></pre>",
        "<pre><span class=linenos>1</span>if x:\n<span class=linenos>2</span>    y()</pre>",
        "<table><tr><td class=blob-num data-line-number=1><td class=blob-code>if x:</td></tr>"
        "<tr><td class=blob-num data-line-number=2><td class=blob-code>    y()</table>",
        "<table><tr><td>7<td><code>if x:</code><tr><td>8<td><pre>    y()</pre></table>",
        "<pre><button>Copy</button>if x:\n    y()</pre>",
    ],
)
def test_code_is_read_as_it_is_shown(markup: str) -> None:
    assert briefs(markup) == ["code: if x:\n    y()"]


def test_the_name_of_a_file_stands_above_its_code() -> None:
    name = "<tr><th colspan=2>a.py</th></tr>"
    code = f"<tr><td>{NUMBERS}<td><pre>if x:\n    y()</pre>"
    assert briefs(f"<table>{name}{code}</table>") == ["paragraph: a.py", "code: if x:\n    y()"]


def test_empty_lines_stay() -> None:
    line = "<span class=line>{}</span>".format
    assert briefs(f"<pre>{line('a')}\n{line('')}\n{line('b')}</pre>") == ["code: a\n\nb"]
    assert briefs(f"<pre>{line('a')}{line('<br>')}{line('b')}</pre>") == ["code: a\n\nb"]


def test_numbers_beside_text_are_no_line_numbers() -> None:
    assert briefs("<table><tr><td>1<td>Stop<tr><td>2<td>Wait</table>") == [
        "table: 1 | Stop // 2 | Wait"
    ]
    assert briefs(
        "<table><tr><td>10<td><code>E10</code><tr><td>12<td><code>E12</code></table>"
    ) == ["table: 10 | E10 // 12 | E12"]
