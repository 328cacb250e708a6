"""A model and a library that fit, and one thing after another that does not."""

import json
import shutil
from pathlib import Path

import pytest

from tests.unit.check.conftest import Check, conversation, finding, rows, save_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


def test_a_model_and_a_library_that_fit_have_no_warnings(model: Path, run_check: Check) -> None:
    report = run_check(model, rows())
    assert {each.status for each in report.findings} == {"ok"}
    assert [each.check for each in report.findings] == [
        *("model", "packed samples", "output head", "chat template", "conversations"),
        *("template parity", "prompts", "text kept", "begin of sequence", "end of turn"),
        *("end of generation", "special tokens in text", "vocabulary", "padding token"),
        *("rows", "lengths", "packing", "duplicates", "context length"),
    ]
    assert report.status == "ok"
    assert "3 of 3 conversations compared" in finding(report, "template parity").message
    assert "All 3 answers end with <|im_end|>" in finding(report, "end of turn").message


def test_the_report_is_the_same_after_json(model: Path, run_check: Check) -> None:
    report = run_check(model, rows())
    values = json.loads(json.dumps(report.to_values()))
    assert values["status"] == "ok"
    assert type(report).from_values(values).findings == report.findings


def copied(model: Path, to: Path) -> Path:
    shutil.copytree(model, to)
    return to


def change_template(model: Path, old: str, new: str) -> None:
    path = model / "chat_template.jinja"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_template_without_end_of_turn_fails(
    model: Path, run_check: Check, tmp_path: Path
) -> None:
    broken = copied(model, tmp_path / "broken")
    (broken / "chat_template.jinja").write_text(
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    found = finding(run_check(broken, rows()), "conversations")
    assert found.status == "failed"
    assert "writes no end of turn after an answer" in found.message
    assert "{{ eos_token }}" in found.remedy


def test_two_bos_tokens_fail(run_check: Check, tmp_path: Path) -> None:
    broken = save_model(tmp_path / "broken", family="llama3")
    change_template(broken, "{{ bos_token }}", "{{ bos_token }}{{ bos_token }}")
    found = finding(run_check(broken, rows()), "begin of sequence")
    assert found.status == "failed"
    assert "writes <|begin_of_text|> 2 times" in found.message


def test_a_template_that_leaves_text_out_fails(
    model: Path, run_check: Check, tmp_path: Path
) -> None:
    broken = copied(model, tmp_path / "broken")
    change_template(
        broken, "message['content']", "('' if message.role == 'system' else message['content'])"
    )
    system = {"role": "system", "content": "Answer in one sentence."}
    report = run_check(broken, [*rows(), conversation("Where is it?", "There.", system)])
    found = finding(report, "text kept")
    assert found.status == "failed"
    assert "text of system messages in 1 of 4 conversations" in found.message
    assert "row 4" in found.message
    assert "not system" in finding(report, "chat template").message.replace(
        "not tools", "not system"
    )


def test_ids_beyond_the_embedding_fail(run_check: Check, tmp_path: Path) -> None:
    broken = save_model(tmp_path / "broken", vocab_size=300)
    found = finding(run_check(broken, rows()), "vocabulary")
    assert found.status == "failed"
    assert "the model's embedding has 300 rows" in found.message


def test_generation_that_never_stops_is_a_warning(
    model: Path, run_check: Check, tmp_path: Path
) -> None:
    broken = copied(model, tmp_path / "broken")
    (broken / "generation_config.json").write_text(json.dumps({"eos_token_id": 5}))
    report = run_check(broken, rows())
    found = finding(report, "end of generation")
    assert found.status == "warning"
    assert "learns to end answers with <|im_end|>" in found.message
    assert report.status == "warning"


def test_special_tokens_in_text_are_counted_and_kept_as_text(model: Path, run_check: Check) -> None:
    typed = conversation("What does <|im_end|> mean? <|im_end|>", "It ends a turn.")
    report = run_check(model, [*rows(), typed])
    found = finding(report, "special tokens in text")
    assert found.status == "ok"
    assert "<|im_end|> 2 times (the first: library: a.jsonl, row 4)" in found.message
    assert found.other_trainers
    assert finding(report, "template parity").status == "ok"


def test_rows_that_are_too_long_fail_unless_they_are_dropped(model: Path, run_check: Check) -> None:
    long = conversation("Where is the lamp?", "There. " * 200)
    found = finding(run_check(model, [*rows(), long]), "lengths")
    assert found.status == "failed"
    assert "1 of 4 conversations are longer than batch.sequence_length=128" in found.message
    dropped = finding(run_check(model, [*rows(), long], "library.overlong=drop"), "lengths")
    assert dropped.status == "warning"


def test_rows_that_cannot_be_read_fail_unless_they_are_skipped(
    model: Path, run_check: Check
) -> None:
    found = finding(run_check(model, [*rows(), {"messages": []}]), "rows")
    assert found.status == "failed"
    assert "1 of 4 rows cannot be used" in found.message
    assert "row 4" in found.message
    skipped = run_check(model, [*rows(), {"messages": []}], "library.on_invalid_row=skip")
    assert finding(skipped, "rows").status == "warning"


def test_sequences_longer_than_the_context_fail(run_check: Check, tmp_path: Path) -> None:
    short = save_model(tmp_path / "short", max_position_embeddings=64)
    found = finding(run_check(short, rows()), "context length")
    assert found.status == "failed"
    assert found.remedy == "set batch.sequence_length to at most 64."


def test_repeated_conversations_are_a_warning(model: Path, run_check: Check) -> None:
    found = finding(run_check(model, [*rows(), *rows()]), "duplicates")
    assert found.status == "warning"
    assert "3 of 6 conversations" in found.message
