"""The markup of a page: well formed, accessible, and text wherever a model wrote."""

import base64
import hashlib
import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from ftdist.rundir import RunDir
from tests.support.runs import fake_reports as fake

HOSTILE = "</pre></script><script>alert(1)</script><img src=x onerror=alert(2)>&amp; {{ 7 * 7 }}"


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """A run that was compared, and has nothing else on record."""
    return fake.make_run(tmp_path)


def test_html_is_well_formed_and_self_contained(run: RunDir) -> None:
    fake.add_training(run)
    page = fake.written(run)
    parsed = fake.Page(page)
    assert parsed.open == []
    assert not {tag for tag, _ in parsed.tags} & {"link", "img", "iframe", "object", "base"}
    assert not any({"src", "xlink:href", "action"} & set(attrs) for _, attrs in parsed.tags)
    ids = {attrs["id"] for _, attrs in parsed.tags if "id" in attrs}
    leading = [attrs["href"] or "" for _, attrs in parsed.tags if "href" in attrs]
    assert leading == ["#score-leak-rate", "training.html"]
    assert leading[0].removeprefix("#") in ids
    assert set(re.findall(r"[a-z]+://[^\"'\s<]*", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "url(" not in page
    assert "default-src 'none'" in page


def test_headings_are_ordered_and_tables_and_figures_accessible(run: RunDir) -> None:
    fake.add_training(run)
    tags = fake.Page(fake.written(run)).tags
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    names = [tag for tag, _ in tags]
    assert names.count("caption") == names.count("table") >= 6
    assert all("scope" in attrs for tag, attrs in tags if tag == "th")
    drawings = [attrs for _, attrs in tags if attrs.get("role") == "img"]
    assert len(drawings) >= 5
    assert all(attrs["aria-label"] for attrs in drawings)
    places = [n for n, name in enumerate(names) if name == "svg"]
    assert all(tags[n - 1][1].get("role") == "img" for n in places)


def test_model_output_is_escaped_everywhere(run: RunDir) -> None:
    hostile = fake.answer(HOSTILE, right=False, chosen=HOSTILE)
    fake.compared(
        run,
        fake.row(
            HOSTILE, expected=HOSTILE, base=hostile, tuned=hostile | {"answer": HOSTILE + "!"}
        ),
        documents=[
            {"document": HOSTILE, "section": HOSTILE, "n": 1,
             "base": fake.interval(0, 1, 0.0, 0.8), "tuned": fake.interval(1, 1, 0.2, 1.0)},
        ],
        probes=HOSTILE,
    )  # fmt: skip
    page = fake.Page(fake.written(run))
    assert page.open == []
    assert "img" not in {tag for tag, _ in page.tags}
    assert len(page.scripts) == 2
    assert json.loads(page.scripts[0])["rows"][0]["tuned"] == HOSTILE + "!"
    assert HOSTILE in page.text


def test_only_the_report_script_may_run(run: RunDir) -> None:
    page = fake.written(run)
    script = fake.Page(page).scripts[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page


def test_blind_comparison_has_only_differing_answers_without_names(run: RunDir) -> None:
    same = fake.answer("The same.", right=True)
    fake.compared(run, fake.row("Differs?"), fake.row("Same?", base=same, tuned=same))
    data = json.loads(fake.Page(fake.written(run)).scripts[0])
    assert [row["question"] for row in data["rows"]] == ["Differs?"]
    assert data["rows"][0] == {
        "question": "Differs?", "kind": "fact", "expected": "Hold it.",
        "base": "No idea.", "tuned": "Hold it.",
    }  # fmt: skip


def test_a_secret_of_the_environment_is_not_on_the_page(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "hunter2hunter2")
    run.overrides.write_text("tracking.project=hunter2hunter2\n")
    page = fake.written(run)
    assert "hunter2" not in page
    assert "tracking.project=(hidden)" in page


def test_the_same_record_gives_the_same_bytes(run: RunDir) -> None:
    fake.add_training(run)
    assert fake.written(run) == fake.written(run)
