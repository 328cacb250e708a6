"""Samples as text: what is learned, what is special, and what can be seen."""

from rich.console import Console
from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from ftdist.check.findings import Finding, Report, ShownSample
from ftdist.check.samples import pieces
from ftdist.check.terminal import print_report
from ftdist.check.whitespace import visible
from ftdist.data.chat_encoder import ChatEncoder, Tokens
from ftdist.data.messages import Chat, Message
from tests.support.models.families import tokenizer_of
from tests.support.models.thinking_templates import thinking_tokenizer


def encoded(family: str, answer: str) -> tuple[ChatEncoder, Tokens]:
    encoder = ChatEncoder(tokenizer_of(family), system_prompt=None)
    question = Message(role="user", content="Hi")
    return encoder, encoder.encode(Chat([question, Message(role="assistant", content=answer)]))


def test_pieces_are_the_answer_and_its_end_of_turn() -> None:
    tokenizer = tokenizer_of("llama3")
    _, tokens = encoded("llama3", "Press the button.")
    shown = list(pieces(tokens, tokenizer))
    learned = [(text, special) for text, _, is_learned, special in shown if is_learned]
    assert "".join(text for text, _ in learned) == "Press the button.<|eot_id|>"
    assert [text for text, special in learned if special] == ["<|eot_id|>"]
    assert [index for _, ids, _, _ in shown for index in ids] == tokens.input_ids
    context = "".join(text for text, _, is_learned, _ in shown if not is_learned)
    assert context == (
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )


def test_tokens_keep_the_blank_that_they_begin_with() -> None:
    # As SentencePiece writes words; decoded alone, a token loses its mark.
    vocabulary = {"<unk>": 0, "▁Press": 1, "▁the": 2, "▁button": 3, "</s>": 4}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    core.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(content=" ", left=1)]
    )
    core.add_special_tokens(["</s>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="</s>")
    shown = pieces(Tokens([1, 2, 3, 4], [False, True, True, True]), tokenizer)
    assert [text for text, *_ in shown] == ["Press", " the", " button", "</s>"]


def test_tokens_that_are_one_character_only_together_are_one_piece() -> None:
    # A tokenizer of bytes: the snowman is three of them.
    tokens = ChatEncoder(thinking_tokenizer("kept"), system_prompt=None).encode(
        Chat([Message(role="user", content="a"), Message(role="assistant", content="☃!")])
    )
    shown = list(pieces(tokens, thinking_tokenizer("kept")))
    [snowman] = [ids for text, ids, _, _ in shown if text == "☃"]
    assert len(snowman) == 3


def test_the_middle_of_a_long_run_is_left_out() -> None:
    tokenizer = tokenizer_of("smollm2")
    tokens = Tokens([tokenizer.convert_tokens_to_ids("a")] * 1001, [False] + [True] * 1000)
    shown = [text for text, _, learned, _ in pieces(tokens, tokenizer) if learned]
    assert len(shown) == 200 + 1 + 200
    assert shown[200] == " [... 600 tokens ...] "


def test_blanks_and_control_characters_can_be_seen() -> None:
    assert visible("a b") == "a b"
    assert visible("a  b") == "a··b"
    assert visible("a \nb") == "a·↵\nb"
    assert visible("a\tb\n") == "a→b↵\n"
    assert visible("a\x1b[31m") == "a␛[31m"
    assert visible("a\u00a0b\u202e") == "a<U+00A0>b<U+202E>"


def report() -> Report:
    sample = ShownSample(
        source="library",
        location="a.jsonl, row 1",
        tokens=3,
        loss_tokens=2,
        pieces=[("Hi", [1], False, False), ("Yes", [2], True, False), ("</s>", [3], True, True)],
    )
    return Report(
        model="M",
        library="L",
        findings=[
            Finding(check="rows", status="ok", message="Good."),
            Finding(check="lengths", status="failed", message="Bad.", remedy="mend it."),
        ],
        samples=[sample],
    )


def printed(**options: bool) -> str:
    console = Console(width=100, record=True, **options)  # type: ignore[arg-type]
    with console.capture() as capture:
        print_report(report(), console)
    return capture.get()


def test_what_is_learned_can_be_told_with_and_without_colours() -> None:
    plain = printed(no_color=True)
    assert "a.jsonl, row 1: 3 tokens, 67% learned" in plain
    assert "Hi[[Yes</s>]]" in plain
    coloured = printed(force_terminal=True)
    assert "[[" not in coloured
    assert "\x1b[1;32mYes\x1b[0m\x1b[1;7;32m</s>" in coloured


def test_what_failed_comes_first() -> None:
    lines = printed(no_color=True).splitlines()
    [failed] = [number for number, line in enumerate(lines) if "Bad." in line]
    [good] = [number for number, line in enumerate(lines) if "Good." in line]
    assert failed < good
    assert "To fix: mend it." in lines[failed + 1]
