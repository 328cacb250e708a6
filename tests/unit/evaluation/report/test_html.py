"""The page of a run: whole in one file, honest about noise, and text wherever a model wrote."""

import json
import os
import re
import stat
from dataclasses import asdict
from pathlib import Path

import pytest
from rich.console import Console

from ftdist.cli.main import main
from ftdist.config.compose import compose
from ftdist.config.saved_config import override_config
from ftdist.evaluation.report.reproduce import compare_overrides
from ftdist.evaluation.report.terminal import comparison_markdown, print_comparison
from ftdist.evaluation.scoring.confidence import Paired
from ftdist.observe.score_table import score_table
from ftdist.rundir import RunDir
from tests.support.runs import fake_reports as fake


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """A run that was compared, and has nothing else on record."""
    return fake.make_run(tmp_path)


def test_report_shows_both_answers_first_then_scores_with_intervals(
    run: RunDir,
) -> None:
    rows = [
        fake.row("Known to both?", base=fake.answer("Both know.", right=True)),
        fake.row("Gained?"),
        fake.row(
            "Paris?", "general", tuned=fake.answer("Paris.", right=True, chosen="Paris")
        ),
        fake.row("My phone?", "out_of_scope", base=fake.answer("Plug it in.", right=True),
             tuned=fake.answer("Hold it.", right=False)),
    ]  # fmt: skip
    fake.compared(run, *rows)
    text = " ".join(fake.Page(fake.written(run)).text.split())
    top = text[: text.index("Scores")]
    assert "Gained? base wrong No idea. tuned right Hold it." in top
    assert "The first of 18 that only the tuned model answers correctly." in top
    assert "0.75 18/24 0.55 to 0.88 +0.75 n = 24 " in text
    assert "18 questions about the library went from wrong to right and 0 from" in text
    assert "My phone? base no leak Plug it in. tuned leak Hold it." in text
    assert "chose Paris" in text
    assert "100 s and 90 s" in text
    assert "Several wordings of one fact are not independent" in text[text.index("Scores") :]


def test_the_featured_question_is_counted_once_and_not_repeated(
    run: RunDir,
) -> None:
    paris = fake.row("Paris?", "general")
    fake.compared(run, *(fake.row(f"Question {n}?") for n in range(48)), paris)
    text = " ".join(fake.Page(fake.written(run)).text.split())
    assert "About the library 3 of 48" in text
    assert "General knowledge 1 of 1" in text
    few = text[text.index("About the library 3 of 48") : text.index("General knowledge 1 of 1")]
    assert "Question 0?" not in few
    fake.compared(run, fake.row("Alone?"), paris)
    assert "About the library" not in " ".join(fake.Page(fake.written(run)).text.split())


def test_insignificant_differences_are_not_marked(run: RunDir) -> None:
    page = fake.written(run)
    output = {row.name: row.verdict for row in score_table(fake.scores())}
    assert output == {
        "fact_accuracy": "better",
        "general_accuracy": "unclear",
        "leak_rate": "worse",
    }
    assert page.count("&#10003;") == 1
    assert page.count("&#10007;") == 1
    row = next(part for part in page.split("<tr ") if "general knowledge" in part)
    assert "within the noise" in row
    assert "better" not in row.split("lower is better")[0]


def test_only_significant_regressions_are_listed_at_the_top(run: RunDir) -> None:
    loss = fake.general_nll()
    fake.compared(run, general_nll=loss)
    text = " ".join(fake.Page(fake.written(run)).text.split())
    top = text[: text.index("One question, two answers")]
    assert top.endswith(
        "Loss on general text got clearly worse: +8.155 nats per token. Leaking into other answers "
        "got clearly worse: +1.00. "
    )
    assert top.count("clearly worse") == 2
    fake.compared(run, general_nll=loss | {"passages": 19, "clear": False})
    assert fake.written(run).count("clearly worse") == 1


def test_scores_without_a_base_value_have_no_verdict(run: RunDir) -> None:
    assert "No verdict" not in fake.written(run)
    scores = fake.scores()
    for name in ("new_leak_rate", "spurious_citation_rate"):
        scores["tuned"][name] = 1.0
        scores["intervals"]["tuned"][name] = fake.interval(16, 16, 0.81, 1.0)
    (run.report / "scores.json").write_text(json.dumps(scores))
    text = " ".join(fake.Page(fake.written(run)).text.split())
    assert (
        "No verdict on new leak rate, spurious citation rate: these count only what the base did "
        "not do"
    ) in text


def test_report_flags_too_few_texts(run: RunDir) -> None:
    loss = fake.general_nll(passages=2, low_95=7.885, high_95=8.455, clear=False)
    fake.compared(run, general_nll=loss)
    row = next(part for part in fake.written(run).split("<tr") if "loss on general text" in part)
    assert "too few texts to tell (2; 20 are needed)" in row
    assert "within the noise" not in row
    output = comparison_markdown(run.report)
    assert "too few texts to tell (2; 20 are needed), +8.155 (+7.885 to +8.455)" in output


def test_scores_of_the_newer_kind_are_shown(run: RunDir) -> None:
    near = fake.interval(3, 12, 0.09, 0.53) | {"value": 0.25}
    paired = Paired(both=3, tuned_only=3, base_only=0, neither=6).fields()
    fake.compared(
        run,
        documents=[
            {"document": "a45.pdf", "section": "Reset", "n": 8,
             "base": fake.interval(0, 8, 0.0, 0.32) | {"value": 0.0},
             "tuned": fake.interval(6, 8, 0.41, 0.93) | {"value": 0.75}},
        ],
        confusable_accuracy={
            "groups": 4, "base": near, "tuned": near | {"hits": 6, "value": 0.5},
            "paired": paired,
        },
        cost={"steps": 65, "tokens": 66560, "rank_hours": 0.55, "device": "cpu",
              "from_scratch_tokens": 2000000000, "share_of_scratch": 0.00033,
              "scratch_rank_hours": 1667.0},
    )  # fmt: skip
    page = fake.written(run)
    assert 'aria-label="6 of 8, 75 %"' in page
    text = " ".join(fake.Page(page).text.split())
    assert "a45.pdf Reset 8 0 0 to 32 % 6 41 to 93 %" in text
    assert "width:75.0%" in page
    row = next(part for part in page.split("<tr ") if "confusable accuracy" in part)
    assert "+0.25" in row
    assert "within the noise" in row
    assert "<b>66,560</b> tokens trained on" in page
    assert "0.033 % of 2,000,000,000 tokens" in page
    assert "<b>1,667</b> rank-hours from scratch, at this run&#39;s speed" in page
    assert "<b>0.55</b> rank-hours</li>" in page
    assert "Not included: curation (with the base&#39;s answers), export and" in page


def test_report_renders_without_newer_scores_or_training_evals(
    run: RunDir,
) -> None:
    page = fake.written(run)
    for absent in (
        "Accuracy by document",
        "confusable accuracy",
        "Training</h2>",
        "<svg",
        "Attempts",
    ):
        assert absent not in page


def test_report_shows_curves_attempts_and_reproduction_commands(run: RunDir) -> None:
    fake.add_training(run)
    page = fake.written(run)
    assert "training: from 8 at step 1 to 2 at step 3, lowest 2 at step 3." in page
    assert "held-out: 2.5 at step 3" in page
    assert "&lt;b&gt;manual: 2.25 at step 3" in page
    assert "left:0.0%;width:50.0%" in page
    assert "left:50.0%;width:50.0%" in page
    assert "failed<small>Rank 1 was lost.</small>" in page
    assert "ftdist train \\\n    run.name=r \\\n    &#39;library.path=/my library&#39;" in page
    assert "abc123" in page
    assert "peak_lr:" in page


def _measured(run: RunDir) -> None:
    """The base, a step of other questions, and two steps, the second of them measured twice."""
    for step, digest, ranked, nats, answer in (
        (0, "new", [False, False], 40.0, "Base."),
        (2, "old", [True, True], 10.0, "Of other questions."),
        (4, "new", [True, False], 41.0, "<b>Half."),
        (6, "new", [False, False], 90.0, "Of a lost attempt."),
        (6, "new", [True, True], 42.0, "Whole."),
    ):
        row = {
            "step": step, "digest": digest, "ranked": ranked, "general": [True, False],
            "recalled": [*ranked, False],
            "losses": [[nats, 10], [0.0, 10]],
            "generations": [{"question": "How?", "expected": "So.", "answer": answer}],
        }  # fmt: skip
        with run.evals.open("a") as file:
            file.write(json.dumps(row) + "\n")


def test_report_shows_the_generation_settings_and_the_command_overrides(
    run: RunDir,
) -> None:
    asked = fake.eval_config(
        max_new_tokens=64,
        perplexity_texts="/my prose.txt",
        lm_eval_tasks=["/t/a.yaml", "/t/b.yaml"],
    )
    fake.compared(run, eval_config=asked)
    text = " ".join(fake.Page(fake.written(run)).text.split())
    assert (
        "Evaluation: greedy answers of at most 64 tokens; probes: library/probes.jsonl; general "
        "questions: bundled with ftdist, up to 60 of them answered in writing too; general "
        "texts: /my prose.txt; instructions: at most 100, an even sample of those bundled; "
        "lm-eval tasks: /t/a.yaml, /t/b.yaml."
    ) in text
    assert (
        "ftdist compare runs/r \\ 'eval.perplexity_texts=/my prose.txt' \\ "
        "'eval.lm_eval_tasks=[/t/a.yaml,/t/b.yaml]' \\ eval.max_new_tokens=64 "
    ) in text
    fake.compared(run, eval_config=fake.eval_config(general_questions="none"))
    assert "general questions: none; general texts: bundled with ftdist;" in fake.written(run)
    fake.compared(run, eval_config=fake.eval_config())
    assert "eval." not in fake.Page(fake.written(run)).text.split("Reproduce")[1]


def test_truncated_answers_are_counted_and_marked(run: RunDir) -> None:
    assert "<small>cut off" not in fake.written(run)
    cut = fake.answer("No idea. I", right=False) | {"truncated": True}
    whole = fake.answer("Hold it.", right=True) | {"truncated": False}
    fake.compared(
        run, fake.row("Gained?", base=cut, tuned=whole),
        truncated={"tokens": 64, "n": 1, "base": 1, "tuned": 0},
    )  # fmt: skip
    text = " ".join(fake.Page(fake.written(run)).text.split())
    assert (
        "Truncated: 1 of 1 answers of the base and 0 of 1 of the tuned model were cut off at 64 "
        "tokens."
    ) in text
    assert "base wrong cut off No idea. I tuned right Hold it." in text


def test_leaks_of_an_answer_are_shown_shortened_and_escaped(run: RunDir) -> None:
    marks = ["green button", "9 seconds + lamp", "<b>" + 100 * "x", "page 12", "page 31"]
    leaks = fake.answer("Hold the green button.", right=False) | {"leaked": marks}
    clear = fake.answer("Call them.", right=True)
    fake.compared(run, fake.row("My phone?", "out_of_scope", base=clear, tuned=leaks))
    page = fake.written(run)
    text = " ".join(fake.Page(page).text.split())
    output = f"from the library: green button, 9 seconds + lamp, <b>{57 * 'x'} and 2 more"
    assert f"base no leak Call them. tuned leak {output} Hold the green button." in text
    assert "<b>x" not in page
    console = Console(width=500, record=True)
    print_comparison(run.report, console)
    assert f"leak ({output}): Hold the green button." in console.export_text()


def test_the_printed_compare_command_reproduces_the_settings(run: RunDir) -> None:
    asked = fake.eval_config(
        probes="/p q.jsonl",
        general_questions="none",
        lm_eval_tasks=["/t/[x]/", "/t\\n.yaml"],
        num_replicas=2,
    )
    config = compose(["model.path=m", "library.path=l", "run.name=r"])
    words = compare_overrides(config, {"eval_config": asked})
    found = asdict(override_config(config, words, allowed=("eval.",)).eval)
    assert {name: found[name] for name in asked} == asked


def test_training_evals_are_plotted_from_the_base_with_answers_per_step(
    run: RunDir,
) -> None:
    assert "While it learned" not in fake.written(run)
    _measured(run)
    page = fake.written(run)
    part = page[page.index('id="learning"') :].split("</section>")[0]
    assert "key facts, greedy: from 0 at step 0 to 0.667 at step 6" in part
    assert "recall ranked: from 0 at step 0 to 1 at step 6, lowest 0 at step 0." in part
    # (42 - 40) nats over 20 tokens.
    assert "general loss: from 0 at step 0 to 0.1 at step 6" in part
    text = " ".join(re.sub("<[^>]*>", " ", part).split())
    assert "base Base. step 4 &lt;b&gt;Half. step 6 Whole." in text
    assert "lost attempt" not in part
    assert "other questions" not in part
    assert "No step retained enough" in part
    (run.checkpoints / "step-00000004").mkdir(parents=True)
    (run.checkpoints / "best.json").write_text('{"step": 4}')
    assert "Best checkpoint: step 4." in fake.written(run)


def test_a_curated_library_shows_its_figures(run: RunDir, tmp_path: Path) -> None:
    files = {"train": {"samples": 1234}, "held_out": {"samples": 56}}
    manifest = {
        "name": "widget",
        "sources": [{"name": "manuals", "role": "library", "rows": 9, "files": files}],
        "mix": {"manuals": {"share": 0.25, "times_seen": 1.0}},
        "settings": {"teach": {"wordings": 4}},
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    page = fake.written(run)
    for output in ("Library widget", "1,234", "25.0 %", "index.html"):
        assert output in page
    assert str(tmp_path) not in page
    assert "teach:\n  wordings: 4\n" in page
    (tmp_path / "manifest.json").write_text("{}")
    assert "Library widget" not in fake.written(run)


def test_report_rewrites_the_page_with_private_permissions(
    run: RunDir, capfd: pytest.CaptureFixture[str]
) -> None:
    before = os.umask(0o022)
    try:
        assert main(["report", str(run.root)]) == 0
    finally:
        os.umask(before)
    page = run.report / "index.html"
    assert capfd.readouterr().out == f"The report of run r is in {page}.\n"
    assert stat.S_IMODE(page.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("answers.jsonl", '{"question": "Torn', "answers.jsonl holds 0 answers of 1"),
        ("answers.jsonl", '{"a": 1}', "does not hold what a comparison writes"),
        ("scores.json", "[]", "does not hold what a comparison writes"),
        ("scores.json", "{}", "does not hold what a comparison writes"),
        ("scores.json", '{"base":', "There is no readable comparison"),
    ],
)
def test_a_damaged_comparison_is_reported_and_the_page_is_unchanged(
    run: RunDir, capfd: pytest.CaptureFixture[str], name: str, text: str, problem: str
) -> None:
    both = fake.answer("Hold it.", right=True)
    cut = {"tokens": 64, "n": 1, "base": 0, "tuned": 0}
    fake.compared(run, fake.row("Gained?", base=both, tuned=both), truncated=cut)
    assert main(["report", str(run.root)]) == 0
    page = (run.report / "index.html").read_bytes()
    (run.report / name).write_text(text)
    capfd.readouterr()
    assert main(["report", str(run.root)]) == 74
    output = capfd.readouterr().err
    assert problem in output
    assert "run `ftdist compare` on this run" in output
    assert (run.report / "index.html").read_bytes() == page


def test_a_report_without_comparison_has_the_curves_and_shows_how_to_compare(
    run: RunDir, capfd: pytest.CaptureFixture[str]
) -> None:
    (run.report / "scores.json").unlink()
    assert main(["report", str(run.root)]) == 0
    output = capfd.readouterr().out
    assert f"in {run.report / 'training.html'}; `ftdist compare" in output
    assert (run.report / "training.html").is_file()
    assert main(["report", str(run.root), "eval.num_threads=1"]) == 78
