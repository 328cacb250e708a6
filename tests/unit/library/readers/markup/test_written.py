"""Raised text, footnotes, equations, pictures and inputs as plain text."""

import pytest

from tests.support.documents.blocks import briefs, notes


def math(inner: str) -> str:
    return f"<math>{inner}</math>"


SUM = "<mrow><munderover><mo>\u2211</mo><mi>i</mi><mi>n</mi></munderover></mrow>"
TEX = "<annotation encoding='application/x-tex'>\\sum_i^n</annotation>"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("10<sup>6</sup>", "10⁶"),
        ("2<sup><b>8</b></sup> m<sup>2</sup>", "2⁸ m²"),
        ("10<sup>\u22123</sup>", "10⁻³"),
        ("10<span style='vertical-align: super'>6</span>", "10⁶"),
        ("10<span style='font-size: 70%; vertical-align: 0.4em'>6</span>", "10⁶"),
        ("10<span style='position: relative; top: -.5em'>6</span>", "10⁶"),
        ("10<sup>10<sup>2</sup></sup>", "10^(10²)"),
        ("10<span class=superscript>6</span>", "10⁶"),
        ("H<span style='vertical-align: -2px'>2</span>O", "H₂O"),
        ("10<sup>6</sup><style>.up{vertical-align: super}</style>, 2<b class=up>8</b>", "10⁶, 2⁸"),
        ("as in <a href='#ref1'>[1]</a>", "as in [1]"),
        ("H<sub>2</sub>O, V<sub>in</sub>", "H₂O, V_(in)"),
        ("1<sup>1</sup>/<sub>2</sub> inch", "1 1/2 inch"),
        ("1<sup>1</sup>\u2044<sub>2</sub> inch", "1 1/2 inch"),
        ("the 1<sup>st</sup>", "the 1st"),
        ("24<sup>1</sup> months", "24¹ months"),
        ("24<sup>*</sup> months", "24* months"),
    ],
)
def test_raised_and_lowered_text_stays_apart(markup: str, text: str) -> None:
    assert briefs(f"<p>{markup}</p>") == [f"paragraph: {text}"]


@pytest.mark.parametrize(
    "markup",
    [
        "24<sup><a href='#fn1'>1</a></sup> months",
        "24<sup><a href='#x'>[1]</a></sup> months",
        "24<a href='#x'><sup>1</sup></a> months",
        "24<sup class=footnote-ref><a id=fnref1 href='page.html#fn1'>1</a></sup> months",
        "24<a role=doc-noteref href='#n1'>1</a> months",
        "24<a class=footnote-ref href='#n1'>1</a> months",
        "24<sup>1</sup> months<p><sup>1</sup> With a receipt.</p>",
        "24<sup>a</sup> months<table><tr><td><sup>a</sup>With a receipt.</table>",
    ],
)
def test_marks_of_footnotes_are_left_out(markup: str) -> None:
    assert briefs(f"<p>{markup}")[0] == "paragraph: 24 months"
    assert [rule for rule, _ in notes(f"<p>{markup}")] == ["footnote mark left out"]


def test_powers_beside_notes_stay() -> None:
    page = (
        "<p>10<sup>2</sup> m<sup>2</sup>, 3 months<sup>2</sup></p><p><sup>2</sup> At 20 degrees</p>"
    )
    assert briefs(page) == ["paragraph: 10² m², 3 months", "paragraph: ² At 20 degrees"]


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<mfrac><mn>1</mn><mn>2</mn></mfrac>", "1/2"),
        ("<msup><mn>10</mn><mn>6</mn></msup>", "10⁶"),
        ("<msqrt><mn>9</mn></msqrt>", "√9"),
        ("<mi>P</mi><mo>=</mo><mi>U</mi><mi>I</mi>", "P = UI"),
        ("<mn>1</mn><mfrac><mn>1</mn><mn>2</mn></mfrac>", "1 1/2"),
        ("<mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></mfrac>", "(a + b)/2"),
        ("<msup><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></msup>", "(a + b)²"),
        ("<mi>sin</mi><mo>\u2061</mo><mi>x</mi>", "sin x"),
        (f"<semantics>{SUM}{TEX}</semantics>", "$\\sum_i^n$"),
        (SUM, "[equation]"),
    ],
)
def test_equations_are_text_tex_or_a_mark(markup: str, text: str) -> None:
    assert briefs(f"<p>x: {math(markup)}.</p>") == [f"paragraph: x: {text}."]


def test_equations_are_known_with_a_prefix_and_leave_a_mark_without_a_source() -> None:
    prefixed = "<m:math><m:msup><m:mi>m</m:mi><m:mn>2</m:mn></m:msup></m:math>"
    assert briefs(f"<p>5 {prefixed}</p>") == ["paragraph: 5 m²"]
    drawn = "<mjx-container class=MathJax><svg><path/></svg></mjx-container>"
    assert briefs(f"<p>So {drawn}.</p>") == ["paragraph: So [equation]."]


def test_an_equation_beside_a_digit_stays_apart() -> None:
    half = math("<mfrac><mn>1</mn><mn>2</mn></mfrac>")
    assert briefs(f"<p>1{half}inch</p>") == ["paragraph: 1 1/2 inch"]


@pytest.mark.parametrize(
    "markup",
    [
        "<span class=katex><span class=katex-mathml>{}</span>"
        "<span class=katex-html aria-hidden=true>P=UI</span></span>",
        "<mjx-container class=MathJax><svg>P</svg>"
        "<mjx-assistive-mml>{}</mjx-assistive-mml></mjx-container>",
        "<span class=mwe-math-element><span style='display: none'>{}</span>"
        "<img alt='P=UI' aria-hidden=true></span>",
    ],
)
def test_an_equation_is_read_once(markup: str) -> None:
    source = math(
        "<semantics><mrow><mi>P</mi><mo>=</mo><mi>U</mi><mi>I</mi></mrow>"
        "<annotation encoding='application/x-tex'>P=UI</annotation></semantics>"
    )
    page = f"<p>So {markup.format(source)}.</p>"
    assert briefs(page) == ["paragraph: So P = UI."]
    assert notes(page) == []


def test_what_is_not_read_leaves_a_mark_and_a_note() -> None:
    page = f"<p>Press <img src=key.png> at {math(SUM)}</p>"
    assert briefs(page) == ["paragraph: Press [picture] at [equation]"]
    assert [rule for rule, _ in notes(page)] == ["equation left out", "picture left out"]


@pytest.mark.parametrize(
    ("drawing", "text"),
    [
        ("<svg><title>Power</title></svg>", "Press Power twice"),
        ("<svg aria-label=Power></svg>", "Press Power twice"),
        ("<svg><path/></svg>", "Press [picture] twice"),
        ("<a href=x>it<svg><path/></svg></a>", "Press it twice"),
    ],
)
def test_a_drawing_in_a_sentence_is_read_by_its_title_or_leaves_a_mark(
    drawing: str, text: str
) -> None:
    assert briefs(f"<p>Press {drawing} twice</p>") == [f"paragraph: {text}"]


def test_a_drawing_with_words_leaves_a_mark() -> None:
    page = "<p>Wiring:</p><svg><text>5 Nm</text></svg>"
    assert briefs(page) == ["paragraph: Wiring:", "paragraph: [picture]"]
    assert notes(page) == [("drawing left out", "5 Nm")]


def test_pictures_are_read_by_their_alternative_text() -> None:
    page = "<p>Press <img alt='Red key' src=r.png><img alt='' src=dot.png> twice</p>"
    assert briefs(page) == ["paragraph: Press Red key twice"]
    assert briefs("<p>Press <a href=x><img src=r.png></a> twice</p>") == [
        "paragraph: Press [picture] twice"
    ]
    assert briefs("<a href=r.png><img src=r.png></a><p>x</p>")[0] == "paragraph: [picture]"
    assert briefs("<a href=x><img src=r.png></a><p>x</p>") == ["paragraph: x"]
    page = "<figure><img alt='Wiring'><figcaption>Wiring of K-9</figcaption></figure>"
    assert briefs(page) == ["paragraph: Wiring of K-9"]


def test_inputs_in_a_sentence_are_read() -> None:
    assert briefs("<p>Set <select><option>Eco<option>Boost</select> first</p>") == [
        "paragraph: Set Eco / Boost first"
    ]
    assert briefs(
        "<ul><li><input type=checkbox checked>Oil<li><input type=checkbox> Fuse</ul>"
    ) == [
        "item: [x] Oil",
        "item: [ ] Fuse",
    ]
