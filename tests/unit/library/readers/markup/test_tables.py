"""Tables of pages as grids."""

import pytest

from tests.support.documents.blocks import briefs


@pytest.mark.parametrize(
    ("markup", "blocks"),
    [
        (
            "<tr><th>Model<th>Part<th>Nm<tr><td rowspan=2>P-9<td>Screw<td>12<tr><td>Plug<td>25",
            ["table: # Model | Part | Nm // P-9 | Screw | 12 // P-9 | Plug | 25"],
        ),
        (
            "<tr><th>A<th>B<tr><td rowspan=0>x<td>1<tr><td>2<tr><td>3",
            ["table: # A | B // x | 1 // x | 2 // x | 3"],
        ),
        (
            "<tbody><tr><td rowspan=5>x<td>1<tr><td>2</tbody><tbody><tr><td>y<td>3",
            ["table: x | 1 // x | 2 // y | 3"],
        ),
        (
            "<thead><tr><td rowspan=2>Mode<td colspan=2>Bar<tr><td>min<td>max</thead>"
            "<tr><td>Eco<td>1<td>4<tr><td>Boost<td colspan=2>6 fixed",
            ["table: # Mode | Bar min | Bar max // Eco | 1 | 4 // Boost | 6 fixed | 6 fixed"],
        ),
        (
            "<thead><tr><th>A<th>B<tfoot><tr><td>sum<td>9</tfoot><tbody><tr><td>x<td>9",
            ["table: # A | B // x | 9 // sum | 9"],
        ),
        (
            "<tr><td><th>Eco<th>Boost<tr><th>min<td>1<td>2<tr><th>max<td>3<td>4",
            ["table: #  | Eco | Boost // min | 1 | 2 // max | 3 | 4"],
        ),
        ("<thead><th>A<th>B</thead><tr><td>1<td>2", ["table: # A | B // 1 | 2"]),
        ("<tr><th>Nm<td>5<tr><th>Oil<td>VG 32", ["table: Nm | 5 // Oil | VG 32"]),
        (
            "<tr><td><b>Part</b><td><b>Nm</b><tr><td>Plug<td>5",
            ["table: # Part | Nm // Plug | 5"],
        ),
        (
            "<caption>Limits<br>2031</caption><tr><th>A<th>B<tr><td>1<td>2",
            ["paragraph: Limits 2031", "table: # A | B // 1 | 2"],
        ),
        (
            "<tr><th>Part<th>Nm<tr><th colspan=2>K-9<tr><td>Plug<td>5<tr><td colspan=2>K-8"
            "<tr><td>Plug<td>8",
            [
                "paragraph: K-9",
                "table: # Part | Nm // Plug | 5",
                "paragraph: K-8",
                "table: # Part | Nm // Plug | 8",
            ],
        ),
    ],
)
def test_a_cell_stands_in_each_row_and_column_that_it_spans(markup: str, blocks: list[str]) -> None:
    assert briefs(f"<table>{markup}</table>") == blocks


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("F1 = 2<br>F2 = 5", "F1 = 2\nF2 = 5"),
        ("<p>230 V</p><p>50 Hz</p>", "230 V\n50 Hz"),
        ("<ol start=3><li>Stop<li>Wait</ol>", "3. Stop\n4. Wait"),
        ("<ul><li>Stop<li>Wait</ul>", "- Stop\n- Wait"),
        ("<pre>a:\n  b</pre>", "a:\n  b"),
        ("<table><tr><td>a<td>b<tr><td>c<td>d</table>", "a b\nc d"),
        ("<button>Save</button>", "Save"),
    ],
)
def test_a_cell_keeps_its_lines_lists_and_code(cell: str, text: str) -> None:
    [table] = briefs(f"<table><tr><th>A<th>B<tr><td>x<td>{cell}</td></tr></table>")
    assert table == f"table: # A | B // x | {text}"


def test_a_table_in_a_cell_of_a_table_with_more_words_is_text_of_the_cell() -> None:
    inner = "<table><tr><td>x<td>y</table>"
    page = f"<table><tr><td>A<td>B<td>C<tr><td>1<td>2<td>{inner}</td></tr></table>"
    assert briefs(page) == ["table: A | B | C // 1 | 2 | x\ny"]


def test_elements_that_act_as_a_table_are_one() -> None:
    cell = "<span role=cell>{}</span>"
    head = "<span role=columnheader>{}</span>"
    rows = [[head.format("A"), head.format("B")], [cell.format("1"), cell.format("2")]]
    markup = "".join(f"<div role=row>{''.join(row)}</div>" for row in rows)
    assert briefs(f"<div role=table>{markup}</div>") == ["table: # A | B // 1 | 2"]


def test_a_table_that_frames_a_note_is_text_and_its_icon_repeats_its_title() -> None:
    icon = "<td rowspan=2><img alt='[Warning]' src=w.png></td>"
    rows = f"<tr>{icon}<th>Warning</th></tr><tr><td><p>Hot.</p></td></tr>"
    assert briefs(f"<div class=warning><table>{rows}</table></div>") == [
        "paragraph: Warning",
        "paragraph: Hot.",
    ]


@pytest.mark.parametrize(
    "markup",
    [
        "<table><tr><td>One<td>Two</table>",
        "<table><tr><td>One<tr><td>Two</table>",
        "<table role=presentation><tr><td>One<td>Two<tr><td></table>",
        "<table><tr><td><table><tr><td>One</table><tr><td>Two</table>",
        "<table><tr><td><td><table><tr><td>One</table><tr><td><td><table><tr><td>Two</table></table>",
    ],
)
def test_a_table_that_lays_out_the_page_is_read_as_text(markup: str) -> None:
    assert briefs(markup) == ["paragraph: One", "paragraph: Two"]
