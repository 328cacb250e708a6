"""The page of a run in a real browser: it fits, asks nobody, and counts blind votes right."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftdist.config.compose import compose
from ftdist.config.saved_config import save_config
from ftdist.evaluation.report.html import write_page
from ftdist.rundir import RunDir
from tests.support.browser import Browser, browser
from tests.support.documents.real_libraries import needs
from tests.support.runs import fake_reports

pytestmark = pytest.mark.timeout(180)

QUESTIONS = [f"How long is cable {number}?" for number in range(5)]
LONG = "pneumonoultramicroscopicsilicovolcanoconiosis" * 6


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of five questions, each answered by the base with "base N" and by the tuned "tuned N"."""
    run = RunDir(tmp_path_factory.mktemp("runs") / "r")
    run.create(private=True)
    needed = ["run.name=r", f"run.root={run.root.parent}", "model.path=m", "library.path=l"]
    save_config(compose(needed), run.config)
    run.report.mkdir()
    rows = [
        {
            "question": question, "kind": "fact", "expected": f"{number} m", "keys": [],
            "base": {"answer": f"base {number} {LONG}", "right": False, "chosen": None,
                     "leaked": [], "truncated": False},
            "tuned": {"answer": f"tuned {number}", "right": True, "chosen": None, "leaked": [],
                      "truncated": False},
        }
        for number, question in enumerate(QUESTIONS)
    ]  # fmt: skip
    rate = {"hits": 5, "n": 5, "low_95": 0.57, "high_95": 1.0}
    name = "my_own_task_of_general_knowledge/exact_match,strict"
    scores = {
        "base": {"fact_accuracy": 0.0, name: 1.0},
        "tuned": {"fact_accuracy": 1.0, name: 1.0, "general_leak_rate": 1.0},
        "intervals": {
            "base": {"fact_accuracy": rate | {"hits": 0}, name: rate},
            "tuned": {"fact_accuracy": rate, name: rate, "general_leak_rate": rate},
        },
        "paired": {
            "fact_accuracy": {
                "n": 5, "difference": 1.0, "low_95": 0.4, "high_95": 1, "clear": True,
            },
            name: {"n": 1200, "difference": 0.0, "low_95": -1, "high_95": 1, "clear": False},
        },
        "general_nll": {
            "passages": 20, "base": 6.31, "tuned": 14.465, "difference": 8.155,
            "low_95": 7.885, "high_95": 18.455, "clear": True,
            "intervals": {"base": [6, 7], "tuned": [14, 15]},
        },
        "probes": "p", "took_s": {"base": 1.0, "tuned": 1.0}, "cost": None,
        "eval_config": fake_reports.eval_config(),
        "truncated": {"tokens": 9, "n": 5, "base": 0, "tuned": 0},
        "flips": {"fact_improved": 5, "fact_regressed": 0},
    }  # fmt: skip
    (run.report / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (run.report / "scores.json").write_text(json.dumps(scores))
    return write_page(run)


@pytest.fixture
def shown(page: Path, tmp_path: Path) -> Iterator[Browser]:
    """The page in a browser that has never seen it."""
    needs("chromium")
    with browser(tmp_path / "profile") as found:
        found.open(page)
        yield found


def _text(shown: Browser, name: str) -> str:
    return str(shown.run(f"document.getElementById('blind-{name}').textContent"))


def _click(shown: Browser, selector: str) -> None:
    shown.run(f"document.querySelector({json.dumps(selector)}).click()")


def _vote(shown: Browser, *, for_tuned: bool) -> None:
    is_a = _text(shown, "a").startswith("tuned") == for_tuned
    _click(shown, f"[data-vote={'a' if is_a else 'b'}]")


def _counts(shown: Browser) -> dict[str, int]:
    return {name: int(_text(shown, name)) for name in ("tuned", "base", "same", "neither")}


def test_blind_votes_are_credited_to_the_chosen_model(shown: Browser, page: Path) -> None:
    _click(shown, "#blind-start")
    seen = []
    for for_tuned in (True, True, False):
        seen.append(_text(shown, "question"))
        _vote(shown, for_tuned=for_tuned)
    _click(shown, "[data-vote=same]")
    assert seen == QUESTIONS[:3]
    assert _text(shown, "progress") == "Question 5 of 5; 4 judged."
    # They are kept in the browser: a reader goes on where she was. Chromium hands them from one
    # page's process to the next one's when it gets to it.
    deadline = time.monotonic() + 10
    question = ""
    while question != QUESTIONS[4] and time.monotonic() < deadline:
        shown.open(page)
        _click(shown, "#blind-start")
        question = _text(shown, "question")
    assert question == QUESTIONS[4]
    _click(shown, "[data-vote=neither]")
    assert _counts(shown) == {"tuned": 2, "base": 1, "same": 1, "neither": 1}
    # 2 of 3: Wilson's interval is 0.208 to 0.939.
    assert _text(shown, "words") == (
        "Of 3 decided, the tuned model has 67 % (95 %: 21 to 94). That is within the noise."
    )


def test_votes_can_be_changed_and_questions_skipped(shown: Browser) -> None:
    _click(shown, "#blind-start")
    _vote(shown, for_tuned=True)
    _click(shown, "#blind-back")
    assert _text(shown, "question") == QUESTIONS[0]
    assert shown.run("document.querySelectorAll('[aria-pressed=true]').length") == 1
    _vote(shown, for_tuned=False)
    _click(shown, "#blind-skip")
    _click(shown, "#blind-end")
    assert _counts(shown) == {"tuned": 0, "base": 1, "same": 0, "neither": 0}


def test_votes_are_saved_with_what_they_mean(shown: Browser) -> None:
    _click(shown, "#blind-start")
    _vote(shown, for_tuned=True)
    shown.run(
        "URL.createObjectURL = (blob) => { blob.text().then((t) => { window.saved = t; }); "
        "return 'blob:none'; }"
    )
    _click(shown, "#blind-end")
    _click(shown, "#blind-save")
    saved = json.loads(shown.run("new Promise((f) => setTimeout(() => f(window.saved), 200))"))
    assert (saved["run"], saved["asked"]) == ("r", 5)
    assert saved["counts"] == {"tuned": 1, "base": 0, "same": 0, "neither": 0}
    assert saved["votes"] == [{"question": QUESTIONS[0], "kind": "fact", "vote": "tuned"}]


def test_the_page_makes_no_network_requests_and_logs_no_errors(shown: Browser, page: Path) -> None:
    _click(shown, "#blind-start")
    shown.run("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    asked = [
        event["params"]["request"]["url"]
        for event in shown.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert page.as_uri() in asked
    assert all(url.startswith(("file:", "data:")) for url in asked), asked
    wrong = [event for event in shown.events if event["method"] != "Network.requestWillBeSent"]
    assert not wrong


@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_fits_phone_and_desktop_in_light_and_dark(shown: Browser, width: int) -> None:
    papers = set()
    for dark in (False, True):
        shown.resize(width, 800, dark=dark)
        shown.run("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        assert shown.run("document.documentElement.scrollWidth") <= width
        papers.add(shown.run("getComputedStyle(document.body).backgroundColor"))
    assert len(papers) == 2


@pytest.mark.parametrize("width", [320, 390, 500, 799, 801, 1280])
def test_every_score_fits_without_horizontal_scrolling(shown: Browser, width: int) -> None:
    shown.resize(width, 800)
    cells = shown.run(
        "[...document.querySelectorAll('.scores tbody th, .scores tbody td')].map((cell) => {"
        " const box = cell.getBoundingClientRect(), made = document.createRange();"
        " made.selectNodeContents(cell); const text = made.getBoundingClientRect();"
        " return [cell.textContent.trim(), Math.min(box.left, text.left || box.left),"
        " Math.max(box.right, text.right)]; })"
    )
    said = " ".join(text for text, _, _ in cells)
    for value in ("6.310", "14.465", "+8.155", "+1.00"):
        assert value in said
    outside = [cell for cell in cells if cell[1] < 0 or cell[2] > width]
    assert not outside
    # A score's name and what it is are read as lines, not as a column of single words.
    narrowest = shown.run(
        "Math.min(...[...document.querySelectorAll('.scores tbody th')].map((cell) =>"
        " cell.getBoundingClientRect().width))"
    )
    assert narrowest > 200


def test_significant_regressions_at_the_top_link_to_their_score(shown: Browser) -> None:
    shown.resize(390, 800)
    lost = "document.querySelector('header .lost a')"
    assert shown.run(f"{lost}.textContent") == (
        "Loss on general text got clearly worse: +8.155 nats per token."
    )
    assert shown.run(f"{lost}.getBoundingClientRect().bottom") < 300
    shown.run(f"{lost}.click()")
    row = "document.querySelector(location.hash).getBoundingClientRect()"
    assert shown.run("document.querySelector(location.hash).textContent.includes('14.465')")
    assert 0 <= shown.run(f"{row}.top") < 800
