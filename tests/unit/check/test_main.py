"""A model and a library that fit, and one thing after another that does not."""

import json
import shutil
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from ftdist.data.chat_encoder import ChatEncoder, Tokens
from ftdist.data.messages import Chat
from ftdist.errors import DataError
from tests.unit.check.conftest import Check, conversation, finding, rows, save_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


def test_a_model_and_a_library_that_fit_have_no_warnings(model: Path, run_check: Check) -> None:
    report = run_check(model, rows(), proof=True)
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
    takes = finding(report, "chat template").message
    assert takes.startswith("It takes user, assistant; not system, developer, tools,")


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


def test_conversations_that_the_template_refuses_fail_unless_they_are_skipped(
    run_check: Check, tmp_path: Path
) -> None:
    gemma = save_model(tmp_path / "gemma", family="gemma")
    system = {"role": "system", "content": "Answer in one sentence."}
    library = [*rows(), conversation("Where is it?", "There.", system)]
    report = run_check(gemma, library)
    found = finding(report, "conversations")
    assert found.status == "failed"
    assert "1 of 4 conversations cannot be learned from" in found.message
    assert "System role not supported" in found.message
    takes = finding(report, "chat template").message
    assert takes == (
        "It takes user, assistant; not system, developer, tools, tool calls, tool results."
    )
    skipped = run_check(gemma, library, "library.on_invalid_row=skip")
    assert finding(skipped, "conversations").status == "warning"


def test_an_end_of_turn_in_words_fails(run_check: Check, tmp_path: Path) -> None:
    alpaca = save_model(tmp_path / "alpaca", family="alpaca")
    found = finding(run_check(alpaca, rows()), "end of turn")
    assert found.status == "failed"
    assert "no special token" in found.message
    assert "{{ eos_token }}" in found.remedy


Change = Callable[[Tokens], Tokens]


@pytest.mark.parametrize(
    ("check", "change", "message"),
    [
        (
            "template parity",
            lambda t: Tokens([*t.input_ids, 5], [*t.loss, False]),
            "0 of 3 conversations compared have exactly the ids",
        ),
        (
            "prompts",  # the last token of the prompt is learned too
            lambda t: Tokens(t.input_ids, [*t.loss[1:], False]),
            "In 3 of 3 conversations an answer does not follow the prompt for it",
        ),
        (
            "end of turn",
            lambda t: Tokens(
                t.input_ids, [now and later for now, later in pairwise([*t.loss, False])]
            ),
            "3 of 3 answers do not end with a learned <|im_end|>",
        ),
    ],
)
def test_an_encoder_with_a_mistake_would_be_found(
    model: Path,
    run_check: Check,
    monkeypatch: pytest.MonkeyPatch,
    check: str,
    change: Change,
    message: str,
) -> None:
    encode_many = ChatEncoder.encode_many

    def mistaken(self: ChatEncoder, chats: Sequence[Chat]) -> list[Tokens | DataError]:
        return [change(each) for each in encode_many(self, chats) if isinstance(each, Tokens)]

    monkeypatch.setattr(ChatEncoder, "encode_many", mistaken)
    found = finding(run_check(model, rows()), check)
    assert found.status == "failed"
    assert message in found.message


def test_a_model_without_a_template_gets_ours_and_a_warning(
    model: Path, run_check: Check, tmp_path: Path
) -> None:
    bare = copied(model, tmp_path / "bare")
    (bare / "chat_template.jinja").unlink()
    report = run_check(bare, rows())
    found = finding(report, "chat template")
    assert found.status == "warning"
    assert "The model has no chat template; ftdist uses its own." in found.message
    assert report.count("failed") == 0


def test_a_broken_template_fails_and_the_model_is_checked_nevertheless(
    model: Path, run_check: Check, tmp_path: Path
) -> None:
    broken = copied(model, tmp_path / "broken")
    (broken / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content")
    report = run_check(broken, rows(), proof=True)
    assert "chat template is broken" in finding(report, "chat template").message
    assert finding(report, "packed samples").status == "ok"
    assert report.status == "failed"


def test_a_tokenizer_alone_is_checked_without_the_model(
    model: Path, run_check: Check, tmp_path: Path
) -> None:
    alone = copied(model, tmp_path / "alone")
    (alone / "config.json").unlink()
    report = run_check(alone, rows(), proof=True)
    assert finding(report, "model").status == "warning"
    assert report.count("failed") == 0
    assert not [each for each in report.findings if each.check == "packed samples"]


def test_experts_fail(run_check: Check, tmp_path: Path) -> None:
    experts = save_model(tmp_path / "experts", model_type="mixtral", num_local_experts=8)
    found = finding(run_check(experts, rows()), "model")
    assert found.status == "failed"
    assert "mixture of 8 experts" in found.message


def test_texts_alone_can_be_checked(model: Path, run_check: Check, tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "library/page.md").write_text("The lamp turns green. <|im_end|>\n" * 50)
    report = run_check(model, [])
    assert report.status == "ok"
    [source] = report.sources
    # Cut into samples of at most 128 tokens, each learned but for its first token.
    assert source.longest <= 128
    assert source.loss_tokens == source.tokens - source.samples
    assert "50 times" in finding(report, "special tokens in text").message
