"""Long texts cut at paragraphs, lines, sentences and words."""

from pathlib import Path

from transformers import PreTrainedTokenizerFast

from ftdist.data.chat_encoder import ChatEncoder
from ftdist.prepare.chunking import cut_text
from tests.support.models.word_tokenizer import (
    decoded,
    words,
)


def test_a_text_is_cut_at_paragraphs(model: Path) -> None:
    encoder = ChatEncoder(PreTrainedTokenizerFast.from_pretrained(model), system_prompt=None)
    # 20 + 20 exceed 31 places; the third paragraph fits beside the second.
    text = "\n\n".join([words(20), words(20, start=20), words(5, start=40)])
    pieces = list(cut_text(text, encoder=encoder, sequence_length=32))
    assert [len(piece.input_ids) for piece in pieces] == [20, 26]  # the end token comes last
    assert pieces[1].loss == [False] + [True] * 25
    assert decoded(model, [piece.input_ids for piece in pieces])[0] == words(20)


def test_an_overlong_paragraph_is_split_at_lines_then_sentences_then_words(
    model: Path,
) -> None:
    encoder = ChatEncoder(PreTrainedTokenizerFast.from_pretrained(model), system_prompt=None)
    for pause, text in (
        ("line", words(20) + "\n" + words(40, start=20)),
        ("sentence", words(19) + " w1999. " + words(40, start=20)),
    ):
        pieces = [p.input_ids for p in cut_text(text, encoder=encoder, sequence_length=32)]
        assert [len(piece) for piece in pieces] == [20, 31, 10], pause
    pieces = [p.input_ids for p in cut_text(words(70), encoder=encoder, sequence_length=32)]
    assert [len(piece) for piece in pieces] == [31, 31, 9]


def test_pieces_of_a_long_text_are_the_whole_text(model: Path) -> None:
    encoder = ChatEncoder(PreTrainedTokenizerFast.from_pretrained(model), system_prompt=None)
    text = "\n\n".join(words(number % 90 + 1, start=number * 7) for number in range(1500))
    assert len(text) > 300_000  # more than one block
    pieces = [piece.input_ids for piece in cut_text(text, encoder=encoder, sequence_length=64)]
    assert max(map(len, pieces)) <= 64
    assert [token for piece in pieces for token in piece] == encoder.encode_text(text).input_ids
